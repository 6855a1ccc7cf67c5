using System.Buffers.Text;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Exchanges;

/// <summary>An answer of the proxy's own.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="details">Envoy's words for the log.</param>
public readonly ref struct LocalReply(int status, string details)
{
    /// <summary>The HTTP status; a gRPC client gets 200 and a gRPC status.</summary>
    public int Status { get; } = status;

    /// <summary>Envoy's words for the log.</summary>
    public string Details { get; } = details;

    /// <summary>The body; a gRPC client gets it as message.</summary>
    public ReadOnlySpan<byte> Body { get; init; }

    /// <summary>Flags to set.</summary>
    public ResponseFlags Flags { get; init; }

    /// <summary>Flags that logs show but the answer's own format does not.</summary>
    public ResponseFlags LateFlags { get; init; }

    /// <summary>The gRPC status; null derives it from the HTTP status.</summary>
    public int? GrpcStatus { get; init; }

    /// <summary>Further headers; each replaces one of its name. Null for none.</summary>
    public HeaderMap? Headers { get; init; }

    /// <summary>The type in place of text/plain; null for that.</summary>
    public string? ContentType { get; init; }
}

/// <summary>Every answer that the proxy makes by itself: its status, body, flags and details, on one screen, and how it is written for HTTP
/// and gRPC clients.</summary>
public static class Replies
{
    private static readonly HeaderMap Overloaded = Of("x-envoy-overloaded"u8, "true"u8);
    private static readonly HeaderMap DropOverload = Of("x-envoy-unconditional-drop-overload"u8, "true"u8);

    // ---- before routing

    /// <summary>The codec refused the request.</summary>
    public static void BadRequest(Exchange exchange, int status, string detail, ResponseFlags flags) =>
        exchange.Reply(new LocalReply(status, detail)
        {
            LateFlags = flags,
            Body = detail switch
            {
                "request_header_timeout" => "request header timeout"u8,
                _ => Reasons.Of(status),
            },
        });

    /// <summary>No Host.</summary>
    public static void MissingHost(Exchange exchange)
    {
        exchange.Reply(new LocalReply(400, "missing_host_header"));
    }

