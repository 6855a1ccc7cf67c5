using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;

namespace Lateen.Injector.Gateways;

/// <summary>One gateway that is to be deployed, and all that its objects depend on.</summary>
public sealed record DeploymentRequest
{
    /// <summary>The Gateway.</summary>
    public required JsonObject Gateway { get; init; }

    /// <summary>How its class is deployed.</summary>
    public required DeploymentClass Class { get; init; }

    /// <summary>Settings of the mesh.</summary>
    public required MeshConfig Mesh { get; init; }

    /// <summary>Settings of its proxy.</summary>
    public required ProxyConfig Proxy { get; init; }

    /// <summary>Settings of proxies that go without saying.</summary>
    public required ProxyConfig ProxyDefaults { get; init; }

    /// <summary>Listeners of ListenerSets that it takes.</summary>
    public IReadOnlyList<JsonObject> MoreListeners { get; init; } = [];

    /// <summary>What operators lay over its objects, by the key of a ConfigMap: of its class first, then of its own.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, string>> Overlays { get; init; } = [];

    /// <summary>Why its overlay can't be had; null where it can.</summary>
    public string? OverlayProblem { get; init; }

    /// <summary>Annotations of its namespace.</summary>
    public IReadOnlyDictionary<string, string> NamespaceAnnotations { get; init; } = new Dictionary<string, string>();

    /// <summary>What is in the cluster under a kind and name of its namespace; null where nothing is.</summary>
    public Func<string, string, JsonObject?> Existing { get; init; } = static (_, _) => null;

    /// <summary>Name of the cluster.</summary>
    public string ClusterId { get; init; } = "Kubernetes";

    /// <summary>Version of the cluster: 128 for 1.28.</summary>
    public int KubeVersion { get; init; } = 128;

    /// <summary>Revision of the control plane; empty for the default one.</summary>
    public string Revision { get; init; } = "";

    /// <summary>Whether the mesh has parts without sidecars: gateways then say that they are none of them.</summary>
    public bool IsAmbient { get; init; } = true;

    /// <summary>Labels and annotations of the Gateway go to its objects, unless its infrastructure says which do.</summary>
    public bool CopiesMetadata { get; init; } = true;

    /// <summary>HTTPS is served over QUIC, too.</summary>
    public bool HasQuic { get; init; }
}

/// <summary>What is to be written, in order.</summary>
/// <param name="Objects">Objects, applied as they are.</param>
/// <param name="Problem">Why there are none; null where nothing is wrong.</param>
public sealed record DeploymentResult(IReadOnlyList<JsonObject> Objects, string? Problem = null);
