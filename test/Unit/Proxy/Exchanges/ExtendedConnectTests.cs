using System.Text;
using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Test.Unit.Proxy.Http;
using Lateen.Test.Unit.Proxy.Net;
using Lateen.Test.Unit.Proxy.Xds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Exchanges;

/// <summary>WebSockets over HTTP/2 (RFC 8441) on either side, and joined to the upgrade of HTTP/1.</summary>
public sealed class ExtendedConnectTests : IDisposable
{
    private const string Forward = """{"match":{"prefix":"/"},"route":{"cluster":"up","timeout":"1s"}}""";
    private const string Upgrades = "\"upgrade_configs\":[{\"upgrade_type\":\"websocket\"}],";
    private const string Allowed = Upgrades + "\"http2_protocol_options\":{\"allow_connect\":true},";
    private const string Upgrade = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";

    private readonly RawProxy _rig = new();
    private readonly ProbeAcceptor _upstream;

    public ExtendedConnectTests() => _upstream = _rig.Serve(3, 80);

    public void Dispose() => _rig.Dispose();

    private void Start(bool h2Up, string more = Allowed) => _rig.Start(2,
        RawProxy.Listener("l", RawProxy.Socket(2, 8080), RawProxy.Manager(Forward, more)),
        RawProxy.Cluster("up", RawProxy.Socket(3, 80), http2: h2Up));

    private Probe Connect(string protocol = "websocket")
    {
        Probe client = _rig.Connect(2, 8080);
        client.Transport!.Send(Http2Tests.Start(Http2Tests.Frame(1, 4, 1, Http2Tests.Block((":method", "CONNECT"), (":protocol", protocol),
            (":scheme", "http"), (":path", "/chat"), (":authority", "a.test")))));
        return client;
    }

    private Probe Arrived()
    {
        Assert.True(_rig.Run(() => _upstream.Accepted is [{ Received.Length: > 0 }]));
        _rig.Network.Advance(10_000);
        return _upstream.Accepted[0];
    }

    private static string Body(Probe probe, bool asServer = false) => string.Concat(RawProxy.Frames(probe, asServer)
        .Where(static f => f is { Type: 0, Stream: 1 }).Select(static f => Encoding.ASCII.GetString(f.Payload)));

    private static Dictionary<string, string>? Head(Probe probe, bool asServer = false)
    {
        var decoder = new HpackDecoder(4096);
        return RawProxy.Frames(probe, asServer).Where(static f => f.Type == 1)
            .Select(f => Http2Tests.Read(decoder, f.Payload, asServer ? BlockKind.Request : BlockKind.Response)).FirstOrDefault();
    }

    private static bool Ended(Probe probe, bool asServer = false) =>
        RawProxy.Frames(probe, asServer).Exists(static f => f is { Type: 0, Stream: 1 } && (f.Flags & 1) != 0);

    private static bool WasReset(Probe probe, bool asServer = false) =>
        RawProxy.Frames(probe, asServer).Exists(static f => f is { Type: 3, Stream: 1 });

    private static byte[] Answer(string status, int flags = 4) => Http2Tests.Frame(1, flags, 1, Http2Tests.Block((":status", status)));

    [Theory]
    [InlineData(Allowed, true)]
    [InlineData(Upgrades, false)]
    public void SETTINGS_announce_it_where_it_is_allowed(string more, bool announced)
    {
        Start(h2Up: false, more);
        Probe client = _rig.Connect(2, 8080);
        client.Transport!.Send(Http2Tests.Start());
        Assert.True(_rig.Run(() => client.Received.Length > 9));
        byte[] settings = RawProxy.Frames(client).First(static f => f is { Type: 4, Flags: 0 }).Payload;
        // SETTINGS_ENABLE_CONNECT_PROTOCOL (8) = 1.
        Assert.Equal(announced, settings.Chunk(6).Any(static s => s is [0, 8, 0, 0, 0, 1]));
    }

