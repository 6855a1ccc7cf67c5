using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Lateen.Registry;

/// <summary>Everything that exists, at one moment. Immutable; parts that did not change are shared with the view before.</summary>
public sealed class RegistryView
{
    /// <summary>An empty mesh.</summary>
    public static readonly RegistryView Empty = new();

    /// <summary>All services, oldest first, then by name and namespace.</summary>
    public ImmutableArray<Service> Services { get; init; } = [];

    /// <summary>Services of a hostname, oldest first.</summary>
    public FrozenDictionary<string, ImmutableArray<Service>> ByHost { get; init; } =
        FrozenDictionary<string, ImmutableArray<Service>>.Empty;

    /// <summary>Endpoints by service; services without endpoints have no entry.</summary>
    public IReadOnlyDictionary<ServiceKey, ServiceEndpoints> Endpoints { get; init; } =
        FrozenDictionary<ServiceKey, ServiceEndpoints>.Empty;

    /// <summary>Pods and WorkloadEntries by address.</summary>
    public FrozenDictionary<string, ImmutableArray<Workload>> WorkloadsByAddress { get; init; } =
        FrozenDictionary<string, ImmutableArray<Workload>>.Empty;

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

    /// <summary>The same but for endpoints.</summary>
    internal RegistryView With(IReadOnlyDictionary<ServiceKey, ServiceEndpoints> endpoints, IReadOnlyList<ClusterResources> sources) =>
        new()
        {
            Services = Services,
            ByHost = ByHost,
            Endpoints = endpoints,
            WorkloadsByAddress = WorkloadsByAddress,
            NetworkGateways = NetworkGateways,
            Namespaces = Namespaces,
            Nodes = Nodes,
            Sources = [.. sources],
        };

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
