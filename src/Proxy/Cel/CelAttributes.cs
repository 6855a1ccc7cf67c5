using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Cel;

/// <summary>Envoy's attributes of a stream, one number each ("attributes" in Envoy's documentation).</summary>
internal enum CelAttribute : byte
{
    None,
    RequestHeaders, RequestHeadersBytes, RequestTime, RequestSize, RequestTotalSize, RequestDuration, RequestProtocol, RequestPath,
    RequestUrlPath, RequestHost, RequestScheme,
    RequestMethod, RequestReferer, RequestId, RequestUserAgent, RequestQuery,
    ResponseCode, ResponseSize, ResponseHeaders, ResponseHeadersBytes, ResponseTrailers, ResponseFlags, ResponseGrpcStatus,
    ResponseTotalSize, ResponseCodeDetails,
    ResponseBackendLatency,
    ConnectionMtls, ConnectionServerName, ConnectionId, ConnectionTermination, ConnectionTransportFailure,
    UpstreamAddress, UpstreamPort, UpstreamLocal, UpstreamTransportFailure, UpstreamPoolReady, UpstreamAttempts,
    SourceAddress, SourcePort, DestinationAddress, DestinationPort,
    XdsNode, XdsClusterName, XdsClusterMetadata, XdsRouteName, XdsRouteMetadata, XdsVirtualHostName, XdsVirtualHostMetadata,
    XdsUpstreamHostMetadata, XdsFilterChainName,
    XdsListenerMetadata,
}

/// <summary>A name that stands for several attributes.</summary>
internal enum CelGroup : byte
{
    Request,
    Response,
    Connection,
    Upstream,
    Source,
    Destination,
    Xds,
    Metadata,
    FilterState,
}

/// <summary>Reads attributes.</summary>
internal static class CelAttributes
{
    private static readonly Dictionary<string, CelGroup> Groups = new(StringComparer.Ordinal)
    {
        ["request"] = CelGroup.Request, ["response"] = CelGroup.Response, ["connection"] = CelGroup.Connection, ["upstream"] =
            CelGroup.Upstream, ["source"] = CelGroup.Source,
        ["destination"] = CelGroup.Destination, ["xds"] = CelGroup.Xds, ["metadata"] = CelGroup.Metadata, ["filter_state"] =
            CelGroup.FilterState, ["upstream_filter_state"] = CelGroup.FilterState,
    };

    private static readonly Dictionary<(CelGroup, string), CelAttribute> Names = new()
    {
        [(CelGroup.Request, "headers")] = CelAttribute.RequestHeaders, [(CelGroup.Request, "headers_bytes")] =
            CelAttribute.RequestHeadersBytes,
        [(CelGroup.Request, "time")] = CelAttribute.RequestTime, [(CelGroup.Request, "size")] =
            CelAttribute.RequestSize, [(CelGroup.Request, "total_size")] = CelAttribute.RequestTotalSize,
        [(CelGroup.Request, "duration")] = CelAttribute.RequestDuration, [(CelGroup.Request, "protocol")] =
            CelAttribute.RequestProtocol, [(CelGroup.Request, "path")] = CelAttribute.RequestPath,
        [(CelGroup.Request, "url_path")] = CelAttribute.RequestUrlPath, [(CelGroup.Request, "host")] =
            CelAttribute.RequestHost, [(CelGroup.Request, "scheme")] = CelAttribute.RequestScheme,
        [(CelGroup.Request, "method")] = CelAttribute.RequestMethod, [(CelGroup.Request, "referer")] =
            CelAttribute.RequestReferer, [(CelGroup.Request, "id")] = CelAttribute.RequestId,
        [(CelGroup.Request, "useragent")] = CelAttribute.RequestUserAgent, [(CelGroup.Request, "query")] = CelAttribute.RequestQuery,
        [(CelGroup.Response, "code")] = CelAttribute.ResponseCode, [(CelGroup.Response, "size")] =
            CelAttribute.ResponseSize, [(CelGroup.Response, "headers")] = CelAttribute.ResponseHeaders,
        [(CelGroup.Response, "headers_bytes")] = CelAttribute.ResponseHeadersBytes, [(CelGroup.Response, "trailers")] =
            CelAttribute.ResponseTrailers,
        [(CelGroup.Response, "flags")] = CelAttribute.ResponseFlags, [(CelGroup.Response, "grpc_status")] = CelAttribute.ResponseGrpcStatus,
        [(CelGroup.Response, "total_size")] = CelAttribute.ResponseTotalSize, [(CelGroup.Response, "code_details")] =
            CelAttribute.ResponseCodeDetails,
        [(CelGroup.Response, "backend_latency")] = CelAttribute.ResponseBackendLatency,
        [(CelGroup.Connection, "mtls")] = CelAttribute.ConnectionMtls, [(CelGroup.Connection, "requested_server_name")] =
            CelAttribute.ConnectionServerName,
        [(CelGroup.Connection, "id")] = CelAttribute.ConnectionId, [(CelGroup.Connection, "termination_details")] =
            CelAttribute.ConnectionTermination,
        [(CelGroup.Connection, "transport_failure_reason")] = CelAttribute.ConnectionTransportFailure,
        [(CelGroup.Upstream, "address")] = CelAttribute.UpstreamAddress, [(CelGroup.Upstream, "port")] =
            CelAttribute.UpstreamPort, [(CelGroup.Upstream, "local_address")] = CelAttribute.UpstreamLocal,
        [(CelGroup.Upstream, "transport_failure_reason")] =
            CelAttribute.UpstreamTransportFailure, [(CelGroup.Upstream, "cx_pool_ready_duration")] = CelAttribute.UpstreamPoolReady,
        [(CelGroup.Upstream, "request_attempt_count")] = CelAttribute.UpstreamAttempts,
        [(CelGroup.Source, "address")] = CelAttribute.SourceAddress, [(CelGroup.Source, "port")] = CelAttribute.SourcePort,
        [(CelGroup.Destination, "address")] = CelAttribute.DestinationAddress, [(CelGroup.Destination, "port")] =
            CelAttribute.DestinationPort,
        [(CelGroup.Xds, "node")] = CelAttribute.XdsNode, [(CelGroup.Xds, "cluster_name")] =
            CelAttribute.XdsClusterName, [(CelGroup.Xds, "cluster_metadata")] = CelAttribute.XdsClusterMetadata,
        [(CelGroup.Xds, "route_name")] = CelAttribute.XdsRouteName, [(CelGroup.Xds, "route_metadata")] = CelAttribute.XdsRouteMetadata,
        [(CelGroup.Xds, "virtual_host_name")] = CelAttribute.XdsVirtualHostName, [(CelGroup.Xds, "virtual_host_metadata")] =
            CelAttribute.XdsVirtualHostMetadata,
        [(CelGroup.Xds, "upstream_host_metadata")] = CelAttribute.XdsUpstreamHostMetadata, [(CelGroup.Xds, "filter_chain_name")] =
            CelAttribute.XdsFilterChainName,
        [(CelGroup.Xds, "listener_metadata")] = CelAttribute.XdsListenerMetadata,
    };

