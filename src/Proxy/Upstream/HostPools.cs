using Lateen.Proxy.Clusters;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Upstream;

/// <summary>What connections must have in common to be shared.</summary>
/// <param name="Version">The protocol; null decides by ALPN.</param>
/// <param name="Priority">Circuit breakers' priority.</param>
/// <param name="Wishes">TLS beyond the cluster's.</param>
/// <param name="Owner">The one client connection that may use it; null for any.</param>
/// <param name="Tunnel">Bytes of a terminated CONNECT instead of HTTP.</param>
public readonly record struct PoolKey(HttpVersion? Version, RoutePriority Priority, SecurityWishes Wishes, object? Owner,
    bool Tunnel = false);

/// <summary>The pools of one host on one worker; mostly there is one.</summary>
internal sealed class HostPools(WorkerCluster cluster, Host host)
{
    private readonly List<ConnectionPool> _pools = [];
    private bool _wasHealthy = true;
    private UpstreamSecurity? _security = host.Security;

    /// <summary>The pool of a kind; null where the cluster may not have another (max_connection_pools) and none of this host is
    /// idle.</summary>
    public ConnectionPool? Of(in PoolKey key)
    {
        ConnectionPool? known = null;
        foreach (ConnectionPool pool in _pools)
        {
            if (pool.Matches(key))
                known = pool;
        }
        BreakerLimits limits = cluster.Limits(key.Priority);
        if (limits.MaxPools != uint.MaxValue && known is not { IsEmpty: false } && !HasRoom(key.Priority, limits))
        {
            cluster.Counters.Count(ClusterCounter.UpstreamCxPoolOverflow);
            return null;
        }
        if (known is not null)
            return known;
        var made = new ConnectionPool(cluster, host, key);
        _pools.Add(made);
        return made;
    }

    // A pool whose connections all rest gives way; the limit counts it until they are closed.
    private bool HasRoom(RoutePriority priority, BreakerLimits limits)
    {
        if (!cluster.Use(priority).IsOpen(BreakerResource.Pools, limits))
            return true;
        ConnectionPool? idle = _pools.Find(p => p.Key.Priority == priority && p is { IsIdle: true, IsEmpty: false });
        idle?.Drain();
        return idle is not null;
    }

    /// <summary>True where the host has just become unhealthy, or its TLS changed: existing connections are not used any more.</summary>
    public bool NeedsDrain()
    {
        bool healthy = host.Health != HostHealth.Unhealthy, changed = !ReferenceEquals(_security, host.Security);
        bool drain = (_wasHealthy && !healthy) || changed;
        _wasHealthy = healthy;
        _security = host.Security;
        return drain;
    }

    public void Drain(bool forget)
    {
        foreach (ConnectionPool pool in _pools)
            pool.Drain();
        if (!forget)
            return;
        _pools.Clear();
        host.OfWorker(cluster.Upstreams.Worker.Index) = null;
    }
}
