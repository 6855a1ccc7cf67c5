using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Http.Two.Blocks;
using Lateen.Proxy.Net;
using Lateen.Test.Fuzz.Frame;
using Lateen.Test.Rigs.Codecs;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Frames and header blocks as a peer could send them.</summary>
internal static class FrameMaker
{
    private static readonly (string, string)[] Odd =
    [
        ("x-a", "b"), ("cookie", "a=1"), ("cookie", "b=2"), ("content-length", "5"), ("content-length", "0"), ("te", "trailers"),
        ("te", "gzip"), ("connection", "close"), ("x-big", new string('b', 3000)), ("X-Upper", "1"),
        (":status", "200"), (":protocol", "websocket"), ("host", "other"), ("transfer-encoding", "chunked"), ("expect", "100-continue"),
        ("x_under", "1"), ("", "1"), ("x-nul", "a\0b"), ("x-line", "a\r\nb: c"), ("upgrade", "x"),
    ];

    public static byte[] Frame(int type, int flags, uint stream, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, ((uint)payload.Length << 8) | (byte)type);
        frame[4] = (byte)flags;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    public static byte[] Block(params (string Name, string Value)[] fields)
    {
        var encoder = new HpackEncoder(4096);
        encoder.Begin();
        foreach ((string name, string value) in fields)
            encoder.Add(KnownHeaders.Find(Encoding.ASCII.GetBytes(name)), Encoding.ASCII.GetBytes(name), Encoding.Latin1.GetBytes(value));
        return encoder.Block.ToArray();
    }

