using Envoy.Data.Accesslog.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tracing;
using Core = Envoy.Config.Core.V3;
using Flag = Lateen.Proxy.ResponseFlags;

namespace Lateen.Proxy.Remote;

/// <summary>Entries of Envoy's access log service.</summary>
/// <param name="filterState">Objects of filter state that go along.</param>
/// <param name="tags">Tags.</param>
/// <param name="requestHeaders">Further request headers.</param>
/// <param name="responseHeaders">Further response headers.</param>
/// <param name="responseTrailers">Further response trailers.</param>
public sealed class LogEntries(IReadOnlyList<string> filterState, IReadOnlyList<SpanTag> tags, IReadOnlyList<string> requestHeaders,
    IReadOnlyList<string> responseHeaders, IReadOnlyList<string> responseTrailers)
{
    /// <summary>An exchange.</summary>
    public HTTPAccessLogEntry Http(IStreamFacts f)
    {
        StreamBytes down = f.DownstreamBytes, up = f.UpstreamBytes;
        var entry = new HTTPAccessLogEntry
        {
            CommonProperties = Common(f),
            ProtocolVersion = f.Protocol switch
            {
                HttpVersion.Http10 => HTTPAccessLogEntry.Types.HTTPVersion.Http10,
                HttpVersion.Http11 => HTTPAccessLogEntry.Types.HTTPVersion.Http11,
                HttpVersion.Http2 => HTTPAccessLogEntry.Types.HTTPVersion.Http2,
                _ => HTTPAccessLogEntry.Types.HTTPVersion.ProtocolUnspecified,
            },
            Request = new HTTPRequestProperties
            {
                RequestBodyBytes = (ulong)f.BytesReceived,
                UpstreamHeaderBytesSent = (ulong)(up.HeadSent - up.PlainSent),
                DownstreamHeaderBytesReceived = (ulong)(down.HeadReceived - down.PlainReceived),
            },
            Response = new HTTPResponseProperties
            {
                ResponseBodyBytes = (ulong)f.BytesSent,
                ResponseCodeDetails = f.Details,
                UpstreamHeaderBytesReceived = (ulong)(up.HeadReceived - up.PlainReceived),
                DownstreamHeaderBytesSent = (ulong)(down.HeadSent - down.PlainSent),
            },
        };
        if (f.RequestHead is { } head)
            Fill(entry.Request, head);
        if (f.Status > 0)
            entry.Response.ResponseCode = (uint)f.Status;
        if (f.ResponseHead is { } answer)
        {
            entry.Response.ResponseHeadersBytes = Bytes(answer);
            Pick(answer, responseHeaders, entry.Response.ResponseHeaders);
        }
        if (f.ResponseTrailers is { } trailers)
            Pick(trailers, responseTrailers, entry.Response.ResponseTrailers);
        return entry;
    }

    /// <summary>A connection.</summary>
    public TCPAccessLogEntry Tcp(IStreamFacts f) => new()
    {
        CommonProperties = Common(f),
        ConnectionProperties = new ConnectionProperties { ReceivedBytes = (ulong)f.BytesReceived, SentBytes = (ulong)f.BytesSent },
    };

    private void Fill(HTTPRequestProperties to, HeaderMap head)
    {
        to.RequestMethod = System.Enum.TryParse(Text(head, KnownHeader.Method), true, out Core.RequestMethod method)
            ? method : Core.RequestMethod.MethodUnspecified;
        to.Scheme = Text(head, KnownHeader.Scheme);
        to.Authority = Text(head, KnownHeader.Authority);
        to.Path = Text(head, KnownHeader.Path);
        to.UserAgent = Text(head, KnownHeader.UserAgent);
        to.Referer = Text(head, KnownHeader.Referer);
        to.ForwardedFor = Text(head, KnownHeader.XForwardedFor);
        to.RequestId = Text(head, KnownHeader.XRequestId);
        to.OriginalPath = Text(head, KnownHeader.XEnvoyOriginalPath);
        to.RequestHeadersBytes = Bytes(head);
        Pick(head, requestHeaders, to.RequestHeaders);
    }

    private AccessLogCommon Common(IStreamFacts f)
    {
        ref readonly StreamTimes t = ref f.Times;
        StreamBytes down = f.DownstreamBytes, up = f.UpstreamBytes;
        long begin = t.RequestBegin != 0 ? t.RequestBegin : t.DownstreamConnectionBegin, end = t.End != 0 ? t.End : f.Now;
        var common = new AccessLogCommon
        {
            DownstreamRemoteAddress = Of(f.DownstreamRemote),
            DownstreamLocalAddress = Of(f.DownstreamLocal),
            DownstreamDirectRemoteAddress = Of(f.DownstreamDirectRemote),
            UpstreamRemoteAddress = Of(f.UpstreamHost),
            UpstreamLocalAddress = Of(f.UpstreamLocal),
            StartTime = new Timestamp { Seconds = f.StartedAt / 1_000_000, Nanos = (int)(f.StartedAt % 1_000_000) * 1000 },
            TimeToLastRxByte = Since(begin, t.RequestEnd),
            TimeToFirstUpstreamTxByte = Since(begin, t.UpstreamSendBegin),
            TimeToLastUpstreamTxByte = Since(begin, t.UpstreamSendEnd),
            TimeToFirstUpstreamRxByte = Since(begin, t.UpstreamReceiveBegin),
            TimeToLastUpstreamRxByte = Since(begin, t.UpstreamReceiveEnd),
            TimeToFirstDownstreamTxByte = Since(begin, t.ResponseBegin),
            TimeToLastDownstreamTxByte = Since(begin, t.ResponseEnd),
            Duration = Since(begin, end),
            UpstreamCluster = f.ClusterName,
            UpstreamTransportFailureReason = f.UpstreamTransportFailure,
            DownstreamTransportFailureReason = f.DownstreamTransportFailure,
            RouteName = f.RouteName,
            UpstreamRequestAttemptCount = (uint)f.Attempts,
            ConnectionTerminationDetails = f.TerminationDetails,
            StreamId = f.RequestHead is { } head && head.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id)
                ? Latin(id) : Id(f.StreamId),
            DownstreamWireBytesSent = (ulong)(down.HeadSent + down.BodySent),
            DownstreamWireBytesReceived = (ulong)(down.HeadReceived + down.BodyReceived),
            UpstreamWireBytesSent = (ulong)(up.HeadSent + up.BodySent),
            UpstreamWireBytesReceived = (ulong)(up.HeadReceived + up.BodyReceived),
            AccessLogType = System.Enum.TryParse(f.LogType, out AccessLogType type) ? type : AccessLogType.NotSet,
        };
#pragma warning disable CS0612 // servers still read it
        common.IntermediateLogEntry = f.LogType is "TcpPeriodic" or "DownstreamPeriodic";
#pragma warning restore CS0612
        if (f.Flags != Flag.None)
            common.ResponseFlags = Flags(f.Flags);
        if (f.DynamicMetadata is { IsEmpty: false } metadata)
        {
            common.Metadata = new Core.Metadata();
            foreach ((string ns, System.Text.Json.JsonElement value) in metadata.Namespaces)
            {
                if (value.ValueKind == System.Text.Json.JsonValueKind.Object)
                    common.Metadata.FilterMetadata[ns] = StructValues.Struct(value);
            }
        }
        foreach (string key in filterState)
        {
            if (f.FilterState(key) is { } state)
                common.FilterStateObjects[key] = Any.Pack(new StringValue { Value = state.ToString() });
        }
        var text = new ByteBuffer(64);
        foreach (SpanTag tag in tags)
        {
            text.Clear();
            tag.Write(f, text);
            if (text.Length > 0)
                common.CustomTags[System.Text.Encoding.UTF8.GetString(tag.Name)] = System.Text.Encoding.UTF8.GetString(text.Written);
        }
        if (f.DownstreamTls is { } tls)
            common.TlsProperties = Tls(tls, f.RequestedServerName);
        return common;
    }

    private static TLSProperties Tls(TlsFacts tls, string serverName)
    {
        var properties = new TLSProperties
        {
            TlsSniHostname = serverName,
            TlsSessionId = tls.SessionId,
            TlsVersion = tls.Version switch { "TLSv1.3" => TLSProperties.Types.TLSVersion.Tlsv13,
                "TLSv1.2" => TLSProperties.Types.TLSVersion.Tlsv12, _ => TLSProperties.Types.TLSVersion.VersionUnspecified },
            LocalCertificateProperties = new TLSProperties.Types.CertificateProperties { Subject = tls.LocalSubject },
            PeerCertificateProperties = new TLSProperties.Types.CertificateProperties { Subject = tls.PeerSubject },
        };
        foreach (string uri in tls.LocalUris)
            properties.LocalCertificateProperties.SubjectAltName.Add(
                new TLSProperties.Types.CertificateProperties.Types.SubjectAltName { Uri = uri });
        foreach (string uri in tls.PeerUris)
            properties.PeerCertificateProperties.SubjectAltName.Add(
                new TLSProperties.Types.CertificateProperties.Types.SubjectAltName { Uri = uri });
        foreach (string dns in tls.PeerDnsNames)
            properties.PeerCertificateProperties.SubjectAltName.Add(
                new TLSProperties.Types.CertificateProperties.Types.SubjectAltName { Dns = dns });
        return properties;
    }

    private static Envoy.Data.Accesslog.V3.ResponseFlags Flags(Flag f)
    {
        bool Has(Flag flag) => (f & flag) != 0;
        var flags = new Envoy.Data.Accesslog.V3.ResponseFlags
        {
            FailedLocalHealthcheck = Has(Flag.FailedLocalHealthCheck),
            NoHealthyUpstream = Has(Flag.NoHealthyUpstream),
            UpstreamRequestTimeout = Has(Flag.UpstreamRequestTimeout),
            LocalReset = Has(Flag.LocalReset),
            UpstreamRemoteReset = Has(Flag.UpstreamRemoteReset),
            UpstreamConnectionFailure = Has(Flag.UpstreamConnectionFailure),
            UpstreamConnectionTermination = Has(Flag.UpstreamConnectionTermination),
            UpstreamOverflow = Has(Flag.UpstreamOverflow),
            NoRouteFound = Has(Flag.NoRouteFound),
            DelayInjected = Has(Flag.DelayInjected),
            FaultInjected = Has(Flag.FaultInjected),
            RateLimited = Has(Flag.RateLimited),
            RateLimitServiceError = Has(Flag.RateLimitServiceError),
            DownstreamConnectionTermination = Has(Flag.DownstreamConnectionTermination),
            UpstreamRetryLimitExceeded = Has(Flag.UpstreamRetryLimitExceeded),
            StreamIdleTimeout = Has(Flag.StreamIdleTimeout),
            InvalidEnvoyRequestHeaders = Has(Flag.InvalidEnvoyRequestHeaders),
            DownstreamProtocolError = Has(Flag.DownstreamProtocolError),
            UpstreamMaxStreamDurationReached = Has(Flag.UpstreamMaxStreamDurationReached),
            ResponseFromCacheFilter = Has(Flag.ResponseFromCacheFilter),
            NoFilterConfigFound = Has(Flag.NoFilterConfigFound),
            DurationTimeout = Has(Flag.DurationTimeout),
            UpstreamProtocolError = Has(Flag.UpstreamProtocolError),
            NoClusterFound = Has(Flag.NoClusterFound),
            OverloadManager = Has(Flag.OverloadTerminated),
            DnsResolutionFailure = Has(Flag.DnsResolutionFailed),
            DownstreamRemoteReset = Has(Flag.DownstreamRemoteReset),
        };
        if (Has(Flag.UnauthorizedExternalService))
            flags.UnauthorizedDetails =
                new Envoy.Data.Accesslog.V3.ResponseFlags.Types.Unauthorized { Reason =
                    Envoy.Data.Accesslog.V3.ResponseFlags.Types.Unauthorized.Types.Reason.ExternalService };
        return flags;
    }

    private static Duration? Since(long begin, long moment) =>
        moment == 0 ? null : new Duration { Seconds = (moment - begin) / 1_000_000, Nanos = (int)((moment - begin) % 1_000_000) * 1000 };

    private static Core.Address? Of(in Address address) => address.Kind switch
    {
        AddressKind.V4 or AddressKind.V6 =>
            new Core.Address { SocketAddress = new Core.SocketAddress { Address = address.Host, PortValue = (uint)address.Port } },
        AddressKind.Unix => new Core.Address { Pipe = new Core.Pipe { Path = address.Host } },
        _ => null,
    };

    private static string Text(HeaderMap head, KnownHeader header) => head.TryGet(header, out ReadOnlySpan<byte> value) ? Latin(value) : "";

    private static string Latin(ReadOnlySpan<byte> bytes) => System.Text.Encoding.UTF8.GetString(bytes);

    private static string Id(ulong random) =>
        new Guid((int)random, (short)(random >> 32), (short)(random >> 48), [0x80, 0, 0, 0, 0, 0, 0, 0]).ToString();

    private static ulong Bytes(HeaderMap head) => (ulong)head.ByteSize;

    private static void Pick(HeaderMap head, IReadOnlyList<string> names, IDictionary<string, string> to)
    {
        foreach (string name in names)
        {
            if (head.TryGet(System.Text.Encoding.Latin1.GetBytes(name), out ReadOnlySpan<byte> value))
                to[name] = Latin(value);
        }
    }
}

/// <summary>JSON as protobuf's Struct.</summary>
internal static class StructValues
{
    public static Struct Struct(System.Text.Json.JsonElement json)
    {
        var made = new Struct();
        foreach (System.Text.Json.JsonProperty field in json.EnumerateObject())
            made.Fields[field.Name] = Of(field.Value);
        return made;
    }

    private static Value Of(System.Text.Json.JsonElement json) => json.ValueKind switch
    {
        System.Text.Json.JsonValueKind.String => Value.ForString(json.GetString()),
        System.Text.Json.JsonValueKind.Number => Value.ForNumber(json.GetDouble()),
        System.Text.Json.JsonValueKind.True => Value.ForBool(true),
        System.Text.Json.JsonValueKind.False => Value.ForBool(false),
        System.Text.Json.JsonValueKind.Object => Value.ForStruct(Struct(json)),
        System.Text.Json.JsonValueKind.Array => Value.ForList([.. json.EnumerateArray().Select(Of)]),
        _ => Value.ForNull(),
    };
}