    /// <summary>The group of a name; null for no such name.</summary>
    public static CelGroup? Group(string name) => Groups.TryGetValue(name, out CelGroup group) ? group : null;

    /// <summary>An attribute of a group; None for no such one.</summary>
    public static CelAttribute Find(CelGroup group, string name) => Names.GetValueOrDefault((group, name));

    /// <summary>True for attributes of a TLS session, which both connections have.</summary>
    public static bool IsTls(string name) => name is "tls_version" or "subject_local_certificate" or "subject_peer_certificate"
        or "uri_san_local_certificate" or "uri_san_peer_certificate"
        or "dns_san_local_certificate" or "dns_san_peer_certificate" or "sha256_peer_certificate_digest" or "peer_certificate";

    /// <summary>An attribute of a TLS session.</summary>
    public static CelValue Tls(TlsFacts? tls, string name, scoped ref CelRun run)
    {
        if (tls is null)
            return CelValue.Error;
        return name switch
        {
            "tls_version" => CelValue.String(run.Utf8(tls.Version)),
            "subject_local_certificate" => CelValue.String(run.Utf8(tls.LocalSubject)),
            "subject_peer_certificate" => CelValue.String(run.Utf8(tls.PeerSubject)),
            "uri_san_local_certificate" => First(tls.LocalUris, ref run),
            "uri_san_peer_certificate" => First(tls.PeerUris, ref run),
            "dns_san_local_certificate" => First(tls.LocalDnsNames, ref run),
            "dns_san_peer_certificate" => First(tls.PeerDnsNames, ref run),
            "sha256_peer_certificate_digest" => Present(tls.PeerSha256, ref run),
            _ => tls.PeerPem.Length == 0 ? CelValue.Error : CelValue.String(run.Utf8(Uri.EscapeDataString(tls.PeerPem))),
        };
    }

    private static CelValue First(IReadOnlyList<string> names, scoped ref CelRun run) =>
        names.Count == 0 ? CelValue.Error : CelValue.String(run.Utf8(names[0]));

    private static CelValue Present(string text, scoped ref CelRun run) =>
        text.Length == 0 ? CelValue.Error : CelValue.String(run.Utf8(text));

