using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Clusters;

/// <summary>What is counted of a cluster. The name in lower case with underscores is Envoy's.</summary>
public enum ClusterCounter : byte
{
    UpstreamCxTotal,
    UpstreamCxHttp1Total,
    UpstreamCxHttp2Total,
    UpstreamCxHttp3Total,
    UpstreamCxConnectFail,
    UpstreamCxConnectTimeout,
    UpstreamCxConnectAttemptsExceeded,
    UpstreamCxOverflow,
    UpstreamCxPoolOverflow,
    UpstreamCxDestroy,
    UpstreamCxDestroyLocal,
    UpstreamCxDestroyRemote,
    UpstreamCxDestroyWithActiveRq,
    UpstreamCxDestroyLocalWithActiveRq,
    UpstreamCxDestroyRemoteWithActiveRq,
    UpstreamCxCloseNotify,
    UpstreamCxIdleTimeout,
    UpstreamCxMaxDurationReached,
    UpstreamCxMaxRequests,
    UpstreamCxNoneHealthy,
    UpstreamCxProtocolError,
    UpstreamCxRxBytesTotal,
    UpstreamCxTxBytesTotal,
    UpstreamRqTotal,
    UpstreamRqTimeout,
    UpstreamRqPerTryTimeout,
    UpstreamRqPerTryIdleTimeout,
    UpstreamRqMaxDurationReached,
    UpstreamRqRxReset,
    UpstreamRqTxReset,
    UpstreamRqCancelled,
    UpstreamRqMaintenanceMode,
    UpstreamRqPendingTotal,
    UpstreamRqPendingOverflow,
    UpstreamRqPendingFailureEject,
    UpstreamRqRetry,
    UpstreamRqRetrySuccess,
    UpstreamRqRetryOverflow,
    UpstreamRqRetryLimitExceeded,
    UpstreamRqRetryBackoffExponential,
    UpstreamRqRetryBackoffRatelimited,
    UpstreamRqDropOverload,
    UpstreamRqDroppedByExhaustedFlowControl,
    UpstreamInternalRedirectSucceededTotal,
    UpstreamInternalRedirectFailedTotal,
    UpstreamFlowControlPausedReadingTotal,
    UpstreamFlowControlResumedReadingTotal,
    UpstreamFlowControlBackedUpTotal,
    UpstreamFlowControlDrainedTotal,
    RetryOrShadowAbandoned,
    AssignmentStale,
    AssignmentTimeoutReceived,
    AssignmentUseCached,
    InitFetchTimeout,
    UpdateRejected,
    BindErrors,
    MembershipChange,
    UpdateAttempt,
    UpdateSuccess,
    UpdateFailure,
    UpdateEmpty,
    UpdateNoRebuild,
    OriginalDstHostInvalid,
    LbHealthyPanic,
    LbRecalculateZoneStructures,
    LbLocalClusterNotOk,
    LbZoneClusterTooSmall,
    LbZoneNoCapacityLeft,
    LbZoneNumberDiffers,
    LbZoneRoutingAllDirectly,
    LbZoneRoutingSampled,
    LbZoneRoutingCrossZone,
    LbSubsetsCreated,
    LbSubsetsRemoved,
    LbSubsetsSelected,
    LbSubsetsFallback,
    LbSubsetsFallbackPanic,
    OutlierEjectionsConsecutive5xx,
    OutlierEjectionsSuccessRate,
    OutlierEjectionsTotal,
    OutlierEjectionsEnforcedTotal,
    OutlierEjectionsOverflow,
    OutlierEjectionsEnforcedConsecutive5xx,
    OutlierEjectionsDetectedConsecutive5xx,
    OutlierEjectionsEnforcedConsecutiveGatewayFailure,
    OutlierEjectionsDetectedConsecutiveGatewayFailure,
    OutlierEjectionsEnforcedConsecutiveLocalOriginFailure,
    OutlierEjectionsDetectedConsecutiveLocalOriginFailure,
    OutlierEjectionsEnforcedSuccessRate,
    OutlierEjectionsDetectedSuccessRate,
    OutlierEjectionsEnforcedLocalOriginSuccessRate,
    OutlierEjectionsDetectedLocalOriginSuccessRate,
    OutlierEjectionsEnforcedFailurePercentage,
    OutlierEjectionsDetectedFailurePercentage,
    OutlierEjectionsEnforcedLocalOriginFailurePercentage,
    OutlierEjectionsDetectedLocalOriginFailurePercentage,
    HealthCheckAttempt,
    HealthCheckSuccess,
    HealthCheckFailure,
    HealthCheckPassiveFailure,
    HealthCheckNetworkFailure,
    HealthCheckVerifyCluster,
}

