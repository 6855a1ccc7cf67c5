using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Telemetry;
using Lateen.Test.Unit.Proxy.Http;
using Lateen.Test.Unit.Proxy.Net;

namespace Lateen.Test.Unit.Proxy.Xds;

/// <summary>Whole proxies made from bootstraps, each on its own host of an in-memory network, between clients and servers whose every byte
/// the test says and sees.</summary>
internal sealed class RawProxy : IDisposable
{
    private const string Type = "type.googleapis.com/envoy.extensions.";

    private readonly List<ProxyServer> _servers = [];
    private readonly MemoryLoop _client;

    /// <summary>A network with a client (10.0.0.1) and no proxy yet.</summary>
    public RawProxy(ulong seed = 11) =>
        _client = (Network = new MemoryNetwork(seed)).AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();

    public MemoryNetwork Network { get; }

    /// <summary>What all proxies logged.</summary>
    public MemorySink Log { get; } = new();

    /// <summary>The proxy that was started last.</summary>
    public ProxyServer Last => _servers[^1];

    public static Address At(int host, int port) => Address.V4(0x0a000000 + (uint)host, port);

    /// <summary>A counter or gauge of the proxy that was started last; -1 for none.</summary>
    public long Counted(string name)
    {
        long value = -1;
        foreach (Lateen.Proxy.Statistics.StatSeries series in Last.Statistics.All())
            value = series.Name == name ? series.Value : value;
        return value;
    }

    /// <summary>Starts a proxy on 10.0.0.<paramref name="host"/>.</summary>
    public ProxyServer Start(int host, string listeners, string clusters)
    {
        string failure = "";
        string bootstrap = """{"node":{"id":"unit","cluster":"unit"},"static_resources":{"listeners":[@LISTENERS@],"clusters":[@CLUSTERS@]}}"""
            .Replace("@LISTENERS@", listeners, StringComparison.Ordinal).Replace("@CLUSTERS@", clusters, StringComparison.Ordinal)
            .Replace("@TYPE@", Type, StringComparison.Ordinal);
        var server = new ProxyServer(new ProxyInputs { Bootstrap = bootstrap, Sinks = _ => Log },
            new MemoryGround(Network.AddHost("proxy" + host, At(host, 0)))) { Failed = why => failure = why };
        _servers.Add(server);
        server.Start();
        Network.Advance(100_000);
        return failure.Length == 0 ? server : throw new InvalidOperationException(failure);
    }

    /// <summary>A server on 10.0.0.<paramref name="host"/>.</summary>
    public ProbeAcceptor Serve(int host, int port)
    {
        var acceptor = new ProbeAcceptor(static () => new Probe { KeepOpenAtEnd = true });
        Network.AddHost("server" + host, At(host, 0)).AddLoop().Listen(new ListenOptions(At(host, port)), acceptor);
        return acceptor;
    }

    /// <summary>A client's connection.</summary>
    public Probe Connect(int host, int port)
    {
        var probe = new Probe { KeepOpenAtEnd = true };
        probe.Transport = _client.Connect(new ConnectOptions(At(host, port)), probe);
        return probe;
    }

    public bool Run(Func<bool> until, long micros = 10_000_000) => Network.RunUntil(until, micros);

    public static void Say(Probe probe, string text) => probe.Transport!.Send(Encoding.Latin1.GetBytes(text));

    /// <summary>A manager of HTTP connections as a network filter, with the router.</summary>
    public static string Manager(string routes, string more = "") => """
        {"name":"hcm","typed_config":{"@type":"@TYPE@filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"in",@MORE@
          "http_filters":[{"name":"router","typed_config":{"@type":"@TYPE@filters.http.router.v3.Router"}}],
          "route_config":{"name":"r","virtual_hosts":[{"name":"all","domains":["*"],"routes":[@ROUTES@]}]}}}
        """.Replace("@MORE@", more, StringComparison.Ordinal).Replace("@ROUTES@", routes, StringComparison.Ordinal);

    /// <summary>A relay of bytes as a network filter.</summary>
    public static string Relay(string cluster, string more = "") =>
        "{\"name\":\"tcp\",\"typed_config\":{\"@type\":\"@TYPE@filters.network.tcp_proxy.v3.TcpProxy\",\"stat_prefix\":\"tcp\"," + more
            + "\"cluster\":\"" + cluster + "\"}}";

    /// <summary>A listener of one chain, on an address as configuration writes it.</summary>
    public static string Listener(string name, string address, string filters, string chain = "") =>
        "{\"name\":\"" + name + "\"," + address + ",\"filter_chains\":[{" + chain + "\"filters\":[" + filters + "]}]}";

    /// <summary>A socket's address.</summary>
    public static string Socket(int host, int port) => """
        "address":{"socket_address":{"address":"10.0.0.@HOST@","port_value":@PORT@}}
        """.Replace("@HOST@", Number(host), StringComparison.Ordinal).Replace("@PORT@", Number(port), StringComparison.Ordinal);

    private static string Number(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>An internal listener's address, for an endpoint.</summary>
    public static string Internal(string name) => "\"address\":{\"envoy_internal_address\":{\"server_listener_name\":\"" + name + "\"}}";

    /// <summary>A cluster of one endpoint.</summary>
    public static string Cluster(string name, string address, bool http2 = false, string more = "") => """
        {"name":"@NAME@","type":"STATIC","connect_timeout":"2s",@MORE@@HTTP2@"load_assignment":{"cluster_name":"@NAME@","endpoints":[{"lb_endpoints":[{"endpoint":{@ADDRESS@}}]}]}}
        """.Replace("@NAME@", name, StringComparison.Ordinal).Replace("@ADDRESS@", address, StringComparison.Ordinal)
        .Replace("@MORE@", more, StringComparison.Ordinal)
        .Replace("@HTTP2@", http2 ? """
            "typed_extension_protocol_options":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"@TYPE@upstreams.http.v3.HttpProtocolOptions","explicit_http_config":{"http2_protocol_options":{"allow_connect":true}}}},
            """ : "", StringComparison.Ordinal);

    /// <summary>Frames that a peer got, of HTTP/2.</summary>
    public static List<(int Type, int Flags, uint Stream, byte[] Payload)> Frames(Probe probe, bool asServer = false) =>
        Http2Tests.FramesOf(asServer ? probe.Received.ToArray()[24..] : probe.Received.ToArray());

    /// <inheritdoc/>
    public void Dispose() => _servers.ForEach(static s => s.Dispose());
}
