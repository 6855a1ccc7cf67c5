using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>Balances over one picture of hosts (a cluster's or a subset's): priority, then place, then host.</summary>
internal sealed class SetBalancer
{
    private readonly HostSet _hosts;
    private readonly BalancerOptions _options;
    private readonly PriorityState[] _priorities;
    private readonly ZonePlace? _zone;

    public SetBalancer(HostSet hosts, BalancerOptions options, ulong seed, long now, ZonePlace? zone = null)
    {
        _zone = zone;
        _hosts = hosts;
        _options = options;
        _priorities = Array.ConvertAll(hosts.Priorities, p => new PriorityState(p, hosts.OverprovisioningFactor, options, seed, now));
    }

    /// <summary>The same hash gives the same host.</summary>
    public bool UsesHash => _options.Kind is BalancerKind.RingHash or BalancerKind.Maglev;

    /// <summary>A host; null where none may be used.</summary>
    public Host? Pick(ulong hash, uint attempt, PickInputs inputs, Chance chance, ClusterCounters counters, long now)
    {
        PriorityLoad load = inputs.Load ?? _hosts.Load;
        (int priority, bool degraded) = load.Choose(hash);
        if (priority < 0)
            return null;
        PriorityState state = _priorities[priority];
        if (load.Panic[priority])
        {
            counters.Count(ClusterCounter.LbHealthyPanic);
            return _options.FailTrafficOnPanic ? null : state.All.Pick(hash, attempt, chance, now);
        }
        if (!UsesHash && _options.LocalityWeighted && state.PickLocality(degraded) is { } place)
            return place.Pick(hash, attempt, chance, now);
        if (_zone is not null && !degraded && !UsesHash && !_options.LocalityWeighted)
            return PickByZone(state, hash, attempt, chance, counters, now);
        return (degraded ? state.Degraded : state.Healthy).Pick(hash, attempt, chance, now);
    }

    private Host? PickByZone(PriorityState state, ulong hash, uint attempt, Chance chance, ClusterCounters counters, long now)
    {
        double enabled = _options.ZoneAware?.RoutingEnabledPercent ?? 100;
        if (_zone!.Local.Current?.Hosts is not { } proxies || (enabled < 100 && chance.Below(10_000) >= enabled * 100)
            || state.ZoneOf(proxies, _zone.Own, counters, now) is not { } routing)
            return state.Healthy.Pick(hash, attempt, chance, now);
        // Proxies in panic do not know where they are.
        if (proxies.Load.TotalPanic || proxies.Load.Panic[0])
        {
            counters.Count(ClusterCounter.LbLocalClusterNotOk);
            return _options.ZoneAware?.FailTrafficOnPanic ?? false ? null : state.Healthy.Pick(hash, attempt, chance, now);
        }
        return routing.Choose(chance, counters).Pick(hash, attempt, chance, now);
    }

    /// <summary>One priority: its hosts by health, and by place where places have weights.</summary>
    private sealed class PriorityState
    {
        private readonly HostPicker[]? _healthyPlaces, _degradedPlaces;
        private readonly double[]? _healthyWeights, _degradedWeights;
        private readonly EdfSchedule? _healthySchedule, _degradedSchedule;
        private readonly PriorityHosts _hosts;
        private readonly BalancerOptions _options;
        private readonly ulong _seed;
        private HostSet? _zoneFor;
        private ZoneRouting? _zone;

        public PriorityState(PriorityHosts hosts, uint overprovisioning, BalancerOptions options, ulong seed, long now)
        {
            (_hosts, _options, _seed) = (hosts, options, seed);
            All = new HostPicker(hosts.All, HashOf(hosts, hosts.All, l => l.All, options, overprovisioning), options, seed, now);
            Healthy = new HostPicker(hosts.Healthy, HashOf(hosts, hosts.Healthy, l => l.Healthy, options, overprovisioning), options, seed,
                now);
            Degraded = new HostPicker(hosts.Degraded, HashOf(hosts, hosts.Degraded, l => l.Degraded, options, overprovisioning), options,
                seed, now);
            if (!options.LocalityWeighted)
                return;
            (_healthyPlaces, _healthyWeights, _healthySchedule) =
                Places(hosts.Localities, l => l.Healthy, overprovisioning, options, seed, now);
            (_degradedPlaces, _degradedWeights, _degradedSchedule) =
                Places(hosts.Localities, l => l.Degraded, overprovisioning, options, seed, now);
        }

        public HostPicker All { get; }

        public HostPicker Healthy { get; }

        public HostPicker Degraded { get; }

        public HostPicker? PickLocality(bool degraded)
        {
            (EdfSchedule? schedule, HostPicker[]? places, double[]? weights) =
                degraded ? (_degradedSchedule, _degradedPlaces, _degradedWeights) : (_healthySchedule, _healthyPlaces, _healthyWeights);
            if (schedule is null || schedule.Count == 0)
                return null;
            int at = schedule.Take();
            schedule.Add(at, weights![at]);
            return places![at];
        }

        public ZoneRouting? ZoneOf(HostSet proxies, Locality own, ClusterCounters counters, long now)
        {
            if (ReferenceEquals(_zoneFor, proxies))
                return _zone;
            _zoneFor = proxies;
            return _zone = ZoneRouting.Of(_hosts, proxies, own, _options, counters, _seed, now);
        }