    /// <summary>The client's address could not be detected where it must be.</summary>
    public static void AddressUndetected(Exchange exchange, int status)
    {
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqRejectedViaIpDetection);
        exchange.Reply(new LocalReply(status, "rejecting_because_detection_failed"));
    }

    /// <summary>The path is none, or cannot be normalized.</summary>
    public static void BadPath(Exchange exchange, string details)
    {
        if (details == "path_normalization_failed")
        {
            exchange.Connection.Stats.Count(HttpStat.DownstreamRqFailedPathNormalization);
            exchange.CloseConnection();
        }
        else
        {
            exchange.Connection.Stats.Count(HttpStat.DownstreamRqNonRelativePath);
        }
        exchange.Reply(new LocalReply(details == "absolute_path_rejected" ? 404 : 400, details));
    }

    /// <summary>An upgrade that is not taken here.</summary>
    public static void UpgradeRefused(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqWsOnNonWsRoute);
        exchange.Stream.CloseAfterResponse();
        exchange.Reply(new LocalReply(403, "upgrade_failed"));
    }

    /// <summary>No new requests for now.</summary>
    public static void Overload(Exchange exchange) => exchange.Reply(new LocalReply(503, "overload") { Body = "envoy overloaded"u8 });

    /// <summary>The worker is behind by more than it may be, and this request is of the share that gives way.</summary>
    public static void TooLate(Exchange exchange) =>
        exchange.Reply(new LocalReply(503, "overload")
        {
            Body = "envoy overloaded"u8,
            Flags = ResponseFlags.OverloadTerminated,
            Headers = Overloaded,
        });

    /// <summary>A filter's settings have not come by discovery.</summary>
    public static void FilterMissing(Exchange exchange) =>
        exchange.Reply(new LocalReply(500, "filter_config_not_found") { Flags = ResponseFlags.NoFilterConfigFound });

    // ---- routing

    /// <summary>No route configuration came yet.</summary>
    public static void NoRouteTable(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.NoRoute);
        exchange.Reply(new LocalReply(404, "route_not_found") { Flags = ResponseFlags.NoRouteFound });
    }

    /// <summary>No route matches.</summary>
    public static void NoRoute(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.NoRoute);
        exchange.Reply(new LocalReply(404, "route_not_found") { Flags = ResponseFlags.NoRouteFound });
    }

    /// <summary>The route's cluster is unknown.</summary>
    public static void NoCluster(Exchange exchange, int status)
    {
        exchange.Connection.Stats.Count(HttpStat.NoCluster);
        exchange.Reply(new LocalReply(status, "cluster_not_found") { Flags = ResponseFlags.NoClusterFound });
    }

    // ---- balancing and the upstream

    /// <summary>No host may be used.</summary>
    public static void NoHealthyHost(Exchange exchange) =>
        exchange.Reply(new LocalReply(503, "no_healthy_upstream")
        {
            Body = "no healthy upstream"u8,
            Flags = ResponseFlags.NoHealthyUpstream,
        });

    /// <summary>The name that the request is meant for has no address.</summary>
    public static void NameUnknown(Exchange exchange, Clusters.Resolution.NameState state, string failure) => exchange.Reply(state switch
    {
        Clusters.Resolution.NameState.Full => new LocalReply(503, "dns_cache_overflow") { Body = "DNS cache overflow"u8 },
        Clusters.Resolution.NameState.Crowded =>
            new LocalReply(503, "dynamic_forward_proxy_pending_request_overflow") { Body =
                "Dynamic forward proxy pending request overflow"u8 },
        _ => new LocalReply(503, $"dns_resolution_failure{{{failure.Replace(' ', '_')}}}")
        {
            Body = "DNS resolution failure"u8,
            Flags = ResponseFlags.DnsResolutionFailed,
        },
    });

    /// <summary>Discovery wants some requests dropped.</summary>
    public static void Dropped(Exchange exchange) => exchange.Reply(
        new LocalReply(503, "unconditional_drop_overload")
        {
            Body = "unconditional drop overload"u8,
            Flags = ResponseFlags.UnconditionalDropOverload,
            Headers = DropOverload,
        });

    /// <summary>The upstream gave no answer, or broke it off. <paramref name="cause"/> tells how; <paramref name="retried"/> that it was
    /// not the first attempt.</summary>
    public static void UpstreamFailed(Exchange exchange, UpstreamCause cause, bool retried, string? transportFailure, bool addOverloaded,
        bool informed = false)
    {
        ByteBuffer text = exchange.Connection.Scratch;
        text.Clear();
        if (exchange.ResponseStarted)
        {
            exchange.Reply(new LocalReply(cause.Status, Details(cause, false, transportFailure)) { Flags = cause.Flag });
            return;
        }
        text.Append(retried
            ? "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: "u8
            : "upstream connect error or disconnect/reset before headers. reset reason: "u8);
        text.Append(cause.Text);
        exchange.Reply(new LocalReply(cause.Status, Details(cause, !informed, transportFailure))
        {
            Body = text.Written,
            Flags = cause.Flag,
            Headers = addOverloaded && cause == UpstreamCause.Overflow ? Overloaded : null,
        });
    }

    private static string Details(UpstreamCause cause, bool before, string? transportFailure)
    {
        // Refused connections are the one common cause with words of the transport; the others are made once.
        if (transportFailure is { Length: > 0 } && before)
            return $"upstream_reset_before_response_started{{{cause.Code}|{transportFailure.Replace(' ', '_')}}}";
        return before ? cause.Before : cause.After;
    }

    /// <summary>The route's time is up.</summary>
    public static void RouteTimeout(Exchange exchange, int? alternative) => exchange.Reply(alternative is { } status
        ? new LocalReply(status, "response_timeout") { Flags = ResponseFlags.UpstreamRequestTimeout }
        : new LocalReply(504, "response_timeout") { Body = "upstream request timeout"u8, Flags = ResponseFlags.UpstreamRequestTimeout });

    /// <summary>One attempt's time is up, and there is no other.</summary>
    public static void TryTimeout(Exchange exchange, bool idle, int? alternative) => exchange.Reply(
        new LocalReply(alternative ?? 504, idle ? "upstream_per_try_idle_timeout" : "upstream_per_try_timeout")
        {
            Body = alternative is null ? "upstream request timeout"u8 : default,
            Flags = idle ? ResponseFlags.StreamIdleTimeout : ResponseFlags.UpstreamRequestTimeout,
        });

    /// <summary>The cluster's limit of a stream is over.</summary>
    public static void UpstreamStreamTooLong(Exchange exchange) => exchange.Reply(
        new LocalReply(504, "upstream_max_stream_duration_reached")
        {
            Body = "upstream max stream duration reached"u8,
            Flags = ResponseFlags.UpstreamMaxStreamDurationReached,
        });

    // ---- the client's side

    /// <summary>Nothing moved for too long.</summary>
    public static void StreamIdle(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqIdleTimeout);
        // The answer is complete and only the client does not take it: that is no failure of the exchange.
        if (exchange.ResponseComplete)
            exchange.ResetStream(ResetReason.Local);
        else
            exchange.Reply(new LocalReply(exchange.RequestComplete ? 504 : 408, "stream_idle_timeout")
            {
                Body = "stream timeout"u8,
                Flags = ResponseFlags.StreamIdleTimeout,
            });
    }

    /// <summary>The request did not come whole in time.</summary>
    public static void RequestTimeout(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqTimeout);
        exchange.CloseConnection();
        exchange.Reply(new LocalReply(408, "request_overall_timeout") { Body = "request timeout"u8 });
    }

    /// <summary>The stream lasted too long.</summary>
    public static void StreamTooLong(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqMaxDurationReached);
        exchange.Reply(new LocalReply(exchange.RequestComplete ? 504 : 408, "max_duration_timeout")
        {
            Body = "downstream duration timeout"u8,
            GrpcStatus = 4,
        });
    }

    /// <summary>A filter had to buffer more than the limit.</summary>
    public static void TooLarge(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.DownstreamRqTooLarge);
        exchange.Reply(new LocalReply(413, "request_payload_too_large") { Body = "Payload Too Large"u8 });
    }

    /// <summary>A filter had to buffer more of the answer than the limit.</summary>
    public static void ResponseTooLarge(Exchange exchange)
    {
        exchange.Connection.Stats.Count(HttpStat.RsTooLarge);
        exchange.Reply(new LocalReply(500, "response_payload_too_large") { Body = "Internal Server Error"u8 });
    }

    /// <summary>A retry was due but the request's body had not been kept.</summary>
    public static void RetryBufferExceeded(Exchange exchange) =>
        exchange.Reply(new LocalReply(507, "request_payload_exceeded_retry_buffer_limit")
        {
            Body = "exceeded request buffer limit while retrying upstream"u8,
            Flags = ResponseFlags.UpstreamConnectionTermination,
        });

    // ---- writing

    /// <summary>Fills the head and starts the answer through the filters. From <see cref="Exchange.Reply"/> alone.</summary>
    internal static void Write(Exchange exchange, in LocalReply reply, HeaderMap head)
    {
        head.Clear();
        int status = reply.Status;
        // A bad request may have a body that nobody understood: where messages' errors are not the stream's alone, the connection ends (as
        // Envoy does for any 400 of its own).
        CodecOptions codec = exchange.Options.Codec;
        if (status == 400 && !(codec.One.StreamErrorOnInvalidMessage ?? codec.StreamErrorOnInvalidMessage))
            exchange.CloseConnection();
        string? type = reply.ContentType;
        ByteBuffer body = exchange.ReplyText;
        body.Clear();
        body.Append(reply.Body);
        exchange.LocalBody.Clear();
        exchange.LocalBody.Append(reply.Body);
        exchange.Announce(status);
        head.Add(KnownHeader.Status, StatusText(status));
        if (reply.Headers is { } more)
            Overlay(head, more);
        if (exchange.AttemptCount > 0)
            SetNumber(head, KnownHeader.XEnvoyAttemptCount, exchange.AttemptCount);
        RouteHeaders.FinishResponse(exchange, head);
        if (exchange.IsGrpc)
        {
            WriteGrpc(exchange, reply, head, body, status);
            return;
        }
        exchange.Options.LocalReplies?.Rewrite(exchange, ref status, head, body, ref type);
        exchange.AddFlag(reply.LateFlags);
        head.Set(KnownHeader.Status, StatusText(status));
        if (body.Length > 0)
        {
            SetNumber(head, KnownHeader.ContentLength, body.Length);
            if (!head.Has(KnownHeader.ContentType) || type is not null)
                head.Set(KnownHeader.ContentType, type is null ? "text/plain"u8 : System.Text.Encoding.Latin1.GetBytes(type));
        }
        else
        {
            // An empty answer's length is said by the HTTP/1 codec alone.
            head.Remove(KnownHeader.ContentType);
        }
        if (!exchange.RequestComplete)
            exchange.CloseConnection();
        // Formats of this answer could quote it; logs can't.
        exchange.LocalBody.Clear();
        exchange.RespondLocally(head, status, exchange.IsHead ? default : body.Written);
    }

    private static void WriteGrpc(Exchange exchange, in LocalReply reply, HeaderMap head, ByteBuffer body, int status)
    {
        string? type = null;
        int before = status;
        // The rules may choose another status, from which the gRPC one follows; the body stays the message.
        exchange.Options.LocalReplies?.Rewrite(exchange, ref status, head, body, ref type);
        exchange.AddFlag(reply.LateFlags);
        Span<byte> number = stackalloc byte[11];
        Utf8Formatter.TryFormat(before == status && reply.GrpcStatus is { } given ? given : Formats.GrpcStatus.FromHttp(status), number,
            out int n);
        head.Set(KnownHeader.Status, "200"u8);
        head.Set(KnownHeader.ContentType, "application/grpc"u8);
        head.Set(KnownHeader.GrpcStatus, number[..n]);
        if (body.Length > 0 && !exchange.IsHead)
            Escape(head, exchange.Options.LocalReplies is null ? body.Written : body.Written.TrimEnd((byte)'\n'));
        if (!exchange.RequestComplete)
            exchange.CloseConnection();
        exchange.RespondLocally(head, 200, default);
    }

    // grpc-message is percent-encoded outside of 0x20-0x7e, and the percent sign itself (gRPC over HTTP/2, "Responses").
    private static void Escape(HeaderMap head, ReadOnlySpan<byte> message)
    {
        if (message.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7e) < 0 && !message.Contains((byte)'%'))
        {
            head.Set(KnownHeader.GrpcMessage, message);
            return;
        }
        var escaped = new ByteBuffer(message.Length * 3);
        foreach (byte b in message)
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%')
                escaped.Append(b);
            else
                escaped.Append($"%{b:X2}");
        }
        head.Set(KnownHeader.GrpcMessage, escaped.Written);
    }

    private static void Overlay(HeaderMap head, HeaderMap more)
    {
        for (int i = 0; i < more.End; i++)
        {
            if (!more.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                continue;
            if (known is KnownHeader.SetCookie)
                head.Add(known, value);
            else if (known != KnownHeader.None)
                head.Set(known, value);
            else
                head.Add(name, value);
        }
    }

    private static void SetNumber(HeaderMap head, KnownHeader header, int value)
    {
        Span<byte> number = stackalloc byte[11];
        Utf8Formatter.TryFormat(value, number, out int n);
        head.Set(header, number[..n]);
    }

    /// <summary>A status as its three digits.</summary>
    public static ReadOnlySpan<byte> StatusText(int status) => Reasons.Digits(status);

    private static HeaderMap Of(ReadOnlySpan<byte> header, ReadOnlySpan<byte> value)
    {
        var map = new HeaderMap();
        map.Add(header, value);
        return map;
    }
}

