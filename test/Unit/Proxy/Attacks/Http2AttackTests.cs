using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Test.Rigs.Codecs;
using Lateen.Test.Unit.Proxy.Http;
using Xunit;
using static Lateen.Test.Unit.Proxy.Http.Http2Tests;

namespace Lateen.Test.Unit.Proxy.Attacks;

/// <summary>Attacks on resources by HTTP/2, each by its name, against a server that answers: the connection ends, and what it held is
/// bounded.</summary>
public sealed class Http2AttackTests
{
    private static (Wire Wire, RecordingAcceptor Acceptor) Serve(Action<RecordedRequest>? whenEnd = null, CodecOptions? options = null)
    {
        var acceptor = new RecordingAcceptor(whenEnd);
        return (Wire.ToServer(acceptor, options ?? new CodecOptions(), http2: true), acceptor);
    }

    // Sends what a step gives until the connection is over; how many steps it took.
    private static int Flood(Wire wire, RecordingAcceptor acceptor, int most, Func<uint, byte[]> step)
    {
        wire.Send(Start());
        for (int i = 0; i < most; i++)
        {
            if (acceptor.Errors.Count > 0)
                return i;
            wire.Send(step((uint)i));
        }
        return most;
    }

    private static byte[] Open(uint number, int flags = 4) => Request((2 * number) + 1, flags);

