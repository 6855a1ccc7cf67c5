using Istio.Networking.V1Alpha3;
using Kubernetes.Core.V1;
using Kubernetes.Discovery.V1;
using Lateen.Config.Resources;
using WrittenService = Kubernetes.Core.V1.Service;

namespace Lateen.Registry;

/// <summary>The resources of one cluster that the registry reads. Istio's own kinds come from the first cluster alone.</summary>
public sealed record ClusterResources
{
    /// <summary>Cluster id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Services.</summary>
    public IReadOnlyList<Resource<WrittenService>> Services { get; init; } = [];

    /// <summary>EndpointSlices.</summary>
    public IReadOnlyList<Resource<EndpointSlice>> EndpointSlices { get; init; } = [];

    /// <summary>Pods.</summary>
    public IReadOnlyList<Resource<Pod>> Pods { get; init; } = [];

    /// <summary>Nodes.</summary>
    public IReadOnlyList<Resource<Node>> Nodes { get; init; } = [];

    /// <summary>Namespaces.</summary>
    public IReadOnlyList<Resource<Namespace>> Namespaces { get; init; } = [];

    /// <summary>ServiceEntries.</summary>
    public IReadOnlyList<Resource<ServiceEntry>> ServiceEntries { get; init; } = [];

    /// <summary>WorkloadEntries.</summary>
    public IReadOnlyList<Resource<WorkloadEntry>> WorkloadEntries { get; init; } = [];

    /// <summary>Sorts resources of any kinds; those that are not the registry's are left aside.</summary>
    public static ClusterResources Of(string clusterId, IReadOnlyList<Resource> resources)
    {
        var byKind = resources.ToLookup(resource => resource.Kind);
        List<Resource<T>> All<T>(ResourceKind<T> kind)
            where T : class, Google.Protobuf.IMessage<T>, new() => [.. byKind[kind].Cast<Resource<T>>()];
        return new ClusterResources
        {
            ClusterId = clusterId,
            Services = All(Kinds.Service),
            EndpointSlices = All(Kinds.EndpointSlice),
            Pods = All(Kinds.Pod),
            Nodes = All(Kinds.Node),
            Namespaces = All(Kinds.Namespace),
            ServiceEntries = All(Kinds.ServiceEntry),
            WorkloadEntries = All(Kinds.WorkloadEntry),
        };
    }
}
