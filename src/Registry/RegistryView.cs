using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Lateen.Registry;

/// <summary>Everything that exists, at one moment. Immutable; parts that did not change are shared with the view before.</summary>
public sealed record RegistryView
{
    /// <summary>An empty mesh.</summary>
    public static readonly RegistryView Empty = new();

    /// <summary>All services, oldest first, then by name and namespace.</summary>
    public ImmutableArray<Service> Services { get; init; } = [];

    /// <summary>Services of a hostname, oldest first.</summary>
    public LayeredMap<string, ImmutableArray<Service>> ByHost { get; init; } = LayeredMap<string, ImmutableArray<Service>>.Empty;

    /// <summary>Endpoints by service; services without endpoints have no entry.</summary>
    public LayeredMap<ServiceKey, ServiceEndpoints> Endpoints { get; init; } = LayeredMap<ServiceKey, ServiceEndpoints>.Empty;

    /// <summary>Services by the addresses of their endpoints, of services that no selector says whose pods they are.</summary>
    public LayeredMap<string, ImmutableArray<ServiceKey>> ServedAt { get; init; } = LayeredMap<string, ImmutableArray<ServiceKey>>.Empty;

    /// <summary>Pods and WorkloadEntries by address.</summary>
    public LayeredMap<string, ImmutableArray<Workload>> WorkloadsByAddress { get; init; } =
        LayeredMap<string, ImmutableArray<Workload>>.Empty;

    /// <summary>Gateways of other networks, sorted.</summary>
    public ImmutableArray<NetworkGateway> NetworkGateways { get; init; } = [];

    /// <summary>Labels of namespaces.</summary>
    public FrozenDictionary<string, IReadOnlyDictionary<string, string>> Namespaces { get; init; } =
        FrozenDictionary<string, IReadOnlyDictionary<string, string>>.Empty;

    /// <summary>Locality of nodes by (cluster id, node name).</summary>
    public FrozenDictionary<(string Cluster, string Node), Locality> Nodes { get; init; } =
        FrozenDictionary<(string Cluster, string Node), Locality>.Empty;

    /// <summary>What the clusters hold, as written; the one that configuration comes from first.</summary>
    public IReadOnlyList<ClusterResources> Sources { get; init; } = [];

    /// <summary>The service of this host and namespace, or null.</summary>
    public Service? Find(string hostname, string ns)
    {
        if (!ByHost.TryGetValue(hostname, out var found)) return null;
        foreach (var service in found)
        {
            if (service.Namespace == ns) return service;
        }
        return null;
    }

    /// <summary>The endpoints of a service; an empty set when it has none.</summary>
    public ServiceEndpoints EndpointsOf(ServiceKey key) =>
        Endpoints.TryGetValue(key, out var found) ? found : ServiceEndpoints.None(key);
}
