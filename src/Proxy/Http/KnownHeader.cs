using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lateen.Proxy.Http;

/// <summary>Headers that the proxy itself reads or writes, pseudo-headers first. A header map finds these by an index instead of by their
/// names.</summary>
public enum KnownHeader : byte
{
    None,
    Method,
    Path,
    Scheme,
    Authority,
    Protocol,
    Status,
    Host,
    Connection,
    KeepAlive,
    TransferEncoding,
    ContentLength,
    Te,
    Trailer,
    Upgrade,
    Expect,
    ProxyConnection,
    Http2Settings,
    ContentType,
    ContentEncoding,
    Accept,
    AcceptEncoding,
    UserAgent,
    Date,
    Server,
    Via,
    Location,
    Cookie,
    SetCookie,
    Origin,
    Referer,
    Authorization,
    CacheControl,
    ETag,
    Vary,
    GrpcStatus,
    GrpcMessage,
    GrpcTimeout,
    GrpcAcceptEncoding,
    GrpcEncoding,
    XRequestId,
    XForwardedFor,
    XForwardedProto,
    XForwardedHost,
    XForwardedPort,
    XForwardedClientCert,
    XRealIp,
    XClientTraceId,
    XEnvoyInternal,
    XEnvoyExternalAddress,
    XEnvoyDownstreamServiceCluster,
    XEnvoyDownstreamServiceNode,
    XEnvoyDecoratorOperation,
    XEnvoyPeerMetadata,
    XEnvoyPeerMetadataId,
    XEnvoyUpstreamServiceTime,
    XEnvoyExpectedRqTimeoutMs,
    XEnvoyUpstreamRqTimeoutMs,
    XEnvoyUpstreamRqPerTryTimeoutMs,
    XEnvoyUpstreamRqTimeoutAltResponse,
    XEnvoyRetryOn,
    XEnvoyRetryGrpcOn,
    XEnvoyMaxRetries,
    XEnvoyRetriableStatusCodes,
    XEnvoyRetriableHeaderNames,
    XEnvoyHedgeOnPerTryTimeout,
    XEnvoyUpstreamAltStatName,
    XEnvoyUpstreamCanary,
    XEnvoyAttemptCount,
    XEnvoyOriginalPath,
    XEnvoyOriginalMethod,
    XEnvoyOriginalDstHost,
    XEnvoyOverloaded,
    XEnvoyRatelimited,
    XEnvoyImmediateHealthCheckFail,
    XEnvoyIsTimeoutRetry,
    XEnvoyDegraded,
    XEnvoyForceTrace,
    XEnvoyRetryTimedOut,
    XEnvoyOriginalHost,
    XEnvoyFaultAbortRequest,
    XEnvoyFaultDelayRequest,
    XB3Traceid,
    XB3Spanid,
    XB3Parentspanid,
    XB3Sampled,
    XB3Flags,
    B3,
    Traceparent,
    Tracestate,
    Baggage,
    AccessControlRequestMethod,
    AccessControlRequestHeaders,
    AccessControlAllowOrigin,
    AccessControlAllowMethods,
    AccessControlAllowHeaders,
    AccessControlMaxAge,
    AccessControlAllowCredentials,
    AccessControlExposeHeaders,
    AccessControlRequestPrivateNetwork,
    AccessControlAllowPrivateNetwork,
    SecWebsocketKey,
    SecWebsocketAccept,
    EndUser,
    XEnvoyIpTags,
    XEnvoyOriginalUrl,
}

/// <summary>The names of the known headers.</summary>
public static class KnownHeaders
{
    /// <summary>How many there are, with <see cref="KnownHeader.None"/>.</summary>
    public const int Count = 106;