/// <summary>How an upstream failed: the words of bodies and details, status and flag.</summary>
/// <param name="Text">In bodies.</param>
/// <param name="Status">The answer.</param>
/// <param name="Flag">In logs.</param>
public sealed record UpstreamCause(string Text, int Status, ResponseFlags Flag)
{
    /// <summary>A limit of ours.</summary>
    public static readonly UpstreamCause Overflow = new("overflow", 503, ResponseFlags.UpstreamOverflow);

    /// <summary>The connect failed here.</summary>
    public static readonly UpstreamCause LocalConnectionFailure =
        new("local connection failure", 503, ResponseFlags.UpstreamConnectionFailure);

    /// <summary>The connect was refused, or its TLS failed.</summary>
    public static readonly UpstreamCause RemoteConnectionFailure =
        new("remote connection failure", 503, ResponseFlags.UpstreamConnectionFailure);

    /// <summary>The connect took too long.</summary>
    public static readonly UpstreamCause ConnectionTimeout = new("connection timeout", 503, ResponseFlags.UpstreamConnectionFailure);

    /// <summary>The connection ended.</summary>
    public static readonly UpstreamCause ConnectionTermination =
        new("connection termination", 503, ResponseFlags.UpstreamConnectionTermination);

    /// <summary>The stream was reset by us.</summary>
    public static readonly UpstreamCause LocalReset = new("local reset", 503, ResponseFlags.LocalReset);

