namespace Lateen.Proxy.Http;

/// <summary>What the first bytes of a plain connection say about its protocol.</summary>
public enum SniffedProtocol : byte
{
    /// <summary>They fit more than one; wait for more.</summary>
    Undecided,

    /// <summary>HTTP/2 with prior knowledge: the preface.</summary>
    Http2,

    /// <summary>A request line of HTTP/1.x.</summary>
    Http1,

    /// <summary>HTTP/1.0, told apart for filter chains that ask for "http/1.0".</summary>
    Http10,

    /// <summary>Anything else.</summary>
    Other,
}

/// <summary>Tells HTTP/2 from HTTP/1 (codec type AUTO) and HTTP from anything else (the HTTP inspector), without taking a byte.</summary>
public static class ProtocolSniffer
{
    // What a method and a target may take before the version shows; beyond it nobody waits.
    private const int LineMax = 64 * 1024;

    /// <summary>RFC 9113 3.4.</summary>
    public static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>
    /// For a listener that speaks HTTP and picks the codec by itself: HTTP/2 where the first bytes begin the preface (Envoy decides on all
    /// 24 bytes), HTTP/1 for the rest, whatever it is.
    /// </summary>
    public static SniffedProtocol PickCodec(ReadOnlySpan<byte> start)
    {
        int n = Math.Min(start.Length, Preface.Length);
        if (!start[..n].SequenceEqual(Preface[..n]))
            return SniffedProtocol.Http1;
        return n == Preface.Length ? SniffedProtocol.Http2 : SniffedProtocol.Undecided;
    }

    /// <summary>For the HTTP inspector: is it HTTP at all, and which.</summary>
    public static SniffedProtocol Inspect(ReadOnlySpan<byte> start)
    {
        SniffedProtocol codec = PickCodec(start);
        if (codec != SniffedProtocol.Http1)
            return codec;
        int begin = start.IndexOfAnyExcept((byte)'\r', (byte)'\n');
        if (begin < 0)
            return SniffedProtocol.Undecided;
        ReadOnlySpan<byte> line = start[begin..];
        int feed = line.IndexOf((byte)'\n');
        int space = line.IndexOf((byte)' ');
        ReadOnlySpan<byte> method = space < 0 ? line : line[..space];
        if (!HeaderRules.IsToken(method) || method.Length > 32)
            return SniffedProtocol.Other;
        if (feed < 0)
            return line.Length > LineMax ? SniffedProtocol.Other : SniffedProtocol.Undecided;
        ReadOnlySpan<byte> version = line[..feed].TrimEnd("\r"u8);
        version = version[(version.LastIndexOf((byte)' ') + 1)..];
        return version.SequenceEqual("HTTP/1.1"u8) ? SniffedProtocol.Http1
            : version.SequenceEqual("HTTP/1.0"u8) ? SniffedProtocol.Http10
            : SniffedProtocol.Other;
    }
}
