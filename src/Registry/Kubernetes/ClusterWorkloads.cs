using System.Collections.Immutable;

namespace Lateen.Registry.Kubernetes;

/// <summary>Workloads of one cluster by name and by address.</summary>
/// <param name="cluster">Cluster id.</param>
/// <param name="capacity">How many there will be, about.</param>
internal sealed class ClusterWorkloads(string cluster, int capacity)
{
    private readonly Dictionary<(string, string), Workload> _byName = new(capacity);

    /// <summary>The workloads of all clusters by address, those of one cluster oldest first.</summary>
    public LayeredMap<string, ImmutableArray<Workload>> ByAddress { get; set; } = LayeredMap<string, ImmutableArray<Workload>>.Empty;

    /// <summary>Takes one in.</summary>
    public void Add(Workload workload) => _byName.Add((workload.Namespace, workload.Name), workload);

    /// <summary>Forgets one; null when there is none of the name.</summary>
    public Workload? Remove(string ns, string name) => _byName.Remove((ns, name), out var gone) ? gone : null;

    /// <summary>All of them, oldest first.</summary>
    public List<Workload> OldestFirst()
    {
        List<Workload> all = [.. _byName.Values];
        all.Sort(Workload.ByAge);
        return all;
    }

    /// <summary>By name when there is one, else by address.</summary>
    public Workload? Find((string Namespace, string Name)? name, string address)
    {
        if (name is { } given) return _byName.GetValueOrDefault(given);
        if (!ByAddress.TryGetValue(address, out var found)) return null;
        foreach (var workload in found)
        {
            if (!workload.HostNetwork && !workload.IsEntry && workload.ClusterId == cluster) return workload;
        }
        return null;
    }
}
