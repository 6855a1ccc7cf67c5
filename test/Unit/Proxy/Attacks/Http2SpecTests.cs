using Lateen.Api.Http;
using Lateen.Proxy.Http;
using Lateen.Test.Rigs.Codecs;
using Lateen.Test.Unit.Proxy.Http;
using Xunit;
using static Lateen.Test.Unit.Proxy.Http.Http2Tests;

namespace Lateen.Test.Unit.Proxy.Attacks;

/// <summary>
/// The cases of h2spec by the number of its sections, in a table of our own: what a client sends behind preface and SETTINGS, and what must
/// come of it. An error of a stream may cost the connection, as Envoy does it. Where a frame on a closed stream is ignored (RFC 9113 5.1
/// lets it be, and Envoy does), the table says so.
/// </summary>
public sealed class Http2SpecTests
{
    /// <summary>What must come of it.</summary>
    public enum Outcome
    {
        /// <summary>Stream 1 is answered and the connection lives.</summary>
        Answered,

        /// <summary>Nothing is held against the client: a PING behind it is answered.</summary>
        Ignored,

        /// <summary>The stream is reset, or the connection ends.</summary>
        StreamError,

        /// <summary>The connection ends.</summary>
        ConnectionError,
    }

    private static readonly byte[] Get = Block((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"));

    private static byte[] Head(int flags, uint stream, byte[]? block = null) => Frame(1, flags, stream, block ?? Get);

    private static byte[] Fields(params (string, string)[] fields) => Frame(1, 5, 1, Block(fields));

    private static byte[] With(params (string, string)[] more) =>
        Fields([(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), .. more]);

    private static byte[] Post(string length, params byte[][] data) =>
        [
            .. Frame(1, 4, 1, Block((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"),
                ("content-length", length))), .. data.SelectMany(d => d)];

    private static readonly byte[] Reset = Frame(3, 0, 1, [0, 0, 0, 8]);

    /// <summary>Section, case, what is sent, what comes of it.</summary>
    public static TheoryData<string, byte[], Outcome> Cases() => new()
    {
        // generic: what every server does
        { "generic 2/1 PRIORITY on an idle stream", [.. Frame(2, 0, 1, [0, 0, 0, 0, 15]), .. Head(5, 1)], Outcome.Answered },
        { "generic 2/2 WINDOW_UPDATE on a half-closed stream", [.. Head(5, 1), .. Frame(8, 0, 1, [0, 0, 0, 100])], Outcome.Answered },
        { "generic 2/3 PRIORITY on a half-closed stream", [.. Head(5, 1), .. Frame(2, 0, 1, [0, 0, 0, 0, 15])], Outcome.Answered },
        { "generic 2/4 RST_STREAM on a half-closed stream", [.. Head(5, 1), .. Reset], Outcome.Ignored },
        { "generic 2/5 PRIORITY on a closed stream", [.. Head(5, 1), .. Reset, .. Frame(2, 0, 1, [0, 0, 0, 0, 15])], Outcome.Ignored },
        { "generic 3.1/1 DATA", [.. Head(4, 1), .. Frame(0, 1, 1, "test"u8)], Outcome.Answered },
        { "generic 3.1/2 several DATA", [.. Head(4, 1), .. Frame(0, 0, 1, "te"u8), .. Frame(0, 1, 1, "st"u8)], Outcome.Answered },
        { "generic 3.1/3 DATA with padding", [.. Head(4, 1), .. Frame(0, 9, 1, [3, .. "test"u8, 0, 0, 0])], Outcome.Answered },
        { "generic 3.2/1 HEADERS", Head(5, 1), Outcome.Answered },
        { "generic 3.2/2 HEADERS with padding", Frame(1, 13, 1, [2, .. Get, 0, 0]), Outcome.Answered },
        { "generic 3.2/3 HEADERS with priority", Frame(1, 0x25, 1, [0, 0, 0, 0, 9, .. Get]), Outcome.Answered },
        { "generic 3.3/1 PRIORITY with weight 1", [.. Frame(2, 0, 1, [0, 0, 0, 0, 0]), .. Head(5, 1)], Outcome.Answered },
        { "generic 3.3/2 PRIORITY with weight 256", [.. Frame(2, 0, 1, [0, 0, 0, 0, 255]), .. Head(5, 1)], Outcome.Answered },
        { "generic 3.3/4 PRIORITY, exclusive", [.. Frame(2, 0, 1, [0x80, 0, 0, 0, 15]), .. Head(5, 1)], Outcome.Answered },
        { "generic 3.3/5 PRIORITY of an idle stream, then a lower one", [.. Frame(2, 0, 3, [0, 0, 0, 0, 15]), .. Head(5, 1)],
            Outcome.Answered },
        { "generic 3.4/1 RST_STREAM", [.. Head(4, 1), .. Reset], Outcome.Ignored },
        { "generic 3.5/1 SETTINGS", Frame(4, 0, 0, [0, 3, 0, 0, 0, 100]), Outcome.Ignored },
        { "generic 3.7/1 PING", Frame(6, 0, 0, "12345678"u8), Outcome.Ignored },
        { "generic 3.8/1 GOAWAY", Frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]), Outcome.Ignored },
        { "generic 3.9/1 WINDOW_UPDATE on the connection", Frame(8, 0, 0, [0, 0, 0, 1]), Outcome.Ignored },
        { "generic 3.9/2 WINDOW_UPDATE on a stream", [.. Head(4, 1), .. Frame(8, 0, 1, [0, 0, 0, 1]), .. Frame(0, 1, 1, default)],
            Outcome.Answered },
        { "generic 3.10/1 CONTINUATION", [.. Head(1, 1), .. Frame(9, 4, 1, Block(("x-a", "b")))], Outcome.Answered },
        { "generic 3.10/2 several CONTINUATION",
            [.. Head(1, 1), .. Frame(9, 0, 1, Block(("x-a", "b"))), .. Frame(9, 4, 1, Block(("x-c", "d")))], Outcome.Answered },
        { "generic 4/1 GET", With(), Outcome.Answered },
        { "generic 4/2 HEAD", Fields((":method", "HEAD"), (":scheme", "http"), (":path", "/"), (":authority", "a")), Outcome.Answered },
        { "generic 4/3 POST", Post("4", Frame(0, 1, 1, "test"u8)), Outcome.Answered },
        { "generic 4/4 POST with trailers", Post("4", Frame(0, 0, 1, "test"u8), Frame(1, 5, 1, Block(("x-sum", "9")))), Outcome.Answered },
        { "generic 5/1 indexed field", Head(5, 1, [0x82, 0x86, 0x84, 0x01, 0x01, (byte)'a']), Outcome.Answered },
        { "generic 5/2 literal with indexing, indexed name", Head(5, 1, [.. Get, 0x7a, 1, (byte)'u']), Outcome.Answered },
        { "generic 5/3 literal with indexing, new name", Head(5, 1, [.. Get, 0x40, 3, .. "x-a"u8, 1, (byte)'b']), Outcome.Answered },
        { "generic 5/6 literal without indexing", Head(5, 1, [.. Get, 0x00, 3, .. "x-a"u8, 1, (byte)'b']), Outcome.Answered },
        { "generic 5/8 literal never indexed", Head(5, 1, [.. Get, 0x10, 3, .. "x-a"u8, 1, (byte)'b']), Outcome.Answered },
        { "generic 5/10 table size update", Head(5, 1, [0x20, .. Get]), Outcome.Answered },

        // 4 Frames
        { "4.1/1 unknown frame type", [.. Frame(0x16, 0, 0, "what?"u8), .. Head(5, 1)], Outcome.Answered },
        { "4.1/2 undefined flags", [.. Frame(6, 0xfe, 0, "12345678"u8), .. Head(5, 1)], Outcome.Answered },
        { "4.1/3 reserved bit of the stream's number", [.. Frame(6, 0, 0x80000000, "12345678"u8), .. Head(5, 1)], Outcome.Answered },
        { "4.2/1 DATA of 2^14", [.. Head(4, 1), .. Frame(0, 1, 1, new byte[16384])], Outcome.Answered },
        { "4.2/2 DATA larger than SETTINGS_MAX_FRAME_SIZE", [.. Head(4, 1), .. Frame(0, 1, 1, new byte[16385])], Outcome.StreamError },
        { "4.2/3 HEADERS larger than SETTINGS_MAX_FRAME_SIZE", Head(5, 1, new byte[16385]), Outcome.ConnectionError },
        { "4.3/1 broken header block", Head(5, 1, [0x40]), Outcome.ConnectionError },
        { "4.3/2 PRIORITY inside a header block", [.. Head(1, 1), .. Frame(2, 0, 1, [0, 0, 0, 0, 15])], Outcome.ConnectionError },
        { "4.3/3 HEADERS of another stream inside a header block", [.. Head(1, 1), .. Head(5, 3)], Outcome.ConnectionError },

        // 5 Streams and multiplexing
        { "5.1/1 idle: DATA", Frame(0, 1, 1, "test"u8), Outcome.ConnectionError },
        { "5.1/2 idle: RST_STREAM", Reset, Outcome.ConnectionError },
        { "5.1/3 idle: WINDOW_UPDATE", Frame(8, 0, 1, [0, 0, 0, 100]), Outcome.ConnectionError },
        { "5.1/4 idle: CONTINUATION", Frame(9, 4, 1, Get), Outcome.ConnectionError },
        { "5.1/5 half closed (remote): DATA, ignored once answered", [.. Head(5, 1), .. Frame(0, 1, 1, "test"u8)], Outcome.Ignored },
        { "5.1/6 half closed (remote): HEADERS, ignored once answered", [.. Head(5, 1), .. Head(5, 1)], Outcome.Ignored },
        { "5.1/7 half closed (remote): CONTINUATION", [.. Head(5, 1), .. Frame(9, 4, 1, Get)], Outcome.ConnectionError },
        { "5.1/8 closed by RST_STREAM: DATA, ignored", [.. Head(4, 1), .. Reset, .. Frame(0, 1, 1, "test"u8)], Outcome.Ignored },
        { "5.1/9 closed by RST_STREAM: HEADERS, ignored", [.. Head(4, 1), .. Reset, .. Head(5, 1)], Outcome.Ignored },
        { "5.1/10 closed by RST_STREAM: CONTINUATION", [.. Head(4, 1), .. Reset, .. Frame(9, 4, 1, Get)], Outcome.ConnectionError },
        { "5.1.1/1 even number", Head(5, 2), Outcome.ConnectionError },
        { "5.1.1/2 lower number, ignored", [.. Head(5, 5), .. Head(5, 3)], Outcome.Ignored },
        { "5.4.1/1 a connection's error ends the connection", Frame(6, 0, 3, "12345678"u8), Outcome.ConnectionError },
        { "5.5/1 unknown extension frame", [.. Frame(0x16, 0, 1, "what?"u8), .. Head(5, 1)], Outcome.Answered },
        { "5.5/2 unknown extension frame inside a header block", [.. Head(1, 1), .. Frame(0x16, 0, 0, "what?"u8)],
            Outcome.ConnectionError },

        // 6 Frame definitions
        { "6.1/1 DATA on stream 0", Frame(0, 1, 0, "test"u8), Outcome.ConnectionError },
        { "6.1/3 DATA with too much padding", [.. Head(4, 1), .. Frame(0, 9, 1, [9, .. "test"u8])], Outcome.ConnectionError },
        { "6.2/1 HEADERS without END_HEADERS, then PRIORITY", [.. Head(1, 1), .. Frame(2, 0, 3, [0, 0, 0, 0, 15])],
            Outcome.ConnectionError },
        { "6.2/3 HEADERS on stream 0", Head(5, 0), Outcome.ConnectionError },
        { "6.2/4 HEADERS with too much padding", Frame(1, 13, 1, [0xff, .. Get]), Outcome.ConnectionError },
        { "6.3/1 PRIORITY on stream 0", Frame(2, 0, 0, [0, 0, 0, 0, 15]), Outcome.ConnectionError },
        { "6.3/2 PRIORITY of another length", [.. Head(4, 1), .. Frame(2, 0, 1, [0x80, 0, 0, 1])], Outcome.StreamError },
        { "6.4/1 RST_STREAM on stream 0", Frame(3, 0, 0, [0, 0, 0, 8]), Outcome.ConnectionError },
        { "6.4/3 RST_STREAM of another length", [.. Head(4, 1), .. Frame(3, 0, 1, [0, 0, 0])], Outcome.ConnectionError },
        { "6.5/1 SETTINGS with ACK and payload", Frame(4, 1, 0, [0, 3, 0, 0, 0, 1]), Outcome.ConnectionError },
        { "6.5/2 SETTINGS on a stream", Frame(4, 0, 1, [0, 3, 0, 0, 0, 1]), Outcome.ConnectionError },
        { "6.5/3 SETTINGS of another length", Frame(4, 0, 0, [0, 3, 0]), Outcome.ConnectionError },
        { "6.5.2/1 ENABLE_PUSH 2", Frame(4, 0, 0, [0, 2, 0, 0, 0, 2]), Outcome.ConnectionError },
        { "6.5.2/2 INITIAL_WINDOW_SIZE above 2^31-1", Frame(4, 0, 0, [0, 4, 0x80, 0, 0, 0]), Outcome.ConnectionError },
        { "6.5.2/3 MAX_FRAME_SIZE below 2^14", Frame(4, 0, 0, [0, 5, 0, 0, 0x3f, 0xff]), Outcome.ConnectionError },
        { "6.5.2/4 MAX_FRAME_SIZE above 2^24-1", Frame(4, 0, 0, [0, 5, 1, 0, 0, 0]), Outcome.ConnectionError },
        { "6.5.2/5 unknown setting", [.. Frame(4, 0, 0, [0, 0xff, 0, 0, 0, 1]), .. Head(5, 1)], Outcome.Answered },
        { "6.5.3/1 two values of one setting", [.. Frame(4, 0, 0, [0, 4, 0, 0, 0, 100, 0, 4, 0, 0, 0, 200]), .. Head(5, 1)],
            Outcome.Answered },
        { "6.7/2 PING with ACK is not answered", Frame(6, 1, 0, "invalid!"u8), Outcome.Ignored },
        { "6.7/3 PING on a stream", Frame(6, 0, 1, "12345678"u8), Outcome.ConnectionError },
        { "6.7/4 PING of another length", Frame(6, 0, 0, "123456"u8), Outcome.ConnectionError },
        { "6.8/1 GOAWAY on a stream", Frame(7, 0, 1, [0, 0, 0, 0, 0, 0, 0, 0]), Outcome.ConnectionError },
        { "6.9/1 WINDOW_UPDATE of 0 on the connection", Frame(8, 0, 0, [0, 0, 0, 0]), Outcome.ConnectionError },
        { "6.9/2 WINDOW_UPDATE of 0 on a stream", [.. Head(4, 1), .. Frame(8, 0, 1, [0, 0, 0, 0])], Outcome.StreamError },
        { "6.9/3 WINDOW_UPDATE of another length", Frame(8, 0, 0, [0, 0, 1]), Outcome.ConnectionError },
        { "6.9.1/2 the connection's window overflows",
            [.. Frame(8, 0, 0, [0x7f, 0xff, 0xff, 0xff]), .. Frame(8, 0, 0, [0x7f, 0xff, 0xff, 0xff])], Outcome.ConnectionError },
        { "6.9.1/3 a stream's window overflows", [.. Head(4, 1), .. Frame(8, 0, 1, [0x7f, 0xff, 0xff, 0xff])], Outcome.StreamError },
        { "6.10/2 another frame behind HEADERS without END_HEADERS", [.. Head(1, 1), .. Frame(0, 1, 1, "test"u8)],
            Outcome.ConnectionError },
        { "6.10/3 CONTINUATION on stream 0", [.. Head(1, 1), .. Frame(9, 4, 0, Get)], Outcome.ConnectionError },
        { "6.10/4 CONTINUATION behind HEADERS with END_HEADERS", [.. Head(4, 1), .. Frame(9, 4, 1, Get)], Outcome.ConnectionError },
        { "6.10/5 CONTINUATION behind CONTINUATION with END_HEADERS",
            [.. Head(0, 1), .. Frame(9, 4, 1, Block(("x-a", "b"))), .. Frame(9, 4, 1, Get)], Outcome.ConnectionError },
        { "6.10/6 CONTINUATION behind DATA", [.. Head(4, 1), .. Frame(0, 0, 1, "test"u8), .. Frame(9, 4, 1, Get)],
            Outcome.ConnectionError },

        // 7 Error codes
        { "7/1 GOAWAY with an unknown code", Frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0xff]), Outcome.Ignored },
        { "7/2 RST_STREAM with an unknown code", [.. Head(4, 1), .. Frame(3, 0, 1, [0, 0, 0, 0xff])], Outcome.Ignored },

