using System.Globalization;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Proxy.Server.Pressure;
using Lateen.Proxy.Telemetry;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Server;

/// <summary>What a proxy does near the limit of its memory, where nobody configured it.</summary>
public sealed class MemoryGuardTests : IDisposable
{
    private const long Limit = 100_000_000;
    private readonly MemoryNetwork _network = new(3);
    private readonly Room _room = new();
    private readonly MemoryLoop _client;
    private ProxyServer? _server;

    public MemoryGuardTests() => _client = _network.AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();

    public void Dispose() => _server?.Dispose();

    private sealed class Room : MemoryRoom
    {
        public long Taken { get; set; } = Limit / 4;

        public override long LimitBytes => Limit;

        public override long? Used() => Taken;
    }

    private ProxyServer Start(string more = "")
    {
        string bootstrap = """
            {"node":{"id":"unit","cluster":"unit"},@MORE@"static_resources":{"listeners":[@IN@,@HEALTH@]}}
            """.Replace("@MORE@", more, StringComparison.Ordinal).Replace("@IN@", Listener("in", 8080, ""), StringComparison.Ordinal)
            .Replace("@HEALTH@", Listener("health", 8081, "\"bypass_overload_manager\":true,"), StringComparison.Ordinal);
        _server = new ProxyServer(new ProxyInputs { Bootstrap = bootstrap, Sinks = static _ => new MemorySink(), Memory = _room },
            new MemoryGround(_network.AddHost("proxy", Address.V4(0x0a000002, 0))));
        _server.Start();
        _network.Advance(100_000);
        return _server;
    }

    private static string Listener(string name, int port, string more) => """
        {"name":"@NAME@",@MORE@"address":{"socket_address":{"address":"10.0.0.2","port_value":@PORT@}},"filter_chains":[{"filters":[{"name":"hcm","typed_config":{
          "@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"@NAME@",
          "http_filters":[{"name":"router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
          "route_config":{"name":"r","virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"direct_response":{"status":200,"body":{"inline_string":"hi"}}}]}]}}}]}]}
        """.Replace("@NAME@", name, StringComparison.Ordinal).Replace("@MORE@", more, StringComparison.Ordinal)
        .Replace("@PORT@", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);

    private void Take(double share)
    {
        _room.Taken = (long)(share * Limit);
        _network.Advance(1_100_000);
    }

    private string Ask(int port, RawClient? open = null)
    {
        RawClient client = open ?? Connect(port);
        client.Forget();
        client.Send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        _network.RunUntil(() => client.Complete || client.Closed, 500_000);
        return client.Text.Length > 12 ? client.Text[9..12] : "";
    }

    private RawClient Connect(int port)
    {
        var client = new RawClient();
        client.Transport = _client.Connect(new ConnectOptions(Address.V4(0x0a000002, port)), client);
        return client;
    }

    private long Gauge(string name)
    {
        foreach (Lateen.Proxy.Statistics.StatSeries series in _server!.Statistics.All())
        {
            if (series.Name == name)
                return series.Value;
        }
        return -1;
    }

    [Fact]
    public void Far_from_the_limit_nothing_is_done()
    {
        Start();
        Take(0.75);
        Assert.Equal("200", Ask(8080));
        Assert.Equal(75, Gauge("overload.lateen.resource_monitors.container_memory.pressure"));
        Assert.Equal(Limit / 2, _server!.Workers[0].Loop.Waiting.Max);
    }

    [Fact]
    public void Near_the_limit_requests_are_refused_and_health_answers()
    {
        Start();
        RawClient open = Connect(8080);
        Assert.Equal("200", Ask(8080, open));
        Take(0.96);
        Assert.Equal("503", Ask(8080, open));
        Assert.Contains("connection: close", open.Text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal("200", Ask(8081));
        Take(0.5);
        Assert.Equal("200", Ask(8080));
    }

    [Fact]
    public void Who_connects_at_the_limit_waits_until_there_is_room()
    {
        Start();
        Take(0.99);
        RawClient client = Connect(8080);
        Assert.Equal("", Ask(8080, client));
        _room.Taken = Limit / 2;
        Assert.True(_network.RunUntil(() => client.Complete, 2_000_000));
        Assert.StartsWith("HTTP/1.1 200", client.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(200_000_000_000)]
    public void A_runtime_key_turns_it_off_or_sets_another_limit(long limit)
    {
        Start("""
            "layered_runtime":{"layers":[{"name":"static","static_layer":{"lateen.overload.memory_limit_bytes":@LIMIT@}}]},
            """.Replace("@LIMIT@", limit.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        Take(0.99);
        Assert.Equal("200", Ask(8080));
        Assert.Equal(limit == 0 ? long.MaxValue : limit / 2, _server!.Workers[0].Loop.Waiting.Max);
    }

    [Fact]
    public void Who_configures_memory_has_it_as_configured()
    {
        Start("""
            "overload_manager":{"resource_monitors":[{"name":"heap","typed_config":{"@type":"type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig","max_heap_size_bytes":1000000000000}}],
              "actions":[{"name":"envoy.overload_actions.stop_accepting_requests","triggers":[{"name":"heap","threshold":{"value":0.9}}]}]},
            """);
        Take(0.99);
        Assert.Equal("200", Ask(8080));
        Assert.Equal(long.MaxValue, _server!.Workers[0].Loop.Waiting.Max);
    }

    [Fact]
    public void What_is_configured_for_other_resources_goes_on_beside_it()
    {
        string pressure = Path.GetTempFileName();
        File.WriteAllText(pressure, "0");
        Start("""
            "overload_manager":{"resource_monitors":[{"name":"injected","typed_config":{"@type":"type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig","filename":"@FILE@"}}],
              "actions":[{"name":"envoy.overload_actions.stop_accepting_requests","triggers":[{"name":"injected","threshold":{"value":0.9}}]}]},
            """.Replace("@FILE@", pressure, StringComparison.Ordinal));
        RawClient open = Connect(8080);
        Assert.Equal("200", Ask(8080, open));
        File.WriteAllText(pressure, "1");
        Take(0.1);
        Assert.Equal("503", Ask(8080, open));
        File.WriteAllText(pressure, "0");
        Take(0.96);
        Assert.Equal("", Ask(8080));
        Take(0.1);
        Assert.Equal("200", Ask(8080));
        File.Delete(pressure);
    }
}
