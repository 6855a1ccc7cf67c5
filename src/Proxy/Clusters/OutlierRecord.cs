namespace Lateen.Proxy.Clusters;

/// <summary>What outlier detection remembers of one host. Workers count atomically; ejecting is the main loop's.</summary>
public sealed class OutlierRecord
{
    internal int Consecutive5xxCount, ConsecutiveGatewayCount, ConsecutiveLocalCount;
    internal long RequestTotal, RequestSuccess, LocalTotal, LocalSuccess;

    /// <summary>Times ejected so far in a row; shrinks by one each healthy interval.</summary>
    public uint EjectTimes { get; internal set; }

    /// <summary>How often it was ejected.</summary>
    public uint Ejections { get; internal set; }

    /// <summary>When the last ejection began, microseconds of the main loop; 0 for never.</summary>
    public long EjectedAt { get; internal set; }

    /// <summary>When the last one ended.</summary>
    public long UnejectedAt { get; internal set; }

    /// <summary>Jitter of the running ejection.</summary>
    public long JitterMicros { get; internal set; }

    /// <summary>Percent of the last interval; -1 where there were too few.</summary>
    public double SuccessRate { get; internal set; } = -1;

    /// <summary>Percent of the last interval for local failures; -1 where there were too few.</summary>
    public double LocalSuccessRate { get; internal set; } = -1;
}
