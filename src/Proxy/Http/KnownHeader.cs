namespace Lateen.Proxy.Http;

/// <summary>Headers that the proxy itself reads or writes, pseudo-headers first. A header map finds these by an index instead of by their names.</summary>
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
}

/// <summary>The names of the known headers.</summary>
public static class KnownHeaders
{
    /// <summary>How many there are, with <see cref="KnownHeader.None"/>.</summary>
    public const int Count = 104;

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
    ];

    private static readonly byte[][] Bytes = Array.ConvertAll(Texts, System.Text.Encoding.ASCII.GetBytes);
    private static readonly KnownHeader[][] ByLength = IndexByLength();

    /// <summary>The name in lower case.</summary>
    public static ReadOnlySpan<byte> Name(KnownHeader header) => Bytes[(int)header];

    /// <summary>The name in lower case, as text.</summary>
    public static string Text(KnownHeader header) => Texts[(int)header];

    /// <summary>The known header of a lower-case name; <see cref="KnownHeader.None"/> for any other.</summary>
    public static KnownHeader Find(ReadOnlySpan<byte> name)
    {
        if ((uint)name.Length >= (uint)ByLength.Length)
            return KnownHeader.None;
        foreach (KnownHeader candidate in ByLength[name.Length])
        {
            // The last byte differs more often than the first: most names begin with x-.
            ReadOnlySpan<byte> text = Bytes[(int)candidate];
            if (text[^1] == name[^1] && text.SequenceEqual(name))
                return candidate;
        }
        return KnownHeader.None;
    }

    private static KnownHeader[][] IndexByLength()
    {
        var index = new List<KnownHeader>[Bytes.Max(b => b.Length) + 1];
        for (int i = 0; i < index.Length; i++)
            index[i] = [];
        for (int i = 1; i < Count; i++)
            index[Bytes[i].Length].Add((KnownHeader)i);
        return Array.ConvertAll(index, l => l.ToArray());
    }
}
