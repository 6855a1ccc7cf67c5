using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Telemetry;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Telemetry;

/// <summary>What goes to a statsd server at each flush.</summary>
public sealed class StatsdSinkTests
{
    private static readonly Address Server = Address.V4(0x7f000001, 8125);

    private readonly StatStore _store = new(1);
    private readonly Kept _socket = new();

    private sealed class Kept : DatagramSocket
    {
        public List<string> Datagrams { get; } = [];

        public override Address Address => default;

        public override void Send(in Address to, ReadOnlySpan<byte> datagram) => Datagrams.Add(Encoding.ASCII.GetString(datagram));

        public override void Close()
        {
        }
    }

    private string[] Flush(StatsdSink sink)
    {
        _socket.Datagrams.Clear();
        _store.Flush();
        sink.Flush(_socket);
        return [.. _socket.Datagrams.SelectMany(static d => d.Split('\n'))];
    }

    [Fact]
    public void Counters_tell_what_they_grew_by_and_gauges_where_they_stand()
    {
        StatGroup group = _store.Group("cluster.outbound|80||a.",
            new StatSchema([("rq_total", StatKind.Counter), ("rq_active", StatKind.Gauge), ("rq_time", StatKind.Histogram),
                ("unused", StatKind.Counter)]));
        var sink = new StatsdSink(new StatsdOptions(Server, "envoy.", false, 1432), _store);
        group.Of(0).Add(0, 5);
        group.Of(0).Set(1, 2);
        for (int i = 0; i < 4; i++)
            group.Of(0).Record(2, 30);
        string[] first = Flush(sink);
        Assert.Contains("envoy.cluster.outbound_80__a.rq_total:5|c", first);
        Assert.Contains("envoy.cluster.outbound_80__a.rq_active:2|g", first);
        Assert.Contains("envoy.cluster.outbound_80__a.rq_time:30|ms|@0.250000000", first);
        Assert.DoesNotContain(first, static l => l.Contains("unused", StringComparison.Ordinal));
        group.Of(0).Add(0, 2);
        string[] second = Flush(sink);
        Assert.Contains("envoy.cluster.outbound_80__a.rq_total:2|c", second);
        Assert.DoesNotContain(second, static l => l.Contains("rq_time", StringComparison.Ordinal));
        Assert.DoesNotContain(Flush(sink), static l => l.EndsWith("|c", StringComparison.Ordinal));
    }

    [Fact]
    public void Tags_stand_behind_the_value_where_they_are_understood()
    {
        _store.Counter("cluster.a.upstream_rq_200").CountMain();
        string line = Assert.Single(Flush(new StatsdSink(new StatsdOptions(Server, "mesh.", true, 1432), _store)));
        Assert.Equal("mesh.cluster.upstream_rq:1|c|#envoy.response_code:200,envoy.cluster_name:a", line);
    }

    [Fact]
    public void Datagrams_stay_within_their_size()
    {
        for (int i = 0; i < 200; i++)
            _store.Counter($"http.some_listener.number_{i}").CountMain();
        Flush(new StatsdSink(new StatsdOptions(Server, "envoy.", false, 512), _store));
        Assert.True(_socket.Datagrams.Count > 10);
        Assert.All(_socket.Datagrams, static d => Assert.InRange(d.Length, 1, 512));
    }
}
