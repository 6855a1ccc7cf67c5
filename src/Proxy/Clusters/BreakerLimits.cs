namespace Lateen.Proxy.Clusters;

/// <summary>The two priorities of routes, each with its limits.</summary>
public enum RoutePriority : byte
{
    Default,
    High,
}

/// <summary>What a cluster may have at once for one priority, over all workers. <see cref="uint.MaxValue"/> is no limit and costs no
/// counting.</summary>
public sealed record BreakerLimits
{
    /// <summary>Envoy's defaults.</summary>
    public static readonly BreakerLimits Default = new();

    /// <summary>Connections.</summary>
    public uint MaxConnections { get; init; } = 1024;

    /// <summary>Requests waiting for a connection.</summary>
    public uint MaxPending { get; init; } = 1024;

    /// <summary>Requests in flight.</summary>
    public uint MaxRequests { get; init; } = 1024;

    /// <summary>Retries in flight.</summary>
    public uint MaxRetries { get; init; } = 3;

    /// <summary>Connection pools.</summary>
    public uint MaxPools { get; init; } = uint.MaxValue;

    /// <summary>Gauges of what remains are kept.</summary>
    public bool TrackRemaining { get; init; }

    /// <summary>A share of the requests rather than a number; null where <see cref="MaxRetries"/> counts.</summary>
    public RetryBudget? Budget { get; init; }

    /// <summary>Connections to one host.</summary>
    public uint MaxConnectionsPerHost { get; init; } = uint.MaxValue;
}

/// <summary>Retries as a share of active requests.</summary>
/// <param name="Percent">Of active and pending requests.</param>
/// <param name="MinimumConcurrency">Always allowed.</param>
/// <param name="IntervalMicros">Requests of this window count, too; 0 counts active ones only.</param>
public sealed record RetryBudget(double Percent = 20, uint MinimumConcurrency = 3, long IntervalMicros = 0);
