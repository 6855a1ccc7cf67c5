namespace Lateen.Proxy.Clusters;

/// <summary>When a host is ejected for what its answers were.</summary>
public sealed record OutlierOptions
{
    /// <summary>5xx in a row; 0 never.</summary>
    public uint Consecutive5xx { get; init; } = 5;

    /// <summary>502, 503, 504 in a row.</summary>
    public uint ConsecutiveGatewayFailure { get; init; } = 5;

    /// <summary>Local failures in a row, where they are counted apart.</summary>
    public uint ConsecutiveLocalOriginFailure { get; init; } = 5;

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingConsecutive5xx { get; init; } = 100;

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingConsecutiveGatewayFailure { get; init; }

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingConsecutiveLocalOriginFailure { get; init; } = 100;

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingSuccessRate { get; init; } = 100;

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingLocalOriginSuccessRate { get; init; } = 100;

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingFailurePercentage { get; init; }

    /// <summary>Percent of detections that eject.</summary>
    public uint EnforcingFailurePercentageLocalOrigin { get; init; }

    /// <summary>Between two looks, in microseconds.</summary>
    public long IntervalMicros { get; init; } = 10_000_000;

    /// <summary>Times the number of ejections is how long one lasts, in microseconds.</summary>
    public long BaseEjectionMicros { get; init; } = 30_000_000;

    /// <summary>The longest, in microseconds.</summary>
    public long MaxEjectionMicros { get; init; } = 300_000_000;

    /// <summary>Added at random, in microseconds.</summary>
    public long MaxEjectionJitterMicros { get; init; }

    /// <summary>No more than this share of hosts is out.</summary>
    public uint MaxEjectionPercent { get; init; } = 10;

    /// <summary>One host may always be ejected.</summary>
    public bool AlwaysEjectOneHost { get; init; }

    /// <summary>Hosts with enough requests that success rates need.</summary>
    public uint SuccessRateMinimumHosts { get; init; } = 5;

    /// <summary>Requests that a host needs.</summary>
    public uint SuccessRateRequestVolume { get; init; } = 100;

    /// <summary>Thousandths of the standard deviation under the mean.</summary>
    public uint SuccessRateStdevFactor { get; init; } = 1900;

    /// <summary>Failures in percent that eject.</summary>
    public uint FailurePercentageThreshold { get; init; } = 85;

    /// <summary>Hosts with enough requests.</summary>
    public uint FailurePercentageMinimumHosts { get; init; } = 5;

    /// <summary>Requests that a host needs.</summary>
    public uint FailurePercentageRequestVolume { get; init; } = 50;

    /// <summary>Local failures are counted apart from answers.</summary>
    public bool SplitLocalOrigin { get; init; }

    /// <summary>A successful active check ends an ejection.</summary>
    public bool SuccessfulCheckUnejects { get; init; } = true;
}