    /// <summary>Exchanges that are in order, one or two of each kind of frame: what is changed begins here.</summary>
    public static IEnumerable<byte[]> Sound()
    {
        byte[] begin = [.. ProtocolSniffer.Preface, .. Frame(4, 0, 0, [0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0]), .. Frame(4, 1, 0, default)];
        byte[] get = Block((":method", "GET"), (":scheme", "http"), (":path", "/p?q=1"), (":authority", "a.example"), ("cookie", "a=1"),
            ("cookie", "b"));
        byte[] post = Block((":method", "POST"), (":scheme", "http"), (":path", "/p"), (":authority", "a.example"), ("content-length", "5"),
            ("te", "trailers"), ("expect", "100-continue"));
        byte[] grpc = Block((":method", "POST"), (":scheme", "http"), (":path", "/s/M"), (":authority", "a.example"),
            ("content-type", "application/grpc"), ("grpc-timeout", "1S"));
        byte[] socket = Block((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/w"), (":authority",
            "a.example"));
        byte[] trailers = Block(("x-sum", "1"));
        // Padding of two bytes, and a priority (exclusive, on stream 0, weight 16).
        byte[] padded = [2, 0x80, 0, 0, 0, 15, .. get, 0, 0];
        yield return [.. begin, .. Frame(1, 5, 1, get), .. Frame(6, 0, 0, "12345678"u8), .. Frame(1, 5, 3, get)];
        yield return [.. begin, .. Frame(1, 4, 1, post), .. Frame(0, 8, 1, [1, .. "hel"u8, 0]), .. Frame(8, 0, 1, [0, 0, 1, 0]),
            .. Frame(0, 1, 1, "lo"u8)];
        yield return [.. begin, .. Frame(1, 4, 1, grpc), .. Frame(0, 0, 1, [0, 0, 0, 0, 1, 7]), .. Frame(1, 5, 1, trailers)];
        yield return [.. begin, .. Frame(1, 4 | 8 | 32 | 1, 1, padded), .. Frame(2, 0, 3, [0, 0, 0, 1, 7])];
        yield return [.. begin, .. Frame(1, 1, 1, get.AsSpan(0, 3)), .. Frame(9, 0, 1, get.AsSpan(3, 4)), .. Frame(9, 4, 1, get.AsSpan(7))];
        yield return [.. begin, .. Frame(1, 4, 1, socket), .. Frame(0, 0, 1, "ping"u8), .. Frame(3, 0, 1, [0, 0, 0, 8])];
        yield return [.. begin, .. Frame(1, 4, 1, post), .. Frame(3, 0, 1, [0, 0, 0, 0]), .. Frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0,
            .. "bye"u8])];
        yield return [.. begin, .. Frame(4, 0, 0, [0, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0x40, 0, 0, 6, 0, 0, 1, 0, 0, 8, 0, 0, 0, 1]),
            .. Frame(8, 0, 0, [0x7f, 0, 0, 0]),
            .. Frame(0xb, 0, 0, "x"u8), .. Frame(1, 5, 1, get)];
    }

    /// <summary>Frames of chance, most of them nearly right, so that they come far.</summary>
    public static byte[] Frames(Chance chance, bool ofClient)
    {
        var bytes = new List<byte>(ofClient ? [.. ProtocolSniffer.Preface, .. Frame(4, 0, 0, default)] : Frame(4, 0, 0, default));
        uint next = 1;
        for (uint n = chance.Below(40); n > 0; n--)
        {
            uint stream = chance.Hits(3, 4) ? 1 + (2 * chance.Below(6)) : chance.Below(20);
            switch (chance.Below(12))
            {
                case < 4:
                    if (ofClient && chance.Hits(3, 4))
                        (stream, next) = (next, next + 2);
                    AddHead(chance, bytes, stream, ofClient);
                    break;
                case < 7:
                    byte[] body = new byte[chance.Below(chance.Hits(1, 8) ? 400u : 9u)];
                    bytes.AddRange(Frame(0, (int)(chance.Below(2) | (chance.Hits(1, 6) ? 8u : 0)), stream, body));
                    break;
                case 7:
                    bytes.AddRange(Frame(8, 0, chance.Hits(1, 2) ? 0 : stream,
                        [(byte)(chance.Hits(1, 9) ? 0x7f : 0), 0xff, 0xff, (byte)chance.Below(256)]));
                    break;
                case 8:
                    bytes.AddRange(Frame(3, 0, stream, [0, 0, 0, (byte)chance.Below(15)]));
                    break;
                case 9:
                    bytes.AddRange(Frame(4, chance.Hits(1, 4) ? 1 : 0, 0, chance.Hits(1, 3)
                        ? [] : [0, (byte)chance.Below(9), 0, (byte)chance.Below(2), (byte)chance.Below(256), (byte)chance.Below(256)]));
                    break;
                case 10:
                    bytes.AddRange(chance.Hits(1, 3) ? Frame(7, 0, 0, [0, 0, 0, (byte)chance.Below(9), 0, 0, 0, (byte)chance.Below(15)])
                        : Frame(6, (int)chance.Below(2), 0, "12345678"u8));
                    break;
                default:
                    byte[] payload = new byte[chance.Below(14)];
                    for (int i = 0; i < payload.Length; i++)
                        payload[i] = (byte)chance.Below(256);
                    bytes.AddRange(Frame((int)chance.Below(12), (int)chance.Below(64), stream, payload));
                    break;
            }
        }
        return [.. bytes];
    }

    private static void AddHead(Chance chance, List<byte> bytes, uint stream, bool ofClient)
    {
        var fields = new List<(string, string)>(ofClient
            ? [(":method", chance.Hits(1, 9) ? "CONNECT" : "POST"), (":scheme", "http"), (":path", chance.Hits(1, 9) ? "/a b" : "/p"),
                (":authority", "a.example")]
            : [(":status", chance.Hits(1, 5) ? "103" : "200")]);
        for (uint more = chance.Below(3); more > 0; more--)
            fields.Add(Odd[chance.Below((uint)Odd.Length)]);
        if (chance.Hits(1, 12))
            fields.RemoveAt((int)chance.Below((uint)fields.Count));
        byte[] block = Block([.. fields]);
        int end = chance.Hits(1, 2) ? 1 : 0;
        if (chance.Hits(3, 4))
        {
            bytes.AddRange(Frame(1, end | 4, stream, block));
            return;
        }
        int cut = (int)chance.Below((uint)block.Length + 1);
        bytes.AddRange(Frame(1, end, stream, block.AsSpan(0, cut)));
        bytes.AddRange(Frame(9, chance.Hits(9, 10) ? 4 : 0, stream, block.AsSpan(cut)));
    }
}

/// <summary>Frames of an HTTP/2 client.</summary>
internal sealed class Http2ServerTarget : FuzzTarget
{
    public override string Name => "h2-server";

    public override IEnumerable<byte[]> Seeds => [FrameMaker.Frames(new Chance(1), ofClient: true)];

    public override byte[] Make(Chance chance, InputPool pool) => FrameMaker.Frames(chance, ofClient: true);

    public override string Play(byte[] input, Chance? cuts)
    {
        var transport = new StillTransport { Keeps = true };
        var acceptor = new RecordingAcceptor(r => r.Answer(200, "ok"));
        _ = new Http2ServerConnection(transport, acceptor, new CodecOptions
        {
            HeadBytesMax = 4096,
            HeaderCountMax = 20,
            BufferLimit = 16 * 1024,
            Two = new Http2Options { AllowConnect = true, StreamWindow = 65535, ConnectionWindow = 128 * 1024, ConcurrentStreamsMax = 16 },
            StreamErrorOnInvalidMessage = (input.Length & 1) == 0,
        });
        Feed(input, cuts, transport.Show);
        transport.Finish(inOrder: (input.Length & 2) == 0);
        return $"{acceptor.Log}{string.Join(' ', acceptor.Events)}";
    }
}

