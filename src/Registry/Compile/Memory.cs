namespace Lateen.Registry.Compile;

/// <summary>All that a compiler keeps so that what did not change stays the same object.</summary>
internal sealed class Memory
{
    /// <summary>Services of one cluster.</summary>
    public MadeOf<(string Cluster, string Namespace, string Name), Service> Services { get; } = new();

    /// <summary>Services of ServiceEntries.</summary>
    public MadeOf<(string Namespace, string Entry, string Host), Service> Entries { get; } = new();

    /// <summary>Services of several clusters as one.</summary>
    public MadeOf<ServiceKey, Service> Merged { get; } = new();

    /// <summary>Services with their other names.</summary>
    public MadeOf<(ServiceKey Key, string Entry), Service> Aliased { get; } = new();

    /// <summary>Pods.</summary>
    public MadeOf<(string Cluster, string Namespace, string Name), Workload> Pods { get; } = new();

    /// <summary>WorkloadEntries.</summary>
    public MadeOf<(string Namespace, string Name), Workload> WorkloadEntries { get; } = new();

    /// <summary>Endpoints of services; of a ServiceEntry with its name.</summary>
    public MadeOf<(ServiceKey Key, string Entry), ServiceEndpoints> Endpoints { get; } = new();

    /// <summary>Endpoints of services that several declare together.</summary>
    public MadeOf<ServiceKey, ServiceEndpoints> Combined { get; } = new();

    /// <summary>Networks of clusters by what their system namespaces say, which all of it depends on.</summary>
    public Dictionary<string, string> Networks { get; init; } = [];

    // What services depend on of the nodes of a cluster, as one object while it says the same.
    private readonly Dictionary<string, string> _nodes = [];

    /// <summary>The same text as before where it is equal, so that it is compared once and not for each service.</summary>
    public string Nodes(string cluster, string text)
    {
        if (_nodes.TryGetValue(cluster, out var known) && known == text) return known;
        return _nodes[cluster] = text;
    }

    /// <summary>A whole compilation begins.</summary>
    public void Begin()
    {
        Services.Begin();
        Entries.Begin();
        Merged.Begin();
        Aliased.Begin();
        Pods.Begin();
        WorkloadEntries.Begin();
        Endpoints.Begin();
        Combined.Begin();
    }

    /// <summary>It has ended.</summary>
    public void End()
    {
        Services.End();
        Entries.End();
        Merged.End();
        Aliased.End();
        Pods.End();
        WorkloadEntries.End();
        Endpoints.End();
        Combined.End();
    }
}
