using System.Collections.Immutable;
using Istio.Mesh.V1Alpha1;

namespace Lateen.Registry;

/// <summary>What the registry has to know besides resources.</summary>
public sealed record RegistryOptions
{
    /// <summary>DNS suffix of Kubernetes services.</summary>
    public string DomainSuffix { get; init; } = "cluster.local";

    /// <summary>Trust domain of identities.</summary>
    public string TrustDomain { get; init; } = "cluster.local";

    /// <summary>Namespace whose labels give a cluster its network.</summary>
    public string SystemNamespace { get; init; } = "istio-system";

    /// <summary>Networks by file; null when they are only labelled.</summary>
    public MeshNetworks? Networks { get; init; }

    /// <summary>WorkloadEntries that are probed and not healthy do not count.</summary>
    public bool HeedsEntryHealth { get; init; } = true;

    /// <summary>Both address families of a pod belong to one endpoint.</summary>
    public bool DualStack { get; init; }
}
