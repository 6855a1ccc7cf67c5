namespace Lateen.Proxy.Clusters.Balancing;

/// <summary>Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam): a host above its bound passes the request on to
/// another, the same for the same hash. In which order hosts are tried is exact to Envoy, so that both send a key to one host.</summary>
internal sealed class BoundedTable : HashTable
{
    private readonly HashTable _inner;
    private readonly (Host Host, double Weight)[] _weights;
    private readonly Dictionary<Host, double> _weightOf;
    private readonly uint _factor;

    public BoundedTable(HashTable inner, (Host Host, double Weight)[] weights, int factor)
    {
        _inner = inner;
        _weights = weights;
        _weightOf = weights.ToDictionary(w => w.Host, w => w.Weight);
        _factor = (uint)factor;
    }

    public override Host? Choose(ulong hash, uint attempt)
    {
        if (_inner.Choose(hash, attempt) is not { } host)
            return null;
        long slots = Slots();
        double load = Overload(host, _weightOf[host], slots);
        return load <= 1.0 ? host : Pass(hash, host, load, slots);
    }

    // A walk over all hosts in an order that the hash alone decides; the least loaded where all are full.
    private Host Pass(ulong hash, Host host, double load, long slots)
    {
        int n = _weights.Length;
        Span<int> order = n <= 256 ? stackalloc int[n] : new int[n];
        for (int i = 0; i < n; i++)
            order[i] = i;
        var chance = new MersenneTwister((uint)hash, stackalloc uint[MersenneTwister.StateLength]);
        Host least = host;
        for (int i = 0; i < n; i++)
        {
            int j = i + (int)chance.Below((uint)(n - i));
            (order[i], order[j]) = (order[j], order[i]);
            (Host next, double weight) = _weights[order[i]];
            if (ReferenceEquals(next, host))
                continue;
            double overload = Overload(next, weight, slots);
            if (overload <= 1.0)
                return next;
            if (overload < load)
                (least, load) = (next, overload);
        }
        return least;
    }

    // Requests that all hosts together may have with this one among them.
    private long Slots()
    {
        long active = 0;
        foreach ((Host host, _) in _weights)
            active += host.ActiveRequests;
        return (((active + 1) * _factor) + 99) / 100;
    }

    private static double Overload(Host host, double weight, long slots) => host.ActiveRequests / Math.Max(Math.Ceiling(slots * weight), 1);
}
