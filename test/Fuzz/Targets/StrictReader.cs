using System.Globalization;
using System.Text;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Reads HTTP/1 requests as the strictest server would (RFC 9112): whatever it can't read is a message that should never have been
/// sent.</summary>
internal sealed class StrictReader
{
    private readonly List<byte> _bytes = [];
    private int _at;

    /// <summary>Complete requests.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>Takes bytes; the number of requests that became complete.</summary>
    public int Take(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        int before = Requests.Count;
        while (TryOne())
        {
        }
        return Requests.Count - before;
    }

    private bool TryOne()
    {
        int at = _at;
        if (!Line(ref at, out string first))
            return false;
        string[] words = first.Split(' ');
        Check(words.Length == 3 && words[0].All(IsToken) && words[0].Length > 0 && words[1].Length > 0
            && words[1].All(c => c is > ' ' and not '\x7f') && words[2] == "HTTP/1.1", $"request line {first}");
        long? length = null;
        bool chunked = false, ours = false;
        while (true)
        {
            if (!Line(ref at, out string line))
                return false;
            if (line.Length == 0)
                break;
            (string name, string value) = Field(line);
            Check(name != "content-length" || length is null, "two lengths");
            if (name == "content-length")
                length = (long)Math.Min(ulong.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture), long.MaxValue);
            Check(name != "transfer-encoding" || (value == "chunked" && !chunked), $"transfer-encoding {value}");
            chunked |= name == "transfer-encoding";
            ours |= name == "x-through";
        }
        Check(ours, "a request that the proxy did not make");
        Check(length is null || !chunked, "length and chunks");
        if (!Body(ref at, length ?? 0, chunked, out string body))
            return false;
        _at = at;
        Requests.Add($"{first} {body.Length}");
        return true;
    }

    private static (string Name, string Value) Field(string line)
    {
        int colon = line.IndexOf(':', StringComparison.Ordinal);
        Check(colon > 0 && line[..colon].All(IsToken), $"field {line}");
        string value = line[(colon + 1)..].Trim(' ', '\t');
        Check(value.All(c => c is '\t' or (>= ' ' and not '\x7f')), $"value {line}");
        return (line[..colon].ToLowerInvariant(), value);
    }

    private bool Body(ref int at, long length, bool chunked, out string body)
    {
        var text = new StringBuilder();
        body = "";
        while (chunked)
        {
            if (!Line(ref at, out string size))
                return false;
            Check(size.Length is > 0 and < 9 && size.All(char.IsAsciiHexDigit), $"chunk size {size}");
            long n = (long)Math.Min(ulong.Parse(size, NumberStyles.HexNumber, CultureInfo.InvariantCulture), long.MaxValue);
            if (n == 0)
                break;
            if (!Bytes(ref at, n, text) || !Line(ref at, out string end))
                return false;
            Check(end.Length == 0, "chunk without end");
        }
        while (chunked)
        {
            if (!Line(ref at, out string trailer))
                return false;
            if (trailer.Length == 0)
                break;
            (string name, _) = Field(trailer);
            Check(name is not ("content-length" or "transfer-encoding" or "host"), $"trailer {trailer}");
        }
        if (!chunked && !Bytes(ref at, length, text))
            return false;
        body = text.ToString();
        return true;
    }

    private bool Bytes(ref int at, long n, StringBuilder to)
    {
        if (_bytes.Count - at < n)
            return false;
        to.Append(Encoding.Latin1.GetString(_bytes.GetRange(at, (int)n).ToArray()));
        at += (int)n;
        return true;
    }

    private bool Line(ref int at, out string line)
    {
        line = "";
        int end = _bytes.IndexOf((byte)'\n', at);
        if (end < 0)
            return false;
        Check(end > at && _bytes[end - 1] == '\r', "a bare line feed");
        line = Encoding.Latin1.GetString(_bytes.GetRange(at, end - 1 - at).ToArray());
        Check(!line.Contains('\r') && !line.Contains('\0'), $"control characters in {line}");
        at = end + 1;
        return true;
    }

    private static bool IsToken(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal);

    private static void Check(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException("sent upstream: " + what);
    }
}
