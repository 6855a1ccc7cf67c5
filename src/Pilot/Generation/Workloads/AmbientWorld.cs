// Workloads: services and workloads as node proxies and waypoints of the ambient mode know them (WDS): one message for each service, pod,
// entry and foreign endpoint, with the waypoint in front of it, the policies on it and the network it is in.
//
// Pure functions of the resources and of an `AmbientWorld`, which says what else exists. What binds to which waypoint is decided in
// `WaypointBindings` alone: services, pods and entries ask the same questions there.
//
// Never: Envoy's resources. Waypoints themselves are configured like every other proxy.
//
// Refused: making these messages out of the registry's services and endpoints. WDS has fields that nothing else needs (address families,
// health policies, tunnels), and joining them there would make every sidecar pay for them.
using System.Collections.Frozen;
using Istio.Mesh.V1Alpha1;
using Istio.Workload;
using Kubernetes.Discovery.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>What a message depends on beside its own resource.</summary>
internal sealed record AmbientWorld
{
    /// <summary>Cluster of the resources.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Network of the cluster.</summary>
    public string Network { get; init; } = "";

    /// <summary>Domain of the cluster's services.</summary>
    public string DomainSuffix { get; init; } = "cluster.local";

    /// <summary>Settings of the mesh.</summary>
    public MeshConfig Mesh { get; init; } = new();

    /// <summary>Namespaces by name.</summary>
    public IReadOnlyDictionary<string, NamespaceMarks> Namespaces { get; init; } = FrozenDictionary<string, NamespaceMarks>.Empty;

    /// <summary>Waypoints that are ready, by <c>namespace/name</c>.</summary>
    public IReadOnlyDictionary<string, Waypoint> Waypoints { get; init; } = FrozenDictionary<string, Waypoint>.Empty;

    /// <summary>Services: needed for the messages of workloads.</summary>
    public IReadOnlyList<AmbientService> Services { get; init; } = [];

    /// <summary>EndpointSlices: needed for pods of services without selector.</summary>
    public IReadOnlyList<Resource<EndpointSlice>> Slices { get; init; } = [];

    /// <summary>Where nodes are, by name.</summary>
    public IReadOnlyDictionary<string, Istio.Workload.Locality> Nodes { get; init; } =
        FrozenDictionary<string, Istio.Workload.Locality>.Empty;

    /// <summary>Where networks can be entered.</summary>
    public IReadOnlyList<NetworkGateway> Entrances { get; init; } = [];

    /// <summary>Policies with a selector.</summary>
    public IReadOnlyList<SelectorPolicy> Policies { get; init; } = [];

    /// <summary>Workloads let the waypoints in front of them in, whatever their policies say.</summary>
    public bool AdmitsWaypoints { get; init; }

    /// <summary>What workloads demand of their peers; null where nothing is known of it.</summary>
    public PolicyIndex? PeerPolicies { get; init; }

    /// <summary>Labels of a namespace; none where it is not known.</summary>
    public IReadOnlyDictionary<string, string> LabelsOf(string ns) =>
        Namespaces.TryGetValue(ns, out var known) ? known.Labels : FrozenDictionary<string, string>.Empty;

    /// <summary>An annotation of a namespace; empty where there is none.</summary>
    public string AnnotationOf(string ns, string name) =>
        Namespaces.TryGetValue(ns, out var known) ? known.Annotations.GetValueOrDefault(name, "") : "";
}

/// <summary>What is written on a namespace.</summary>
internal sealed record NamespaceMarks(IReadOnlyDictionary<string, string> Labels, IReadOnlyDictionary<string, string> Annotations);

/// <summary>What is written on an object.</summary>
internal sealed record ObjectMarks(string Namespace, string Name, IReadOnlyDictionary<string, string> Labels,
    IReadOnlyDictionary<string, string> Annotations)
{
    public static ObjectMarks Of(ResourceMetadata metadata) =>
        new(metadata.Namespace, metadata.Name, metadata.Labels, metadata.Annotations);
}

/// <summary>A policy that workloads carry by name.</summary>
/// <param name="Namespace">Its namespace; the root namespace's select everywhere.</param>
/// <param name="Name">Name under which node proxies have it.</param>
/// <param name="Selector">Labels.</param>
internal sealed record SelectorPolicy(string Namespace, string Name, IReadOnlyDictionary<string, string> Selector);
