using Lateen.Config.Resources;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>What is taken from an API server.</summary>
public sealed record KubernetesSourceOptions
{
    /// <summary>How the server is called in messages.</summary>
    public required string Server { get; init; }

    /// <summary>The kinds to follow.</summary>
    public IReadOnlyList<ResourceKind> Kinds { get; init; } = MeshKinds;

    /// <summary>Configuration whose label <c>istio.io/rev</c> names another revision, or a tag of another one, is left alone; empty takes
    /// all.</summary>
    public string Revision { get; init; } = "";

    /// <summary>What the mesh reads of the cluster whose configuration it takes.</summary>
    public static IReadOnlyList<ResourceKind> MeshKinds { get; } =
    [
        .. WorkloadKinds, Resources.Kinds.ConfigMap, Resources.Kinds.Secret, Resources.Kinds.MutatingWebhookConfiguration,
        .. Resources.Kinds.All.Where(k => k.IsConfiguration && k.HasEffect),
    ];

    /// <summary>What the mesh reads of a cluster from which it takes services and workloads alone.</summary>
    public static IReadOnlyList<ResourceKind> WorkloadKinds =>
        [Resources.Kinds.Service, Resources.Kinds.EndpointSlice, Resources.Kinds.Pod, Resources.Kinds.Node, Resources.Kinds.Namespace];

    /// <summary>The objects of a kind that are asked for: pods that have ended, Helm's releases and account tokens are many, and never
    /// read.</summary>
    public static string SelectorOf(ResourceKind kind) =>
        kind == Resources.Kinds.Pod ? "status.phase!=Failed"
        : kind == Resources.Kinds.Secret ? "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"
        : "";
}
