using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>Where this proxy stands, for zone aware routing.</summary>
/// <param name="Local">The cluster that this proxy itself belongs to: how the proxies are spread over places.</param>
/// <param name="Own">This proxy's place.</param>
public sealed record ZonePlace(ClusterHandle Local, Locality Own);

/// <summary>
/// Zone aware routing of one priority's healthy hosts: as much as the hosts of our own place can bear of what the proxies of our place send
/// goes to them, the rest to places that have capacity left (Envoy's zone aware load balancing, with its arithmetic in hundredths of a
/// percent). Computed once for a pair of pictures: the cluster's and the proxies'.
/// </summary>
internal sealed class ZoneRouting
{
    private readonly HostPicker[] _pickers;
    private readonly ulong[] _residual;
    private readonly bool _direct;
    private readonly ulong _share;

    private ZoneRouting(HostPicker[] pickers, bool direct, ulong share, ulong[] residual)
    {
        _pickers = pickers;
        _direct = direct;
        _share = share;
        _residual = residual;
    }

    /// <summary>The routing, or null where places do not matter: too few hosts or places, or nobody knows where the proxies are.</summary>
    public static ZoneRouting? Of(PriorityHosts upstream, HostSet local, Locality own, BalancerOptions options, ClusterCounters counters,
        ulong seed, long now)
    {
        counters.Count(ClusterCounter.LbRecalculateZoneStructures);
        LocalityHosts[] places = [.. upstream.Localities.Where(l => l.Locality == own && l.All.Length > 0),
            .. upstream.Localities.Where(l => l.Locality != own)];
        if (places.Length < 2)
            return null;
        PriorityHosts? proxies = local.Priorities.Length > 0 ? local.Priorities[0] : null;
        if (proxies is null || proxies.All.Length == 0 || !proxies.Localities.Any(l => l.Locality == own && l.All.Length > 0))
        {
            counters.Count(ClusterCounter.LbLocalClusterNotOk);
            return null;
        }
        if (proxies.Localities.Length < 2)
            return null;
        if (upstream.Healthy.Length < (options.ZoneAware ?? new ZoneAwareOptions()).MinimumClusterSize)
        {
            counters.Count(ClusterCounter.LbZoneClusterTooSmall);
            return null;
        }
        return Compute(places, proxies, own, options, seed, now);
    }

    private static ZoneRouting Compute(LocalityHosts[] places, PriorityHosts proxies, Locality own, BalancerOptions options, ulong seed,
        long now)
    {
        ulong ours = (ulong)proxies.Healthy.Length, theirs = (ulong)places.Sum(p => p.Healthy.Length);
        bool hasOwn = places[0].Locality == own;
        var localPart = new ulong[places.Length];
        var upstreamPart = new ulong[places.Length];
        for (int i = 0; i < places.Length; i++)
        {
            ulong here = (ulong)proxies.Localities.Where(l => l.Locality == places[i].Locality).Sum(l => l.Healthy.Length);
            localPart[i] = ours == 0 ? 0 : 10_000 * here / ours;
            upstreamPart[i] = theirs == 0 ? 0 : 10_000 * (ulong)places[i].Healthy.Length / theirs;
        }
        HostPicker[] pickers = Array.ConvertAll(places, p => new HostPicker(p.Healthy, null, options, seed, now));
        if (hasOwn && upstreamPart[0] > 0 && upstreamPart[0] >= localPart[0])
            return new ZoneRouting(pickers, true, 0, []);
        ulong share = hasOwn && localPart[0] > 0 ? upstreamPart[0] * 10_000 / localPart[0] : 0;
        var residual = new ulong[places.Length];
        for (int i = 0; i < places.Length; i++)
        {
            residual[i] = i == 0 ? 0 : residual[i - 1];
            // Our own place has taken what it can; others take what their own proxies leave.
            if ((i > 0 || !hasOwn) && upstreamPart[i] > localPart[i])
                residual[i] += upstreamPart[i] - localPart[i];
        }
        return new ZoneRouting(pickers, false, share, residual);
    }

    /// <summary>The hosts of a place.</summary>
    public HostPicker Choose(Chance chance, ClusterCounters counters)
    {
        if (_direct)
        {
            counters.Count(ClusterCounter.LbZoneRoutingAllDirectly);
            return _pickers[0];
        }
        if (chance.NextULong() % 10_000 < _share)
        {
            counters.Count(ClusterCounter.LbZoneRoutingSampled);
            return _pickers[0];
        }
        counters.Count(ClusterCounter.LbZoneRoutingCrossZone);
        ulong capacity = _residual[^1];
        if (capacity == 0)
        {
            counters.Count(ClusterCounter.LbZoneNoCapacityLeft);
            return _pickers[chance.Below((uint)_pickers.Length)];
        }
        ulong point = chance.NextULong() % capacity;
        int at = 0;
        while (point >= _residual[at])
            at++;
        return _pickers[at];
    }
}
