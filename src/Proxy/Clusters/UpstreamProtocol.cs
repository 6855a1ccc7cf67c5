namespace Lateen.Proxy.Clusters;

/// <summary>How the protocol of a connection is chosen.</summary>
public enum ProtocolChoice : byte
{
    Http1,
    Http2,

    /// <summary>By what TLS agreed on (ALPN), else HTTP/1.</summary>
    Auto,

    /// <summary>What the client speaks.</summary>
    Downstream,
}

/// <summary>What is spoken to a cluster and how long connections last.</summary>
public sealed record UpstreamProtocol
{
    /// <summary>HTTP/1.1 with Envoy's defaults.</summary>
    public static readonly UpstreamProtocol Http1Default = new();

    /// <summary>The protocol.</summary>
    public ProtocolChoice Choice { get; init; }

    /// <summary>Idle connections end after this, in microseconds; 0 never.</summary>
    public long IdleTimeoutMicros { get; init; } = 3_600_000_000;

    /// <summary>Connections end after this, in microseconds; 0 never.</summary>
    public long MaxDurationMicros { get; init; }

    /// <summary>One stream's limit, in microseconds; 0 none.</summary>
    public long MaxStreamDurationMicros { get; init; }

    /// <summary>Requests on one connection; 0 is no limit.</summary>
    public uint MaxRequestsPerConnection { get; init; }

    /// <summary>Headers in an answer.</summary>
    public int MaxResponseHeaders { get; init; } = 100;

    /// <summary>Bytes of an answer's head; 0 is the codec's default.</summary>
    public int MaxResponseHeadBytes { get; init; }

    /// <summary>Settings of the HTTP/1 codec; its kind belongs to Http/One, null for the default.</summary>
    public object? Http1 { get; init; }

    /// <summary>Settings of the HTTP/2 codec; its kind belongs to Http/Two, null for the default.</summary>
    public object? Http2 { get; init; }

    /// <summary>HTTP/2: streams at once on one connection.</summary>
    public uint MaxConcurrentStreams { get; init; } = 1024;

    /// <summary>SNI is the request's host.</summary>
    public bool AutoSni { get; init; }

    /// <summary>The header that gives the SNI; empty for the host.</summary>
    public string AutoSniHeader { get; init; } = "";

    /// <summary>The peer's certificate must name the SNI.</summary>
    public bool AutoSanValidation { get; init; }

    /// <summary>HTTP/1.0 and unlucky upstreams: a full address in the request line.</summary>
    public bool SendFullyQualifiedUrl { get; init; }
}
