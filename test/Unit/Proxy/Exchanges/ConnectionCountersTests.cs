using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>What operators read of connections: bytes both ways, upgrades, ends that took too long.</summary>
public sealed class ConnectionCountersTests : IDisposable
{
    private const string Forward = """{"match":{"prefix":"/"},"route":{"cluster":"up"}}""";
    private const string Request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

    private readonly RawProxy _rig = new();
    private readonly ProbeAcceptor _upstream;

    public ConnectionCountersTests() => _upstream = _rig.Serve(3, 80);

    public void Dispose() => _rig.Dispose();

    private Probe Start(string more = "", string bytes = Request)
    {
        _rig.Start(2, RawProxy.Listener("l", RawProxy.Socket(2, 8080), RawProxy.Manager(Forward, more)),
            RawProxy.Cluster("up", RawProxy.Socket(3, 80)));
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, bytes);
        return client;
    }

    private Probe Arrived()
    {
        Assert.True(_rig.Run(() => _upstream.Accepted.Count == 1 && _upstream.Accepted[0].Text.EndsWith("\r\n\r\n", StringComparison.Ordinal)));
        return _upstream.Accepted[0];
    }

    [Fact]
    public void Bytes_are_those_on_the_wire_of_both_sides()
    {
        Probe client = Start();
        Probe upstream = Arrived();
        const string Answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        RawProxy.Say(upstream, Answer);
        Assert.True(_rig.Run(() => client.Text.EndsWith("hello", StringComparison.Ordinal)));
        Assert.Equal((Request.Length, client.Text.Length),
            (_rig.Counted("http.in.downstream_cx_rx_bytes_total"), _rig.Counted("http.in.downstream_cx_tx_bytes_total")));
        Assert.Equal((Answer.Length, upstream.Text.Length),
            (_rig.Counted("cluster.up.upstream_cx_rx_bytes_total"), _rig.Counted("cluster.up.upstream_cx_tx_bytes_total")));
    }

    [Fact]
    public void Bytes_of_an_answer_that_goes_on_show_before_its_end()
    {
        Probe client = Start();
        RawProxy.Say(Arrived(), "HTTP/1.1 200 OK\r\ncontent-length: 500000\r\n\r\n" + new string('a', 100_000));
        Assert.True(_rig.Run(() => client.Text.Length > 100_000));
        Assert.True(_rig.Counted("http.in.downstream_cx_tx_bytes_total") >= 90_000);
        Assert.True(_rig.Counted("cluster.up.upstream_cx_rx_bytes_total") >= 90_000);
    }

    [Fact]
    public void A_client_that_reads_slowly_pauses_the_upstream_and_is_counted()
    {
        Probe client = Start();
        Probe upstream = Arrived();
        client.Transport!.Reading = false;
        RawProxy.Say(upstream, "HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + new string('a', 9_000_000));
        Assert.True(_rig.Run(() => _rig.Counted("cluster.up.upstream_flow_control_paused_reading_total") > 0));
        client.Transport.Reading = true;
        Assert.True(_rig.Run(() => client.Text.Length > 9_000_000));
        Assert.Equal(_rig.Counted("cluster.up.upstream_flow_control_paused_reading_total"),
            _rig.Counted("cluster.up.upstream_flow_control_resumed_reading_total"));
    }

    [Fact]
    public void Upgrades_are_counted_while_they_last()
    {
        Probe client = Start("\"upgrade_configs\":[{\"upgrade_type\":\"websocket\"}],",
            "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        RawProxy.Say(Arrived(), "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
        Assert.True(_rig.Run(() => client.Text.Length > 0));
        Assert.Equal((1, 1), (_rig.Counted("http.in.downstream_cx_upgrades_total"), _rig.Counted("http.in.downstream_cx_upgrades_active")));
        client.Transport!.Close();
        Assert.True(_rig.Run(() => _rig.Counted("http.in.downstream_cx_upgrades_active") == 0));
        Assert.Equal(1, _rig.Counted("http.in.downstream_cx_upgrades_total"));
    }

    [Fact]
    public void A_client_that_stays_behind_the_end_is_cut_off_and_counted()
    {
        Start("\"delayed_close_timeout\":\"0.2s\",", "BROKEN\r\n\r\n");
        Assert.True(_rig.Run(() => _rig.Counted("http.in.downstream_cx_delayed_close_timeout") == 1));
    }
}