    /// <summary>The value of an attribute.</summary>
    public static CelValue Read(CelAttribute attribute, scoped ref CelRun run)
    {
        IStreamFacts f = run.Facts;
        return attribute <= CelAttribute.RequestQuery ? Request(attribute, f, ref run)
            : attribute <= CelAttribute.ResponseBackendLatency ? Response(attribute, f, ref run)
            : attribute <= CelAttribute.DestinationPort ? Connections(attribute, f, ref run)
            : Xds(attribute, f, ref run);
    }

    private static CelValue Request(CelAttribute attribute, IStreamFacts f, scoped ref CelRun run)
    {
        HeaderMap? head = f.RequestHead;
        switch (attribute)
        {
            case CelAttribute.RequestHeaders:
                return head is null ? CelValue.Error : CelValue.Map(head);
            case CelAttribute.RequestHeadersBytes:
                return CelValue.Int(head?.ByteSize ?? 0);
            case CelAttribute.RequestTime:
                return CelValue.Timestamp(f.StartedAt * 1000);
            case CelAttribute.RequestSize:
                if (head is null || !head.TryGet(KnownHeader.ContentLength, out ReadOnlySpan<byte> length))
                    return CelValue.Int(f.BytesReceived);
                return System.Buffers.Text.Utf8Parser.TryParse(length, out long size, out int used) && used == length.Length
                    ? CelValue.Int(size) : CelValue.Error;
            case CelAttribute.RequestTotalSize:
                return CelValue.Int(f.BytesReceived + (head?.ByteSize ?? 0));
            case CelAttribute.RequestDuration:
                return f.Times.End == 0 ? CelValue.Error : CelValue.Duration((f.Times.End - f.Times.RequestBegin) * 1000);
            case CelAttribute.RequestProtocol:
                return f.Protocol is { } protocol
                    ? CelValue.String(protocol switch
                    {
                        HttpVersion.Http10 => "HTTP/1.0"u8,
                        HttpVersion.Http2 => "HTTP/2"u8,
                        _ => "HTTP/1.1"u8,
                    }) : CelValue.Error;
            case CelAttribute.RequestUrlPath:
                return head is null ? CelValue.Error : CelValue.String(Text.WithoutQuery(head[KnownHeader.Path]));
            case CelAttribute.RequestQuery:
                return head is null ? CelValue.Error : Query(head[KnownHeader.Path]);
            default:
                return head is not null && head.TryGet(HeaderOf(attribute), out ReadOnlySpan<byte> value)
                    ? CelValue.String(value) : CelValue.Error;
        }
    }

    private static CelValue Query(ReadOnlySpan<byte> path)
    {
        ReadOnlySpan<byte> query = Text.QueryOf(path);
        int fragment = query.IndexOf((byte)'#');
        return CelValue.String(fragment < 0 ? query : query[..fragment]);
    }

    private static KnownHeader HeaderOf(CelAttribute attribute) => attribute switch
    {
        CelAttribute.RequestPath => KnownHeader.Path,
        CelAttribute.RequestHost => KnownHeader.Authority,
        CelAttribute.RequestScheme => KnownHeader.Scheme,
        CelAttribute.RequestMethod => KnownHeader.Method,
        CelAttribute.RequestReferer => KnownHeader.Referer,
        CelAttribute.RequestId => KnownHeader.XRequestId,
        _ => KnownHeader.UserAgent,
    };

    private static CelValue Response(CelAttribute attribute, IStreamFacts f, scoped ref CelRun run) => attribute switch
    {
        CelAttribute.ResponseCode => f.Status == 0 ? CelValue.Error : CelValue.Int(f.Status),
        CelAttribute.ResponseSize => CelValue.Int(f.BytesSent),
        CelAttribute.ResponseHeaders => f.ResponseHead is { } head ? CelValue.Map(head) : CelValue.Error,
        CelAttribute.ResponseHeadersBytes => CelValue.Int(f.ResponseHead?.ByteSize ?? 0),
        CelAttribute.ResponseTrailers => f.ResponseTrailers is { } trailers ? CelValue.Map(trailers) : CelValue.Error,
        CelAttribute.ResponseFlags => CelValue.Int((uint)f.Flags),
        CelAttribute.ResponseGrpcStatus => GrpcStatus.Find(f, out int code) ? CelValue.Int(code) : CelValue.Error,
        CelAttribute.ResponseTotalSize => CelValue.Int(f.BytesSent + (f.ResponseHead?.ByteSize ?? 0) + (f.ResponseTrailers?.ByteSize ?? 0)),
        CelAttribute.ResponseCodeDetails => Present(f.Details, ref run),
        _ => f.Times.UpstreamReceiveEnd == 0 || f.Times.UpstreamSendBegin == 0
            ? CelValue.Error : CelValue.Duration((f.Times.UpstreamReceiveEnd - f.Times.UpstreamSendBegin) * 1000),
    };

