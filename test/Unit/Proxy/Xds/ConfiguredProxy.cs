using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Telemetry;
using Lateen.Test.Unit.Proxy.Exchanges;

namespace Lateen.Test.Unit.Proxy.Xds;

/// <summary>A whole proxy made from a bootstrap, on an in-memory network, with a client and one upstream: how configuration is taken, and
/// what it does.</summary>
internal sealed class ConfiguredProxy : IDisposable
{
    private const string Types = "type.googleapis.com/envoy.extensions.filters.";

    private static readonly Address ProxyAt = Address.V4(0x0a000002, 8080), UpstreamAt = Address.V4(0x0a000003, 80);

    private readonly MemoryNetwork _network = new(7);
    private readonly MemoryLoop _client;
    private readonly ProxyServer _server;
    private string _failure = "";

    private ConfiguredProxy(string networkFilters, Func<int, string, string?> answer, string cluster = "")
    {
        _client = _network.AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();
        MemoryHost host = _network.AddHost("proxy", Address.V4(0x0a000002, 0));
        _network.AddHost("upstream", Address.V4(0x0a000003, 0)).AddLoop()
            .Listen(new ListenOptions(UpstreamAt), new ScriptedUpstream(answer));
        string bootstrap = """
            {"node":{"id":"unit","cluster":"unit"},"static_resources":{"listeners":[{"name":"l","address":{"socket_address":{"address":"10.0.0.2","port_value":8080}},"filter_chains":[{"filters":[@FILTERS@]}]}],
              "clusters":[{"name":"up","type":"STATIC",@CLUSTER@"connect_timeout":"1s","load_assignment":{"cluster_name":"up","endpoints":[{"lb_endpoints":[{"endpoint":{"address":{"socket_address":{"address":"10.0.0.3","port_value":80}}}}]}]}}]}}
            """.Replace("@FILTERS@", networkFilters, StringComparison.Ordinal).Replace("@CLUSTER@", cluster, StringComparison.Ordinal);
        _server = new ProxyServer(new ProxyInputs { Bootstrap = bootstrap, Sinks = _ => Log, Say = Said.Add },
            new MemoryGround(host)) { Failed = why => _failure = why };
        try
        {
            _server.Start();
            _network.Advance(100_000);
        }
        catch (BootstrapException e)
        {
            _failure = e.Message;
        }
    }

    /// <summary>Lines of all logs.</summary>
    public MemorySink Log { get; } = new();

    /// <summary>What was said to the operator.</summary>
    public List<string> Said { get; } = [];

    /// <summary>Why the configuration was refused; empty where it was taken.</summary>
    public string Refusal => _failure;

    /// <summary>Virtual time in microseconds.</summary>
    public long Now => _network.Now;

    /// <summary>A proxy with network filters.</summary>
    public static ConfiguredProxy OfNetwork(string filters) =>
        new(filters, static (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");

    /// <summary>A proxy with HTTP filters in front of the router, and further fields of its manager, of its route, of that route's action
    /// and of the cluster.</summary>
    public static ConfiguredProxy OfHttp(string filters, string manager = "", string route = "",
        Func<int, string, string?>? answer = null, string action = "", string cluster = "") => new(
            Filter("network.http_connection_manager.v3.HttpConnectionManager", """
            "stat_prefix":"in",@MANAGER@"http_filters":[@FILTERS@@ROUTER@],"route_config":{"name":"r","virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},@ROUTE@"route":{@ACTION@"cluster":"up"}}]}]}
            """.Replace("@MANAGER@", manager, StringComparison.Ordinal)
            .Replace("@FILTERS@", filters.Length > 0 ? filters + "," : "", StringComparison.Ordinal)
                .Replace("@ROUTER@", Filter("http.router.v3.Router", ""), StringComparison.Ordinal)
                .Replace("@ROUTE@", route, StringComparison.Ordinal).Replace("@ACTION@", action, StringComparison.Ordinal)),
            answer ?? (static (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"), cluster);

    /// <summary>A filter as configuration writes it.</summary>
    /// <param name="type">Behind "envoy.extensions.filters.", as <c>http.fault.v3.HTTPFault</c>.</param>
    /// <param name="fields">Its fields.</param>
    public static string Filter(string type, string fields) =>
        "{\"name\":\"one\",\"typed_config\":{\"@type\":\"" + Types + type + (fields.Length > 0 ? "\"," : "\"") + fields + "}}";

    /// <summary>Sends a request and gives the answer.</summary>
    public string Ask(string request, long micros = 20_000_000)
    {
        RawClient client = Begin(request);
        _network.RunUntil(() => client.Complete || client.Closed, micros);
        string text = client.Text;
        client.Transport.Close();
        _network.Advance(1000);
        return text;
    }

    /// <summary>Sends a request, and leaves it under way.</summary>
    public RawClient Begin(string request)
    {
        var client = new RawClient();
        client.Transport = _client.Connect(new ConnectOptions(ProxyAt), client);
        client.Send(request);
        _network.Advance(1000);
        return client;
    }

    /// <inheritdoc/>
    public void Dispose() => _server.Dispose();
}
