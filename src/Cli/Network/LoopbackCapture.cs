using System.Globalization;

namespace Lateen.Cli.Network;

/// <summary>
/// Without any privilege: every workload has an address of 127/8, on which its sidecar listens; its program listens on a second one and
/// calls through its sidecar as an HTTP proxy, which programs learn from the environment. What does not heed HTTP_PROXY is not captured.
/// </summary>
public sealed class LoopbackCapture : ICapture
{
    /// <summary>The port on which a sidecar takes its program's requests.</summary>
    public const int ProxyPort = 15080;

    public string Description => "loopback (an address of 127/8 for each workload; programs call through their sidecar by HTTP_PROXY)";

    public Subnet Subnet { get; } = Subnet.Free(loopback: true);

    public Placement Gateway =>
        new(Subnet.Machine, null, null, new Dictionary<string, string> { ["LATEEN_WORKLOADS"] = Subnet.Workloads },
            new Dictionary<string, string>());

    public Task<Placement> PlaceAsync(int number, IReadOnlyList<int> ports)
    {
        string mesh = Subnet.Workload(number).ToString(), own = Subnet.Program(number).ToString();
        string proxy = $"http://{mesh}:{ProxyPort.ToString(CultureInfo.InvariantCulture)}";
        var sidecar = new Dictionary<string, string>
        {
            ["LATEEN_WORKLOADS"] = Subnet.Workloads,
            ["LATEEN_BIND"] = mesh,
            ["LATEEN_PROGRAM"] = own,
            ["LATEEN_PORTS"] = string.Join(',', ports),
            ["ISTIO_META_LATEEN_EXPLICIT_PROXY"] = "true",
            ["ISTIO_META_DNS_CAPTURE"] = "false",
            ["ISTIO_META_HTTP_PROXY_PORT"] = ProxyPort.ToString(CultureInfo.InvariantCulture),
        };
        var program = new Dictionary<string, string>
        {
            ["HOST"] = own,
            ["HTTP_PROXY"] = proxy,
            ["http_proxy"] = proxy,
            ["NO_PROXY"] = "localhost,127.0.0.1",
            ["no_proxy"] = "localhost,127.0.0.1",
        };
        return Task.FromResult(new Placement(Subnet.Workload(number), null, null, sidecar, program));
    }

    public void Remove(int number)
    {
    }

    public void Dispose()
    {
    }
}