    private static readonly string[] Texts =
    [
        "",
        ":method",
        ":path",
        ":scheme",
        ":authority",
        ":protocol",
        ":status",
        "host",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "content-length",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "proxy-connection",
        "http2-settings",
        "content-type",
        "content-encoding",
        "accept",
        "accept-encoding",
        "user-agent",
        "date",
        "server",
        "via",
        "location",
        "cookie",
        "set-cookie",
        "origin",
        "referer",
        "authorization",
        "cache-control",
        "etag",
        "vary",
        "grpc-status",
        "grpc-message",
        "grpc-timeout",
        "grpc-accept-encoding",
        "grpc-encoding",
        "x-request-id",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-client-cert",
        "x-real-ip",
        "x-client-trace-id",
        "x-envoy-internal",
        "x-envoy-external-address",
        "x-envoy-downstream-service-cluster",
        "x-envoy-downstream-service-node",
        "x-envoy-decorator-operation",
        "x-envoy-peer-metadata",
        "x-envoy-peer-metadata-id",
        "x-envoy-upstream-service-time",
        "x-envoy-expected-rq-timeout-ms",
        "x-envoy-upstream-rq-timeout-ms",
        "x-envoy-upstream-rq-per-try-timeout-ms",
        "x-envoy-upstream-rq-timeout-alt-response",
        "x-envoy-retry-on",
        "x-envoy-retry-grpc-on",
        "x-envoy-max-retries",
        "x-envoy-retriable-status-codes",
        "x-envoy-retriable-header-names",
        "x-envoy-hedge-on-per-try-timeout",
        "x-envoy-upstream-alt-stat-name",
        "x-envoy-upstream-canary",
        "x-envoy-attempt-count",
        "x-envoy-original-path",
        "x-envoy-original-method",
        "x-envoy-original-dst-host",
        "x-envoy-overloaded",
        "x-envoy-ratelimited",
        "x-envoy-immediate-health-check-fail",
        "x-envoy-is-timeout-retry",
        "x-envoy-degraded",
        "x-envoy-force-trace",
        "x-envoy-retry-timed-out",
        "x-envoy-original-host",
        "x-envoy-fault-abort-request",
        "x-envoy-fault-delay-request",
        "x-b3-traceid",
        "x-b3-spanid",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-flags",
        "b3",
        "traceparent",
        "tracestate",
        "baggage",
        "access-control-request-method",
        "access-control-request-headers",
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-max-age",
        "access-control-allow-credentials",
        "access-control-expose-headers",
        "access-control-request-private-network",
        "access-control-allow-private-network",
        "sec-websocket-key",
        "sec-websocket-accept",
        "end-user",
        "x-envoy-ip-tags",
        "x-envoy-original-url",
    ];

    private static readonly byte[][] Bytes = Array.ConvertAll(Texts, System.Text.Encoding.ASCII.GetBytes);

    private static readonly byte[] Lengths = [.. Bytes.Select(b => (byte)b.Length)];

    // Perfect hash: 106 names in 2048 slots, so that about one random multiplier in ten has no collision; it is searched once, at start.
    private const int SlotBits = 11;
    private static readonly byte[] Slots = new byte[1 << SlotBits];
    private static readonly int LengthMax = Bytes.Max(b => b.Length);
    private static readonly ulong Multiplier = FindMultiplier();

    // Names of up to 32 bytes with zeros behind them; zeros, as no name looks, in the place of the others.
    private static readonly Vector256<byte>[] Padded =
        [.. Bytes.Select(b => b.Length is > 0 and <= 32 ? Vector256.Create([.. b, .. new byte[32 - b.Length]]) : default)];

    // What codecs read line by line, what has its own rule (cookies), and what tracers define as single or take as it came.
    private static readonly bool[] Lists = [.. Enumerable.Range(0, Count)
        .Select(i => (KnownHeader)i is (>= KnownHeader.ContentType and <= KnownHeader.Via and not KnownHeader.Date)
            or KnownHeader.Location or (>= KnownHeader.Origin and <= KnownHeader.XForwardedClientCert) or KnownHeader.XClientTraceId
            or KnownHeader.XEnvoyInternal
            or KnownHeader.XEnvoyExternalAddress or KnownHeader.XEnvoyDownstreamServiceCluster or KnownHeader.XEnvoyDownstreamServiceNode
            or KnownHeader.XEnvoyDecoratorOperation
            or (>= KnownHeader.XEnvoyUpstreamServiceTime and <= KnownHeader.XEnvoyOriginalHost and not KnownHeader.XEnvoyOriginalDstHost)
            or (>= KnownHeader.AccessControlRequestMethod and <= KnownHeader.AccessControlAllowPrivateNetwork))];

