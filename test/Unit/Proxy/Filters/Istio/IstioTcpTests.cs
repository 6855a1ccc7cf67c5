using Lateen.Proxy;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Upstream;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters.Istio;

/// <summary>Connections under Istio's names: opened when the peer is known, bytes each interval, closed at the end.</summary>
public sealed class IstioTcpTests
{
    private static readonly Address ProxyAt = Address.V4(2, 15001), BackendAt = Address.V4(3, 9000);

    private readonly MemoryNetwork _network = new(5);
    private readonly ProbeAcceptor _backends = new(() => new Probe { KeepOpenAtEnd = true });
    private readonly StatStore _store = new(1);
    private readonly MemoryLoop _client;

    public IstioTcpTests()
    {
        _client = _network.AddHost("client", Address.V4(1, 0)).AddLoop();
        MemoryLoop proxy = _network.AddHost("proxy", Address.V4(2, 0)).AddLoop(),
            backend = _network.AddHost("backend", Address.V4(3, 0)).AddLoop();
        backend.Listen(new ListenOptions(BackendAt), _backends);
        var worker = new Worker(0, proxy);
        var directory = new ClusterDirectory(proxy, 1);
        var upstreams = new Upstreams(directory, [worker]);
        directory.Publish(new Cluster { Name = "outbound|9000||db", StatName = "db", ConnectTimeoutMicros = 1_000_000 },
            new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = BackendAt }])] });
        var metrics = new IstioMetrics(1);
        _store.Add("istio", metrics);
        IstioMetric[] all =
        [
            new("istio_requests_total", IstioScope.Request, StatKind.Counter, IstioValue.One),
            new("istio_tcp_connections_opened_total", IstioScope.Connection, StatKind.Counter, IstioValue.Opened),
            new("istio_tcp_connections_closed_total", IstioScope.Connection, StatKind.Counter, IstioValue.Closed),
            new("istio_tcp_sent_bytes_total", IstioScope.Connection, StatKind.Counter, IstioValue.Sent),
            new("istio_tcp_received_bytes_total", IstioScope.Connection, StatKind.Counter,
                IstioValue.Received) { Tags = new Dictionary<string, int> { ["port"] = 0 } },
        ];
        var settings = new IstioSettings(new WorkloadPeer { Workload = "web-v1", Namespace = "shop" }, all,
            [CelProgram.Parse("destination.port")]) { Reporter = IstioReporter.Source };
        var options = new TcpOptions
        {
            StatPrefix = "test",
            Targets = [new TcpTarget(directory.Handle("outbound|9000||db"), 1)],
            Counters = new TcpCounters(1),
        };
        new ListenerSet(worker).Put(new Listener
        {
            Name = "tcp",
            Address = ProxyAt,
            Chains = new ChainTable([],
                new ListenerChain
                {
                    Name = "chain",
                    Handler = new TcpChainHandler(upstreams, options, [new IstioTcpStatsFilter(metrics, settings)], 1),
                }),
        });
    }

    private Dictionary<string, long> Counted() =>
        _store.All().ToArray().OfType<ITaggedSeries>()
            .ToDictionary(s => $"{s.Family}{(s.Tags.FirstOrDefault(t => t.Tag == "port").Value is { } port ? $" {port}" : "")}",
                s => ((StatSeries)s).Value);

    [Fact]
    public void A_connection_is_told_while_it_lives_and_at_its_end()
    {
        var client = new Probe();
        client.Transport = _client.Connect(new ConnectOptions(ProxyAt), client);
        client.Transport.Send("question"u8);
        Assert.True(_network.RunUntil(() => _backends.Accepted is [{ Text: "question" }], 1_000_000));
        Assert.Empty(Counted());
        _network.RunUntil(() => false, 5_500_000);
        Assert.Equal(new Dictionary<string, long>
        {
            ["istio_tcp_connections_opened_total"] = 1,
            ["istio_tcp_connections_closed_total"] = 0,
            ["istio_tcp_sent_bytes_total"] = 0,
            ["istio_tcp_received_bytes_total 15001"] = 8,
        }, Counted());
        _backends.Accepted[0].Transport!.Send("answer"u8);
        client.Transport.EndSend();
        _backends.Accepted[0].Transport!.EndSend();
        Assert.True(_network.RunUntil(() => client.Closings == 1, 1_000_000));
        Assert.Equal(new Dictionary<string, long>
        {
            ["istio_tcp_connections_opened_total"] = 1,
            ["istio_tcp_connections_closed_total"] = 1,
            ["istio_tcp_sent_bytes_total"] = 6,
            ["istio_tcp_received_bytes_total 15001"] = 8,
        }, Counted());
    }

    [Fact]
    public void Labels_say_who_talked_to_whom()
    {
        var client = new Probe();
        client.Transport = _client.Connect(new ConnectOptions(ProxyAt), client);
        client.Transport.Send("x"u8);
        _network.RunUntil(() => false, 6_000_000);
        IReadOnlyList<(string Tag, string Value)> tags = _store.All().ToArray().OfType<ITaggedSeries>()
            .First(s => s.Family == "istio_tcp_connections_opened_total").Tags;
        Dictionary<string, string> labels = tags.ToDictionary(t => t.Tag, t => t.Value);
        Assert.Equal(("source", "web-v1", "shop", "tcp", "unknown"),
            (labels["reporter"], labels["source_workload"], labels["source_workload_namespace"], labels["request_protocol"],
                labels["destination_workload"]));
        Assert.DoesNotContain("response_code", labels.Keys);
        Assert.Equal("unknown", labels["connection_security_policy"]);
    }
}
