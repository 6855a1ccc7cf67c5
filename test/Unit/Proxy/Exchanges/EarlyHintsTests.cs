using System.Text;
using Lateen.Test.Unit.Proxy.Http;
using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>1xx heads on their way from the upstream to the client (RFC 9110 15.2, RFC 8297).</summary>
public sealed class EarlyHintsTests : IDisposable
{
    private const string Forward = """{"match":{"prefix":"/"},"route":{"cluster":"up","retry_policy":{"retry_on":"5xx,reset","num_retries":2}}}""";
    private const string Hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n";
    private const string Ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    private const string Request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

    private readonly RawProxy _rig = new();
    private readonly ProbeAcceptor _upstream;

    public EarlyHintsTests() => _upstream = _rig.Serve(3, 80);

    public void Dispose() => _rig.Dispose();

    private void Start(bool h2Up = false, string more = "\"proxy_100_continue\":true,") => _rig.Start(2,
        RawProxy.Listener("l", RawProxy.Socket(2, 8080), RawProxy.Manager(Forward, more)),
        RawProxy.Cluster("up", RawProxy.Socket(3, 80), http2: h2Up));

    private Probe Arrived(int connection = 0)
    {
        Assert.True(_rig.Run(() => _upstream.Accepted.Count > connection && _upstream.Accepted[connection].Received.Length > 0));
        _rig.Network.Advance(10_000);
        return _upstream.Accepted[connection];
    }