/// <summary>What a cluster has at the moment.</summary>
public enum ClusterGauge : byte
{
    UpstreamCxActive,
    UpstreamRqActive,
    UpstreamRqPendingActive,
    UpstreamCxRxBytesBuffered,
    UpstreamCxTxBytesBuffered,
}

/// <summary>Values whose spread is told.</summary>
public enum ClusterHistogram : byte
{
    UpstreamCxConnectMs,
    UpstreamCxLengthMs,
    UpstreamRqTime,
    ExternalUpstreamRqTime,
    InternalUpstreamRqTime,
    CanaryUpstreamRqTime,
}

/// <summary>One worker's counters of one cluster: written by that worker alone, read by anyone.</summary>
/// <param name="cells">Its cells.</param>
/// <param name="stats">All of the cluster.</param>
/// <param name="worker">Whose they are.</param>
public sealed class ClusterCounters(StatCells cells, ClusterStats stats, int worker)
{
    private const int Gauges = (int)ClusterCounter.HealthCheckVerifyCluster + 1,
        Histograms = Gauges + (int)ClusterGauge.UpstreamCxTxBytesBuffered + 1;

    /// <summary>Names and kinds, in the order of the enums.</summary>
    internal static readonly StatSchema Schema = new(
    [
        .. Enum.GetValues<ClusterCounter>().Select(c => (NameOf(c.ToString()), StatKind.Counter)),
        .. Enum.GetValues<ClusterGauge>().Select(g => (NameOf(g.ToString()), StatKind.Gauge)),
        .. Enum.GetValues<ClusterHistogram>().Select(h => (NameOf(h.ToString()), StatKind.Histogram)),
    ]);

    // Some have a part of their own in front.
    private static string NameOf(string name)
    {
        string text = StatSchema.Snake(name);
        foreach (string part in (ReadOnlySpan<string>)["external", "internal", "canary"])
        {
            if (text.StartsWith(part + "_upstream", StringComparison.Ordinal))
                return $"{part}.{text[(part.Length + 1)..]}";
        }
        return text.StartsWith("outlier_", StringComparison.Ordinal) ? "outlier_detection." + text["outlier_".Length..]
            : text.StartsWith("health_check_", StringComparison.Ordinal) ? "health_check." + text["health_check_".Length..]
            : text;
    }

    /// <summary>Adds one.</summary>
    public void Count(ClusterCounter counter) => cells.Count((int)counter);

    /// <summary>Counts the answer to a request that the proxy made itself: such are internal.</summary>
    public void CountCode(int status) => stats.CountAnswer(worker, status, isInternal: true, canary: false);

    /// <summary>Adds some.</summary>
    public void Add(ClusterCounter counter, long amount) => cells.Add((int)counter, amount);

    /// <summary>Moves a gauge.</summary>
    public void Move(ClusterGauge gauge, long by) => cells.Move(Gauges + (int)gauge, by);

    /// <summary>Records a value.</summary>
    public void Record(ClusterHistogram histogram, long value) => cells.Record(Histograms + (int)histogram, value);

    /// <summary>Its value.</summary>
    public long this[ClusterCounter counter] => cells[(int)counter];

    /// <summary>Its value.</summary>
    public long this[ClusterGauge gauge] => cells[Gauges + (int)gauge];
}
