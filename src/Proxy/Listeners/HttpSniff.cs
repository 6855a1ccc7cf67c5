namespace Lateen.Proxy.Listeners;

/// <summary>Tells HTTP/1 and HTTP/2 from anything else by the first bytes (Envoy's http_inspector): the preface of HTTP/2, or a request line with a known version.</summary>
public static class HttpSniff
{
    private const int LineBytesMax = 8192;

    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Looks at the first bytes; <paramref name="protocol"/> becomes http/1.0, http/1.1 or h2c.</summary>
    public static Inspection Inspect(ReadOnlySpan<byte> bytes, out string protocol)
    {
        protocol = "";
        if (bytes.Length == 0)
            return Inspection.NeedMore;
        if (bytes[..Math.Min(bytes.Length, Preface.Length)].SequenceEqual(Preface[..Math.Min(bytes.Length, Preface.Length)]))
        {
            protocol = "h2c";
            return bytes.Length >= Preface.Length ? Inspection.Found : Inspection.NeedMore;
        }
        int space = bytes.IndexOf((byte)' ');
        if (!IsMethod(space < 0 ? bytes : bytes[..space], complete: space >= 0))
            return Inspection.NotIt;
        int end = bytes.IndexOf((byte)'\n');
        if (end < 0)
            return bytes.Length > LineBytesMax ? Inspection.NotIt : Inspection.NeedMore;
        ReadOnlySpan<byte> line = bytes[..end].TrimEnd((byte)'\r');
        if (line.EndsWith(" HTTP/1.1"u8))
            protocol = "http/1.1";
        else if (line.EndsWith(" HTTP/1.0"u8))
            protocol = "http/1.0";
        return protocol.Length > 0 ? Inspection.Found : Inspection.NotIt;
    }

    // RFC 9110 5.6.2: a method is a token. Upper-case letters and a few marks are what is in use; a binary protocol fails at its first byte.
    private static bool IsMethod(ReadOnlySpan<byte> text, bool complete)
    {
        if (text.Length > 32 || (complete && text.IsEmpty))
            return false;
        foreach (byte b in text)
        {
            if (!(b is >= (byte)'A' and <= (byte)'Z' or >= (byte)'a' and <= (byte)'z' or (byte)'-' or (byte)'_'))
                return false;
        }
        return true;
    }
}
