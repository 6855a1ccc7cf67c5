using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.One;

/// <summary>Why a head was refused: the status to answer with (requests only) and Envoy's words for the log. Status 0 means nothing was
/// refused.</summary>
internal readonly record struct HeadError(int Status, string Detail, FailureKind Kind = FailureKind.Malformed)
{
    public bool Happened => Status != 0;

    public static HeadError Codec => new(400, "http1.codec_error");

    public static HeadError TooLarge => new(431, "http1.headers_too_large", FailureKind.TooLarge);

    public static HeadError TooMany => new(431, "http1.too_many_headers", FailureKind.TooLarge);

    public static HeadError Characters => new(400, "http1.invalid_characters");
}

/// <summary>What a head says about the rest of its message and of its connection.</summary>
internal struct Framing
{
    /// <summary>The body's length; meaningful with <see cref="HasLength"/>.</summary>
    public ulong Length;

    /// <summary>There is a Content-Length.</summary>
    public bool HasLength;

    /// <summary>There is a Transfer-Encoding, which is "chunked".</summary>
    public bool Chunked;

    /// <summary>The connection may serve another message.</summary>
    public bool KeepAlive;

    /// <summary>The peer asked for the connection's end.</summary>
    public bool Close;

    /// <summary>The connection turns into a byte stream where the other side agrees: Upgrade or CONNECT.</summary>
    public bool Upgrade;

    /// <summary>Minor version: 0 or 1 (of responses with another version: 9).</summary>
    public int Minor;
}

/// <summary>Turns the lines of a head into a <see cref="HeaderMap"/> and its <see cref="Framing"/>. One a thread; it keeps nothing between
/// calls.</summary>
internal sealed class HeadParser
{
    [ThreadStatic]
    private static HeadParser? t_instance;

    // What no line may have, its own end and the tab aside.
    private static readonly SearchValues<byte> Controls = SearchValues.Create(
        Enumerable.Range(0, 0x20).Append(0x7f).Where(b => b is not ('\t' or '\r' or '\n')).Select(b => (byte)b).ToArray());

    private byte[] _joined = [];

    /// <summary>This thread's parser. A connection asks once and keeps it.</summary>
    public static HeadParser OfThread => t_instance ??= new HeadParser();

    /// <summary>The scanner that goes with it.</summary>
    public HeadScanner Scanner { get; } = new();

    /// <summary>
    /// What can be said of a head that is not complete: garbage is answered before a blank line comes. A complete head is judged in the
    /// same order, so that it makes no difference in how many pieces it came.
    /// </summary>
    public static HeadError Early(ReadOnlySpan<byte> start, CodecOptions options)
    {
        if (!HeaderRules.IsToken(start[..1]))
            return HeadError.Codec;
        int feed = start.IndexOf((byte)'\n');
        if (feed >= 0 && feed < options.HeadBytesMax && !RequestLine.TryRead(TrimLine(start[..feed]), options, out _))
            return FirstLineError(start[..feed]);
        return start.Length > options.HeadBytesMax ? HeadError.TooLarge : default;
    }

    private static HeadError FirstLineError(ReadOnlySpan<byte> line) =>
        HeaderRules.IsToken(line[..1]) && !HasOnlyText(line) ? HeadError.Characters : HeadError.Codec;

    /// <summary>Parses a complete request head that <see cref="Scanner"/> has just scanned.</summary>
    public HeadError ParseRequest(ReadOnlySpan<byte> head, CodecOptions options, HeaderMap map, RequestAcceptor? counts,
        out Framing framing)
    {
        framing = default;
        ReadOnlySpan<byte> first = head[..Scanner.Lines[0].Feed];
        if (!RequestLine.TryRead(TrimLine(first), options, out RequestLine line))
            return FirstLineError(first);
        if (Scanner.Suspicious && !HasOnlyText(head))
            return HeadError.Characters;
        if (!line.HasTarget)
            return HeadError.Codec;
        map.Add(KnownHeader.Method, line.Method);
        HeadError error = ParseLines(head, new LineTaker(options, map, counts, true));
        if (error.Happened)
            return error;
        error = CheckVersion(line.Version, options, ref framing);
        if (error.Happened)
            return error;
        error = RequestFraming.Read(map, options, line.IsConnect, ref framing);
        return error.Happened ? error : RequestTarget.Read(map, line.Target, line.Method, line.IsConnect, options, framing.Minor);
    }

