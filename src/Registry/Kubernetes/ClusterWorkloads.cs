using System.Collections.Immutable;

namespace Lateen.Registry.Kubernetes;

/// <summary>Workloads of one cluster by name, by address and by namespace.</summary>
/// <param name="cluster">Cluster id.</param>
/// <param name="capacity">How many there will be, about.</param>
internal sealed class ClusterWorkloads(string cluster, int capacity)
{
    private static readonly Comparer<Workload> Oldest = Comparer<Workload>.Create(Workload.ByAge);
    private readonly Dictionary<(string, string), Workload> _byName = new(capacity);
    private Dictionary<string, List<Workload>>? _byNamespace;

    /// <summary>The workloads of all clusters by address, those of one cluster oldest first.</summary>
    public LayeredMap<string, ImmutableArray<Workload>> ByAddress { get; set; } = LayeredMap<string, ImmutableArray<Workload>>.Empty;

    /// <summary>Takes one in.</summary>
    public void Add(Workload workload)
    {
        _byName.Add((workload.Namespace, workload.Name), workload);
        if (_byNamespace is null) return;
        var list = ListOf(_byNamespace, workload.Namespace);
        list.Insert(~list.BinarySearch(workload, Oldest), workload);
    }

    /// <summary>Forgets one; null when there is none of the name.</summary>
    public Workload? Remove(string ns, string name)
    {
        if (!_byName.Remove((ns, name), out var gone)) return null;
        if (_byNamespace is not null) _byNamespace[ns].RemoveAt(_byNamespace[ns].BinarySearch(gone, Oldest));
        return gone;
    }

    /// <summary>All of them, oldest first.</summary>
    public List<Workload> OldestFirst()
    {
        List<Workload> all = [.. _byName.Values];
        all.Sort(Workload.ByAge);
        return all;
    }

    /// <summary>Those of a namespace, oldest first. Gathered when it is first asked for: only what selects workloads itself asks.</summary>
    public IReadOnlyList<Workload> In(string ns)
    {
        _byNamespace ??= Gathered();
        return _byNamespace.TryGetValue(ns, out var list) ? list : [];
    }

    private Dictionary<string, List<Workload>> Gathered()
    {
        var lists = new Dictionary<string, List<Workload>>();
        foreach (var workload in OldestFirst()) ListOf(lists, workload.Namespace).Add(workload);
        return lists;
    }

    private static List<Workload> ListOf(Dictionary<string, List<Workload>> lists, string ns)
    {
        if (!lists.TryGetValue(ns, out var list)) lists.Add(ns, list = []);
        return list;
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
