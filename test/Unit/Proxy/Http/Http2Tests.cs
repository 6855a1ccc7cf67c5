using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

public sealed class Http2Tests
{
    private static readonly CodecOptions Options = new() { Proxy100Continue = true };
    private const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    internal static byte[] Frame(int type, int flags, uint stream, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, ((uint)payload.Length << 8) | (byte)type);
        frame[4] = (byte)flags;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    internal static byte[] Block(params (string Name, string Value)[] fields)
    {
        var encoder = new HpackEncoder(4096);
        encoder.Begin();
        foreach ((string name, string value) in fields)
            encoder.Add(KnownHeaders.Find(Encoding.ASCII.GetBytes(name)), Encoding.ASCII.GetBytes(name), Encoding.Latin1.GetBytes(value));
        return encoder.Block.ToArray();
    }

    /// <summary>The fields of a block.</summary>
    internal static Dictionary<string, string> Read(HpackDecoder decoder, byte[] block, BlockKind kind = BlockKind.Response)
    {
        var builder = new HeadBuilder(new CodecOptions { Two = new Http2Options { AllowConnect = true } });
        var map = new HeaderMap();
        builder.Begin(kind, map, null);
        Assert.True(decoder.Decode(block, builder));
        return RecordedRequest.Show(map).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split('=', 2))
            .ToDictionary(static p => p[0], static p => p[1]);
    }

    internal static byte[] Request(uint stream, int flags, params (string Name, string Value)[] more) =>
        Frame(1, flags, stream, Block([(":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "a.example"), .. more]));

    internal static byte[] Start(params byte[][] frames) =>
        [.. Encoding.ASCII.GetBytes(Preface), .. Frame(4, 0, 0, default), .. frames.SelectMany(f => f)];

    // Type, flags and stream of each frame that the peer got.
    internal static List<(int Type, int Flags, uint Stream, byte[] Payload)> Frames(Wire wire) => FramesOf(wire.Peer.Received.ToArray());

    internal static List<(int Type, int Flags, uint Stream, byte[] Payload)> FramesOf(byte[] bytes)
    {
        var frames = new List<(int, int, uint, byte[])>();
        for (int at = 0; at + 9 <= bytes.Length;)
        {
            uint head = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));
            frames.Add(((byte)head, bytes[at + 4], BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at + 5)),
                bytes[(at + 9)..(at + 9 + (int)(head >> 8))]));
            at += 9 + (int)(head >> 8);
        }
        return frames;
    }

    private static (Wire Wire, RecordingAcceptor Acceptor) Serve(CodecOptions? options = null, Action<RecordedRequest>? whenEnd = null)
    {
        var acceptor = new RecordingAcceptor(whenEnd ?? (r => r.Answer(200, "ok")));
        return (Wire.ToServer(acceptor, options ?? Options, http2: true), acceptor);
    }

    [Fact]
    public void A_request_with_body_and_trailers_is_the_same_wherever_the_network_cuts()
    {
        byte[] input = Start(
            Request(1, 4, ("x-a", "b"), ("cookie", "a=1"), ("cookie", "b=2")),
            Frame(0, 8, 1, [2, .. "hello"u8, 0, 0]),
            Frame(0, 0, 1, " world"u8),
            Frame(1, 5, 1, Block(("x-sum", "9"))),
            Request(3, 0, ("host", "ignored")),
            Frame(9, 4, 3, Block(("x-late", "1"))),
            Frame(0, 1, 3, "!"u8),
            Frame(6, 0, 0, "12345678"u8));
        (Wire whole, RecordingAcceptor first) = Serve();
        whole.Send(input);
        string log = first.Log;
        Assert.Equal(
            "head False\n:method=POST\n:scheme=http\n:path=/p\n:authority=a.example\nx-a=b\ncookie=a=1; b=2\ntrailers\nx-sum=9\nbody "
            + "hello world\nend\n"
            + "head False\n:method=POST\n:scheme=http\n:path=/p\n:authority=a.example\nx-late=1\nbody !\nend\n",
            log);
        for (int cut = 1; cut < input.Length; cut++)
        {
            (Wire wire, RecordingAcceptor acceptor) = Serve();
            wire.Send(input.AsSpan(0, cut));
            wire.Send(input.AsSpan(cut));
            Assert.True(log == acceptor.Log, $"cut at {cut}: {acceptor.Log}");
            Assert.Equal(whole.Text, wire.Text);
        }
    }

    [Fact]
    public void Settings_come_first_then_the_acknowledgement_and_the_window()
    {
        (Wire wire, _) = Serve();
        wire.Send(Start(Frame(6, 0, 0, "abcdefgh"u8)));
        List<(int Type, int Flags, uint Stream, byte[] Payload)> frames = Frames(wire);
        Assert.Equal([(4, 0), (4, 1), (8, 0), (6, 1)], frames.Select(f => (f.Type, f.Flags)));
        Assert.Equal("000100001000000800000000000300000400000401000000", Convert.ToHexString(frames[0].Payload));
        Assert.Equal(24 * 1024 * 1024 - 65535, BinaryPrimitives.ReadInt32BigEndian(frames[2].Payload));
        Assert.Equal("abcdefgh"u8.ToArray(), frames[3].Payload);
    }

    [Theory]
    [InlineData(":path", "relative", "http2.violation.of.messaging.rule")]
    [InlineData(":path", "/a b", "http2.invalid.header.field")]
    [InlineData("X-Upper", "1", "http2.invalid.header.field")]
    [InlineData("connection", "close", "http2.invalid.header.field")]
    [InlineData("te", "gzip", "http2.invalid.header.field")]
    [InlineData("x-a", "b\r\nx: y", "http2.invalid.header.field")]
    [InlineData("content-length", "+3", "http2.invalid.header.field")]
    [InlineData(":status", "200", "http2.invalid.header.field")]
    public void A_malformed_request_costs_the_connection_or_with_the_option_the_stream(string name, string value, string detail)
    {
        (string, string)[] fields = name == ":path"
            ? [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (name, value)]
            : [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"), (name, value)];
        byte[] input = Start(Frame(1, 5, 1, Block(fields)), Request(3, 5));
        (Wire strict, RecordingAcceptor closed) = Serve();
        strict.Send(input);
        Assert.Equal((ResetReason.ProtocolError, detail), (Assert.Single(closed.Requests).Reset, closed.Requests[0].Detail));
        Assert.Equal(detail, Assert.Single(closed.Errors));
        Assert.DoesNotContain(Frames(strict), f => f.Type == 7);
        strict.Run(1_100_000);
        Assert.True(strict.Peer.Ended || strict.Peer.Closings > 0);

        (Wire lenient, RecordingAcceptor kept) = Serve(new CodecOptions { StreamErrorOnInvalidMessage = true });
        lenient.Send(input);
        Assert.Equal(detail, kept.Requests[0].Detail);
        Assert.Contains(Frames(lenient), f => f.Type == 3 && f.Stream == 1 && f.Payload[3] == 1);
        Assert.True(kept.Requests[1].Done);
    }

    [Fact]
    public void Header_limits_reset_the_stream_and_keep_the_table_in_step()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(new CodecOptions { HeadBytesMax = 2000, HeaderCountMax = 10 });
        (string, string)[] many = [.. Enumerable.Range(0, 12).Select(i => ($"x-{i}", "1"))];
        wire.Send(Start(Request(1, 5, ("x-big", new string('b', 3000))), Request(3, 5, many), Request(5, 5)));
        Assert.Equal(["http2.header_list_size_too_large", "http2.too_many_headers", ""], acceptor.Requests.Select(r => r.Detail));
        Assert.Equal([1u, 3u], Frames(wire).Where(f => f.Type == 3 && f.Payload[3] == 2).Select(f => f.Stream));
        Assert.True(acceptor.Requests[2].Done);
    }

    [Fact]
    public void Bodies_obey_both_windows_and_streams_take_turns()
    {
        (Wire wire, _) = Serve(null, r =>
        {
            var head = new HeaderMap();
            head.Add(KnownHeader.Status, "200"u8);
            r.Stream.SendHead(head, false);
            r.Stream.SendBody(new byte[100_000], true);
        });
        wire.Send(Start(Request(1, 5), Request(3, 5)));
        long Sent(uint stream) => Frames(wire).Where(f => f.Type == 0 && f.Stream == stream).Sum(f => f.Payload.Length);
        Assert.Equal(65535, Sent(1) + Sent(3));
        byte[] update = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(update, 40_000);
        wire.Send([.. Frame(8, 0, 1, update), .. Frame(8, 0, 3, update), .. Frame(8, 0, 0, update)]);
        Assert.Equal(105_535, Sent(1) + Sent(3));
        Assert.True(Sent(1) > 70_000 && Sent(3) > 20_000, $"{Sent(1)} {Sent(3)}");
        BinaryPrimitives.WriteInt32BigEndian(update, 200_000);
        wire.Send([.. Frame(8, 0, 0, update), .. Frame(8, 0, 3, update), .. Frame(8, 0, 1, update)]);
        Assert.Equal((100_000, 100_000), (Sent(1), Sent(3)));
        Assert.Equal(2, Frames(wire).Count(f => f.Type == 0 && (f.Flags & 1) != 0));
    }

    [Fact]
    public void A_paused_receiver_gets_no_more_than_the_window()
    {
        var options = new CodecOptions { Two = new Http2Options { StreamWindow = 65535, ConnectionWindow = 65535 * 4 } };
        var acceptor = new RecordingAcceptor(null, r => r.Stream.BodyPaused = true);
        Wire wire = Wire.ToServer(acceptor, options, http2: true);
        wire.Send(Start(Request(1, 4)));
        for (int i = 0; i < 4; i++)
            wire.Send(Frame(0, 0, 1, new byte[16000]));
        Assert.DoesNotContain(Frames(wire), f => f.Type == 8 && f.Stream == 1);
        acceptor.Requests[0].Stream.BodyPaused = false;
        wire.Run();
        Assert.Contains(Frames(wire), f => f.Type == 8 && f.Stream == 1 && BinaryPrimitives.ReadInt32BigEndian(f.Payload) == 64000);
    }

    [Fact]
    public void A_drain_has_two_steps()
    {
        var held = new List<RecordedRequest>();
        var acceptor = new RecordingAcceptor(held.Add);
        Wire wire = Wire.ToServer(acceptor, Options, http2: true);
        var connection = (DownstreamConnection)wire.Accepted.Handler;
        wire.Send(Start(Request(1, 5)));
        connection.NoticeShutdown();
        wire.Send(Request(3, 5));
        connection.GoAway();
        wire.Send(Request(5, 5));
        Assert.Equal(2, held.Count);
        Assert.Equal([0x7fffffffu, 3u], Frames(wire).Where(f => f.Type == 7).Select(f => BinaryPrimitives.ReadUInt32BigEndian(f.Payload)));
        held[0].Answer(200, "ok");
        held[1].Answer(200, "ok");
        wire.Run(1_100_000);
        Assert.NotNull(acceptor.Closed);
        Assert.Equal(0, connection.ActiveStreams);
    }

    [Theory]
    [InlineData("priority", CodecEvent.InboundPriorityFramesFlood)]
    [InlineData("window", CodecEvent.InboundWindowUpdateFramesFlood)]
    [InlineData("empty", CodecEvent.InboundEmptyFramesFlood)]
    [InlineData("reset", CodecEvent.TooManyPrematureResets)]
    public void Floods_end_the_connection(string kind, CodecEvent counted)
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(null, _ => { });
        wire.Send(Start(Request(1, 4)));
        for (uint i = 0; i < 600 && acceptor.Errors.Count == 0; i++)
        {
            wire.Send(kind switch
            {
                "priority" => Frame(2, 0, 9, [0, 0, 0, 0, 3]),
                "window" => Frame(8, 0, 0, [0, 0, 0, 1]),
                "empty" => Frame(0, 0, 1, default),
                _ => [.. Request(3 + (2 * i), 4), .. Frame(3, 0, 3 + (2 * i), [0, 0, 0, 8])],
            });
        }
        Assert.Contains(counted, acceptor.Events);
        Assert.Single(acceptor.Errors);
    }

    [Fact]
    public void A_client_and_a_server_understand_each_other()
    {
        var owner = new RecordingOwner();
        var acceptor = new RecordingAcceptor(r =>
        {
            var head = new HeaderMap();
            head.Add(KnownHeader.Status, "200"u8);
            head.Add("x-echo"u8, r.RequestHead[KnownHeader.XRequestId]);
            r.Stream.SendHead(head, false);
            r.Stream.SendBody(Encoding.Latin1.GetBytes(r.Body.ToString()), false);
            var trailers = new HeaderMap();
            trailers.Add(KnownHeader.GrpcStatus, "0"u8);
            r.Stream.SendTrailers(trailers);
        });
        (Wire wire, UpstreamConnection client) = Wire.Both(acceptor, owner, Options, http2: true);
        var responses = new List<RecordedResponse>();
        for (int i = 0; i < 20; i++)
        {
            var response = new RecordedResponse();
            responses.Add(response);
            UpstreamStream stream = client.Begin(response);
            var head = new HeaderMap();
            head.Add(KnownHeader.Method, "POST"u8);
            head.Add(KnownHeader.Path, "/grpc"u8);
            head.Add(KnownHeader.Authority, "a"u8);
            head.Add(KnownHeader.XRequestId, Encoding.ASCII.GetBytes($"id-{i}"));
            stream.SendHead(head, false);
            stream.SendBody(Encoding.ASCII.GetBytes(new string((char)('a' + i), 30_000)), true);
        }
        wire.Run(100_000);
        for (int i = 0; i < 20; i++)
            Assert.Equal(
                $"head False\n:status=200\nx-echo=id-{i}\ntrailers\ngrpc-status=0\nbody {new string((char)('a' + i), 30_000)}\nend\n",
                responses[i].Log.ToString());
        Assert.Equal(0, client.ActiveStreams);
        Assert.Equal(1024, client.FreeStreams);
    }

    [Fact]
    public void Goaway_of_the_upstream_gives_back_what_it_did_not_touch()
    {
        var owner = new RecordingOwner();
        (Wire wire, UpstreamConnection connection) = Wire.ToClient(owner, Options, http2: true);
        var responses = new RecordedResponse[3];
        for (int i = 0; i < 3; i++)
        {
            responses[i] = new RecordedResponse();
            var head = new HeaderMap();
            head.Add(KnownHeader.Method, "GET"u8);
            head.Add(KnownHeader.Path, "/"u8);
            connection.Begin(responses[i]).SendHead(head, true);
        }
        wire.Send([.. Frame(4, 0, 0, default), .. Frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0])]);
        Assert.Equal([ResetReason.None, ResetReason.RemoteRefused, ResetReason.RemoteRefused], responses.Select(r => r.Reset));
        Assert.Equal((1, 0), (owner.Drainings, connection.FreeStreams));
        wire.Send(Frame(1, 5, 1, Block((":status", "204"))));
        wire.Run(10_000);
        Assert.True(responses[0].Complete);
        Assert.Equal(1, owner.Closings);
    }

    [Theory]
    [InlineData(7u, ResetReason.RemoteRefused)]
    [InlineData(8u, ResetReason.RemoteReset)]
    [InlineData(10u, ResetReason.ConnectError)]
    public void Reset_codes_of_the_upstream_have_their_reasons(uint code, ResetReason reason)
    {
        (Wire wire, UpstreamConnection connection) = Wire.ToClient(new RecordingOwner(), Options, http2: true);
        var response = new RecordedResponse();
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, "GET"u8);
        head.Add(KnownHeader.Path, "/"u8);
        connection.Begin(response).SendHead(head, true);
        wire.Send([.. Frame(4, 0, 0, default), .. Frame(3, 0, 1, [0, 0, 0, (byte)code])]);
        Assert.Equal(reason, response.Reset);
    }

    [Fact]
    public void A_silent_upstream_is_pinged_and_given_up()
    {
        var options = new CodecOptions { Two = new Http2Options { KeepAliveMicros = 1_000_000, KeepAliveTimeoutMicros = 500_000 } };
        var owner = new RecordingOwner();
        (Wire wire, UpstreamConnection connection) = Wire.ToClient(owner, options, http2: true);
        var response = new RecordedResponse();
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, "GET"u8);
        head.Add(KnownHeader.Path, "/"u8);
        connection.Begin(response).SendHead(head, true);
        wire.Run(3_000_000);
        Assert.Equal(ResetReason.ConnectionTerminated, response.Reset);
        Assert.Equal(1, owner.Closings);
    }

    [Fact]
    public void An_extended_connect_looks_like_an_upgrade_on_both_sides()
    {
        var options = new CodecOptions { Two = new Http2Options { AllowConnect = true } };
        var acceptor = new RecordingAcceptor(null, r =>
        {
            var head = new HeaderMap();
            head.Add(KnownHeader.Status, "101"u8);
            head.Add(KnownHeader.Upgrade, "websocket"u8);
            head.Add(KnownHeader.Connection, "upgrade"u8);
            r.Stream.SendHead(head, false);
            r.Stream.SendBody("hi"u8, false);
        });
        (Wire wire, UpstreamConnection client) = Wire.Both(acceptor, new RecordingOwner(), options, http2: true);
        var response = new RecordedResponse();
        UpstreamStream stream = client.Begin(response);
        var request = new HeaderMap();
        request.Add(KnownHeader.Method, "GET"u8);
        request.Add(KnownHeader.Path, "/ws"u8);
        request.Add(KnownHeader.Authority, "a"u8);
        request.Add(KnownHeader.Upgrade, "websocket"u8);
        request.Add(KnownHeader.Connection, "Upgrade"u8);
        stream.SendHead(request, false);
        wire.Run(10_000);
        Assert.Equal("head False\n:method=GET\n:scheme=http\n:path=/ws\n:authority=a\nupgrade=websocket\nconnection=upgrade\n",
            acceptor.Requests[0].Log.ToString());
        Assert.Equal("head False\n:status=101\nconnection=upgrade\nupgrade=websocket\n", response.Log.ToString());
        Assert.Equal("hi", response.Body.ToString());
    }
}
