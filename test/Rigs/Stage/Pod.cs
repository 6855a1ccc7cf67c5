using System.Text.Json.Nodes;
using Lateen.Agent;
using Lateen.Agent.Secrets;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Telemetry;

namespace Lateen.Test.Rigs.Stage;

/// <summary>How a proxy asks for its configuration.</summary>
/// <param name="ControlPlanes">Where: one after the other.</param>
internal sealed record DiscoveryWay(params IReadOnlyList<Address> ControlPlanes)
{
    /// <summary>Asks for differences; otherwise for the state of the world.</summary>
    public bool IsIncremental { get; init; } = true;

    /// <summary>Takes virtual hosts one by one, as our own proxies do; otherwise tables as a whole.</summary>
    public bool TakesVirtualHosts { get; init; } = true;
}

/// <summary>A pod: an application, its sidecar (or a gateway's proxy without an application), and rules that turn connections to the
/// sidecar.</summary>
internal sealed class Pod(MemoryHost host, string name, string inNamespace, IReadOnlyDictionary<string, string> labels,
    Application? application, DiscoveryWay discovery,
    string account = "default", Authority? authority = null, SecureSide? secure = null)
{
    // Where its agent serves its proxy.
    private const int SecretsPort = 15901, RelayPort = 15902;

    // Ports that Istio's capture rules leave alone.
    private static readonly int[] NotCaptured = [15000, 15001, 15006, 15020, 15021, 15090, SecretsPort, RelayPort];

    public MemoryHost Host => host;

    public string Name => name;

    public string Namespace => inNamespace;

    public IReadOnlyDictionary<string, string> Labels => labels;

    /// <summary>Its service account; with an authority it has that identity and speaks mutual TLS.</summary>
    public string Account => account;

    /// <summary>Null for a gateway.</summary>
    public Application? Application => application;

    /// <summary>The access log of its proxy.</summary>
    public MemorySink Log { get; } = new();

    /// <summary>Null while it is stopped.</summary>
    public ProxyServer? Proxy { get; private set; }

    /// <summary>What its proxy said to an operator.</summary>
    public List<string> Said { get; } = [];

    /// <summary>Endpoints are ready unless a scenario says otherwise.</summary>
    public bool IsReady { get; set; } = true;

    /// <summary>What its agent does; null without one.</summary>
    public AgentServices? Agent { get; private set; }

    /// <summary>In place of the token that it should have; null for the right one.</summary>
    public string? OtherToken { get; set; }

    public void StartProxy()
    {
        if (Proxy is not null) return;
        if (secure is not null) StartAgent();
        Proxy = new ProxyServer(new ProxyInputs
        {
            Bootstrap = Bootstrap(),
            DrainPace = new(45_000_000, Gradual: false),
            HandsOver = true,
            Sinks = _ => Log,
            Say = Said.Add,
        }, new MemoryGround(host));
        if (application is not null) host.Capture = Captured;
        Proxy.Start();
    }

    /// <summary>Its proxy dies; connections to and from the application meet nobody.</summary>
    public void StopProxy()
    {
        Proxy?.Dispose();
        Proxy = null;
    }

    // Short, so that a renewal is seen within minutes of virtual time.
    private static readonly TimeSpan CertificateLife = TimeSpan.FromMinutes(10);

    // The real agent: its own key, a token, a certificate from the stage's authority, secrets and the way to the control plane for its
    // proxy.
    private void StartAgent()
    {
        var options = new AgentOptions
        {
            Name = name,
            Namespace = inNamespace,
            Address = host.Ip.Host,
            ServiceAccount = account,
            Discovery = $"{discovery.ControlPlanes[0].Host}:{ControlPlaneProcess.SecurePort}",
            Role = application is null ? "router" : "sidecar",
            Identity = new IdentityOptions { Life = CertificateLife },
        };
        string? Read(string path) => path == options.Identity.TokenFile ? OtherToken ?? secure!.Token(inNamespace, account)
            : path == options.Identity.RootsFile ? secure!.Authority.Bundle.RootsPem : null;
        Agent = new AgentServices(host.AddLoop("agent"), options,
            new AgentPlaces(host.Ip.WithPort(SecretsPort), host.Ip.WithPort(RelayPort), Read), null, Said.Add);
        Agent.Start(Said.Add);
    }

    private Address Captured(CaptureQuery asked)
    {
        if (asked.IsInbound) return NotCaptured.Contains(asked.Destination.Port) ? default : host.Ip.WithPort(15006);
        return asked.From.Name != "app" || asked.Destination.IsLoopback ? default : host.Ip.WithPort(15001);
    }

    private string Bootstrap()
    {
        var own = new JsonObject();
        foreach ((string key, string value) in labels) own[key] = value;
        return new JsonObject
        {
            ["node"] = new JsonObject
            {
                ["id"] =
                    $"{(application is null ? "router" : "sidecar")}~{host.Ip.Host}~{name}.{inNamespace}~{inNamespace}.svc.cluster.local",
                ["cluster"] = $"{labels.GetValueOrDefault("app", name)}.{inNamespace}",
                ["metadata"] = new JsonObject
                {
                    ["NAME"] = name,
                    ["NAMESPACE"] = inNamespace,
                    ["WORKLOAD_NAME"] = name,
                    ["SERVICE_ACCOUNT"] = account,
                    ["CLUSTER_ID"] = "Kubernetes",
                    ["INSTANCE_IPS"] = host.Ip.Host,
                    ["ISTIO_VERSION"] = "1.32.0",
                    ["LATEEN_VIRTUAL_HOSTS"] = discovery.TakesVirtualHosts ? "true" : "false",
                    ["LABELS"] = own,
                },
            },
            // As Istio starts proxies: a fragment is cut off, not refused.
            ["layered_runtime"] = new JsonObject
            {
                ["layers"] = new JsonArray(
                    new JsonObject
                    {
                        ["name"] = "global config",
                        ["static_layer"] = new JsonObject { ["envoy.reloadable_features.http_reject_path_with_fragment"] = false },
                    }),
            },
            ["dynamic_resources"] = new JsonObject
            {
                ["lds_config"] = Ads(),
                ["cds_config"] = Ads(),
                ["ads_config"] = new JsonObject
                {
                    ["api_type"] = discovery.IsIncremental ? "DELTA_GRPC" : "GRPC",
                    ["transport_api_version"] = "V3",
                    ["grpc_services"] = new JsonArray(new JsonObject { ["envoy_grpc"] = new JsonObject { ["cluster_name"] = "xds-grpc" } }),
                },
            },
            ["static_resources"] = new JsonObject
            {
                ["clusters"] = new JsonArray([.. Clusters()]),
                ["secrets"] = new JsonArray([.. authority?.AgentSecrets(inNamespace, account) ?? []]),
            },
        }.ToJsonString();
    }

    private static JsonObject Ads() =>
        new() { ["ads"] = new JsonObject(), ["initial_fetch_timeout"] = "0s", ["resource_api_version"] = "V3" };

    private IEnumerable<JsonObject> Clusters() =>
        secure is null ? [At("xds-grpc", [.. discovery.ControlPlanes])]
            : [At("xds-grpc", host.Ip.WithPort(RelayPort)), At("sds-grpc", host.Ip.WithPort(SecretsPort))];

    private static JsonObject At(string cluster, params Address[] addresses) => new()
    {
        ["name"] = cluster,
        ["type"] = "STATIC",
        ["connect_timeout"] = "1s",
        ["load_assignment"] = new JsonObject
        {
            ["cluster_name"] = cluster,
            ["endpoints"] = new JsonArray(new JsonObject
            {
                ["lb_endpoints"] = new JsonArray([.. addresses.Select(address => new JsonObject
                {
                    ["endpoint"] = new JsonObject { ["address"] = new JsonObject { ["socket_address"] = new JsonObject
                    {
                        ["address"] = address.Host,
                        ["port_value"] = (int)address.Port,
                    } } },
                })]),
            }),
        },
    };
}