/// <summary>Frames of an HTTP/2 upstream.</summary>
internal sealed class Http2ClientTarget : FuzzTarget
{
    public override string Name => "h2-client";

    public override IEnumerable<byte[]> Seeds => [FrameMaker.Frames(new Chance(1), ofClient: false)];

    public override byte[] Make(Chance chance, InputPool pool) => FrameMaker.Frames(chance, ofClient: false);

    public override string Play(byte[] input, Chance? cuts)
    {
        var transport = new StillTransport { Keeps = true };
        var owner = new RecordingOwner();
        var connection = new Http2ClientConnection(transport, owner, new CodecOptions
        {
            HeadBytesMax = 4096,
            HeaderCountMax = 20,
            BufferLimit = 16 * 1024,
            Two = new Http2Options { StreamWindow = 65535, ConnectionWindow = 128 * 1024 },
            StreamErrorOnInvalidMessage = (input.Length & 1) == 0,
        });
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, "GET"u8);
        head.Add(KnownHeader.Scheme, "http"u8);
        head.Add(KnownHeader.Path, "/"u8);
        head.Add(KnownHeader.Authority, "a"u8);
        RecordedResponse[] responses = [.. Enumerable.Range(0, 6).Select(_ => new RecordedResponse())];
        for (int i = 0; i < responses.Length; i++)
            connection.Begin(responses[i]).SendHead(head, i % 3 != 1);
        Feed(input, cuts, transport.Show);
        transport.Finish(inOrder: (input.Length & 2) == 0);
        return string.Join('\n', responses.Select(r => $"{r.Log}body {r.Body}\nreset {r.Reset}"))
            + $"\nclosings {owner.Closings} drainings {owner.Drainings}";
    }
}

/// <summary>Header blocks. Cutting them is the frames' matter: in pieces here means that a second decoder, given the same blocks, must
/// agree, and what it decoded survives encoding.</summary>
internal sealed class HpackTarget : FuzzTarget
{
    private static readonly CodecOptions Options = new() { HeadBytesMax = 60 * 1024, HeaderCountMax = 100 };

    public override string Name => "hpack";

    public override IEnumerable<byte[]> Seeds =>
        [FrameMaker.Block((":method", "GET"), (":path", "/"), ("x-a", "value"), ("cookie", "a"), ("cookie", "b")),
            [0x3f, 0xe1, 0x1f, 0x82, 0x84, 0x86, 0x41, 0x01, 0x61]];

    public override string Play(byte[] input, Chance? cuts)
    {
        var decoder = new HpackDecoder(4096);
        var builder = new HeadBuilder(Options);
        var map = new HeaderMap();
        var log = new StringBuilder();
        for (int part = 0; part < 3; part++)
        {
            builder.Begin((BlockKind)(input.Length % 4), map, null);
            bool sound = decoder.Decode(input.AsSpan(input.Length * part / 3, input.Length / 3), builder);
            builder.Finish(true);
            log.Append(sound).Append(' ').Append(builder.Fault).Append('\n').Append(RecordedRequest.Show(map));
            if (decoder.Table.Count * 32 > 4096)
                throw new InvalidOperationException("the table is larger than its limit");
            if (sound && builder.Fault == BlockFault.None && cuts is not null)
                Again(map, (BlockKind)(input.Length % 4));
        }
        return log.ToString();
    }

    private static void Again(HeaderMap map, BlockKind kind)
    {
        var encoder = new HpackEncoder(4096);
        encoder.Begin();
        for (int i = 0; i < map.End; i++)
        {
            if (map.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                encoder.Add(known, name, value);
        }
        var builder = new HeadBuilder(new CodecOptions { HeadBytesMax = 1 << 20, HeaderCountMax = 1000 });
        var again = new HeaderMap();
        builder.Begin(kind, again, null);
        if (!new HpackDecoder(4096).Decode(encoder.Block, builder) || RecordedRequest.Show(again) != RecordedRequest.Show(map))
            throw new InvalidOperationException(
                $"what was encoded again reads otherwise:\n{RecordedRequest.Show(map)}--- again\n{RecordedRequest.Show(again)}");
    }
}