        // 8 Messages
        { "8.1/1 second HEADERS without END_STREAM", [.. Head(4, 1), .. Head(4, 1)], Outcome.StreamError },
        { "8.1.2/1 upper case name", With(("X-TEST", "ok")), Outcome.StreamError },
        { "8.1.2.1/1 unknown pseudo header", With((":test", "ok")), Outcome.StreamError },
        { "8.1.2.1/2 pseudo header of an answer", With((":status", "200")), Outcome.StreamError },
        { "8.1.2.1/3 pseudo header in trailers", [.. Head(4, 1), .. Frame(1, 5, 1, Block((":method", "200")))], Outcome.StreamError },
        { "8.1.2.1/4 pseudo header behind a field",
            Fields((":method", "GET"), (":scheme", "http"), ("x-a", "b"), (":path", "/"), (":authority", "a")), Outcome.StreamError },
        { "8.1.2.2/1 connection field", With(("connection", "keep-alive")), Outcome.StreamError },
        { "8.1.2.2/2 te other than trailers", With(("te", "trailers, deflate")), Outcome.StreamError },
        { "8.1.2.3/1 empty :path", Fields((":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")),
            Outcome.StreamError },
        { "8.1.2.3/2 no :method", Fields((":scheme", "http"), (":path", "/"), (":authority", "a")), Outcome.StreamError },
        { "8.1.2.3/3 no :scheme", Fields((":method", "GET"), (":path", "/"), (":authority", "a")), Outcome.StreamError },
        { "8.1.2.3/4 no :path", Fields((":method", "GET"), (":scheme", "http"), (":authority", "a")), Outcome.StreamError },
        { "8.1.2.3/5 :method twice", With((":method", "GET")), Outcome.StreamError },
        { "8.1.2.3/6 :scheme twice",
            Fields((":method", "GET"), (":scheme", "http"), (":scheme", "http"), (":path", "/"), (":authority", "a")),
            Outcome.StreamError },
        { "8.1.2.3/7 :path twice", Fields((":method", "GET"), (":scheme", "http"), (":path", "/"), (":path", "/"), (":authority", "a")),
            Outcome.StreamError },
        { "8.1.2.6/1 content-length and one DATA differ", Post("1", Frame(0, 1, 1, "test"u8)), Outcome.StreamError },
        { "8.1.2.6/2 content-length and several DATA differ", Post("1", Frame(0, 0, 1, "te"u8), Frame(0, 1, 1, "st"u8)),
            Outcome.StreamError },
        { "8.2/1 PUSH_PROMISE from a client", [.. Head(4, 1), .. Frame(5, 4, 1, [0, 0, 0, 2, .. Get])], Outcome.ConnectionError },

