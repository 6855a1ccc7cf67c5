using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Telemetry;
using Lateen.Test.Conformance.Runners.Xds;
using Lateen.Test.Rigs.Stage;
using Running = Lateen.Proxy.Listeners.Listener;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>A connection and, for HTTP, a request on it.</summary>
internal sealed record SimulatedCall
{
    public string Address { get; init; } = "1.3.3.7";

    public int Port { get; init; }

    public string Path { get; init; } = "/";

    public string Protocol { get; init; } = "";

    public string Tls { get; init; } = "plaintext";

    public string Alpn { get; init; } = "";

    public string Host { get; init; } = "";

    public string Sni { get; init; } = "";

    /// <summary>gateway: to the proxy itself; inbound and outbound: turned to it, as iptables does.</summary>
    public string Mode { get; init; } = "outbound";

    public string SecretName { get; init; } = "default";

    public bool IsPlaintext => Tls == "plaintext";

    public bool IsHttp => Protocol is "http" or "http2";
}

/// <summary>What a call met.</summary>
internal sealed record Outcome(
    string Error = "", string Listener = "", string Chain = "", string Routes = "", string Host = "", string Route = "",
    string Cluster = "");

/// <summary>
/// A generated configuration in a running proxy on the in-memory network. Calls are connections with real bytes (TLS handshakes included);
/// what they met is read from the proxy's access log, its decision records and its counters. Clusters have no endpoints: where a call was
/// sent is the question, not who would have answered.
/// </summary>
internal sealed class Simulation : IDisposable
{
    /// <summary>The access log that configurations are generated with.</summary>
    public const string LogFormat = ListenerMark
        + "~%FILTER_CHAIN_NAME%~%UPSTREAM_CLUSTER%~%RESPONSE_FLAGS%~%RESPONSE_CODE_DETAILS%~%DOWNSTREAM_PEER_URI_SAN%\n";

    private const string ListenerMark = "@listener@";
    private const int InboundPort = 15006, OutboundPort = 15001;
    private const long StartMicros = 10_000_000, CallMicros = 40_000_000;

    private static readonly Lazy<TypeRegistry> Types = new(WireComparison.AllTypes);
    // Keys of one run serve all its worlds.
    private static readonly Lazy<Authority> OfMesh = new(() => new Authority("cluster.local")),
        OfOthers = new(() => new Authority("example.com"));
    private static readonly int[] NotCaptured = [15000, 15001, 15006, 15020, 15021, 15090];

    private readonly MemoryNetwork _network = new(1);
    private readonly MemorySink _log = new();
    private readonly MemoryHost _host;
    private readonly ProxyServer _proxy;
    private readonly string _failure = "";

    /// <summary>Starts a proxy with these listeners.</summary>
    /// <param name="addresses">The proxy's own addresses.</param>
    /// <param name="isGateway">Nothing is captured.</param>
    /// <param name="listeners">As generated.</param>
    /// <param name="routes">Route configurations by name.</param>
    public Simulation(IReadOnlyList<string> addresses, bool isGateway, IEnumerable<Listener> listeners,
        Func<string, RouteConfiguration> routes)
    {
        Address.TryParse(addresses[0], 0, out Address own);
        bool hasV6 = addresses.Any(address => address.Contains(':', StringComparison.Ordinal));
        _host = _network.AddHost("proxy", own);
        if (!isGateway) _host.Capture = Captured;
        var written = listeners.Select(listener => WithRoutes(listener, routes))
            .Select(listener => hasV6 ? OfBothFamilies(listener) : listener).ToList();
        string text = Bootstrap(written);
        string failure = "";
        _proxy = new ProxyServer(new ProxyInputs { Bootstrap = text, Sinks = _ => _log },
            new MemoryGround(_host)) { Failed = why => failure = why };
        _proxy.Start();
        if (!_network.RunUntil(() => _proxy.State == ProxyState.Live || failure.Length > 0, StartMicros))
            failure = "the proxy does not come up";
        _failure = failure;
    }

