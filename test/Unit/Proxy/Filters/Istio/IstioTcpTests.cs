using Lateen.Proxy.Cel;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Tcp;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Filters.Istio;

/// <summary>Connections under Istio's names: opened when the peer is known, bytes each interval, closed at the end.</summary>
public sealed class IstioTcpTests
{
    private readonly TcpRig _rig = new("outbound|9000||db");
    private readonly StatStore _store = new(1);

    public IstioTcpTests()
    {
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
        _rig.Serve(new IstioTcpStatsFilter(metrics, settings));
    }

    private Dictionary<string, long> Counted() =>
        _store.All().ToArray().OfType<ITaggedSeries>()
            .ToDictionary(s => $"{s.Family}{(s.Tags.FirstOrDefault(t => t.Tag == "port").Value is { } port ? $" {port}" : "")}",
                s => ((StatSeries)s).Value);

    [Fact]
    public void A_connection_is_told_while_it_lives_and_at_its_end()
    {
        var client = new Probe();
        client.Transport = _rig.Client.Connect(new ConnectOptions(TcpRig.ProxyAt), client);
        client.Transport.Send("question"u8);
        Assert.True(_rig.Network.RunUntil(() => _rig.Backends.Accepted is [{ Text: "question" }], 1_000_000));
        Assert.Empty(Counted());
        _rig.Network.RunUntil(() => false, 5_500_000);
        Assert.Equal(new Dictionary<string, long>
        {
            ["istio_tcp_connections_opened_total"] = 1,
            ["istio_tcp_connections_closed_total"] = 0,
            ["istio_tcp_sent_bytes_total"] = 0,
            ["istio_tcp_received_bytes_total 15001"] = 8,
        }, Counted());
        _rig.Backends.Accepted[0].Transport!.Send("answer"u8);
        client.Transport.EndSend();
        _rig.Backends.Accepted[0].Transport!.EndSend();
        Assert.True(_rig.Network.RunUntil(() => client.Closings == 1, 1_000_000));
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
        client.Transport = _rig.Client.Connect(new ConnectOptions(TcpRig.ProxyAt), client);
        client.Transport.Send("x"u8);
        _rig.Network.RunUntil(() => false, 6_000_000);
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
