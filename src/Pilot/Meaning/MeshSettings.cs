using Istio.Mesh.V1Alpha1;

namespace Lateen.Pilot.Meaning;

/// <summary>What holds for the mesh as a whole.</summary>
public sealed record MeshSettings
{
    /// <summary>MeshConfig with all defaults filled in.</summary>
    public required MeshConfig Mesh { get; init; }

    /// <summary>MeshNetworks; empty when there is no such file.</summary>
    public required MeshNetworks Networks { get; init; }

    /// <summary>Settings of the control plane's environment.</summary>
    public required Features Features { get; init; }

    /// <summary>DNS suffix of Kubernetes services.</summary>
    public string DomainSuffix { get; init; } = "cluster.local";

    /// <summary>Id of the cluster that configuration is read from.</summary>
    public string ClusterId { get; init; } = "Kubernetes";

    /// <summary>Root namespace.</summary>
    public string RootNamespace => Mesh.RootNamespace.Length > 0 ? Mesh.RootNamespace : "istio-system";

    /// <summary>Trust domain.</summary>
    public string TrustDomain => Mesh.TrustDomain.Length > 0 ? Mesh.TrustDomain : "cluster.local";

    /// <summary>Settings are compared as objects: they change as a whole.</summary>
    public bool Equals(MeshSettings? other) => ReferenceEquals(this, other);

    /// <inheritdoc/>
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}