    private static HeadError CheckVersion(ReadOnlySpan<byte> version, CodecOptions options, ref Framing framing)
    {
        framing.Minor = version.SequenceEqual("HTTP/1.1"u8) ? 1 : 0;
        bool served = framing.Minor == 1 || (options.One.AcceptHttp10 && version.SequenceEqual("HTTP/1.0"u8));
        return served ? default : new HeadError(426, "low_version");
    }

    /// <summary>Parses a complete response head that <see cref="Scanner"/> has just scanned. Any refusal is a protocol error of the
    /// upstream.</summary>
    public HeadError ParseResponse(ReadOnlySpan<byte> head, CodecOptions options, HeaderMap map, out Framing framing)
    {
        framing = default;
        if (!StatusLine.TryRead(TrimLine(head[..Scanner.Lines[0].Feed]), out StatusLine line) || (Scanner.Suspicious && !HasOnlyText(head)))
            return HeadError.Codec;
        framing.Minor = line.Minor;
        map.Add(KnownHeader.Status, line.Status);
        HeadError error = ParseLines(head, new LineTaker(options, map, null, false));
        if (error.Happened)
            return error;
        if (map.Case is { } spelling && options.One.ForwardReason)
            spelling.Reason = HeaderRules.Trim(line.Reason).ToArray();
        return ResponseFraming.Read(map, options, line.Code, ref framing);
    }

    /// <summary>Parses a complete trailer block that <see cref="Scanner"/> has just scanned.</summary>
    public HeadError ParseTrailers(ReadOnlySpan<byte> block, CodecOptions options, HeaderMap map, RequestAcceptor? counts)
    {
        if (Scanner.Suspicious && !HasOnlyText(block))
            return HeadError.Characters;
        return ParseLines(block, new LineTaker(options, map, counts, false), first: 0);
    }

    // ---- Lines ----

    private HeadError ParseLines(ReadOnlySpan<byte> head, in LineTaker taker, int first = 1)
    {
        ReadOnlySpan<HeadLine> lines = Scanner.Lines;
        bool plain = !Scanner.Suspicious && !taker.KeepsNamesInView;
        int count = 0, from = first == 0 ? 0 : lines[0].Feed + 1, loaded = plain ? taker.Map.Load(head) : 0;
        for (int i = first; i < lines.Length - 1; i++)
        {
            HeadLine line = lines[i];
            if (IsBlank(head[from]) || line.Colon <= from)
                return HeadError.Codec;
            if (++count > taker.CountMax)
                return HeadError.TooMany;
            HeadError error;
            if (plain && !IsBlank(head[line.Feed + 1]))
            {
                error = AddLine(head, from, line, loaded, taker);
            }
            else
            {
                // A line that begins with white space goes on with the one before it.
                while (IsBlank(head[lines[i].Feed + 1]))
                    i++;
                error = taker.Add(head[from..line.Colon], HeaderRules.Trim(Join(head[(line.Colon + 1)..lines[i].Feed])));
            }
            if (error.Happened)
                return error;
            from = lines[i].Feed + 1;
        }
        return default;
    }

