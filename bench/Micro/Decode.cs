using System.Buffers.Binary;
using System.Text;
using BenchmarkDotNet.Attributes;
using Lateen.Proxy;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Test.Rigs.Codecs;

namespace Lateen.Bench.Micro;

/// <summary>Station 5: a request of nine headers in, an answer of five out, in both protocols.</summary>
[MemoryDiagnoser]
public class Decode
{
    private static readonly (string Name, string Value)[] Fields =
    [
        (":method", "GET"), (":scheme", "http"), (":path", "/api/v1/reviews/17?page=2"),
        (":authority", "reviews.default.svc.cluster.local:9080"),
        ("user-agent", "curl/8.5.0"), ("accept", "*/*"), ("x-request-id", "4b2f1e0a-77aa-4c5e-9a10-1f2e3d4c5b6a"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("cookie", "session=abcdef0123456789"),
        ("x-app-version", "12"),
        ("accept-encoding", "gzip"), ("x-forwarded-proto", "https"),
    ];

    private readonly StillTransport _oneTransport = new(), _twoTransport = new();
    private readonly byte[] _one, _two;
    private readonly byte[] _literal, _indexed;
    private readonly Http1ServerConnection _oneConnection;
    private readonly Http2ServerConnection _twoConnection;
    private readonly HpackEncoder _encoder = new(4096);
    private readonly HpackDecoder _decoder = new(4096);
    private readonly HeadBuilder _builder = new(new CodecOptions());
    private readonly HeaderMap _map = new();
    private readonly (KnownHeader Known, byte[] Name, byte[] Value)[] _fields;
    private uint _stream = 1;

    /// <summary>Connections past their preface, inputs ready.</summary>
    public Decode()
    {
        _fields = [.. Fields.Select(
            f => (KnownHeaders.Find(Encoding.ASCII.GetBytes(f.Name)), Encoding.ASCII.GetBytes(f.Name), Encoding.ASCII.GetBytes(f.Value)))];
        _one = Encoding.ASCII.GetBytes("GET /api/v1/reviews/17?page=2 HTTP/1.1\r\nHost: reviews.default.svc.cluster.local:9080\r\n"
            + string.Concat(Fields[4..].Select(f => $"{f.Name}: {f.Value}\r\n")) + "\r\n");
        _literal = Write(new HpackEncoder(4096));
        _oneConnection = new Http1ServerConnection(_oneTransport, new Answers(), new CodecOptions());
        _twoConnection = new Http2ServerConnection(_twoTransport, new Answers(), new CodecOptions());
        // A client that gives all the window it may, or the answers would stop after 64 KiB.
        _twoConnection.OnData(_twoTransport,
            [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xfe, 0xff, 0xff]);
        Indexed(_encoder, out byte[] second, out _indexed);

        // The decoders learn the fields from the second block; from the third on each is an index.
        _twoConnection.OnData(_twoTransport, Frame(second));
        Decompress(second);
        _two = Frame(_indexed);
    }

    private void Indexed(HpackEncoder encoder, out byte[] second, out byte[] third)
    {
        Write(encoder);
        second = Write(encoder);
        third = Write(encoder);
    }

    private byte[] Write(HpackEncoder encoder)
    {
        encoder.Begin();
        foreach ((KnownHeader known, byte[] name, byte[] value) in _fields)
            encoder.Add(known, name, value);
        return encoder.Block.ToArray();
    }

    private byte[] Frame(byte[] block)
    {
        byte[] frame = new byte[9 + block.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, ((uint)block.Length << 8) | 1);
        frame[4] = 5;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(5), _stream);
        _stream += 2;
        block.CopyTo(frame, 9);
        return frame;
    }

    /// <summary>HTTP/1: bytes to a request, the answer to bytes.</summary>
    [Benchmark]
    public void Http1Request() => _oneConnection.OnData(_oneTransport, _one);

    /// <summary>HTTP/2, all fields indexed.</summary>
    [Benchmark]
    public void Http2Request()
    {
        BinaryPrimitives.WriteUInt32BigEndian(_two.AsSpan(5), _stream);
        _stream = (_stream + 2) & 0x7fffffff;
        _twoConnection.OnData(_twoTransport, _two);
    }

    /// <summary>HPACK: twelve indexed fields to a header map.</summary>
    [Benchmark]
    public void HpackDecodeIndexed() => Decompress(_indexed);

    /// <summary>HPACK: the same fields as literals.</summary>
    [Benchmark]
    public void HpackDecodeLiteral() => Decompress(_literal);

    /// <summary>HPACK: twelve fields that the table knows.</summary>
    [Benchmark]
    public int HpackEncodeIndexed()
    {
        _encoder.Begin();
        foreach ((KnownHeader known, byte[] name, byte[] value) in _fields)
            _encoder.Add(known, name, value);
        return _encoder.Block.Length;
    }

    private void Decompress(byte[] block)
    {
        _builder.Begin(BlockKind.Request, _map, null);
        if (!_decoder.Decode(block, _builder))
            throw new InvalidOperationException("the block is malformed");
    }

    private sealed class Answers : RequestAcceptor
    {
        private readonly Stack<Answer> _spare = new();

        public override RequestReceiver OnRequest(DownstreamStream stream)
        {
            Answer answer = _spare.TryPop(out Answer? spare) ? spare : new Answer(_spare);
            answer.Stream = stream;
            return answer;
        }

        public override void OnConnectionError(string detail, FailureKind kind) => throw new InvalidOperationException(detail);
    }

    private sealed class Answer : RequestReceiver
    {
        private readonly Stack<Answer> _spare;
        private readonly HeaderMap _head = new();

        public Answer(Stack<Answer> spare)
        {
            _spare = spare;
            _head.Add(KnownHeader.Status, "200"u8);
            _head.Add(KnownHeader.ContentType, "application/json"u8);
            _head.Add(KnownHeader.ContentLength, "5"u8);
            _head.Add(KnownHeader.Date, "Sat, 21 Nov 2026 10:00:00 GMT"u8);
            _head.Add(KnownHeader.Server, "lateen"u8);
        }

        public DownstreamStream Stream { get; set; } = null!;

        public override void OnRequestHead(bool end)
        {
            Stream.SendHead(_head, false);
            Stream.SendBody("hello"u8, true);
        }

        public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
        {
        }

        public override void OnRequestTrailers()
        {
        }

        public override void OnRequestReset(ResetReason reason, string detail) => throw new InvalidOperationException(detail);

        public override void OnBadRequest(int status, string detail, FailureKind kind) => throw new InvalidOperationException(detail);

        public override void OnSendable()
        {
        }

        public override void OnStreamDone() => _spare.Push(this);
    }
}