    /// <inheritdoc/>
    public void Dispose() => _proxy.Dispose();

    /// <summary>Plays one call.</summary>
    public Outcome Run(SimulatedCall call)
    {
        if (_failure.Contains("filter chain", StringComparison.Ordinal) && _failure.Contains("same", StringComparison.Ordinal))
            return new Outcome("ErrMultipleFilterChain");
        if (_failure.Length > 0) return new Outcome(_failure);
        int before = _log.Lines.Count;
        (long noChain, long handshakes) = Counters();
        long began = _host.Network.Now + _network.WallClockAtZero;
        SimulatedClient client = Call(call);
        _network.RunUntil(() => client.IsOver, CallMicros);
        client.Leave();
        // What ends late (a relay whose other side has gone) is written down a little later.
        _network.RunUntil(() => _log.Lines.Count > before, 1_000_000);
        (long noChainAfter, long handshakesAfter) = Counters();
        string[] line = _log.Lines.Skip(before).LastOrDefault()?.Split('~') ?? ["", "", "", "", "", ""];
        Decision? decision = _proxy.Decisions.Read(d => d.StartedAt >= began, d => d).MaxBy(d => d.StartedAt);
        var outcome = new Outcome(Listener: Text(line[0]), Chain: Text(line[1]), Cluster: Text(line[2]));
        if (client.IsRefused) return new Outcome("ErrNoListener");
        if (noChainAfter > noChain) return outcome with { Error = "ErrNoFilterChain" };
        if (handshakesAfter > handshakes) return outcome with { Error = call.IsPlaintext ? "ErrTLSError" : "ErrMTLSError" };
        // Who shows an identity wants to be asked for it.
        if (call.Tls == "mtls" && client.ShookHands && line[0].Length > 0 && Text(line[5]).Length == 0)
            return outcome with { Error = "ErrMTLSError" };
        if (decision is not null && (call.IsHttp || decision.Status > 0)) return Http(call, client, decision, outcome);
        if (outcome.Cluster.Length > 0) return outcome;
        return outcome with { Error = client.HandshakeFailed && line[0].Length == 0 ? "ErrMTLSError" : "ErrProtocolError" };
    }

    private static Outcome Http(SimulatedCall call, SimulatedClient client, Decision decision, Outcome outcome)
    {
        outcome = outcome with { Listener = decision.Listener, Chain = decision.Chain, Cluster = decision.Cluster?.Name ?? "" };
        if (!call.IsHttp || client.HandshakeFailed || decision.Details.Contains("codec", StringComparison.Ordinal)
            || decision.Status == 400) return outcome with { Error = "ErrProtocolError" };
        outcome = outcome with { Routes = decision.Host?.Table.Name ?? "", Host = decision.Host?.Name ?? "" };
        if (decision.Host is null) return outcome with { Error = "ErrNoVirtualHost" };
        if (decision.Route is null) return outcome with { Error = decision.Status == 301 ? "ErrTLSRedirect" : "ErrNoRoute" };
        // The recording calls a request that is refused for want of a known host by the cluster that stands for nowhere.
        return outcome with
        {
            Route = decision.Route.Name,
            Cluster = outcome.Cluster.Length == 0 && decision.Host.Name == "block_all" ? "BlackHoleCluster" : outcome.Cluster,
        };
    }

    private SimulatedClient Call(SimulatedCall call)
    {
        Address.TryParse(call.Address, call.Port, out Address meant);
        MemoryLoop loop = call.Mode == "outbound" ? _host.AddLoop("app")
            : _network.AddHost($"client-{_network.Now}-{_log.Lines.Count}-{meant}", Proxy.Net.Address.V4(0x0ac80001, 0)).AddLoop("app");
        Address to = call.Mode == "outbound" ? meant : _host.Ip.WithPort(call.Port);
        return new SimulatedClient(loop, to, call, call.SecretName == "default" ? OfMesh.Value : OfOthers.Value);
    }

