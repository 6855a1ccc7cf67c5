using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Telemetry;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>A whole proxy on an in-memory network, with a client's host and an upstream's.</summary>
internal sealed class MemoryProxy : IDisposable
{
    public static readonly Address ProxyAt = Address.V4(0x0a000002, 8080), UpstreamAt = Address.V4(0x0a000003, 80);

    /// <summary>One HTTP listener (both versions) before one cluster.</summary>
    public const string Plain = """
        {"node":{"id":"fuzz","cluster":"fuzz"},"static_resources":{
          "listeners":[{"name":"plain","address":{"socket_address":{"address":"10.0.0.2","port_value":8080}},"filter_chains":[{"filters":[{"name":"http","typed_config":{
            "@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"in","codec_type":"AUTO","generate_request_id":false,
            "http_protocol_options":{"accept_http_10":true,"default_host_for_http_10":"ten.example","enable_trailers":true},"upgrade_configs":[{"upgrade_type":"websocket"}],
            "http_filters":[{"name":"router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            "route_config":{"name":"r","virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":"up"}}],
              "request_headers_to_add":[{"header":{"key":"x-through","value":"lateen"},"append_action":"OVERWRITE_IF_EXISTS_OR_ADD"}]}]}}}]}]}],
          "clusters":[{"name":"up","type":"STATIC","connect_timeout":"1s","load_assignment":{"cluster_name":"up","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.0.0.3","port_value":80}}}}]}]}}]}}
        """;

    public MemoryProxy(string bootstrap)
    {
        Network = new MemoryNetwork(7);
        Client = Network.AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();
        MemoryHost host = Network.AddHost("proxy", Address.V4(0x0a000002, 0));
        Upstream = Network.AddHost("upstream", Address.V4(0x0a000003, 0)).AddLoop();
        Server = new ProxyServer(new ProxyInputs { Bootstrap = bootstrap, Sinks = _ => new MemorySink() },
            new MemoryGround(host)) { Failed = why => Failure = why };
    }

    public MemoryNetwork Network { get; }

    public MemoryLoop Client { get; }

    public MemoryLoop Upstream { get; }

    public ProxyServer Server { get; }

    /// <summary>Why it could not begin; empty where it did.</summary>
    public string Failure { get; private set; } = "";

    public void Start()
    {
        Server.Start();
        Network.Advance(100_000);
    }

    /// <summary>A proxy that serves <see cref="Plain"/>.</summary>
    public static MemoryProxy StartPlain()
    {
        var proxy = new MemoryProxy(Plain);
        proxy.Start();
        if (proxy.Failure.Length > 0 || proxy.Server.State != ProxyState.Live)
            throw new InvalidOperationException($"{proxy.Server.State}: {proxy.Failure}");
        return proxy;
    }

    public void Dispose() => Server.Dispose();
}

/// <summary>An end that keeps what it reads, and answers nothing.</summary>
internal sealed class Listening : TransportHandler
{
    public List<byte> Received { get; } = [];

    public bool Closed { get; private set; }

    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => Received.AddRange(bytes);

    public override void OnEnd(Transport transport)
    {
    }

    public override void OnClosed(Transport transport, CloseReason reason) => Closed = true;
}
