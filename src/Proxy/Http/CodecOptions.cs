namespace Lateen.Proxy.Http;

/// <summary>What to do with a header whose name has an underscore (a separator that some servers confuse with the dash).</summary>
public enum UnderscoreAction : byte
{
    /// <summary>A header like any other.</summary>
    Allow,

    /// <summary>400, or a stream reset in HTTP/2.</summary>
    Reject,

    /// <summary>The header is left out.</summary>
    Drop,
}

/// <summary>How names are spelled towards an HTTP/1 peer.</summary>
public enum HeaderSpelling : byte
{
    /// <summary>Lower case.</summary>
    Lower,

    /// <summary>Each word with a capital: Content-Length.</summary>
    ProperCase,

    /// <summary>As they came (<see cref="HeaderMap.Case"/>).</summary>
    Preserve,
}

/// <summary>Options and bounds of one listener's or one cluster's codecs. The defaults are Envoy's.</summary>
public sealed record CodecOptions
{
    /// <summary>Bytes of a message's head on the wire: request 60 KiB, response 80 KiB in HTTP/1.</summary>
    public int HeadBytesMax { get; init; } = 60 * 1024;

    /// <summary>Header lines of a head or of trailers.</summary>
    public int HeaderCountMax { get; init; } = 100;

    /// <summary>Bytes that may wait for the peer before <c>CanSend</c> turns false.</summary>
    public int BufferLimit { get; init; } = 1024 * 1024;

    /// <summary>Underscores in header names.</summary>
    public UnderscoreAction Underscores { get; init; }

    /// <summary>True: a malformed message costs its stream only, where the framing allows; false: the connection.</summary>
    public bool StreamErrorOnInvalidMessage { get; init; }

    /// <summary>True passes Expect: 100-continue on; false answers it here and removes it.</summary>
    public bool Proxy100Continue { get; init; }

    /// <summary>After a response that ends the connection: how long to wait for the peer's FIN while reading on, so that no RST destroys
    /// the response under way. 0: not at all.</summary>
    public long DelayedCloseMicros { get; init; } = 1_000_000;

    /// <summary>From the first byte of a request's head to its last; 0 for any time.</summary>
    public long HeadTimeoutMicros { get; init; }

    /// <summary>HTTP/1 only.</summary>
    public Http1Options One { get; init; } = new();

    /// <summary>HTTP/2 only.</summary>
    public Http2Options Two { get; init; } = new();
}

/// <summary>What is special to HTTP/1.</summary>
public sealed record Http1Options
{
    /// <summary>Overrides <see cref="CodecOptions.StreamErrorOnInvalidMessage"/>.</summary>
    public bool? StreamErrorOnInvalidMessage { get; init; }

    /// <summary>HTTP/1.0 requests are taken; otherwise they are answered 426.</summary>
    public bool AcceptHttp10 { get; init; }

    /// <summary>The authority of an HTTP/1.0 request without Host; empty for none.</summary>
    public string DefaultHostForHttp10 { get; init; } = "";

    /// <summary>An absolute target is taken apart; otherwise it stays in <c>:path</c> as it came.</summary>
    public bool AllowAbsoluteUrl { get; init; } = true;

    /// <summary>A chunked message may have a Content-Length, which is then dropped.</summary>
    public bool AllowChunkedLength { get; init; }

    /// <summary>Any token may be a method, not only the registered ones.</summary>
    public bool AllowCustomMethods { get; init; }

    /// <summary>Trailers pass both ways; otherwise they are read and dropped.</summary>
    public bool Trailers { get; init; }

    /// <summary>The spelling of names on the way out, and whether it is kept on the way in.</summary>
    public HeaderSpelling Spelling { get; init; }

    /// <summary>The words behind a response's status go on as they came (with <see cref="HeaderSpelling.Preserve"/> only).</summary>
    public bool ForwardReason { get; init; }

    /// <summary>Upstream request targets are absolute URLs.</summary>
    public bool SendFullUrl { get; init; }

    /// <summary>An Upgrade header is treated as an ordinary hop-by-hop header: removed.</summary>
    public bool IgnoreUpgrade { get; init; }
}

/// <summary>What is special to HTTP/2.</summary>
public sealed record Http2Options
{
    /// <summary>Overrides <see cref="CodecOptions.StreamErrorOnInvalidMessage"/>.</summary>
    public bool? StreamErrorOnInvalidMessage { get; init; }

    /// <summary>Bytes of names and values of a head, where it is not <see cref="CodecOptions.HeadBytesMax"/>.</summary>
    public int? HeadBytesMax { get; init; }

    /// <summary>SETTINGS_HEADER_TABLE_SIZE: of our decoder, and the most our encoder uses.</summary>
    public int HeaderTableSize { get; init; } = 4096;

    /// <summary>SETTINGS_MAX_CONCURRENT_STREAMS, and how many we open on one connection.</summary>
    public uint ConcurrentStreamsMax { get; init; } = 1024;

    /// <summary>SETTINGS_INITIAL_WINDOW_SIZE.</summary>
    public int StreamWindow { get; init; } = 16 * 1024 * 1024;

    /// <summary>The connection's window.</summary>
    public int ConnectionWindow { get; init; } = 24 * 1024 * 1024;

    /// <summary>SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441) towards clients.</summary>
    public bool AllowConnect { get; init; }

    /// <summary>Frames of any kind that may wait for the peer.</summary>
    public int OutboundFramesMax { get; init; } = 10_000;

    /// <summary>PING, SETTINGS and RST_STREAM frames that may wait for the peer.</summary>
    public int OutboundControlFramesMax { get; init; } = 1_000;

    /// <summary>Empty HEADERS, CONTINUATION and DATA frames without END_STREAM one after another.</summary>
    public int EmptyFramesMax { get; init; } = 1;

    /// <summary>PRIORITY frames for each stream (times 1 + streams opened).</summary>
    public int PriorityFramesMax { get; init; } = 100;

    /// <summary>WINDOW_UPDATE frames: 5 + 2 × (streams + this × DATA frames sent).</summary>
    public int WindowUpdatesPerDataFrame { get; init; } = 10;

    /// <summary>PING interval; 0 for none.</summary>
    public long KeepAliveMicros { get; init; }

    /// <summary>How long a PING may stay unanswered.</summary>
    public long KeepAliveTimeoutMicros { get; init; }

    /// <summary>Percent of the interval by which it varies.</summary>
    public uint KeepAliveJitterPercent { get; init; } = 15;

    /// <summary>A PING goes before a new stream where the connection was silent this long; 0 for never.</summary>
    public long IdlePingMicros { get; init; }
}