    private Address Captured(CaptureQuery asked)
    {
        if (asked.IsInbound) return NotCaptured.Contains(asked.Destination.Port) ? default : _host.Ip.WithPort(InboundPort);
        return asked.From.Name != "app" ? default : _host.Ip.WithPort(OutboundPort);
    }

    private (long NoChain, long Handshakes) Counters()
    {
        ICollection<Running> all = [.. _proxy.Listeners.All.Values];
        return (all.Sum(listener => listener.Counters.Sum(row => row.NoChain)),
            all.Sum(listener => listener.Counters.Sum(row => row.HandshakeFailures)));
    }

    // ---- The configuration as a bootstrap

    // The recorded answers take any address for one of both families.
    private static Listener OfBothFamilies(Listener listener)
    {
        if (listener.Address.SocketAddress is not { Address: "0.0.0.0" } any || listener.AdditionalAddresses.Count > 0) return listener;
        listener.AdditionalAddresses.Add(new AdditionalAddress
        {
            Address = new Envoy.Config.Core.V3.Address { SocketAddress = new Envoy.Config.Core.V3.SocketAddress
            {
                Address = "::",
                PortValue = any.PortValue,
            } },
        });
        return listener;
    }

    private static Listener WithRoutes(Listener listener, Func<string, RouteConfiguration> routes)
    {
        listener = listener.Clone();
        foreach (Filter filter in listener.FilterChains.Append(listener.DefaultFilterChain).OfType<FilterChain>()
            .SelectMany(chain => chain.Filters))
        {
            if (filter.TypedConfig is null || !filter.TypedConfig.TryUnpack(out HttpConnectionManager manager) || manager.Rds is null)
                continue;
            manager.RouteConfig = routes(manager.Rds.RouteConfigName);
            filter.TypedConfig = Any.Pack(manager);
        }
        return listener;
    }

    private static string Bootstrap(IReadOnlyList<Listener> listeners)
    {
        var formatter = new JsonFormatter(JsonFormatter.Settings.Default.WithTypeRegistry(Types.Value));
        List<string> texts = [.. listeners.Select(
            listener => formatter.Format(listener).Replace(ListenerMark, listener.Name, StringComparison.Ordinal))];
        string all = string.Concat(texts);
        var clusters = Named(all, "\"cluster\": \"([^\"]+)\"").Concat(Named(all, "\"weightedClusters\".*?\"name\": \"([^\"]+)\""))
            .Distinct().Select(name => new JsonObject
            {
                ["name"] = name, ["type"] = "STATIC", ["connect_timeout"] = "1s", ["load_assignment"] =
                    new JsonObject { ["cluster_name"] = name },
            });
        var secrets = Named(all, "\"name\": \"([^\"]+)\", \"sdsConfig\"").Distinct().Select(SecretOf);
        return new JsonObject
        {
            ["node"] = new JsonObject { ["id"] = "sidecar~1.1.1.1~test.default~default.svc.cluster.local", ["cluster"] = "test" },
            ["static_resources"] = new JsonObject
            {
                ["listeners"] = new JsonArray([.. texts.Select(text => JsonNode.Parse(text))]),
                ["clusters"] = new JsonArray([.. clusters]),
                ["secrets"] = new JsonArray([.. secrets]),
            },
        }.ToJsonString();
    }

    private static IEnumerable<string> Named(string text, string pattern) =>
        Regex.Matches(text, pattern).Select(match => match.Groups[1].Value);

    private static JsonObject SecretOf(string name)
    {
        if (name == "ROOTCA") return Authority.Trust(name, OfMesh.Value.RootPem);
        if (name.EndsWith("-cacert", StringComparison.Ordinal) || name.StartsWith("file-root:", StringComparison.Ordinal))
            return Authority.Trust(name, OfOthers.Value.RootPem);
        (string chain, string key) = name == "default" ? OfMesh.Value.Workload("default", "default") : OfOthers.Value.Server("example.com");
        return Authority.Certificate(name, chain, key);
    }

    private static string Text(string field) => field == "-" ? "" : field;
}