    private Probe Call(string bytes)
    {
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, bytes);
        return client;
    }

    private static string[] StatusLines(Probe client) =>
        [.. client.Text.Split("\r\n").Where(static l => l.StartsWith("HTTP/1.1 ", StringComparison.Ordinal)).Select(static l => l[9..12])];

    [Fact]
    public void The_first_passes_at_once_and_with_its_headers_more_are_dropped()
    {
        Start();
        Probe client = Call(Request);
        Probe upstream = Arrived();
        RawProxy.Say(upstream, Hints);
        Assert.True(_rig.Run(() => client.Text.EndsWith("link: </a.css>\r\n\r\n", StringComparison.Ordinal)));
        RawProxy.Say(upstream, Hints.Replace("a.css", "b.js", StringComparison.Ordinal) + Ok);
        Assert.True(_rig.Run(() => client.Text.EndsWith("hi", StringComparison.Ordinal)));
        Assert.Equal(["103", "200"], StatusLines(client));
        Assert.DoesNotContain("b.js", client.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_100_passes_where_the_upstream_is_to_say_it_and_the_body_follows()
    {
        Start();
        Probe client = Call("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        Probe upstream = Arrived();
        Assert.Equal("", client.Text);
        RawProxy.Say(upstream, "HTTP/1.1 100 Continue\r\n\r\n");
        Assert.True(_rig.Run(() => StatusLines(client) is ["100"]));
        RawProxy.Say(client, "body");
        Assert.True(_rig.Run(() => upstream.Text.EndsWith("body", StringComparison.Ordinal)));
        RawProxy.Say(upstream, Ok);
        Assert.True(_rig.Run(() => StatusLines(client) is ["100", "200"]));
    }

    [Fact]
    public void A_100_of_our_own_is_said_once_whatever_the_upstream_says()
    {
        Start(more: "");
        Probe client = Call("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        Assert.True(_rig.Run(() => StatusLines(client) is ["100"]));
        RawProxy.Say(client, "body");
        Probe upstream = Arrived();
        Assert.DoesNotContain("100-continue", upstream.Text, StringComparison.Ordinal);
        RawProxy.Say(upstream, Ok);
        Assert.True(_rig.Run(() => StatusLines(client) is ["100", "200"]));
    }

    [Fact]
    public void Behind_hints_a_100_is_one_too_many()
    {
        Start();
        Probe client = Call("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
        RawProxy.Say(Arrived(), Hints + "HTTP/1.1 100 Continue\r\n\r\n" + Ok);
        Assert.True(_rig.Run(() => client.Text.EndsWith("hi", StringComparison.Ordinal)));
        Assert.Equal(["103", "200"], StatusLines(client));
    }

    [Fact]
    public void None_passes_where_the_proxy_answers_Expect_itself()
    {
        Start(more: "");
        Probe client = Call(Request);
        Probe upstream = Arrived();
        RawProxy.Say(upstream, Hints + "HTTP/1.1 100 Continue\r\n\r\n" + Ok);
        Assert.True(_rig.Run(() => client.Text.EndsWith("hi", StringComparison.Ordinal)));
        Assert.Equal(["200"], StatusLines(client));
        Assert.Equal((0, 1), (_rig.Counted("http.in.downstream_rq_1xx"), _rig.Counted("cluster.up.upstream_rq_1xx")));
    }

    [Fact]
    public void They_count_as_answers()
    {
        Start();
        Probe client = Call(Request);
        RawProxy.Say(Arrived(), Hints + Hints + Ok);
        Assert.True(_rig.Run(() => client.Text.EndsWith("hi", StringComparison.Ordinal)));
        Assert.Equal((1, 2), (_rig.Counted("http.in.downstream_rq_1xx"), _rig.Counted("http.in.downstream_rq_completed")));
        Assert.Equal((1, 2), (_rig.Counted("cluster.up.upstream_rq_103"), _rig.Counted("cluster.up.upstream_rq_completed")));
    }

    [Fact]
    public void A_100_of_our_own_counts_too()
    {
        Start(more: "");
        Probe client = Call("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody");
        RawProxy.Say(Arrived(), Ok);
        Assert.True(_rig.Run(() => StatusLines(client) is ["100", "200"]));
        Assert.Equal((1, 1), (_rig.Counted("http.in.downstream_rq_1xx"), _rig.Counted("http.in.downstream_rq_2xx")));
    }

    [Fact]
    public void What_fails_behind_hints_is_not_tried_again()
    {
        Start();
        Probe client = Call(Request);
        Probe upstream = Arrived();
        RawProxy.Say(upstream, Hints);
        Assert.True(_rig.Run(() => StatusLines(client) is ["103"]));
        upstream.Transport!.Close();
        Assert.True(_rig.Run(() => StatusLines(client) is ["103", "503"]));
        Assert.Single(_upstream.Accepted);
    }

    [Fact]
    public void Other_1xx_are_dropped()
    {
        Start();
        Probe client = Call(Request);
        RawProxy.Say(Arrived(), "HTTP/1.1 199 Own\r\nx-a: b\r\n\r\n" + Ok);
        Assert.True(_rig.Run(() => client.Text.EndsWith("hi", StringComparison.Ordinal)));
        Assert.Equal(["200"], StatusLines(client));
    }

    [Fact]
    public void They_pass_from_HTTP1_to_HTTP2()
    {
        Start();
        Probe client = _rig.Connect(2, 8080);
        client.Transport!.Send(Http2Tests.Start(Http2Tests.Request(1, 5)));
        RawProxy.Say(Arrived(), Hints + Hints + Ok);
        Assert.True(_rig.Run(() => Heads(client).Count == 2));
        _rig.Network.Advance(10_000);
        Assert.Equal(["103", "200"], Heads(client).Select(static h => h.Status));
        // None of them ends the stream; the body's last frame does.
        Assert.All(Heads(client), static h => Assert.False(h.Ends));
        Assert.Contains(RawProxy.Frames(client), static f => f is { Type: 0, Stream: 1 } && (f.Flags & 1) != 0);
    }

    [Fact]
    public void They_pass_from_HTTP2_to_HTTP1()
    {
        Start(h2Up: true);
        Probe client = Call(Request);
        Probe upstream = Arrived();
        upstream.Transport!.Send((byte[])
        [
            .. Http2Tests.Frame(4, 0, 0, default), .. Head(4, (":status", "103"), ("link", "</a.css>")),
            .. Head(4, (":status", "103"), ("link", "</b.js>")), .. Head(4, (":status", "200")), .. Http2Tests.Frame(0, 1, 1, "hi"u8),
        ]);
        Assert.True(_rig.Run(() => StatusLines(client).Length == 2));
        Assert.Equal(["103", "200"], StatusLines(client));
        Assert.Contains("link: </a.css>\r\n", client.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_HTTP2_upstream_whose_1xx_ends_the_stream_is_malformed()
    {
        Start(h2Up: true);
        Probe client = Call(Request);
        Probe upstream = Arrived();
        upstream.Transport!.Send((byte[])[.. Http2Tests.Frame(4, 0, 0, default), .. Head(5, (":status", "103"))]);
        // RFC 9113 8.1: malformed. The stream is reset, or the connection given up.
        Assert.True(_rig.Run(() => upstream.Closings > 0 || upstream.Ended
            || RawProxy.Frames(upstream, asServer: true).Exists(static f => f is { Type: 3, Stream: 1 } or { Type: 7 })));
        Assert.Equal("", client.Text);
    }

    private static byte[] Head(int flags, params (string, string)[] fields) => Http2Tests.Frame(1, flags, 1, Http2Tests.Block(fields));

    private static List<(string Status, bool Ends)> Heads(Probe client)
    {
        var decoder = new Lateen.Proxy.Http.Two.Blocks.HpackDecoder(4096);
        return [.. RawProxy.Frames(client).Where(static f => f.Type == 1)
            .Select(f => (Http2Tests.Read(decoder, f.Payload)[":status"], (f.Flags & 1) != 0))];
    }
}