    private static CelValue Connections(CelAttribute attribute, IStreamFacts f, scoped ref CelRun run) => attribute switch
    {
        CelAttribute.ConnectionMtls => CelValue.Of(f.DownstreamTls?.PeerPresented ?? false),
        CelAttribute.ConnectionServerName => CelValue.String(run.Utf8(f.RequestedServerName)),
        CelAttribute.ConnectionId => CelValue.Uint((ulong)f.ConnectionId),
        CelAttribute.ConnectionTermination => Present(f.TerminationDetails, ref run),
        CelAttribute.ConnectionTransportFailure => Present(f.DownstreamTransportFailure, ref run),
        CelAttribute.UpstreamAddress => Full(f.UpstreamHost, ref run),
        CelAttribute.UpstreamPort => PortOf(f.UpstreamHost),
        CelAttribute.UpstreamLocal => Full(f.UpstreamLocal, ref run),
        CelAttribute.UpstreamTransportFailure => CelValue.String(run.Utf8(f.UpstreamTransportFailure)),
        CelAttribute.UpstreamPoolReady => f.Times.UpstreamPoolReady == 0
            ? CelValue.Error : CelValue.Duration((f.Times.UpstreamPoolReady - f.Times.RequestBegin) * 1000),
        CelAttribute.UpstreamAttempts => CelValue.Uint((ulong)f.Attempts),
        CelAttribute.SourceAddress => Full(f.DownstreamRemote, ref run),
        CelAttribute.SourcePort => PortOf(f.DownstreamRemote),
        CelAttribute.DestinationAddress => Full(f.DownstreamLocal, ref run),
        _ => PortOf(f.DownstreamLocal),
    };

    private static CelValue PortOf(scoped in Address address) => address.IsIp ? CelValue.Int(address.Port) : CelValue.Error;

    private static CelValue Full(scoped in Address address, scoped ref CelRun run)
    {
        if (address.Kind == AddressKind.None)
            return CelValue.Error;
        if (address.Kind != AddressKind.V4)
            return CelValue.String(run.Utf8(address.ToString()));
        Span<byte> text = run.Room(21);
        int n = Exchanges.Heads.IpText.Write(address, text);
        text[n++] = (byte)':';
        System.Buffers.Text.Utf8Formatter.TryFormat(address.Port, text[n..], out int digits);
        return CelValue.String(text[..(n + digits)]);
    }

    private static CelValue Xds(CelAttribute attribute, IStreamFacts f, scoped ref CelRun run) => attribute switch
    {
        CelAttribute.XdsClusterName => Present(f.ClusterName, ref run),
        CelAttribute.XdsRouteName => f.RequestHead is null ? CelValue.Error : CelValue.String(run.Utf8(f.RouteName)),
        CelAttribute.XdsVirtualHostName => Present(f.VirtualHostName, ref run),
        CelAttribute.XdsFilterChainName => CelValue.String(run.Utf8(f.FilterChainName)),
        _ => MetadataOf(attribute, f) is { } metadata ? CelValue.Map(metadata) : CelValue.Error,
    };

    private static Metadata? MetadataOf(CelAttribute attribute, IStreamFacts f) => attribute switch
    {
        CelAttribute.XdsClusterMetadata => f.ClusterMetadata,
        CelAttribute.XdsRouteMetadata => f.RouteMetadata,
        CelAttribute.XdsVirtualHostMetadata => f.VirtualHostMetadata,
        CelAttribute.XdsUpstreamHostMetadata => f.UpstreamHostMetadata,
        CelAttribute.XdsListenerMetadata => f.ListenerMetadata,
        _ => null,
    };

    /// <summary>Filter state: Istio's peers have fields, everything else is its text as bytes (as Envoy's serialized objects).</summary>
    public static CelValue State(object? state, scoped ref CelRun run) => state switch
    {
        null => CelValue.Error,
        WorkloadPeer peer => CelValue.Map(peer),
        _ => state.ToString() is { } text ? CelValue.Bytes(run.Utf8(text)) : CelValue.Error,
    };

    /// <summary>A field of a peer.</summary>
    public static CelValue Field(WorkloadPeer peer, ReadOnlySpan<byte> field, scoped ref CelRun run)
    {
        string? text = field switch
        {
            _ when field.SequenceEqual("workload"u8) || field.SequenceEqual("name"u8) => peer.Workload,
            _ when field.SequenceEqual("namespace"u8) => peer.Namespace,
            _ when field.SequenceEqual("cluster"u8) => peer.Cluster,
            _ when field.SequenceEqual("service"u8) => peer.CanonicalService,
            _ when field.SequenceEqual("revision"u8) => peer.CanonicalRevision,
            _ when field.SequenceEqual("app"u8) => peer.App,
            _ when field.SequenceEqual("version"u8) => peer.Version,
            _ => null,
        };
        return text is null ? CelValue.Error : CelValue.String(run.Utf8(text));
    }
}