    /// <summary>The stream was refused by us.</summary>
    public static readonly UpstreamCause LocalRefused = new("local refused stream reset", 503, ResponseFlags.LocalReset);

    /// <summary>The stream was reset by the host.</summary>
    public static readonly UpstreamCause RemoteReset = new("remote reset", 503, ResponseFlags.UpstreamRemoteReset);

    /// <summary>The stream was refused by the host.</summary>
    public static readonly UpstreamCause RemoteRefused = new("remote refused stream reset", 503, ResponseFlags.UpstreamRemoteReset);

    /// <summary>The host broke the protocol.</summary>
    public static readonly UpstreamCause ProtocolError = new("protocol error", 502, ResponseFlags.UpstreamProtocolError);

    /// <summary>CONNECT_ERROR.</summary>
    public static readonly UpstreamCause ConnectError = new("remote error with CONNECT request", 503, ResponseFlags.UpstreamRemoteReset);

    /// <summary>As it stands in details.</summary>
    public string Code { get; } = Text.Replace(' ', '_');

    /// <summary>Details of a failure before the answer began.</summary>
    public string Before { get; } = $"upstream_reset_before_response_started{{{Text.Replace(' ', '_')}}}";

    /// <summary>Details of a failure within the answer.</summary>
    public string After { get; } = $"upstream_reset_after_response_started{{{Text.Replace(' ', '_')}}}";
}

/// <summary>Digits and reason phrases of statuses.</summary>
public static class Reasons
{
    private static readonly byte[][] AllDigits = [.. Enumerable.Range(0, 1000)
        .Select(i => System.Text.Encoding.ASCII.GetBytes(i.ToString("D3", System.Globalization.CultureInfo.InvariantCulture)))];

    /// <summary>Three digits.</summary>
    public static ReadOnlySpan<byte> Digits(int status) => (uint)status < 1000 ? AllDigits[status] : "000"u8;

    /// <summary>The phrase of a status that the codecs refuse with.</summary>
    public static ReadOnlySpan<byte> Of(int status) => status switch
    {
        400 => "Bad Request"u8,
        408 => "Request Timeout"u8,
        413 => "Payload Too Large"u8,
        417 => "Expectation Failed"u8,
        426 => "Upgrade Required"u8,
        431 => "Request Header Fields Too Large"u8,
        500 => "Internal Server Error"u8,
        501 => "Not Implemented"u8,
        503 => "Service Unavailable"u8,
        _ => "Unknown"u8,
    };
}
