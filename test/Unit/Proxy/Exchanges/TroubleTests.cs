using Lateen.Proxy.Clusters;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>What the world does to a proxy: upstreams that vanish in the middle of a sentence, and clocks that jump.</summary>
public sealed class TroubleTests
{
    private readonly ProxyRig _rig = new();

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")]
    [InlineData("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")]
    public void An_answer_that_breaks_off_is_never_told_as_whole(string part)
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (_, _) => part);
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        _rig.Network.Advance(100_000);
        Assert.EndsWith("half", client.Text.Replace("\r\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
        upstream.BreakAll();
        _rig.Network.Advance(1_100_000);
        Assert.True(client.Closed || client.Ended);
        Assert.DoesNotContain("0\r\n\r\n", client.Text[^5..], StringComparison.Ordinal);
        Assert.Single(upstream.Requests);
        Assert.Equal(0, _rig.Directory.Handle("web").Breakers.Of(RoutePriority.Default).Requests);
    }

    [Fact]
    public void A_head_that_breaks_off_is_503()
    {
        ScriptedUpstream upstream = _rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-le");
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        RawClient client = _rig.Connect();
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        _rig.Network.Advance(100_000);
        upstream.BreakAll();
        _rig.Network.RunUntil(() => client.Complete, 1_000_000);
        Assert.Matches("^HTTP/1.1 50[23] ", client.Text);
    }

    [Theory]
    [InlineData(86_400_000_000L)]
    [InlineData(-86_400_000_000L)]
    public void A_clock_that_jumps_ends_no_request_and_no_timer(long micros)
    {
        _rig.AddUpstream(80, (n, _) => n == 1 ? "" : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80),
            a => new Lateen.Proxy.Routing.ForwardAction
            {
                Cluster = a.Cluster,
                Timeouts = new Lateen.Proxy.Routing.TimeoutPolicy { RouteMicros = 500_000 },
            }));
        RawClient waiting = _rig.Connect();
        waiting.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        _rig.Network.Advance(100_000);
        _rig.Network.WallClockAtZero += micros;
        _rig.Network.Advance(100_000);
        Assert.Equal("", waiting.Text);
        Assert.EndsWith("ok", _rig.Ask("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        _rig.Network.Advance(500_000);
        Assert.StartsWith("HTTP/1.1 504 ", waiting.Text, StringComparison.Ordinal);
    }
}
