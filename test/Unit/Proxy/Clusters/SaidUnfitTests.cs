using System.Text;
using Lateen.Proxy.Net;
using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

/// <summary>x-envoy-immediate-health-check-fail in an answer: the host says that it is not to be used any more.</summary>
public sealed class SaidUnfitTests : IDisposable
{
    private const string Forward = """{"match":{"prefix":"/"},"route":{"cluster":"up"}}""";
    private const string Checks = """
        "health_checks":[{"timeout":"1s","interval":"1s","no_traffic_interval":"1s","unhealthy_threshold":1,"healthy_threshold":2,"http_health_check":{"path":"/fit"}}],
        """;

    private readonly RawProxy _rig = new();

    public void Dispose() => _rig.Dispose();

    private void Start(string checks)
    {
        _rig.Network.AddHost("server", RawProxy.At(3, 0)).AddLoop().Listen(new ListenOptions(RawProxy.At(3, 80)),
            new ProbeAcceptor(static () => new Probe { KeepOpenAtEnd = true, WhenData = Answer }));
        _rig.Start(2, RawProxy.Listener("l", RawProxy.Socket(2, 8080), RawProxy.Manager(Forward)),
            RawProxy.Cluster("up", RawProxy.Socket(3, 80), more: checks));
    }

    private static void Answer(Transport transport, byte[] request)
    {
        string fit = Encoding.ASCII.GetString(request).StartsWith("GET /fit ", StringComparison.Ordinal)
            ? "" : "x-envoy-immediate-health-check-fail: true\r\n";
        transport.Send(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{fit}content-length: 0\r\n\r\n"));
    }

    private void Ask()
    {
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        Assert.True(_rig.Run(() => client.Text.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal)));
    }

    private long Healthy => _rig.Counted("cluster.up.membership_healthy");

    [Fact]
    public void It_counts_as_a_failed_check_and_takes_as_many_good_ones_to_be_forgotten()
    {
        Start(Checks);
        Assert.True(_rig.Run(() => Healthy == 1 && _rig.Counted("cluster.up.health_check.success") > 0));
        Ask();
        Assert.True(_rig.Run(() => Healthy == 0));
        Assert.Equal(1, _rig.Counted("cluster.up.health_check.passive_failure"));
        long before = _rig.Counted("cluster.up.health_check.success");
        Assert.True(_rig.Run(() => Healthy == 1));
        Assert.Equal(before + 2, _rig.Counted("cluster.up.health_check.success"));
    }

    [Fact]
    public void Who_is_not_checked_stays()
    {
        Start("");
        Ask();
        _rig.Network.Advance(1_000_000);
        Assert.Equal(1, Healthy);
    }
}
