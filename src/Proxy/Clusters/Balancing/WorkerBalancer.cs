using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>One worker's balancer of one cluster: the published hosts with this worker's positions.</summary>
public sealed class WorkerBalancer
{
    private readonly Chance _chance;
    private readonly ClusterCounters _counters;
    private readonly ulong _seed;
    private readonly Dictionary<HostSet, SetBalancer> _subsets = [];
    private readonly ZonePlace? _zone;
    private ClusterView _view;
    private SetBalancer _all;
    private long _now;

    internal WorkerBalancer(ClusterView view, Chance chance, ClusterCounters counters, ZonePlace? zone = null)
    {
        _zone = zone;
        _chance = chance;
        _counters = counters;
        _seed = chance.NextULong();
        _view = view;
        _all = new SetBalancer(view.Hosts, view.Cluster.Balancer, _seed, 0, _zone);
    }

    /// <summary>Another picture of the cluster.</summary>
    internal void Adopt(ClusterView view, long now)
    {
        bool same = ReferenceEquals(view.Hosts, _view.Hosts) && ReferenceEquals(view.Cluster.Balancer, _view.Cluster.Balancer);
        _view = view;
        if (same)
            return;
        _all = new SetBalancer(view.Hosts, view.Cluster.Balancer, _seed, now, _zone);
        _subsets.Clear();
    }

    /// <summary>A host for a request; null where none may be used.</summary>
    public Host? Pick(PickInputs inputs, long now)
    {
        _now = now;
        if (inputs.Overrides.Count > 0)
        {
            foreach (Address address in inputs.Overrides)
            {
                if (_view.Hosts.Find(address) is { } host && (_view.Cluster.Balancer.OverrideSources.Count > 0 || IsAllowed(host)))
                    return host;
            }
            if (inputs.OverrideStrictly)
                return null;
        }
        // A list of further criteria is tried in turn, each over the route's own (metadata_fallback_policy); nothing else is.
        if (_view.Subsets is not null && _view.Cluster.Balancer.Subsets!.MetadataFallbackList
            && inputs.Criteria is { Fallbacks: { Count: > 0 } fallbacks })
        {
            foreach (SubsetCriteria criteria in fallbacks)
            {
                if (PickFrom(SetOf(criteria), inputs, now) is { } host)
                    return host;
            }
            return null;
        }
        return PickFrom(SetOf(inputs.Criteria), inputs, now);
    }

    private Host? PickFrom(SetBalancer? set, PickInputs inputs, long now)
    {
        if (set is null)
            return null;
        Host? last = null;
        for (int attempt = 0; attempt < Math.Max(1, inputs.AttemptsMax + 1); attempt++)
        {
            ulong hash = inputs.HasHash && set.UsesHash ? inputs.Hash : _chance.NextULong();
            last = set.Pick(hash, (uint)attempt, inputs, _chance, _counters, now);
            if (last is null || !inputs.Rejects(last))
                return last;
        }
        return last;
    }

    private bool IsAllowed(Host host)
    {
        OverrideStatuses status = host.Endpoint.Health switch
        {
            EndpointHealth.Healthy => OverrideStatuses.Healthy,
            EndpointHealth.Unhealthy => OverrideStatuses.Unhealthy,
            EndpointHealth.Draining => OverrideStatuses.Draining,
            EndpointHealth.Timeout => OverrideStatuses.Timeout,
            EndpointHealth.Degraded => OverrideStatuses.Degraded,
            _ => OverrideStatuses.Unknown,
        };
        return (_view.Cluster.Balancer.OverrideStatuses & status) != 0;
    }

    private SetBalancer? SetOf(SubsetCriteria? criteria)
    {
        if (_view.Subsets is not { } index)
            return _all;
        HostSet? hosts = index.Find(criteria, out bool fellBack);
        _counters.Count(fellBack ? ClusterCounter.LbSubsetsFallback : ClusterCounter.LbSubsetsSelected);
        if (hosts is null)
        {
            // The subset has nothing for this request: with panic_mode_any the whole cluster serves.
            if (_view.Cluster.Balancer.Subsets is not { PanicModeAny: true })
                return null;
            _counters.Count(ClusterCounter.LbSubsetsFallbackPanic);
            return _all;
        }
        if (ReferenceEquals(hosts, _view.Hosts))
            return _all;
        if (!_subsets.TryGetValue(hosts, out SetBalancer? set))
            _subsets[hosts] = set = new SetBalancer(hosts, _view.Cluster.Balancer, _seed, _now, _zone);
        return set;
    }
}
