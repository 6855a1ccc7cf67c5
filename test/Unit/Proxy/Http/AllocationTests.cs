using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

/// <summary>A warm request costs no byte of the heap in either codec and role.</summary>
public sealed class AllocationTests
{
    private const string Request =
        "GET /api/v1/reviews/17?page=2 HTTP/1.1\r\nHost: reviews.default.svc.cluster.local:9080\r\nUser-Agent: curl/8.5.0\r\nAccept: "
        + "*/*\r\nX-Request-Id: 4b2f1e0a-77aa-4c5e-9a10-1f2e3d4c5b6a\r\nTraceparent: "
            + "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nCookie: session=abcdef0123456789\r\nX-App-Version: 12\r\n\r\n";

    private const string Response =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nX-App: "
        + "one\r\n\r\nhello";

    private static long Measure(Action<int> round)
    {
        for (int i = 0; i < 2_000; i++)
            round(i);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 2_000; i < 4_000; i++)
            round(i);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Fact]
    public void Http1_server()
    {
        var transport = new StillTransport();
        var acceptor = new PooledAcceptor();
        var connection = new Http1ServerConnection(transport, acceptor, new CodecOptions());
        byte[] input = Encoding.ASCII.GetBytes(Request);
        Assert.Equal(0, Measure(_ => connection.OnData(transport, input)));
        Assert.Equal(4_000, acceptor.Answered);
    }

    [Fact]
    public void Http1_client()
    {
        var transport = new StillTransport();
        var connection = new Http1ClientConnection(transport, new RecordingOwner(), new CodecOptions());
        var receiver = new CountingReceiver();
        HeaderMap head = PooledAcceptor.RequestHeadOf(Request);
        byte[] input = Encoding.ASCII.GetBytes(Response);
        Assert.Equal(0, Measure(_ =>
        {
            connection.Begin(receiver).SendHead(head, true);
            transport.Handler.OnData(transport, input);
        }));
        Assert.Equal(4_000, receiver.Ended);
    }

    [Fact]
    public void Http2_server()
    {
        var transport = new StillTransport();
        var acceptor = new PooledAcceptor();
        var connection = new Http2ServerConnection(transport, acceptor, new CodecOptions());
        connection.OnData(transport, Http2Tests.Start());
        byte[] input = Http2Tests.Request(1, 5, ("user-agent", "curl/8.5.0"), ("x-request-id", "4b2f1e0a-77aa-4c5e-9a10-1f2e3d4c5b6a"),
            ("x-app-version", "12"));
        Assert.Equal(0, Measure(i =>
        {
            BinaryPrimitives.WriteUInt32BigEndian(input.AsSpan(5), (uint)(1 + (2 * i)));
            connection.OnData(transport, input);
        }));
        Assert.Equal(4_000, acceptor.Answered);
    }

    [Fact]
    public void Http2_client()
    {
        var transport = new StillTransport();
        var connection = new Http2ClientConnection(transport, new RecordingOwner(), new CodecOptions());
        var receiver = new CountingReceiver();
        HeaderMap head = PooledAcceptor.RequestHeadOf(Request);
        transport.Handler.OnData(transport, Http2Tests.Frame(4, 0, 0, default));
        byte[] input =
            [.. Http2Tests.Frame(1, 4, 1, Http2Tests.Block((":status", "200"), ("content-type", "text/plain"), ("x-app", "one"))),
                .. Http2Tests.Frame(0, 1, 1, "hello"u8)];
        int second = input.Length - 14;
        Assert.Equal(0, Measure(i =>
        {
            BinaryPrimitives.WriteUInt32BigEndian(input.AsSpan(5), (uint)(1 + (2 * i)));
            BinaryPrimitives.WriteUInt32BigEndian(input.AsSpan(second + 5), (uint)(1 + (2 * i)));
            connection.Begin(receiver).SendHead(head, true);
            transport.Handler.OnData(transport, input);
        }));
        Assert.Equal(4_000, receiver.Ended);
    }

    private sealed class CountingReceiver : ResponseReceiver
    {
        public int Ended;

        public override void OnInformational()
        {
        }

        public override void OnResponseHead(bool end) => Ended += end ? 1 : 0;

        public override void OnResponseBody(ReadOnlySpan<byte> body, bool end) => Ended += end ? 1 : 0;

        public override void OnResponseTrailers() => Ended++;

        public override void OnResponseReset(ResetReason reason, string detail)
        {
        }

        public override void OnSendable()
        {
        }
    }
}

/// <summary>Answers every request at once, with receivers that are used again.</summary>
internal sealed class PooledAcceptor : RequestAcceptor
{
    private readonly Stack<Receiver> _spare = new();

    public int Answered;

    public static HeaderMap RequestHeadOf(string request)
    {
        var acceptor = new RecordingAcceptor();
        var transport = new StillTransport();
        new Http1ServerConnection(transport, acceptor, new CodecOptions()).OnData(transport, Encoding.ASCII.GetBytes(request));
        return acceptor.Requests[0].RequestHead;
    }

    public override RequestReceiver OnRequest(DownstreamStream stream)
    {
        Receiver receiver = _spare.TryPop(out Receiver? spare) ? spare : new Receiver(this);
        receiver.Stream = stream;
        return receiver;
    }

    public override void OnConnectionError(string detail, FailureKind kind)
    {
    }

    private sealed class Receiver : RequestReceiver
    {
        private readonly PooledAcceptor _owner;
        private readonly HeaderMap _head = new();

        public Receiver(PooledAcceptor owner)
        {
            _owner = owner;
            _head.Add(KnownHeader.Status, "200"u8);
            _head.Add(KnownHeader.ContentType, "text/plain"u8);
            _head.Add(KnownHeader.ContentLength, "5"u8);
            _head.Add(KnownHeader.Server, "lateen"u8);
        }

        public DownstreamStream Stream { get; set; } = null!;

        public override void OnRequestHead(bool end)
        {
            if (end)
                Answer();
        }

        public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
        {
            if (end)
                Answer();
        }

        public override void OnRequestTrailers() => Answer();

        private void Answer()
        {
            Stream.SendHead(_head, false);
            Stream.SendBody("hello"u8, true);
        }

        public override void OnRequestReset(ResetReason reason, string detail)
        {
        }

        public override void OnBadRequest(int status, string detail, FailureKind kind) => Answer();

        public override void OnSendable()
        {
        }

        public override void OnStreamDone()
        {
            _owner.Answered++;
            _owner._spare.Push(this);
        }
    }
}
