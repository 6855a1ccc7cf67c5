using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Http;

/// <summary>What codecs count: <c>http1.*</c> and <c>http2.*</c> of the process for clients, of a cluster for upstreams. Names are
/// Envoy's.</summary>
public static class CodecStats
{
    /// <summary>HTTP/1.</summary>
    public static readonly StatSchema One = StatSchema.Counters("dropped_headers_with_underscores", "metadata_not_supported_error",
        "requests_rejected_with_underscores_in_headers", "response_flood");

    private static readonly string[] Counters =
    [
        "deferred_stream_close", "dropped_headers_with_underscores", "goaway_sent", "header_overflow", "headers_cb_no_stream",
        "inbound_empty_frames_flood", "inbound_priority_frames_flood",
        "inbound_window_update_frames_flood", "keepalive_timeout", "metadata_empty_frames", "outbound_control_flood", "outbound_flood",
        "requests_rejected_with_underscores_in_headers",
        "rx_messaging_error", "rx_reset", "stream_refused_errors", "trailers", "tx_flush_timeout", "tx_reset",
    ];

    /// <summary>HTTP/2 of clients.</summary>
    public static readonly StatSchema Two =
        new([.. Counters.Select(n => (n, StatKind.Counter)), ("outbound_control_frames_active", StatKind.Gauge),
            ("outbound_frames_active", StatKind.Gauge), ("pending_send_bytes", StatKind.Gauge), ("streams_active", StatKind.Gauge)]);

    /// <summary>HTTP/2 of upstreams: with the codec that was chosen.</summary>
    public static readonly StatSchema TwoUpstream = new([.. Two.Members, ("nghttp2_upstream_connections", StatKind.Counter)]);

    /// <summary>Where <c>nghttp2_upstream_connections</c> stands.</summary>
    public static readonly int UpstreamConnections = Two.Members.Count;

    /// <summary>Where the gauge <c>streams_active</c> stands.</summary>
    public static readonly int StreamsActive = Two.Members.Count - 1;

    /// <summary>Counts an event.</summary>
    public static void Count(StatCells one, StatCells two, HttpVersion version, CodecEvent what)
    {
        if (version != HttpVersion.Http2)
        {
            int index = what switch { CodecEvent.DroppedUnderscore => 0, CodecEvent.RejectedUnderscore => 2, _ => -1 };
            if (index >= 0)
                one.Count(index);
            return;
        }
        int at = what switch
        {
            CodecEvent.DroppedUnderscore => 1,
            CodecEvent.HeaderOverflow => 3,
            CodecEvent.HeadersCallbackFailure => 4,
            CodecEvent.InboundEmptyFramesFlood => 5,
            CodecEvent.InboundPriorityFramesFlood => 6,
            CodecEvent.InboundWindowUpdateFramesFlood => 7,
            CodecEvent.KeepAliveTimeout => 8,
            CodecEvent.OutboundControlFlood => 10,
            CodecEvent.OutboundFlood => 11,
            CodecEvent.RejectedUnderscore => 12,
            CodecEvent.RxMessagingError => 13,
            CodecEvent.RxReset => 14,
            CodecEvent.Trailers => 16,
            CodecEvent.TxReset => 18,
            _ => -1,
        };
        if (at >= 0)
            two.Count(at);
    }
}
