namespace Lateen.Proxy.Clusters;

/// <summary>
/// How requests are shared among priorities: each takes what its available hosts, times the overprovisioning factor, can bear, in order;
/// healthy hosts first, degraded ones after all priorities. Where nothing suffices, panic is considered for each priority alone.
/// </summary>
public sealed class PriorityLoad
{
    private PriorityLoad(uint[] healthy, uint[] degraded, bool[] panic, bool total)
    {
        Healthy = healthy;
        Degraded = degraded;
        Panic = panic;
        TotalPanic = total;
    }

    /// <summary>Percent of each priority's healthy hosts.</summary>
    public uint[] Healthy { get; }

    /// <summary>Percent of each priority's degraded hosts.</summary>
    public uint[] Degraded { get; }

    /// <summary>Which priorities are in panic: all their hosts are used.</summary>
    public bool[] Panic { get; }

    /// <summary>No host of any priority is available; shares go by the number of hosts.</summary>
    public bool TotalPanic { get; }

    /// <summary>The priority and kind for a hash or random number.</summary>
    public (int Priority, bool Degraded) Choose(ulong hash)
    {
        uint point = (uint)(hash % 100) + 1, sum = 0;
        for (int i = 0; i < Healthy.Length; i++)
        {
            sum += Healthy[i];
            if (point <= sum)
                return (i, false);
        }
        for (int i = 0; i < Degraded.Length; i++)
        {
            sum += Degraded[i];
            if (point <= sum)
                return (i, true);
        }
        return (-1, false);
    }

    /// <summary>Computes the shares, with priorities in <paramref name="excluded"/> taken for empty (retry priorities).</summary>
    public static PriorityLoad Of(PriorityHosts[] priorities, uint overprovisioning, bool weighted, BalancerOptions options,
        ReadOnlySpan<bool> excluded = default)
    {
        int n = priorities.Length;
        var healthOf = new uint[n];
        var degradedOf = new uint[n];
        for (int i = 0; i < n; i++)
        {
            if (!excluded.IsEmpty && excluded[i])
                continue;
            PriorityHosts p = priorities[i];
            ulong all = Sum(p.All, weighted);
            if (all == 0)
                continue;
            healthOf[i] = (uint)Math.Min(100, overprovisioning * Sum(p.Healthy, weighted) / all);
            degradedOf[i] = (uint)Math.Min(100, overprovisioning * Sum(p.Degraded, weighted) / all);
        }
        return Share(priorities, healthOf, degradedOf, options);
    }

    private static ulong Sum(Host[] hosts, bool weighted)
    {
        if (!weighted)
            return (ulong)hosts.Length;
        ulong sum = 0;
        foreach (Host h in hosts)
            sum += h.Endpoint.Weight;
        return sum;
    }

    private static PriorityLoad Share(PriorityHosts[] priorities, uint[] healthOf, uint[] degradedOf, BalancerOptions options)
    {
        int n = priorities.Length;
        uint total = 0;
        for (int i = 0; i < n; i++)
            total = Math.Min(100, total + healthOf[i] + degradedOf[i]);
        var panic = new bool[n];
        if (total == 0)
            return Nothing(priorities, panic, options);
        uint left = 100, first = 0;
        var healthy = new uint[n];
        var degraded = new uint[n];
        Take(healthOf, healthy, total, ref left);
        Take(degradedOf, degraded, total, ref left);
        // What integer division left over goes to the first priority that takes part.
        for (; left > 0 && first < n; first++)
        {
            if (healthy[first] == 0 && degraded[first] == 0)
                continue;
            ref uint share = ref healthy[first] != 0 ? ref healthy[first] : ref degraded[first];
            share += left;
            left = 0;
        }
        // A priority panics only where all together cannot carry the load.
        for (int i = 0; total < 100 && i < n; i++)
            panic[i] = IsPanic(priorities[i], options);
        return new PriorityLoad(healthy, degraded, panic, false);
    }

    private static void Take(uint[] health, uint[] share, uint total, ref uint left)
    {
        for (int i = 0; i < health.Length; i++)
        {
            share[i] = Math.Min(left, health[i] * 100 / total);
            left -= share[i];
        }
    }

    private static bool IsPanic(PriorityHosts p, BalancerOptions options) =>
        p.All.Length == 0 || (options.PanicThreshold > 0
            && 100.0 * (p.Healthy.Length + p.Degraded.Length) / p.All.Length < Math.Min(100, options.PanicThreshold));

    private static PriorityLoad Nothing(PriorityHosts[] priorities, bool[] panic, BalancerOptions options)
    {
        int n = priorities.Length, hosts = 0;
        var shares = new uint[n];
        foreach (PriorityHosts p in priorities)
            hosts += p.All.Length;
        uint left = 100;
        for (int i = 0; i < n; i++)
        {
            panic[i] = options.PanicThreshold > 0;
            shares[i] = hosts == 0 ? 0 : (uint)Math.Min(left, 100L * priorities[i].All.Length / hosts);
            left -= shares[i];
        }
        if (n > 0)
        {
            int first = Math.Max(0, Array.FindIndex(shares, s => s != 0));
            shares[first] += left;
        }
        return new PriorityLoad(shares, new uint[n], panic, true);
    }
}