        private static HashTable? HashOf(PriorityHosts hosts, Host[] part, Func<LocalityHosts, Host[]> select, BalancerOptions options,
            uint overprovisioning) =>
            options.Kind is BalancerKind.RingHash or BalancerKind.Maglev
                ? HashTable.Of(hosts.Localities, part, select, options, overprovisioning) : null;

        private static (HostPicker[], double[], EdfSchedule) Places(LocalityHosts[] localities, Func<LocalityHosts, Host[]> part,
            uint overprovisioning, BalancerOptions options, ulong seed, long now)
        {
            HostPicker[] pickers = Array.ConvertAll(localities, l => new HostPicker(part(l), null, options, seed, now));
            double[] weights = Array.ConvertAll(localities, l => LocalityWeight.Of(l, part(l).Length, overprovisioning));
            var schedule = new EdfSchedule(localities.Length);
            for (int i = 0; i < weights.Length; i++)
            {
                if (weights[i] > 0)
                    schedule.Add(i, weights[i]);
            }
            return (pickers, weights, schedule);
        }
    }
}

/// <summary>Picks from one list of hosts.</summary>
internal sealed class HostPicker
{
    private readonly Host[] _hosts;
    private readonly HashTable? _table;
    private readonly BalancerOptions _options;
    private readonly EdfSchedule? _schedule;
    private ulong _position;

    public HostPicker(Host[] hosts, HashTable? table, BalancerOptions options, ulong seed, long now)
    {
        _hosts = hosts;
        _table = table;
        _options = options;
        _position = seed;
        if (table is null && options.Kind is BalancerKind.RoundRobin or BalancerKind.LeastRequest && hosts.Length > 0 && NeedsSchedule(now))
            _schedule = Schedule(seed, now);
    }

    public Host? Pick(ulong hash, uint attempt, Chance chance, long now)
    {
        if (_hosts.Length == 0)
            return null;
        switch (_options.Kind)
        {
            case BalancerKind.RingHash or BalancerKind.Maglev:
                return _table?.Choose(hash, attempt);
            case BalancerKind.Random:
                return _hosts[chance.Below((uint)_hosts.Length)];
        }
        if (_schedule is not null)
        {
            int at = _schedule.Take();
            _schedule.Add(at, WeightOf(_hosts[at], now));
            return _hosts[at];
        }
        return _options.Kind == BalancerKind.LeastRequest ? PickLeast(chance) : _hosts[_position++ % (ulong)_hosts.Length];
    }

    private Host PickLeast(Chance chance)
    {
        if (_options.FullScan)
            return Scan(chance);
        Host best = _hosts[chance.Below((uint)_hosts.Length)];
        for (int i = 1; i < _options.ChoiceCount; i++)
        {
            Host other = _hosts[chance.Below((uint)_hosts.Length)];
            if (other.ActiveRequests < best.ActiveRequests)
                best = other;
        }
        return best;
    }

    // All are looked at; among equals chance decides (a reservoir of one).
    private Host Scan(Chance chance)
    {
        Host best = _hosts[0];
        uint ties = 1;
        for (int i = 1; i < _hosts.Length; i++)
        {
            int difference = _hosts[i].ActiveRequests - best.ActiveRequests;
            if (difference < 0)
                (best, ties) = (_hosts[i], 1);
            else if (difference == 0 && chance.Below(++ties) == 0)
                best = _hosts[i];
        }
        return best;
    }

    private bool NeedsSchedule(long now)
    {
        foreach (Host host in _hosts)
        {
            if (host.Endpoint.Weight != _hosts[0].Endpoint.Weight || IsSlow(host, now))
                return true;
        }
        return false;
    }

    // As if it had run for a while already, so that many proxies that start together do not march in step.
    private EdfSchedule Schedule(ulong seed, long now) =>
        EdfSchedule.After(Array.ConvertAll(_hosts, h => WeightOf(h, now)), (uint)seed % (uint.MaxValue / 10));

    private double WeightOf(Host host, long now)
    {
        double weight = host.Endpoint.Weight;
        if (_options.Kind == BalancerKind.LeastRequest && _options.ActiveRequestBias > 0)
        {
            double active = host.ActiveRequests + 1;
            weight /= _options.ActiveRequestBias.Equals(1.0) ? active : Math.Pow(active, _options.ActiveRequestBias);
        }
        return IsSlow(host, now) ? Math.Max(weight * SlowFactor(host, now), 1e-9) : weight;
    }

    private bool IsSlow(Host host, long now) => _options.SlowStart is { WindowMicros: > 0 } slow && now - host.AddedAt < slow.WindowMicros;

    private double SlowFactor(Host host, long now)
    {
        SlowStartOptions slow = _options.SlowStart!;
        double time = Math.Max(1, (now - host.AddedAt) / 1_000_000) / (slow.WindowMicros / 1_000_000.0);
        double factor = slow.Aggression.Equals(1.0) ? time : Math.Pow(time, 1.0 / slow.Aggression);
        return Math.Max(factor, slow.MinimumWeightPercent / 100.0);
    }
}