        // HPACK
        { "hpack 2.3.3/1 index behind the tables", Head(5, 1, [.. Get, 0xff, 0x20]), Outcome.ConnectionError },
        { "hpack 4.2/1 table size update at the end of a block", Head(5, 1, [.. Get, 0x20]), Outcome.ConnectionError },
        { "hpack 5.2/1 Huffman padding longer than 7 bits",
            Head(5, 1, [.. Get, 0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff]), Outcome.ConnectionError },
        { "hpack 5.2/2 Huffman padding of zeros", Head(5, 1, [.. Get, 0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x83, 0x49, 0x50, 0x90]),
            Outcome.ConnectionError },
        { "hpack 5.2/3 Huffman with the end of string",
            Head(5, 1, [.. Get, 0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Outcome.ConnectionError },
        { "hpack 6.1/1 index 0", Head(5, 1, [.. Get, 0x80]), Outcome.ConnectionError },
        { "hpack 6.3/1 table size update above SETTINGS", Head(5, 1, [0x3f, 0xe2, 0x1f, .. Get]), Outcome.ConnectionError },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Case(string name, byte[] frames, Outcome wanted)
    {
        var acceptor = new RecordingAcceptor(r => r.Answer(200, "ok"));
        Wire wire = Wire.ToServer(acceptor, new CodecOptions(), http2: true);
        wire.Send(Start(frames, Frame(6, 0, 0, "are you?"u8)));
        wire.Run(2_000_000);
        List<(int Type, int Flags, uint Stream, byte[] Payload)> came = Frames(wire);
        bool ended = acceptor.Closed is not null || wire.Peer.Ended || wire.Peer.Closings > 0;
        bool pong = came.Any(f => f is { Type: 6, Flags: 1 } && f.Payload.AsSpan().SequenceEqual("are you?"u8));
        bool answered = came.Any(f => f is { Type: 1, Stream: 1 }), reset = came.Any(f => f is { Type: 3, Stream: 1 });
        Assert.True(
            wanted switch
            {
                Outcome.Answered => answered && pong && !ended && !reset,
                Outcome.Ignored => pong && !ended,
                Outcome.StreamError => reset || ended,
                _ => ended && !pong,
            },
            $"{name}: answered {answered}, reset {reset}, pong {pong}, "
            + $"ended {ended}: {string.Join(' ', came.Select(f => $"{f.Type}/{f.Flags}/{f.Stream}"))}");
    }

    [Fact]
    public void H3_5_a_broken_preface_ends_the_connection()
    {
        var acceptor = new RecordingAcceptor();
        Wire wire = Wire.ToServer(acceptor, new CodecOptions(), http2: true);
        wire.Send("PRI * HTTP/2.0\r\n\r\nINVALID\r\n\r\n");
        wire.Run(2_000_000);
        Assert.NotNull(acceptor.Closed);
    }

    [Fact]
    public void H5_1_2_more_streams_than_allowed_are_refused()
    {
        var acceptor = new RecordingAcceptor();
        Wire wire = Wire.ToServer(acceptor, new CodecOptions { Two = new Http2Options { ConcurrentStreamsMax = 2 } }, http2: true);
        wire.Send(Start(Head(5, 1), Head(5, 3), Head(5, 5)));
        wire.Run(2_000_000);
        Assert.True(acceptor.Closed is not null || Frames(wire).Any(f => f is { Type: 3, Stream: 5 }));
    }

    [Fact]
    public void H6_5_3_and_6_7_what_asks_for_an_acknowledgement_gets_it()
    {
        var acceptor = new RecordingAcceptor();
        Wire wire = Wire.ToServer(acceptor, new CodecOptions(), http2: true);
        wire.Send(Start(Frame(4, 0, 0, [0, 3, 0, 0, 0, 9]), Frame(6, 0, 0, "12345678"u8)));
        Assert.Equal(2, Frames(wire).Count(f => f is { Type: 4, Flags: 1 }));
        Assert.Single(Frames(wire), f => f is { Type: 6, Flags: 1 });
    }

    [Fact]
    public void H6_9_2_a_smaller_window_holds_back_and_a_negative_one_counts()
    {
        var acceptor = new RecordingAcceptor(r => r.Answer(200, "hello"));
        Wire wire = Wire.ToServer(acceptor, new CodecOptions(), http2: true);
        wire.Send(Start(Frame(4, 0, 0, [0, 4, 0, 0, 0, 3]), Head(5, 1)));
        Assert.Equal(3, Sent(wire));
        // From 3 of 3 used to 2: one is owed; two more bytes may follow when three are given.
        wire.Send([.. Frame(4, 0, 0, [0, 4, 0, 0, 0, 2]), .. Frame(8, 0, 1, [0, 0, 0, 1])]);
        Assert.Equal(3, Sent(wire));
        wire.Send(Frame(8, 0, 1, [0, 0, 0, 2]));
        Assert.Equal(5, Sent(wire));
    }

    private static int Sent(Wire wire) => Frames(wire).Where(f => f is { Type: 0, Stream: 1 }).Sum(f => f.Payload.Length);
}
