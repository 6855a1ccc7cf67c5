using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Grpc;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Telemetry;
using Lateen.Test.Unit.Proxy.Exchanges;

namespace Lateen.Test.Unit.Proxy.Xds;

/// <summary>A proxy that gets its configuration from a management server over a gRPC stream (incremental ADS), all on an in-memory network;
/// the test is the server.</summary>
internal sealed class DiscoveryRig : IDisposable
{
    private const string Server = "10.0.0.9";

    /// <summary>How long connections of what is gone have, where open ones are handed over.</summary>
    public const long DrainMicros = 45_000_000;

    private static readonly Address ProxyAt = Address.V4(0x0a000002, 8080);

    private readonly MemoryLoop _client;
    private readonly ProxyServer _server;
    private MemoryLoop? _beside;

    public DiscoveryRig(string more = "", Action<ScriptedDiscovery>? first = null, bool handsOver = false)
    {
        _client = Network.AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();
        Host = Network.AddHost("proxy", Address.V4(0x0a000002, 0));
        Upstream = new ScriptedUpstream(static (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        Network.AddHost("upstream", Address.V4(0x0a000003, 0)).AddLoop().Listen(new ListenOptions(Address.V4(0x0a000003, 80)), Upstream);
        Discovery = new ScriptedDiscovery(Network.AddHost("discovery", Address.V4(0x0a000009, 0)).AddLoop());
        first?.Invoke(Discovery);
        string bootstrap = """
            {"node":{"id":"unit","cluster":"unit"},@MORE@"dynamic_resources":{"ads_config":{"api_type":"DELTA_GRPC","transport_api_version":"V3","grpc_services":[{"envoy_grpc":{"cluster_name":"xds"}}]},
              "lds_config":{"ads":{},"resource_api_version":"V3"},"cds_config":{"ads":{},"resource_api_version":"V3"}},
             "static_resources":{"clusters":[
               {"name":"up","type":"STATIC","connect_timeout":"1s","load_assignment":{"cluster_name":"up","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.0.0.3","port_value":80}}}}]}]}},
               {"name":"xds","type":"STATIC","connect_timeout":"1s","typed_extension_protocol_options":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions","explicit_http_config":{"http2_protocol_options":{}}}},
                "load_assignment":{"cluster_name":"xds","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"@SERVER@","port_value":15010}}}}]}]}}]}}
            """.Replace("@MORE@", more, StringComparison.Ordinal).Replace("@SERVER@", Server, StringComparison.Ordinal);
        _server = new ProxyServer(new ProxyInputs { Bootstrap = bootstrap, Sinks = _ => Log, Say = Said.Add, HandsOver = handsOver,
            DrainPace = handsOver ? new DrainPace(DrainMicros, Gradual: false) : DrainPace.Default },
            new MemoryGround(Host)) { Failed = Said.Add };
        _server.Start();
        Settle();
    }

    public MemoryNetwork Network { get; } = new(7);

    public MemoryHost Host { get; }

    public ScriptedUpstream Upstream { get; }

    public ScriptedDiscovery Discovery { get; }

    public MemorySink Log { get; } = new();

    public List<string> Said { get; } = [];

    /// <summary>A number that is told under a name; null where none is.</summary>
    public long? Told(string name)
    {
        foreach (StatSeries series in _server.Statistics.All())
        {
            if (series.Name == name)
                return series.Value;
        }
        return null;
    }

    /// <summary>Lets half a second pass.</summary>
    public void Settle() => Network.Advance(500_000);

    /// <summary>Sends a request and gives the answer; empty where nobody listens or answers.</summary>
    public string Ask(string path, int port = 8080)
    {
        RawClient client = Connect(port);
        client.Send($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        Network.RunUntil(() => client.Complete || client.Closed, 5_000_000);
        string text = client.Text;
        client.Transport.Close();
        Network.Advance(1000);
        return text;
    }

    /// <summary>A connection that says nothing yet.</summary>
    public RawClient Connect(int port = 8080)
    {
        var client = new RawClient();
        client.Transport = _client.Connect(new ConnectOptions(ProxyAt.WithPort(port)), client);
        return client;
    }

    /// <summary>A connection of a program beside the proxy to the upstream, caught at the port of outbound traffic.</summary>
    public RawClient ConnectCaught()
    {
        _beside ??= Host.AddLoop("beside");
        Host.Capture = q => q.From == _beside ? Address.V4(0x7f000001, 15001) : default;
        var client = new RawClient();
        client.Transport = _beside.Connect(new ConnectOptions(Address.V4(0x0a000003, 80)), client);
        return client;
    }

    /// <summary>A listener with a connection manager.</summary>
    public static string Listener(string name, int port, string manager, string more = "") => """
        {"@type":"type.googleapis.com/envoy.config.listener.v3.Listener","name":"@NAME@",@MORE@"address":{"socket_address":{"address":"10.0.0.2","port_value":@PORT@}},"filter_chains":[{"filters":[{"name":"http","typed_config":{
          "@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"in",@MANAGER@}}]}]}
        """.Replace("@NAME@", name, StringComparison.Ordinal).Replace("@PORT@", $"{port}", StringComparison.Ordinal)
        .Replace("@MANAGER@", manager, StringComparison.Ordinal).Replace("@MORE@", more, StringComparison.Ordinal);

    /// <summary>The field of the filters: those given, and the router.</summary>
    public static string Filters(string filters = "") =>
        "\"http_filters\":[" + filters
            + "{\"name\":\"router\",\"typed_config\":{\"@type\":\"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\"}}]";

    /// <summary>The field of a route configuration with one host.</summary>
    public static string Routes(string routes) =>
        "\"route_config\":{\"name\":\"r\",\"virtual_hosts\":[{\"name\":\"all\",\"domains\":[\"*\"],\"routes\":[" + routes + "]}]}";

    public void Dispose() => _server.Dispose();
}

/// <summary>A management server that says what a test tells it, and keeps what it hears.</summary>
internal sealed class ScriptedDiscovery : Acceptor
{
    private static readonly JsonParser Json = new(JsonParser.Settings.Default.WithTypeRegistry(TypeRegistry.FromFiles(
        Envoy.Config.Listener.V3.ListenerReflection.Descriptor, Envoy.Config.Cluster.V3.ClusterReflection.Descriptor,
        Envoy.Extensions.Filters.Network.TcpProxy.V3.TcpProxyReflection.Descriptor, Envoy.Config.Route.V3.RouteReflection.Descriptor,
        Envoy.Service.Runtime.V3.RtdsReflection.Descriptor,
        Envoy.Config.Core.V3.ExtensionReflection.Descriptor,
        Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManagerReflection.Descriptor,
        Envoy.Extensions.Filters.Http.Router.V3.RouterReflection.Descriptor,
        Envoy.Extensions.Filters.Listener.HttpInspector.V3.HttpInspectorReflection.Descriptor,
        Envoy.Extensions.Filters.Http.HeaderMutation.V3.HeaderMutationReflection.Descriptor)));

    private readonly Dictionary<string, SortedDictionary<string, Resource>> _resources = new(StringComparer.Ordinal);
    private readonly List<DiscoverySide> _open = [];
    private int _version;
    private bool _isAway;

    public ScriptedDiscovery(MemoryLoop loop) => loop.Listen(new ListenOptions(Address.V4(0x0a000009, 15010)), this);

    /// <summary>Refusals, as "TYPE: words".</summary>
    public List<string> Refusals { get; } = [];

    /// <summary>Names that were asked for, as "TYPE name".</summary>
    public HashSet<string> Asked { get; } = [];

    /// <summary>A resource is new or changed. Its type is that of the message; it is written as configuration is.</summary>
    public void Put(string name, string json, Duration? lives = null)
    {
        Any body = Json.Parse<Any>(json);
        if (!_resources.TryGetValue(body.TypeUrl, out SortedDictionary<string, Resource>? all))
            _resources[body.TypeUrl] = all = new SortedDictionary<string, Resource>(StringComparer.Ordinal);
        all[name] = new Resource { Name = name, Version = $"{++_version}", Resource_ = body, Ttl = lives };
        _open.ForEach(c => c.Send(body.TypeUrl, [all[name]], []));
    }

    /// <summary>Every stream ends, and no further one is answered.</summary>
    public void Leave()
    {
        _isAway = true;
        _open.ToList().ForEach(side => side.End());
    }

    /// <summary>A resource exists no more.</summary>
    public void Remove(string type, string name)
    {
        _resources.GetValueOrDefault(type)?.Remove(name);
        _open.ForEach(c => c.Send(type, [], [name]));
    }

    public override void OnAccepted(Transport transport) => _ = new Http2ServerConnection(transport, new Calls(this), new CodecOptions());

    private sealed class Calls(ScriptedDiscovery discovery) : RequestAcceptor
    {
        public override RequestReceiver OnRequest(DownstreamStream stream) => new DiscoverySide(discovery, stream);

        public override void OnConnectionError(string detail, FailureKind kind)
        {
        }
    }

    private sealed class DiscoverySide(ScriptedDiscovery discovery, DownstreamStream stream) : RequestReceiver
    {
        private readonly GrpcFrameReader _frames = new(4 << 20);
        private readonly HashSet<string> _types = [];
        private int _nonce;

        public void End() => stream.Reset(ResetReason.Local);

        public override void OnRequestHead(bool end)
        {
            if (discovery._isAway)
            {
                End();
                return;
            }
            var head = new HeaderMap();
            head.Add(KnownHeader.Status, "200"u8);
            head.Add(KnownHeader.ContentType, "application/grpc"u8);
            stream.SendHead(head, end: false);
            discovery._open.Add(this);
        }

        public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
        {
            while (!body.IsEmpty && _frames.Read(ref body, out ReadOnlySpan<byte> message) == GrpcFrameResult.Message)
                Take(DeltaDiscoveryRequest.Parser.ParseFrom(message));
        }

        private void Take(DeltaDiscoveryRequest request)
        {
            if (request.ErrorDetail is { } refused)
                discovery.Refusals.Add($"{request.TypeUrl[(request.TypeUrl.LastIndexOf('.') + 1)..]}: {refused.Message}");
            foreach (string name in request.ResourceNamesSubscribe)
                discovery.Asked.Add($"{request.TypeUrl[(request.TypeUrl.LastIndexOf('.') + 1)..]} {name}");
            if ((_types.Add(request.TypeUrl) || request.ResourceNamesSubscribe.Count > 0)
                && discovery._resources.TryGetValue(request.TypeUrl, out SortedDictionary<string, Resource>? known))
                Send(request.TypeUrl, known.Values, []);
            else if (request.ResponseNonce.Length == 0)
                Send(request.TypeUrl, [], []);
        }

        public void Send(string type, IEnumerable<Resource> resources, IEnumerable<string> removed)
        {
            if (!_types.Contains(type))
                return;
            var response = new DeltaDiscoveryResponse { TypeUrl = type, Nonce = $"{++_nonce}" };
            response.Resources.AddRange(resources);
            response.RemovedResources.AddRange(removed);
            stream.SendBody(GrpcFrame.ToArray(response), end: false);
        }

        public override void OnRequestTrailers() => discovery._open.Remove(this);

        public override void OnRequestReset(ResetReason reason, string detail) => discovery._open.Remove(this);

        public override void OnBadRequest(int status, string detail, FailureKind kind) => discovery._open.Remove(this);

        public override void OnSendable()
        {
        }

        public override void OnStreamDone() => discovery._open.Remove(this);
    }
}
