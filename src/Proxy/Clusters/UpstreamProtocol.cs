using Lateen.Proxy.Http;

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

    /// <summary>Limits and settings of the codecs.</summary>
    public CodecOptions Codec { get; init; } = new()
    {
        HeadBytesMax = 80 * 1024,
        DelayedCloseMicros = 0,
        Two = new Http2Options { HeadBytesMax = 60 * 1024 },
    };

    /// <summary>SNI is the request's host.</summary>
    public bool AutoSni { get; init; }

    /// <summary>The header that gives the SNI; empty for the host.</summary>
    public string AutoSniHeader { get; init; } = "";

    /// <summary>The peer's certificate must name the SNI.</summary>
    public bool AutoSanValidation { get; init; }
}