    // A line as it lies in the head. Without control characters a return can only stand in front of its feed.
    private static HeadError AddLine(ReadOnlySpan<byte> head, int from, HeadLine line, int loaded, in LineTaker taker)
    {
        int at = line.Colon + 2, end = line.Feed - 1;
        bool whole = at < end && head[at - 1] == ' ' && head[end] == '\r' && !IsBlank(head[at]) && !IsBlank(head[end - 1]);
        if (!whole)
        {
            ReadOnlySpan<byte> value = head[(line.Colon + 1)..line.Feed], trimmed = HeaderRules.Trim(TrimLine(value));
            at = line.Colon + 1 + (int)Unsafe.ByteOffset(ref MemoryMarshal.GetReference(value), ref MemoryMarshal.GetReference(trimmed));
            end = at + trimmed.Length;
        }
        if (taker.IsHost(head[from..line.Colon]))
            return taker.AddHost(head[at..end], loaded + from, loaded + at, whole);
        return taker.Map.TryAddLine(loaded + from, line.Colon - from, loaded + at, end - at, whole) ? default : HeadError.Codec;
    }

    private static bool IsBlank(byte b) => b is (byte)' ' or (byte)'\t';

    // A folded line belongs to the value with its white space; line ends and stray carriage returns vanish.
    private ReadOnlySpan<byte> Join(ReadOnlySpan<byte> value)
    {
        if (value.IndexOfAny((byte)'\r', (byte)'\n') < 0)
            return value;
        if (_joined.Length < value.Length)
            _joined = new byte[value.Length * 2];
        int n = 0;
        foreach (byte b in value)
        {
            if (b is not ((byte)'\r' or (byte)'\n'))
                _joined[n++] = b;
        }
        return _joined.AsSpan(0, n);
    }

    private static bool HasOnlyText(ReadOnlySpan<byte> head) => head.IndexOfAny(Controls) < 0;

    private static ReadOnlySpan<byte> TrimLine(ReadOnlySpan<byte> line)
    {
        while (!line.IsEmpty && line[^1] == '\r')
            line = line[..^1];
        return line;
    }

    /// <summary>Where the lines of one head go, and by which rules.</summary>
    private readonly struct LineTaker(CodecOptions options, HeaderMap map, RequestAcceptor? counts, bool request)
    {
        public HeaderMap Map => map;

        public int CountMax => options.HeaderCountMax;

        /// <summary>Names are looked at or kept as they came.</summary>
        public bool KeepsNamesInView =>
            options.One.Spelling == HeaderSpelling.Preserve || (request && options.Underscores != UnderscoreAction.Allow);

        /// <summary>Adds a line whose bytes lie elsewhere.</summary>
        public HeadError Add(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
        {
            HeadError error = default;
            if (request && options.Underscores != UnderscoreAction.Allow && name.Contains((byte)'_'))
                return Underscore();
            if (IsHost(name))
                error = AddHost(value);
            else if (!map.TryAddToken(name, value))
                error = HeadError.Codec;
            if (options.One.Spelling == HeaderSpelling.Preserve)
                (map.Case ??= new HeaderCase()).Remember(name);
            return error;
        }

        private HeadError Underscore()
        {
            bool reject = options.Underscores == UnderscoreAction.Reject;
            counts?.OnCodecEvent(reject ? CodecEvent.RejectedUnderscore : CodecEvent.DroppedUnderscore);
            return reject ? new HeadError(400, "http1.unexpected_underscore") : default;
        }

        public bool IsHost(ReadOnlySpan<byte> name) =>
            request && name.Length == 4 && (BinaryPrimitives.ReadUInt32BigEndian(name) | 0x20202020) == 0x686f7374;

        /// <summary>Adds a Host line that lies in the head, or elsewhere (-1).</summary>
        public HeadError AddHost(ReadOnlySpan<byte> value, int nameAt = -1, int valueAt = 0, bool whole = false)
        {
            if (!HeaderRules.IsAuthority(value))
                return new HeadError(400, "http.invalid_authority");
            // Several lines become one authority that no virtual host has, as Envoy joins them: it can't be taken for either of them.
            if (map.TryGet(KnownHeader.Authority, out ReadOnlySpan<byte> before))
                map.Set(KnownHeader.Authority, [.. before, (byte)',', .. value]);
            else if (nameAt >= 0)
                map.AddHostLine(nameAt, valueAt, value.Length, whole);
            else
                map.Add(KnownHeader.Authority, value);
            return default;
        }
    }
}
