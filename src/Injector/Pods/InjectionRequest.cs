using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;

namespace Lateen.Injector.Pods;

/// <summary>One pod that is to be injected, and all that injection depends on.</summary>
public sealed record InjectionRequest
{
    /// <summary>The pod; it is not changed.</summary>
    public required JsonObject Pod { get; init; }

    /// <summary>What it belongs to.</summary>
    public required WorkloadOwner Owner { get; init; }

    /// <summary>Settings of the mesh.</summary>
    public required MeshConfig Mesh { get; init; }

    /// <summary>Settings of its proxy.</summary>
    public required ProxyConfig Proxy { get; init; }

    /// <summary>Settings of proxies that go without saying.</summary>
    public required ProxyConfig ProxyDefaults { get; init; }

    /// <summary>Revision of the control plane; empty for the default one.</summary>
    public string Revision { get; init; } = "";

    /// <summary>Whether proxies run as containers that come first and stay, as all nodes can.</summary>
    public bool NativeSidecars { get; init; }

    /// <summary>Policy of cryptography; empty for none.</summary>
    public string CompliancePolicy { get; init; } = "";

    /// <summary>Variables of the proxy that the webhook's address tells.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Annotations of the pod's namespace, where its platform gives ranges of users.</summary>
    public IReadOnlyDictionary<string, string> NamespaceAnnotations { get; init; } = new Dictionary<string, string>();

    /// <summary>A user that the platform gave all containers is none that the pod's owner chose for the proxy.</summary>
    public bool AssignsUsers { get; init; }
}

/// <summary>What came of it.</summary>
/// <param name="Pod">The pod with its sidecar; null where it could not be injected.</param>
/// <param name="Mistake">Why not; null where it was.</param>
public sealed record InjectionResult(JsonObject? Pod, string? Mistake);
