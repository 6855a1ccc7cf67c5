using System.Buffers;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.One;

/// <summary>Why a head was refused: the status to answer with (requests only) and Envoy's words for the log. Status 0 means nothing was refused.</summary>
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

/// <summary>Turns the lines of a head into a <see cref="HeaderMap"/> and its <see cref="Framing"/>. One a thread; it keeps nothing between calls.</summary>
internal sealed class HeadParser
{
    [ThreadStatic]
    private static HeadParser? t_instance;

    private static readonly string[] Registered =
    [
        "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "MSEARCH",
        "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND",
        "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    ];

    private static readonly byte[][] Methods = Array.ConvertAll(Registered, System.Text.Encoding.ASCII.GetBytes);

    private static readonly SearchValues<byte> TargetBytes =
        SearchValues.Create(Enumerable.Range(0x21, 0x7e - 0x20).Append('\t').Append('\f').Select(b => (byte)b).ToArray());

    // What no line may have, its own end and the tab aside.
    private static readonly SearchValues<byte> Controls = SearchValues.Create(
        Enumerable.Range(0, 0x20).Append(0x7f).Where(b => b is not ('\t' or '\r' or '\n')).Select(b => (byte)b).ToArray());

    private byte[] _joined = [];

    /// <summary>This thread's parser.</summary>
    public static HeadParser OfThread => t_instance ??= new HeadParser();

    /// <summary>The scanner that goes with it.</summary>
    public HeadScanner Scanner { get; } = new();

    /// <summary>
    /// What can be said of a head that is not complete: garbage is answered before a blank line comes. A complete head is judged in the same order, so that it makes no difference in how many
    /// pieces it came.
    /// </summary>
    public static HeadError Early(ReadOnlySpan<byte> start, CodecOptions options)
    {
        if (!HeaderRules.IsToken(start[..1]))
            return HeadError.Codec;
        int feed = start.IndexOf((byte)'\n');
        if (feed >= 0 && feed < options.HeadBytesMax && FirstLine(start[..feed], options, out _, out _, out _) is { Happened: true } error)
            return error;
        return start.Length > options.HeadBytesMax ? HeadError.TooLarge : default;
    }

    private static HeadError FirstLine(ReadOnlySpan<byte> line, CodecOptions options, out ReadOnlySpan<byte> method, out ReadOnlySpan<byte> target, out ReadOnlySpan<byte> version)
    {
        HeadError error = SplitRequestLine(line, options, out method, out target, out version);
        return error.Happened && HeaderRules.IsToken(line[..1]) && !HasOnlyText(line) ? HeadError.Characters : error;
    }

    /// <summary>Parses a complete request head that <see cref="Scanner"/> has just scanned.</summary>
    public HeadError ParseRequest(ReadOnlySpan<byte> head, CodecOptions options, HeaderMap map, RequestAcceptor? counts, out Framing framing)
    {
        framing = default;
        ReadOnlySpan<int> lines = Scanner.Lines;
        HeadError error = FirstLine(head[..lines[0]], options, out ReadOnlySpan<byte> method, out ReadOnlySpan<byte> target, out ReadOnlySpan<byte> version);
        if (error.Happened)
            return error;
        if (Scanner.Suspicious && !HasOnlyText(head))
            return HeadError.Characters;
        bool connect = method.SequenceEqual("CONNECT"u8);
        if (!IsTarget(target, connect))
            return HeadError.Codec;
        map.Add(KnownHeader.Method, method);
        error = ParseLines(head, lines, options, map, counts, request: true);
        if (error.Happened)
            return error;
        error = CheckVersion(version, options, ref framing);
        if (error.Happened)
            return error;
        error = RequestFraming.Read(map, options, connect, ref framing);
        return error.Happened ? error : RequestTarget.Read(map, target, method, connect, options, framing.Minor);
    }

    /// <summary>Parses a complete response head that <see cref="Scanner"/> has just scanned. Any refusal is a protocol error of the upstream.</summary>
    public HeadError ParseResponse(ReadOnlySpan<byte> head, CodecOptions options, HeaderMap map, out Framing framing)
    {
        framing = default;
        ReadOnlySpan<int> lines = Scanner.Lines;
        ReadOnlySpan<byte> line = TrimLine(head[..lines[0]]);
        if (!line.StartsWith("HTTP/"u8) || (Scanner.Suspicious && !HasOnlyText(head)))
            return HeadError.Codec;
        NextIsland(ref line, out ReadOnlySpan<byte> version);
        NextIsland(ref line, out ReadOnlySpan<byte> status);
        if (version.Length != 8 || version[6] != '.' || !char.IsAsciiDigit((char)version[5]) || !char.IsAsciiDigit((char)version[7]))
            return HeadError.Codec;
        if (status.Length > 4 || !HeaderRules.TryParseLength(status, out ulong code) || code < 100)
            return HeadError.Codec;
        framing.Minor = version[5] != '1' ? 9 : version[7] - '0';
        map.Add(KnownHeader.Status, status);
        HeadError error = ParseLines(head, lines, options, map, null, request: false);
        if (error.Happened)
            return error;
        if (map.Case is { } spelling && options.One.ForwardReason)
            spelling.Reason = HeaderRules.Trim(line).ToArray();
        return ResponseFraming.Read(map, options, (int)code, ref framing);
    }

    /// <summary>Parses a complete trailer block that <see cref="Scanner"/> has just scanned.</summary>
    public HeadError ParseTrailers(ReadOnlySpan<byte> block, CodecOptions options, HeaderMap map, RequestAcceptor? counts)
    {
        if (Scanner.Suspicious && !HasOnlyText(block))
            return HeadError.Characters;
        return ParseLines(block, Scanner.Lines, options, map, counts, request: false, first: 0);
    }

    // ---- Lines ----

    private HeadError ParseLines(ReadOnlySpan<byte> head, ReadOnlySpan<int> lines, CodecOptions options, HeaderMap map, RequestAcceptor? counts, bool request, int first = 1)
    {
        int count = 0, last = lines.Length - 1;
        for (int i = first; i < last; i++)
        {
            int from = i == 0 ? 0 : lines[i - 1] + 1;
            if (head[from] is (byte)' ' or (byte)'\t')
                return HeadError.Codec;
            bool folded = false;
            while (i + 1 < last && head[lines[i] + 1] is (byte)' ' or (byte)'\t')
            {
                folded = true;
                i++;
            }
            ReadOnlySpan<byte> line = head[from..lines[i]];
            int colon = line.IndexOf((byte)':');
            if (colon <= 0)
                return HeadError.Codec;
            if (++count > options.HeaderCountMax)
                return HeadError.TooMany;
            ReadOnlySpan<byte> value = line[(colon + 1)..];
            value = folded || Scanner.Suspicious ? Join(value) : TrimLine(value);
            HeadError error = AddLine(line[..colon], HeaderRules.Trim(value), options, map, counts, request);
            if (error.Happened)
                return error;
        }
        return default;
    }

    private static HeadError AddLine(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, CodecOptions options, HeaderMap map, RequestAcceptor? counts, bool request)
    {
        if (options.Underscores != UnderscoreAction.Allow && request && name.Contains((byte)'_'))
        {
            if (options.Underscores == UnderscoreAction.Reject)
            {
                counts?.OnCodecEvent(CodecEvent.RejectedUnderscore);
                return new HeadError(400, "http1.unexpected_underscore");
            }
            counts?.OnCodecEvent(CodecEvent.DroppedUnderscore);
            return default;
        }
        if (request && name.Length == 4 && HeaderRules.SameText(name, "host"u8))
        {
            if (!HeaderRules.IsAuthority(value))
                return new HeadError(400, "http.invalid_authority");
            AddHost(map, value);
        }
        else if (!map.TryAddToken(name, value))
        {
            return HeadError.Codec;
        }
        if (options.One.Spelling == HeaderSpelling.Preserve)
            (map.Case ??= new HeaderCase()).Remember(name);
        return default;
    }

    // Several Host lines become one authority that no virtual host has, as Envoy joins them: it can't be taken for either of them.
    private static void AddHost(HeaderMap map, ReadOnlySpan<byte> value)
    {
        if (!map.TryGet(KnownHeader.Authority, out ReadOnlySpan<byte> before))
        {
            map.Add(KnownHeader.Authority, value);
            return;
        }
        byte[] joined = new byte[before.Length + 1 + value.Length];
        before.CopyTo(joined);
        joined[before.Length] = (byte)',';
        value.CopyTo(joined.AsSpan(before.Length + 1));
        map.Set(KnownHeader.Authority, joined);
    }

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

    // ---- First lines ----

    private static ReadOnlySpan<byte> TrimLine(ReadOnlySpan<byte> line)
    {
        while (!line.IsEmpty && line[^1] == '\r')
            line = line[..^1];
        return line;
    }

    private static void NextIsland(scoped ref ReadOnlySpan<byte> line, out ReadOnlySpan<byte> island)
    {
        int from = line.IndexOfAnyExcept((byte)' ', (byte)'\t');
        line = from < 0 ? default : line[from..];
        int to = line.IndexOfAny((byte)' ', (byte)'\t');
        island = to < 0 ? line : line[..to];
        line = line[island.Length..];
    }

    private static HeadError SplitRequestLine(
        ReadOnlySpan<byte> line, CodecOptions options, out ReadOnlySpan<byte> method, out ReadOnlySpan<byte> target, out ReadOnlySpan<byte> version)
    {
        line = TrimLine(line);
        target = version = default;
        int space = line.IndexOfAny((byte)' ', (byte)'\t');
        method = space < 0 ? line : line[..space];
        if (!IsMethod(method, options))
            return HeadError.Codec;
        line = line[method.Length..];
        NextIsland(ref line, out target);
        version = HeaderRules.Trim(line);
        bool wellFormed = version.IsEmpty || (version.Length == 8 && version.StartsWith("HTTP/"u8) && version[6] == '.'
            && char.IsAsciiDigit((char)version[5]) && char.IsAsciiDigit((char)version[7]));
        return target.IsEmpty || !wellFormed ? HeadError.Codec : default;
    }

    private static bool IsMethod(ReadOnlySpan<byte> method, CodecOptions options)
    {
        if (method.SequenceEqual("GET"u8) || method.SequenceEqual("POST"u8))
            return true;
        if (options.One.AllowCustomMethods)
            return HeaderRules.IsToken(method);
        foreach (byte[] known in Methods)
        {
            if (method.SequenceEqual(known))
                return true;
        }
        return false;
    }

    private static HeadError CheckVersion(ReadOnlySpan<byte> version, CodecOptions options, ref Framing framing)
    {
        framing.Minor = version.SequenceEqual("HTTP/1.1"u8) ? 1 : 0;
        bool served = framing.Minor == 1 || (options.One.AcceptHttp10 && version.SequenceEqual("HTTP/1.0"u8));
        return served ? default : new HeadError(426, "low_version");
    }

    private static bool IsTarget(ReadOnlySpan<byte> target, bool connect)
    {
        if (target[0] is (byte)'/' or (byte)'*')
            return target.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e) < 0 || target.IndexOfAnyExcept(TargetBytes) < 0;
        if (!connect)
        {
            int letters = 0;
            while (letters < target.Length && char.IsAsciiLetter((char)target[letters]))
                letters++;
            if (letters == 0 || !target[letters..].StartsWith("://"u8))
                return false;
            target = target[(letters + 3)..];
        }
        int path = target.IndexOfAny((byte)'/', (byte)'?');
        ReadOnlySpan<byte> host = path < 0 ? target : target[..path];
        return HeaderRules.IsAuthority(host) && host.IndexOf("@@"u8) < 0 && (path < 0 || target[path..].IndexOfAnyExcept(TargetBytes) < 0);
    }
}
