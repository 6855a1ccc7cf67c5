using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Test.Unit.Proxy.Exchanges;
using Lateen.Test.Unit.Proxy.Http;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Attacks;

/// <summary>Peers that take their time, each by its name: every wait has an end, and what is held for them is bounded.</summary>
public sealed class SlowPeerTests
{
    private const long Second = 1_000_000;

    private readonly ProxyRig _rig = new();

    private ScriptedUpstream Serve(string answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        Func<ForwardAction, ForwardAction>? make = null)
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (_, _) => answer);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80), make));
        return upstream;
    }

    // A byte every so often, until the other side has had enough; how long that took.
    private long Drip(RawClient client, string text, long every, long most)
    {
        long waited = 0;
        for (int i = 0; waited < most && !client.Closed && !client.Ended && client.Text.Length == 0; i++, waited += every)
        {
            client.Send(text[i % text.Length].ToString());
            _rig.Network.Advance(every);
        }
        return waited;
    }

    [Fact]
    public void Slowloris_a_head_that_never_ends_is_408_when_its_time_is_over()
    {
        _rig.Tune = o => o with { Codec = o.Codec with { HeadTimeoutMicros = 60 * Second } };
        ScriptedUpstream upstream = Serve();
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n");
        long waited = Drip(client, "x-a: b\r\n", 5 * Second, 600 * Second);
        Assert.InRange(waited, 55 * Second, 70 * Second);
        _rig.Network.Advance(3 * Second);
        Assert.StartsWith("HTTP/1.1 408 ", client.Text, StringComparison.Ordinal);
        Assert.True(client.Closed || client.Ended);
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public void Slowloris_without_a_time_for_heads_ends_with_the_idle_time_of_streams()
    {
        Serve();
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n");
        Assert.InRange(Drip(client, "x-a: b\r\n", 10 * Second, 600 * Second), 290 * Second, 320 * Second);
        Assert.StartsWith("HTTP/1.1 408 ", client.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_that_says_nothing_ends_with_the_idle_time()
    {
        _rig.Tune = o => o with { ConnectionIdleMicros = 30 * Second };
        Serve();
        RawClient client = _rig.Connect();
        _rig.Network.Advance(20 * Second);
        Assert.False(client.Closed || client.Ended);
        _rig.Network.Advance(20 * Second);
        Assert.True(client.Closed || client.Ended);
    }

    [Fact]
    public void Slow_writer_a_body_that_stops_is_408_when_the_stream_was_idle_too_long()
    {
        _rig.Tune = o => o with { StreamIdleMicros = 10 * Second };
        Serve();
        RawClient client = _rig.Connect();
        client.Send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 100\r\n\r\nhalf");
        _rig.Network.Advance(9 * Second);
        Assert.Equal("", client.Text);
        _rig.Network.Advance(3 * Second);
        Assert.StartsWith("HTTP/1.1 408 ", client.Text, StringComparison.Ordinal);
        _rig.Network.Advance(3 * Second);
        Assert.True(client.Closed || client.Ended);
    }

    [Fact]
    public void Slow_writer_a_body_byte_by_byte_is_408_when_the_requests_time_is_over()
    {
        _rig.Tune = o => o with { StreamIdleMicros = 10 * Second, RequestTimeoutMicros = 60 * Second };
        Serve();
        RawClient client = _rig.Connect();
        client.Send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 100000\r\n\r\n");
        Assert.InRange(Drip(client, "x", 5 * Second, 600 * Second), 55 * Second, 70 * Second);
        Assert.StartsWith("HTTP/1.1 408 ", client.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Slow_reader_who_never_reads_holds_a_bounded_part_and_is_let_go()
    {
        _rig.Tune = o => o with { StreamIdleMicros = 10 * Second, BufferLimit = 64 * 1024 };
        const int length = 20 * 1024 * 1024;
        ScriptedUpstream upstream = Serve($"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{new string('x', length)}");
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.Transport.Reading = false;
        _rig.Network.Advance(1 * Second);
        // What the upstream could not get rid of is what the proxy did not take.
        Assert.True(upstream.Pending > length - (2 * 1024 * 1024), $"only {upstream.Pending} of {length} bytes wait at the upstream");
        _rig.Network.Advance(30 * Second);
        Assert.Equal(0, _rig.Directory.Handle("web").Breakers.Of(Lateen.Proxy.Clusters.RoutePriority.Default).Requests);
    }

    [Fact]
    public void Slow_upstream_an_answer_byte_by_byte_ends_with_the_routes_time()
    {
        ScriptedUpstream upstream = Serve("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n",
            a => new ForwardAction { Cluster = a.Cluster, Timeouts = new TimeoutPolicy { RouteMicros = 15 * Second } });
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        long waited = 0;
        for (; waited < 600 * Second && !client.Closed && !client.Ended; waited += 1 * Second)
        {
            upstream.SendAll("x");
            _rig.Network.Advance(1 * Second);
        }
        Assert.InRange(waited, 14 * Second, 20 * Second);
        Assert.StartsWith("HTTP/1.1 200 ", client.Text, StringComparison.Ordinal);
    }

}
