namespace Lateen.Proxy.Clusters;

/// <summary>What is counted of a cluster. The name in lower case with underscores is Envoy's.</summary>
public enum ClusterCounter : byte
{
    UpstreamCxTotal,
    UpstreamCxHttp1Total,
    UpstreamCxHttp2Total,
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
    UpstreamRqCompleted,
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
}

/// <summary>One worker's counters of one cluster: written by that worker alone, read by anyone.</summary>
public sealed class ClusterCounters
{
    private readonly long[] _counters = new long[(int)ClusterCounter.HealthCheckVerifyCluster + 1];
    private readonly long[] _gauges = new long[(int)ClusterGauge.UpstreamRqPendingActive + 1];
    private readonly long[]?[] _codes = new long[]?[6];

    /// <summary>Adds one.</summary>
    public void Count(ClusterCounter counter) => _counters[(int)counter]++;

    /// <summary>Adds some.</summary>
    public void Add(ClusterCounter counter, long amount) => _counters[(int)counter] += amount;

    /// <summary>Moves a gauge.</summary>
    public void Move(ClusterGauge gauge, long by) => _gauges[(int)gauge] += by;

    /// <summary>Its value.</summary>
    public long this[ClusterCounter counter] => Volatile.Read(ref _counters[(int)counter]);

    /// <summary>Its value.</summary>
    public long this[ClusterGauge gauge] => Volatile.Read(ref _gauges[(int)gauge]);

    /// <summary>Counts an answer by its status.</summary>
    public void CountCode(int status)
    {
        if (status is < 100 or > 599)
            return;
        (_codes[status / 100] ??= new long[100])[status % 100]++;
    }

    /// <summary>Answers of one status.</summary>
    public long Codes(int status) => status is >= 100 and <= 599 && _codes[status / 100] is { } table ? table[status % 100] : 0;
}
