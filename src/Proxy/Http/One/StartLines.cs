using System.Buffers;

namespace Lateen.Proxy.Http.One;

/// <summary>The first line of a request (RFC 9112 3), in its three parts as they stand there.</summary>
internal readonly ref struct RequestLine
{
    private static readonly string[] Registered =
    [
        "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL",
        "MOVE", "MSEARCH",
        "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE",
        "TRACE", "UNBIND",
        "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    ];

    private static readonly byte[][] Methods = Array.ConvertAll(Registered, System.Text.Encoding.ASCII.GetBytes);

    private static readonly SearchValues<byte> TargetBytes =
        SearchValues.Create(Enumerable.Range(0x21, 0x7e - 0x20).Append('\t').Append('\f').Select(b => (byte)b).ToArray());

    private readonly bool _plain;

    private RequestLine(ReadOnlySpan<byte> method, ReadOnlySpan<byte> target, ReadOnlySpan<byte> version, bool plain = false)
    {
        Method = method;
        Target = target;
        Version = version;
        _plain = plain;
    }

    /// <summary>A method that is served.</summary>
    public ReadOnlySpan<byte> Method { get; }

    /// <summary>What is asked for; never empty.</summary>
    public ReadOnlySpan<byte> Target { get; }

    /// <summary>"HTTP/", a digit, a dot, a digit; empty where none is told.</summary>
    public ReadOnlySpan<byte> Version { get; }

    /// <summary>The request is CONNECT.</summary>
    public bool IsConnect => Method.SequenceEqual("CONNECT"u8);

    /// <summary>The target has one of its forms (RFC 9112 3.2) and only bytes that may stand there.</summary>
    public bool HasTarget => _plain || IsTarget(Target, IsConnect);

    /// <summary>Takes a line apart, its returns cut off.</summary>
    public static bool TryRead(ReadOnlySpan<byte> line, CodecOptions options, out RequestLine result)
    {
        if (TryPlain(line, out result))
            return true;
        int space = line.IndexOfAny((byte)' ', (byte)'\t');
        ReadOnlySpan<byte> method = space < 0 ? line : line[..space];
        if (!IsMethod(method, options))
            return false;
        line = line[method.Length..];
        Islands.Next(ref line, out ReadOnlySpan<byte> target);
        ReadOnlySpan<byte> version = HeaderRules.Trim(line);
        bool wellFormed = version.IsEmpty || (version.Length == 8 && version.StartsWith("HTTP/"u8) && version[6] == '.'
            && char.IsAsciiDigit((char)version[5]) && char.IsAsciiDigit((char)version[7]));
        result = new RequestLine(method, target, version);
        return !target.IsEmpty && wellFormed;
    }

    // "GET /path HTTP/1.1", as nearly every request has it: what it is made of is seen at once.
    private static bool TryPlain(ReadOnlySpan<byte> line, out RequestLine result)
    {
        result = default;
        int at = line.StartsWith("GET /"u8) ? 4 : line.StartsWith("POST /"u8) ? 5 : 0;
        if (at == 0 || line.Length < at + 10 || !line.EndsWith(" HTTP/1.1"u8))
            return false;
        ReadOnlySpan<byte> target = line[at..^9];
        if (target.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e) >= 0)
            return false;
        result = new RequestLine(line[..(at - 1)], target, line[^8..], plain: true);
        return true;
    }

    private static bool IsMethod(ReadOnlySpan<byte> method, CodecOptions options)
    {
        if (options.One.AllowCustomMethods)
            return HeaderRules.IsToken(method);
        foreach (byte[] known in Methods)
        {
            if (method.SequenceEqual(known))
                return true;
        }
        return false;
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

/// <summary>The first line of a response (RFC 9112 4).</summary>
internal readonly ref struct StatusLine
{
    private StatusLine(ReadOnlySpan<byte> status, int code, int minor, ReadOnlySpan<byte> reason)
    {
        Status = status;
        Code = code;
        Minor = minor;
        Reason = reason;
    }

    /// <summary>The status as it stands there.</summary>
    public ReadOnlySpan<byte> Status { get; }

    /// <summary>The status; from 100 on.</summary>
    public int Code { get; }

    /// <summary>The minor version; 9 where the major one is not 1.</summary>
    public int Minor { get; }

    /// <summary>What follows the status, with white space around it.</summary>
    public ReadOnlySpan<byte> Reason { get; }

    /// <summary>Takes a line apart, its returns cut off.</summary>
    public static bool TryRead(ReadOnlySpan<byte> line, out StatusLine result)
    {
        if (TryPlain(line, out result))
            return true;
        if (!line.StartsWith("HTTP/"u8))
            return false;
        Islands.Next(ref line, out ReadOnlySpan<byte> version);
        Islands.Next(ref line, out ReadOnlySpan<byte> status);
        if (version.Length != 8 || version[6] != '.' || !char.IsAsciiDigit((char)version[5]) || !char.IsAsciiDigit((char)version[7]))
            return false;
        if (status.Length > 4 || !HeaderRules.TryParseLength(status, out ulong code) || code < 100)
            return false;
        result = new StatusLine(status, (int)code, version[5] != '1' ? 9 : version[7] - '0', line);
        return true;
    }

    // "HTTP/1.1 200" and nothing, or a space and words.
    private static bool TryPlain(ReadOnlySpan<byte> line, out StatusLine result)
    {
        result = default;
        if (!line.StartsWith("HTTP/1.1 "u8) || line.Length < 12 || (line.Length > 12 && line[12] != ' '))
            return false;
        int hundreds = line[9] - '0', tens = line[10] - '0', ones = line[11] - '0';
        if ((uint)(hundreds - 1) > 8 || (uint)tens > 9 || (uint)ones > 9)
            return false;
        result = new StatusLine(line[9..12], (hundreds * 100) + (tens * 10) + ones, 1, line[12..]);
        return true;
    }
}

/// <summary>What stands between spaces and tabs.</summary>
internal static class Islands
{
    /// <summary>Takes the next piece off; empty at the end.</summary>
    public static void Next(scoped ref ReadOnlySpan<byte> line, out ReadOnlySpan<byte> island)
    {
        int from = line.IndexOfAnyExcept((byte)' ', (byte)'\t');
        line = from < 0 ? default : line[from..];
        int to = line.IndexOfAny((byte)' ', (byte)'\t');
        island = to < 0 ? line : line[..to];
        line = line[island.Length..];
    }
}