    /// <summary>True where several lines of this name are kept as one, joined by commas.</summary>
    public static bool IsList(KnownHeader header) => Lists[(int)header];

    /// <summary>The name in lower case.</summary>
    public static ReadOnlySpan<byte> Name(KnownHeader header) => Bytes[(int)header];

    /// <summary>How long the name is.</summary>
    public static int NameLength(KnownHeader header) => Lengths[(int)header];

    /// <summary>The name in lower case, as text.</summary>
    public static string Text(KnownHeader header) => Texts[(int)header];

    /// <summary>The known header of a lower-case name; <see cref="KnownHeader.None"/> for any other.</summary>
    public static KnownHeader Find(ReadOnlySpan<byte> name)
    {
        if (name.Length > LengthMax)
            return KnownHeader.None;
        byte candidate = Slots[(int)((Fold(name) * Multiplier) >> (64 - SlotBits))];
        return candidate != 0 && name.SequenceEqual(Bytes[candidate]) ? (KnownHeader)candidate : KnownHeader.None;
    }

    /// <summary>The known header of a lower-case name of at most 32 bytes, which <paramref name="padded"/> holds with zeros behind
    /// it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static KnownHeader Find(ReadOnlySpan<byte> name, Vector256<byte> padded)
    {
        byte candidate = Slots[(int)((Fold(name) * Multiplier) >> (64 - SlotBits))];
        return Padded[candidate] == padded ? (KnownHeader)candidate : KnownHeader.None;
    }

    /// <summary>Ones in the first bytes, at most 32, and zeros behind them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<byte> MaskOf(int length) => Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(Ones), (nuint)(32 - length));

    private static ReadOnlySpan<byte> Ones =>
    [
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    // Eight bytes of each end and of the middle, and the length, tell all known names apart.
    private static ulong Fold(ReadOnlySpan<byte> name)
    {
        ref byte at = ref MemoryMarshal.GetReference(name);
        int length = name.Length;
        ulong ends = length switch
        {
            >= 8 => Unsafe.ReadUnaligned<ulong>(ref at)
                ^ BitOperations.RotateLeft(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, length - 8)), 23)
                ^ BitOperations.RotateLeft(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, (length / 2) - 4)), 41),
            >= 4 => Unsafe.ReadUnaligned<uint>(ref at) | ((ulong)Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref at, length - 4)) << 32),
            > 0 => at | ((ulong)Unsafe.Add(ref at, length / 2) << 8) | ((ulong)Unsafe.Add(ref at, length - 1) << 16),
            _ => 0,
        };
        return ends + ((ulong)length * 0x9e3779b97f4a7c15);
    }

    private static ulong FindMultiplier()
    {
        ulong multiplier = 0x9e3779b97f4a7c15;
        for (int attempt = 0; attempt < 100_000; attempt++)
        {
            multiplier = (multiplier * 6364136223846793005 + 1442695040888963407) | 1;
            if (TryFill(multiplier))
                return multiplier;
        }
        throw new InvariantException("two known header names fold to the same number");
    }

    private static bool TryFill(ulong multiplier)
    {
        Array.Clear(Slots);
        for (int i = 1; i < Count; i++)
        {
            ref byte slot = ref Slots[(int)((Fold(Bytes[i]) * multiplier) >> (64 - SlotBits))];
            if (slot != 0)
                return false;
            slot = (byte)i;
        }
        return true;
    }
}