    [Fact]
    public void From_HTTP2_to_an_HTTP1_upstream_bytes_go_both_ways_and_ends_are_passed_on()
    {
        Start(h2Up: false);
        Probe client = Connect();
        client.Transport!.Send(Http2Tests.Frame(0, 0, 1, "early"u8));
        Probe upstream = Arrived();
        Assert.StartsWith("GET /chat HTTP/1.1\r\n", upstream.Text, StringComparison.Ordinal);
        Assert.Contains("\r\nupgrade: websocket\r\n", upstream.Text, StringComparison.Ordinal);
        Assert.Contains("\r\nconnection: upgrade\r\n", upstream.Text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(":protocol", upstream.Text, StringComparison.Ordinal);
        RawProxy.Say(upstream, Switching + "first");
        Assert.True(_rig.Run(() => Body(client) == "first" && upstream.Text.EndsWith("early", StringComparison.Ordinal)));
        Assert.Equal("200", Head(client)![":status"]);
        Assert.False(Head(client)!.ContainsKey("upgrade"));
        // Longer than the route's time: it ended with the switch.
        _rig.Network.Advance(5_000_000);
        client.Transport.Send(Http2Tests.Frame(0, 0, 1, "more"u8));
        Assert.True(_rig.Run(() => upstream.Text.EndsWith("earlymore", StringComparison.Ordinal)));
        upstream.Transport!.Close();
        Assert.True(_rig.Run(() => Ended(client) || WasReset(client)));
    }

    [Fact]
    public void From_HTTP1_to_an_HTTP2_upstream_it_is_a_CONNECT_with_its_protocol()
    {
        Start(h2Up: true);
        Probe client = _rig.Connect(2, 8080);
        RawProxy.Say(client, Upgrade);
        Probe upstream = Arrived();
        Assert.Equal(("CONNECT", "websocket", "/chat", "a.test"),
            (Head(upstream, true)![":method"], Head(upstream, true)![":protocol"], Head(upstream, true)![":path"], Head(upstream, true)![":authority"]));
        Assert.False(Head(upstream, true)!.ContainsKey("upgrade") || Head(upstream, true)!.ContainsKey("connection"));
        upstream.Transport!.Send((byte[])[.. Http2Tests.Frame(4, 0, 0, [0, 8, 0, 0, 0, 1]), .. Answer("200"), .. Http2Tests.Frame(0, 0, 1, "first"u8)]);
        Assert.True(_rig.Run(() => client.Text.EndsWith("\r\n\r\nfirst", StringComparison.Ordinal)));
        Assert.StartsWith("HTTP/1.1 101 Switching Protocols\r\n", client.Text, StringComparison.Ordinal);
        Assert.Contains("upgrade: websocket\r\n", client.Text, StringComparison.OrdinalIgnoreCase);
        RawProxy.Say(client, "hello");
        Assert.True(_rig.Run(() => Body(upstream, true) == "hello"));
        client.Transport!.Close();
        Assert.True(_rig.Run(() => Ended(upstream, true) || WasReset(upstream, true)));
    }

    [Fact]
    public void From_HTTP2_to_HTTP2_it_stays_what_it_is()
    {
        Start(h2Up: true);
        Probe client = Connect();
        Probe upstream = Arrived();
        Assert.Equal(("CONNECT", "websocket"), (Head(upstream, true)![":method"], Head(upstream, true)![":protocol"]));
        upstream.Transport!.Send((byte[])[.. Http2Tests.Frame(4, 0, 0, [0, 8, 0, 0, 0, 1]), .. Answer("200"), .. Http2Tests.Frame(0, 0, 1, "first"u8)]);
        Assert.True(_rig.Run(() => Body(client) == "first"));
        client.Transport!.Send(Http2Tests.Frame(0, 0, 1, "hello"u8));
        Assert.True(_rig.Run(() => Body(upstream, true) == "hello"));
        // A client that ends its direction still hears the other.
        client.Transport.Send(Http2Tests.Frame(0, 1, 1, default));
        Assert.True(_rig.Run(() => Ended(upstream, true)));
        upstream.Transport.Send(Http2Tests.Frame(0, 1, 1, "last"u8));
        Assert.True(_rig.Run(() => Body(client) == "firstlast" && Ended(client)));
        Assert.False(WasReset(client));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(2)]
    public void A_stream_that_the_client_resets_is_reset_upstream(byte code)
    {
        Start(h2Up: true);
        Probe client = Connect();
        Probe upstream = Arrived();
        upstream.Transport!.Send((byte[])[.. Http2Tests.Frame(4, 0, 0, [0, 8, 0, 0, 0, 1]), .. Answer("200")]);
        Assert.True(_rig.Run(() => Head(client) is not null));
        client.Transport!.Send(Http2Tests.Frame(3, 0, 1, [0, 0, 0, code]));
        Assert.True(_rig.Run(() => WasReset(upstream, true)));
        Assert.False(client.Closings > 0);
    }

    [Fact]
    public void A_reset_of_the_upstream_reaches_the_client()
    {
        Start(h2Up: true);
        Probe client = Connect();
        Probe upstream = Arrived();
        upstream.Transport!.Send((byte[])[.. Http2Tests.Frame(4, 0, 0, [0, 8, 0, 0, 0, 1]), .. Answer("200")]);
        Assert.True(_rig.Run(() => Head(client) is not null));
        upstream.Transport.Send(Http2Tests.Frame(3, 0, 1, [0, 0, 0, 8]));
        Assert.True(_rig.Run(() => WasReset(client)));
    }

    [Fact]
    public void A_refusal_is_an_answer_like_any_other()
    {
        Start(h2Up: false);
        Probe client = Connect();
        RawProxy.Say(Arrived(), "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
        Assert.True(_rig.Run(() => Ended(client)));
        Assert.Equal(("403", "no"), (Head(client)![":status"], Body(client)));
    }

    [Fact]
    public void A_protocol_that_is_not_configured_is_refused()
    {
        Start(h2Up: false);
        Probe client = Connect("connect-udp");
        Assert.True(_rig.Run(() => Head(client) is not null || WasReset(client)));
        Assert.NotEqual("200", Head(client)?[":status"]);
        Assert.Empty(_upstream.Accepted);
    }
}