    [Fact]
    public void Rapid_reset_ends_the_connection()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve();
        int taken = Flood(wire, acceptor, 1000, i => [.. Open(i), .. Frame(3, 0, (2 * i) + 1, [0, 0, 0, 8])]);
        Assert.InRange(taken, 200, 510);
        Assert.Contains(CodecEvent.TooManyPrematureResets, acceptor.Events);
    }

    [Theory]
    [InlineData("window update of zero")]
    [InlineData("window overflow")]
    [InlineData("second head without end")]
    [InlineData("length that lies")]
    public void Made_you_reset_ends_the_connection(string way)
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(null, new CodecOptions { StreamErrorOnInvalidMessage = true });
        int taken = Flood(wire, acceptor, 1000, i =>
        {
            uint id = (2 * i) + 1;
            return way switch
            {
                "window update of zero" => [.. Open(i), .. Frame(8, 0, id, [0, 0, 0, 0])],
                "window overflow" => [.. Open(i), .. Frame(8, 0, id, [0x7f, 0xff, 0xff, 0xff])],
                "second head without end" => [.. Open(i), .. Request(id, 4)],
                _ => [.. Request(id, 4, ("content-length", "1")), .. Frame(0, 1, id, "hello"u8)],
            };
        });
        Assert.InRange(taken, 1, 510);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16000)]
    public void Continuation_flood_ends_the_connection_and_keeps_little(int size)
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve();
        byte[] piece = [.. Enumerable.Repeat((byte)0x82, size)];
        long before = GC.GetAllocatedBytesForCurrentThread();
        int taken = Flood(wire, acceptor, 5000, i => i == 0 ? Request(1, 0) : Frame(9, 0, 1, piece));
        Assert.InRange(taken, 1, 300);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 40_000_000);
    }

    [Theory]
    [InlineData(4, 0, "")]
    [InlineData(6, 0, "12345678")]
    public void Settings_and_ping_floods_of_a_client_that_does_not_read_end_the_connection(int type, int flags, string payload)
    {
        var transport = new StillTransport { Reads = false };
        var acceptor = new RecordingAcceptor();
        _ = new Lateen.Proxy.Http.Two.Http2ServerConnection(transport, acceptor, new CodecOptions());
        transport.Handler.OnData(transport, Start());
        byte[] frame = Frame(type, flags, 0, System.Text.Encoding.ASCII.GetBytes(payload));
        int taken = 0;
        for (; taken < 20_000 && acceptor.Errors.Count == 0; taken++)
            transport.Handler.OnData(transport, frame);
        Assert.InRange(taken, 900, 1100);
        Assert.Contains(CodecEvent.OutboundControlFlood, acceptor.Events);
    }

    [Fact]
    public void Resets_of_bad_requests_to_a_client_that_does_not_read_end_the_connection()
    {
        var transport = new StillTransport { Reads = false };
        var acceptor = new RecordingAcceptor();
        _ = new Lateen.Proxy.Http.Two.Http2ServerConnection(transport, acceptor, new CodecOptions { StreamErrorOnInvalidMessage = true });
        transport.Handler.OnData(transport, Start());
        int taken = 0;
        for (; taken < 5_000 && acceptor.Errors.Count == 0; taken++)
            transport.Handler.OnData(transport,
                Frame(1, 5, (uint)((2 * taken) + 1), Block((":method", "GET"), (":scheme", "http"), (":path", "no"), (":authority", "a"))));
        Assert.InRange(taken, 1, 1100);
    }

    [Fact]
    public void Settings_with_thousands_of_values_end_the_connection()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve();
        wire.Send(Start(Frame(4, 0, 0, new byte[2000 * 6])));
        Assert.Single(acceptor.Errors);
    }

    [Fact]
    public void An_hpack_bomb_is_refused_for_its_decoded_size()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(r => r.Answer(200, "ok"));
        // One entry of 4,000 bytes in the table, then thousands of references to it: 16 KB that would become 60 MB.
        byte[] bomb = [.. Block((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")), 0x40, 1, (byte)'x', 0x7f,
            0xa1, 0x1e, .. new byte[4000].Select(_ => (byte)'a'), .. Enumerable.Repeat((byte)0xbe, 12_000)];
        long before = GC.GetAllocatedBytesForCurrentThread();
        wire.Send(Start(Frame(1, 5, 1, bomb)));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 5_000_000);
        Assert.NotEqual(ResetReason.None, Assert.Single(acceptor.Requests).Reset);
        Assert.Equal("http2.too_many_headers",
            acceptor.Requests[0].Detail.Replace("http2.header_list_size_too_large", "http2.too_many_headers", StringComparison.Ordinal));
    }

    [Fact]
    public void Cookie_crumbs_count_each_and_together()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(r => r.Answer(200, "ok"), new CodecOptions { HeadBytesMax = 8000 });
        wire.Send(Start(Request(1, 5, [.. Enumerable.Range(0, 200).Select(i => ("cookie", $"a{i}=1"))]),
            Request(3, 5, [.. Enumerable.Range(0, 30).Select(i => ("cookie", new string('#', 400)))])));
        Assert.Equal(["http2.too_many_headers", "http2.header_list_size_too_large"], acceptor.Requests.Select(r => r.Detail));
    }

    [Fact]
    public void Crumbs_without_end_are_joined_in_little_time_and_memory()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(r => r.Answer(200, "ok"), new CodecOptions { HeaderCountMax = 10_000 });
        long before = GC.GetAllocatedBytesForCurrentThread();
        wire.Send(Start(Request(1, 5, [.. Enumerable.Range(0, 3000).Select(i => ("cookie", "a=1"))])));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 2_000_000);
        Assert.NotEmpty(acceptor.Requests);
    }

    [Fact]
    public void Empty_names_are_malformed()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(r => r.Answer(200, "ok"));
        wire.Send(Start(Request(1, 5, ("", "value"))));
        Assert.Equal(ResetReason.ProtocolError, Assert.Single(acceptor.Requests).Reset);
    }

    [Fact]
    public void A_peer_that_never_opens_its_window_holds_no_more_than_the_limit()
    {
        var options = new CodecOptions { BufferLimit = 64 * 1024 };
        bool full = false;
        (Wire wire, RecordingAcceptor acceptor) = Serve(
            r =>
            {
                var head = new HeaderMap();
                head.Add(KnownHeader.Status, "200"u8);
                r.Stream.SendHead(head, false);
                for (int i = 0; i < 1000 && r.Stream.CanSend; i++)
                    r.Stream.SendBody(new byte[1000], false);
                full = !r.Stream.CanSend;
            },
            options);
        wire.Send(Start(Frame(4, 0, 0, [0, 4, 0, 0, 0, 0]), Request(1, 5)));
        Assert.True(full);
        Assert.Equal(0, Frames(wire).Where(f => f.Type == 0).Sum(f => f.Payload.Length));
        Assert.Empty(acceptor.Errors);
    }

    [Fact]
    public void Reset_and_goaway_in_one_read_leave_nothing_behind()
    {
        var owner = new RecordingOwner();
        (Wire wire, UpstreamConnection connection) = Wire.ToClient(owner, new CodecOptions(), http2: true);
        RecordedResponse[] responses = [.. Enumerable.Range(0, 50).Select(_ => new RecordedResponse())];
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, "GET"u8);
        head.Add(KnownHeader.Path, "/"u8);
        foreach (RecordedResponse response in responses)
            connection.Begin(response).SendHead(head, true);
        wire.Send([.. Frame(4, 0, 0, default), .. Enumerable.Range(0, 25).SelectMany(i => Frame(3, 0, (uint)((2 * i) + 1), [0, 0, 0, 7])),
            .. Frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0])]);
        wire.Run(10_000);
        Assert.All(responses, r => Assert.NotEqual(ResetReason.None, r.Reset));
        Assert.Equal((0, 1), (connection.ActiveStreams, owner.Closings));
    }

    [Fact]
    public void Length_of_a_request_without_body_must_be_zero()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve(r => r.Answer(200, "ok"));
        wire.Send(Start(Request(1, 5, ("content-length", "5"))));
        Assert.Equal(ResetReason.ProtocolError, Assert.Single(acceptor.Requests).Reset);
    }

    [Theory]
    [InlineData("empty DATA")]
    [InlineData("empty heads")]
    [InlineData("PRIORITY")]
    [InlineData("WINDOW_UPDATE")]
    public void Floods_of_frames_that_carry_nothing_end_the_connection(string kind)
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve();
        int taken = Flood(wire, acceptor, 20_000, i => kind switch
        {
            "empty DATA" => i == 0 ? Open(0) : Frame(0, 0, 1, []),
            "empty heads" => i == 0 ? Request(1, 0) : Frame(9, 0, 1, []),
            "PRIORITY" => i == 0 ? Open(0) : Frame(2, 0, 1, [0, 0, 0, 0, 16]),
            _ => i == 0 ? Open(0) : Frame(8, 0, 1, [0, 0, 0, 1]),
        });
        Assert.InRange(taken, 1, 2_000);
    }

    [Fact]
    public void Unknown_frames_without_end_cost_nothing()
    {
        (Wire wire, RecordingAcceptor acceptor) = Serve();
        wire.Send(Start());
        byte[] grease = Frame(0x2b, 0, 0, new byte[1000]);
        for (int i = 0; i < 50; i++)
            wire.Send(grease);
        Assert.Empty(acceptor.Errors);
        Assert.DoesNotContain(Frames(wire), f => f.Type is 3 or 7);
    }
}
