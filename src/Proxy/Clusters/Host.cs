using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters;

/// <summary>What a host is worth to a balancer.</summary>
public enum HostHealth : byte
{
    Unhealthy,
    Degraded,
    Healthy,
}

/// <summary>Why a host is not healthy; several may hold at once.</summary>
[Flags]
public enum HostFlags
{
    None = 0,
    FailedActiveCheck = 1,
    FailedOutlierCheck = 2,
    FailedDiscovery = 4,
    DegradedActiveCheck = 8,
    DegradedDiscovery = 16,
    PendingDynamicRemoval = 32,
    PendingActiveCheck = 64,
    ExcludedByImmediateFailure = 128,
    DiscoveryDraining = 256,
    ActiveCheckTimeout = 512,
}

/// <summary>
/// A live host: it outlives the discovery answers that mention it, so that its connections, counters and health do, too. Health is written
/// by the main loop; workers read.
/// Active requests are shared by all workers, since least-request compares them.
/// </summary>
public sealed class Host
{
    private readonly object?[] _perWorker;
    private int _flags, _activeRequests, _activeConnections;
    private volatile Endpoint _endpoint;

    /// <summary>A host as discovery first saw it.</summary>
    public Host(Endpoint endpoint, Locality locality, int priority, int workers, long now)
    {
        _endpoint = endpoint;
        Locality = locality;
        Priority = priority;
        AddedAt = now;
        _perWorker = new object?[workers];
        Text = endpoint.Address.ToString();
    }

    /// <summary>What discovery says of it now.</summary>
    public Endpoint Endpoint
    {
        get => _endpoint;
        internal set => _endpoint = value;
    }

    /// <summary>Where it is.</summary>
    public Locality Locality { get; internal set; }

    /// <summary>Its priority.</summary>
    public int Priority { get; internal set; }

    /// <summary>The address, as logs print it.</summary>
    public string Text { get; }

    /// <summary>The address.</summary>
    public Address Address => _endpoint.Address;

    /// <summary>When it came, or became healthy last; slow start counts from here. Microseconds of the main loop's clock.</summary>
    public long AddedAt { get; internal set; }

    /// <summary>TLS for it (by its metadata); null is plain text.</summary>
    public UpstreamSecurity? Security { get; internal set; }

    /// <summary>Why it is not healthy.</summary>
    public HostFlags Flags => (HostFlags)Volatile.Read(ref _flags);

    /// <summary>What it is worth.</summary>
    public HostHealth Health => HealthOf(Flags);

    /// <summary>True where a request told it to be a canary (<c>envoy.lb</c> canary).</summary>
    public bool IsCanary { get; internal set; }

    /// <summary>Requests in flight on all workers.</summary>
    public int ActiveRequests => Volatile.Read(ref _activeRequests);

    /// <summary>Connections of all workers.</summary>
    public int ActiveConnections => Volatile.Read(ref _activeConnections);

    /// <summary>What outlier detection remembers; null where it is off.</summary>
    public OutlierRecord? Outlier { get; internal set; }

    /// <summary>Counters for the admin page.</summary>
    public HostCounters Counters { get; } = new();

    /// <summary>Counts a request in (+1) or out (-1).</summary>
    public void CountRequest(int change) => Interlocked.Add(ref _activeRequests, change);

    /// <summary>Counts a connection in or out.</summary>
    public void CountConnection(int change) => Interlocked.Add(ref _activeConnections, change);

    /// <summary>A worker's own things for this host (its pools).</summary>
    public ref object? OfWorker(int worker) => ref _perWorker[worker];

    /// <summary>What flags are worth.</summary>
    public static HostHealth HealthOf(HostFlags flags)
    {
        const HostFlags Bad = HostFlags.FailedActiveCheck | HostFlags.FailedOutlierCheck | HostFlags.FailedDiscovery
            | HostFlags.ExcludedByImmediateFailure;
        const HostFlags Poor = HostFlags.DegradedActiveCheck | HostFlags.DegradedDiscovery;
        return (flags & Bad) != 0 ? HostHealth.Unhealthy : (flags & Poor) != 0 ? HostHealth.Degraded : HostHealth.Healthy;
    }

    /// <summary>Sets or clears a flag; true where that changed something. Main loop only.</summary>
    public bool SetFlag(HostFlags flag, bool on)
    {
        int before = _flags, after = on ? before | (int)flag : before & ~(int)flag;
        Volatile.Write(ref _flags, after);
        return before != after;
    }
}

/// <summary>The flags as Envoy's admin page writes them.</summary>
public static class HostFlagNames
{
    private static readonly (HostFlags Flag, string Text)[] Names =
    [
        (HostFlags.FailedActiveCheck, "/failed_active_hc"), (HostFlags.FailedOutlierCheck, "/failed_outlier_check"),
        (HostFlags.FailedDiscovery, "/failed_eds_health"), (HostFlags.DiscoveryDraining, "/eds_status_draining"),
        (HostFlags.DegradedActiveCheck, "/degraded_active_hc"), (HostFlags.DegradedDiscovery, "/degraded_eds_health"),
        (HostFlags.PendingDynamicRemoval, "/pending_dynamic_removal"),
        (HostFlags.PendingActiveCheck, "/pending_active_hc"), (HostFlags.ExcludedByImmediateFailure, "/excluded_via_immediate_hc_fail"),
        (HostFlags.ActiveCheckTimeout, "/active_hc_timeout"),
    ];

    /// <summary>All that are set, or "healthy".</summary>
    public static string Text(HostFlags flags)
    {
        // Draining is told in place of failed.
        if ((flags & HostFlags.DiscoveryDraining) != 0)
            flags &= ~HostFlags.FailedDiscovery;
        string text = string.Concat(Names.Where(n => (flags & n.Flag) != 0).Select(n => n.Text));
        return text.Length == 0 ? "healthy" : text;
    }
}

/// <summary>Counters of a host, over all workers; increments are atomic.</summary>
public sealed class HostCounters
{
    private long _requests, _success, _error, _timeout, _connections, _connectFail;

    /// <summary>Requests begun.</summary>
    public long Requests => Volatile.Read(ref _requests);

    /// <summary>Answers under 500.</summary>
    public long Success => Volatile.Read(ref _success);

    /// <summary>Answers from 500, resets.</summary>
    public long Error => Volatile.Read(ref _error);

    /// <summary>Requests that took too long.</summary>
    public long Timeout => Volatile.Read(ref _timeout);

    /// <summary>Connections begun.</summary>
    public long Connections => Volatile.Read(ref _connections);

    /// <summary>Connections that failed.</summary>
    public long ConnectFail => Volatile.Read(ref _connectFail);

    /// <summary>A request began.</summary>
    public void CountRequest() => Interlocked.Increment(ref _requests);

    /// <summary>It succeeded or not.</summary>
    public void CountOutcome(bool success) => Interlocked.Increment(ref success ? ref _success : ref _error);

    /// <summary>It took too long.</summary>
    public void CountTimeout() => Interlocked.Increment(ref _timeout);

    /// <summary>A connection began.</summary>
    public void CountConnection() => Interlocked.Increment(ref _connections);

    /// <summary>A connection failed.</summary>
    public void CountConnectFail() => Interlocked.Increment(ref _connectFail);
}
