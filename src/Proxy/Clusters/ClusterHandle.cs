namespace Lateen.Proxy.Clusters;

/// <summary>A cluster's configuration with its hosts, as published at one moment.</summary>
/// <param name="Cluster">Configuration.</param>
/// <param name="Endpoints">What discovery says.</param>
/// <param name="Hosts">The live hosts and their health.</param>
/// <param name="Subsets">Parts by metadata; null where there are none.</param>
/// <param name="Members">Of an aggregate.</param>
/// <param name="Generation">Counts the pictures of this cluster.</param>
public sealed record ClusterView(Cluster Cluster, EndpointSet Endpoints, HostSet Hosts, SubsetIndex? Subsets,
    IReadOnlyList<ClusterHandle> Members, long Generation);

/// <summary>
/// The stable name of a cluster: routes, mirrors and filters point to it for life, whether the cluster exists or not. Workers see each new
/// picture by reference; a worker's own state hangs at <see cref="Index"/> in its table.
/// </summary>
public sealed class ClusterHandle
{
    private volatile ClusterView? _current;

    internal ClusterHandle(string name, int index, int workers)
    {
        Name = name;
        Index = index;
        Stats = new ClusterStats(this, workers);
        Counters = [.. Enumerable.Range(0, workers).Select(Stats.Of)];
        MainCounters = Stats.Of(workers);
        UsedBy = new bool[workers];
    }

    /// <summary>A handle that belongs to no directory; for tests.</summary>
    public ClusterHandle(string name)
        : this(name, 0, 1)
    {
    }

    /// <summary>The cluster's name.</summary>
    public string Name { get; }

    /// <summary>Dense number of this handle in its directory.</summary>
    public int Index { get; }

    /// <summary>The newest picture; null while the cluster is unknown (503, NC).</summary>
    public ClusterView? Current
    {
        get => _current;
        internal set => _current = value;
    }

    /// <summary>Limits in use, over all workers, of both priorities.</summary>
    public Breakers Breakers { get; } = new();

    /// <summary>Counters by worker: each worker writes its own, readers add them up.</summary>
    public ClusterCounters[] Counters { get; }

    /// <summary>Counters of the main loop: discovery, health.</summary>
    public ClusterCounters MainCounters { get; }

    /// <summary>All that is told of it under its name.</summary>
    public ClusterStats Stats { get; }

    /// <summary>Which workers have state for it, and want to hear of changes.</summary>
    internal bool[] UsedBy { get; }

    /// <summary>When the health of its hosts last reached the workers, by the main loop's clock; 0 for never. Main loop.</summary>
    internal long DrawnAt { get; set; }

    /// <summary>Waits for further changes of health; null where none came soon after another. Main loop.</summary>
    internal Net.Deadline? Merging { get; set; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
