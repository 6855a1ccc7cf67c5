using Lateen.Proxy.Formats;

namespace Lateen.Proxy;

/// <summary>Envoy's response flags, in the order in which logs write them.</summary>
[Flags]
public enum ResponseFlags : uint
{
    None = 0,
    FailedLocalHealthCheck = 1u << 0,
    NoHealthyUpstream = 1u << 1,
    UpstreamRequestTimeout = 1u << 2,
    LocalReset = 1u << 3,
    UpstreamRemoteReset = 1u << 4,
    UpstreamConnectionFailure = 1u << 5,
    UpstreamConnectionTermination = 1u << 6,
    UpstreamOverflow = 1u << 7,
    NoRouteFound = 1u << 8,
    DelayInjected = 1u << 9,
    FaultInjected = 1u << 10,
    RateLimited = 1u << 11,
    UnauthorizedExternalService = 1u << 12,
    RateLimitServiceError = 1u << 13,
    DownstreamConnectionTermination = 1u << 14,
    UpstreamRetryLimitExceeded = 1u << 15,
    StreamIdleTimeout = 1u << 16,
    InvalidEnvoyRequestHeaders = 1u << 17,
    DownstreamProtocolError = 1u << 18,
    UpstreamMaxStreamDurationReached = 1u << 19,
    ResponseFromCacheFilter = 1u << 20,
    NoFilterConfigFound = 1u << 21,
    DurationTimeout = 1u << 22,
    UpstreamProtocolError = 1u << 23,
    NoClusterFound = 1u << 24,
    OverloadTerminated = 1u << 25,
    DnsResolutionFailed = 1u << 26,
    DropOverload = 1u << 27,
    DownstreamRemoteReset = 1u << 28,
    UnconditionalDropOverload = 1u << 29,
}

/// <summary>The flags' letters and long names.</summary>
public static class ResponseFlagNames
{
    private static readonly (string Short, string Long)[] Names =
    [
        ("LH", "FailedLocalHealthCheck"),
        ("UH", "NoHealthyUpstream"),
        ("UT", "UpstreamRequestTimeout"),
        ("LR", "LocalReset"),
        ("UR", "UpstreamRemoteReset"),
        ("UF", "UpstreamConnectionFailure"),
        ("UC", "UpstreamConnectionTermination"),
        ("UO", "UpstreamOverflow"),
        ("NR", "NoRouteFound"),
        ("DI", "DelayInjected"),
        ("FI", "FaultInjected"),
        ("RL", "RateLimited"),
        ("UAEX", "UnauthorizedExternalService"),
        ("RLSE", "RateLimitServiceError"),
        ("DC", "DownstreamConnectionTermination"),
        ("URX", "UpstreamRetryLimitExceeded"),
        ("SI", "StreamIdleTimeout"),
        ("IH", "InvalidEnvoyRequestHeaders"),
        ("DPE", "DownstreamProtocolError"),
        ("UMSDR", "UpstreamMaxStreamDurationReached"),
        ("RFCF", "ResponseFromCacheFilter"),
        ("NFCF", "NoFilterConfigFound"),
        ("DT", "DurationTimeout"),
        ("UPE", "UpstreamProtocolError"),
        ("NC", "NoClusterFound"),
        ("OM", "OverloadManagerTerminated"),
        ("DF", "DnsResolutionFailed"),
        ("DO", "DropOverload"),
        ("DR", "DownstreamRemoteReset"),
        ("UDO", "UnconditionalDropOverload"),
    ];

    /// <summary>Writes the flags with commas; false (and nothing written) where none is set.</summary>
    public static bool Write(ResponseFlags flags, ByteBuffer to, bool longNames = false, ulong order = 0)
    {
        // In the order in which they were set where that is known: each byte is a flag's bit number plus one.
        if (order != 0)
        {
            for (ulong rest = order; rest != 0; rest >>= 8)
            {
                if (rest != order)
                    to.Append((byte)',');
                (string letters, string name) = Names[(int)(rest & 0xff) - 1];
                to.Append(longNames ? name : letters);
            }
            return true;
        }
        // Retries that were used up are told before what the last of them ended with.
        int written = 0;
        if ((flags & ResponseFlags.UpstreamRetryLimitExceeded) != 0)
        {
            to.Append(longNames ? "UpstreamRetryLimitExceeded" : "URX");
            written++;
        }
        for (int i = 0; i < Names.Length; i++)
        {
            if (((uint)(flags & ~ResponseFlags.UpstreamRetryLimitExceeded) & (1u << i)) == 0)
                continue;
            if (written++ > 0)
                to.Append((byte)',');
            to.Append(longNames ? Names[i].Long : Names[i].Short);
        }
        return flags != 0;
    }

    /// <summary>The flag of short letters; None for unknown ones.</summary>
    public static ResponseFlags Parse(string letters)
    {
        int at = Array.FindIndex(Names, n => n.Short == letters);
        return at < 0 ? ResponseFlags.None : (ResponseFlags)(1u << at);
    }
}
