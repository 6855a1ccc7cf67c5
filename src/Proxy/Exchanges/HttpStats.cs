using Lateen.Proxy.Http;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Exchanges;

/// <summary>What is counted of a connection manager (<c>http.PREFIX.</c>). The name in lower case with underscores is Envoy's.</summary>
public enum HttpStat : byte
{
    DownstreamCxDelayedCloseTimeout,
    DownstreamCxDestroy,
    DownstreamCxDestroyActiveRq,
    DownstreamCxDestroyLocal,
    DownstreamCxDestroyLocalActiveRq,
    DownstreamCxDestroyRemote,
    DownstreamCxDestroyRemoteActiveRq,
    DownstreamCxDrainClose,
    DownstreamCxHttp1SoftDrain,
    DownstreamCxHttp1Total,
    DownstreamCxHttp2Total,
    DownstreamCxHttp3Total,
    DownstreamCxIdleTimeout,
    DownstreamCxMaxDurationReached,
    DownstreamCxMaxRequestsReached,
    DownstreamCxOverloadDisableKeepalive,
    DownstreamCxProtocolError,
    DownstreamCxRxBytesTotal,
    DownstreamCxSslTotal,
    DownstreamCxTotal,
    DownstreamCxTxBytesTotal,
    DownstreamCxUpgradesTotal,
    DownstreamFlowControlPausedReadingTotal,
    DownstreamFlowControlResumedReadingTotal,
    DownstreamRq1xx,
    DownstreamRq2xx,
    DownstreamRq3xx,
    DownstreamRq4xx,
    DownstreamRq5xx,
    DownstreamRqCompleted,
    DownstreamRqFailedPathNormalization,
    DownstreamRqHeaderTimeout,
    DownstreamRqHttp1Total,
    DownstreamRqHttp2Total,
    DownstreamRqHttp3Total,
    DownstreamRqIdleTimeout,
    DownstreamRqMaxDurationReached,
    DownstreamRqNonRelativePath,
    DownstreamRqOverloadClose,
    DownstreamRqRedirectedWithNormalizedPath,
    DownstreamRqRejectedViaIpDetection,
    DownstreamRqResponseBeforeRqComplete,
    DownstreamRqRxReset,
    DownstreamRqTimeout,
    DownstreamRqTooLarge,
    DownstreamRqTooManyPrematureResets,
    DownstreamRqTotal,
    DownstreamRqTxReset,
    DownstreamRqWsOnNonWsRoute,
    RsTooLarge,
    NoCluster,
    NoRoute,
    PassthroughInternalRedirectBadLocation,
    PassthroughInternalRedirectNoRoute,
    PassthroughInternalRedirectPredicate,
    PassthroughInternalRedirectTooManyRedirects,
    PassthroughInternalRedirectUnsafeScheme,
    RqDirectResponse,
    RqRedirect,
    RqResetAfterDownstreamResponseStarted,
    RqRetrySkippedRequestNotComplete,
    RqOverloadLocalReply,
    RqTotal,
    DownstreamCxActive,
    DownstreamCxHttp1Active,
    DownstreamCxHttp2Active,
    DownstreamCxHttp3Active,
    DownstreamCxRxBytesBuffered,
    DownstreamCxSslActive,
    DownstreamCxTxBytesBuffered,
    DownstreamCxUpgradesActive,
    DownstreamRqActive,
    DownstreamCxLengthMs,
    DownstreamRqTime,
}

/// <summary>Schemas of what connection managers count.</summary>
public static class HttpStats
{
    /// <summary>Of the manager: counters, then gauges, then histograms.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<HttpStat>(s => s >= HttpStat.DownstreamCxLengthMs
        ? StatKind.Histogram : s >= HttpStat.DownstreamCxActive ? StatKind.Gauge : StatKind.Counter);

    /// <summary>Of a listener, by manager: statuses from 1xx to 5xx, and all.</summary>
    public static readonly StatSchema OfListener = StatSchema.Counters("downstream_rq_1xx", "downstream_rq_2xx", "downstream_rq_3xx",
        "downstream_rq_4xx", "downstream_rq_5xx", "downstream_rq_completed");

    /// <summary>Adds one.</summary>
    public static void Count(this StatCells cells, HttpStat stat) => cells.Count((int)stat);

    /// <summary>Adds to a counter.</summary>
    public static void Add(this StatCells cells, HttpStat stat, long by) => cells.Add((int)stat, by);

    /// <summary>Moves a gauge.</summary>
    public static void Move(this StatCells cells, HttpStat stat, long by) => cells.Move((int)stat, by);

    /// <summary>Records a value.</summary>
    public static void Record(this StatCells cells, HttpStat stat, long value) => cells.Record((int)stat, value);

    /// <summary>An answer's status.</summary>
    internal static void CountAnswer(HttpConnection connection, int status)
    {
        if (status is < 100 or > 599)
            return;
        int kind = status / 100 - 1;
        connection.Stats.Count((int)HttpStat.DownstreamRq1xx + kind);
        connection.Stats.Count(HttpStat.DownstreamRqCompleted);
        connection.ListenerStats.Count(kind);
        connection.ListenerStats.Count(5);
    }
}
