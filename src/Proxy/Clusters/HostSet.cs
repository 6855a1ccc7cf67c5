using System.Collections.Frozen;

namespace Lateen.Proxy.Clusters;

/// <summary>Hosts of one place in one priority, with their health at the time of the picture.</summary>
/// <param name="Locality">The place.</param>
/// <param name="Weight">Its weight, 0 where none is given.</param>
/// <param name="All">All of them.</param>
/// <param name="Healthy">The healthy ones.</param>
/// <param name="Degraded">The degraded ones.</param>
public sealed record LocalityHosts(Locality Locality, uint Weight, Host[] All, Host[] Healthy, Host[] Degraded);

/// <summary>Hosts of one priority.</summary>
public sealed class PriorityHosts
{
    internal PriorityHosts(int priority, LocalityHosts[] localities)
    {
        Priority = priority;
        Localities = localities;
        All = [.. localities.SelectMany(l => l.All)];
        Healthy = [.. localities.SelectMany(l => l.Healthy)];
        Degraded = [.. localities.SelectMany(l => l.Degraded)];
    }

    /// <summary>0 is the first.</summary>
    public int Priority { get; }

    /// <summary>By place, in the order of discovery.</summary>
    public LocalityHosts[] Localities { get; }

    /// <summary>All hosts.</summary>
    public Host[] All { get; }

    /// <summary>The healthy ones.</summary>
    public Host[] Healthy { get; }

    /// <summary>The degraded ones.</summary>
    public Host[] Degraded { get; }
}

/// <summary>An immutable picture of a cluster's hosts and their health; the shares of priorities and panic are computed with it.</summary>
public sealed class HostSet
{
    /// <summary>No hosts.</summary>
    public static readonly HostSet Empty = new([], 140, false, BalancerOptions.Default);

    private readonly FrozenDictionary<Net.Address, Host> _byAddress;

    /// <summary>A picture from hosts by place.</summary>
    public HostSet(PriorityHosts[] priorities, uint overprovisioning, bool weightedHealth, BalancerOptions options)
    {
        Priorities = priorities;
        OverprovisioningFactor = overprovisioning;
        WeightedHealth = weightedHealth;
        All = [.. priorities.SelectMany(p => p.All)];
        Load = PriorityLoad.Of(priorities, overprovisioning, weightedHealth, options);
        _byAddress = All.DistinctBy(h => h.Address).ToFrozenDictionary(h => h.Address);
    }

    /// <summary>Priorities without gaps.</summary>
    public PriorityHosts[] Priorities { get; }

    /// <summary>Percent.</summary>
    public uint OverprovisioningFactor { get; }

    /// <summary>Health of priorities by weight.</summary>
    public bool WeightedHealth { get; }

    /// <summary>Every host.</summary>
    public Host[] All { get; }

    /// <summary>Shares of the priorities.</summary>
    public PriorityLoad Load { get; }

    /// <summary>The host of an address.</summary>
    public Host? Find(in Net.Address address) => _byAddress.GetValueOrDefault(address);

    /// <summary>The part that satisfies a condition; places and priorities stay.</summary>
    public HostSet Where(Func<Host, bool> condition, BalancerOptions options, Func<LocalityHosts, int, uint>? weigh = null)
    {
        PriorityHosts[] priorities = Array.ConvertAll(Priorities, p => new PriorityHosts(p.Priority, Array.ConvertAll(p.Localities, l =>
        {
            Host[] all = Array.FindAll(l.All, h => condition(h));
            uint weight = weigh is null ? l.Weight : weigh(l, all.Length);
            return new LocalityHosts(l.Locality, weight, all, Array.FindAll(l.Healthy, h => condition(h)),
                Array.FindAll(l.Degraded, h => condition(h)));
        })));
        return new HostSet(priorities, OverprovisioningFactor, WeightedHealth, options);
    }

    /// <summary>The picture of hosts as they are now.</summary>
    public static HostSet Of(IReadOnlyList<(LocalityEndpoints Place, Host[] Hosts)> places, EndpointSet endpoints, BalancerOptions options)
    {
        int count = places.Count == 0 ? 0 : places.Max(p => p.Place.Priority) + 1;
        var priorities = new PriorityHosts[count];
        for (int i = 0; i < count; i++)
        {
            LocalityHosts[] localities = [.. places.Where(p => p.Place.Priority == i).Select(p => Picture(p.Place, p.Hosts))];
            priorities[i] = new PriorityHosts(i, localities);
        }
        return new HostSet(priorities, endpoints.OverprovisioningFactor, endpoints.WeightedPriorityHealth, options);
    }

    private static LocalityHosts Picture(LocalityEndpoints place, Host[] hosts) =>
        new(place.Locality, place.Weight, hosts, Array.FindAll(hosts, h => h.Health == HostHealth.Healthy),
            Array.FindAll(hosts, h => h.Health == HostHealth.Degraded));
}
