// Injection: what the injector needs to know of this mesh. Injector renders pods and knows no meaning; here the settings of mesh and
// proxies are put together for each pod. Webhook and the verb kube-inject come through here, so that both write the same.
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Injector.Pods;
using Lateen.Injector.Settings;
using Lateen.Pilot.Meaning.Settings;

namespace Lateen.ControlPlane.Injection;

/// <summary>Injects pods of one mesh.</summary>
public sealed record MeshInjection
{
    // Kubernetes made containers that come first and stay stable in this minor version.
    private const int NativeMinorMin = 33;

    /// <summary>Templates and settings.</summary>
    public required InjectionConfig Config { get; init; }

    /// <summary>Settings of the mesh.</summary>
    public required MeshConfig Mesh { get; init; }

    /// <summary>Revision of the control plane; empty for the default one.</summary>
    public string Revision { get; init; } = "";

    /// <summary>Proxies come first and stay.</summary>
    public bool NativeSidecars { get; init; }

    /// <summary>The platform gives users to containers.</summary>
    public bool AssignsUsers { get; init; }

    /// <summary>Settings of the proxy of a pod beyond what its annotation says; null for none.</summary>
    public Func<JsonObject, ProxyConfig>? ProxyOf { get; init; }

    /// <summary>Whether proxies can come first and stay: all nodes' versions are new enough, and there are nodes.</summary>
    public static bool CanBeNative(IReadOnlyCollection<string> kubeletVersions) =>
        kubeletVersions.Count > 0 && kubeletVersions.All(IsNative);

    /// <summary>Injects one.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="owner">What it belongs to.</param>
    /// <param name="environment">What the webhook's address says; null for nothing.</param>
    /// <param name="namespaceAnnotations">Annotations of its namespace; null for none.</param>
    public InjectionResult Inject(JsonObject pod, WorkloadOwner owner, IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyDictionary<string, string>? namespaceAnnotations = null)
    {
        var (mesh, proxy) = (Mesh, ProxyOf?.Invoke(pod) ?? Mesh.DefaultConfig);
        if ((pod["metadata"]?["annotations"] as JsonObject)?[InjectionAnnotations.ProxyConfig]?.ToString() is { } annotated)
        {
            var bag = new DiagnosticBag();
            proxy = MeshConfigs.Overlay(proxy, annotated, InjectionAnnotations.ProxyConfig, bag);
            if (bag.HasErrors)
                return new InjectionResult(null,
                    $"invalid value '{annotated}' for annotation "
                    + $"'{InjectionAnnotations.ProxyConfig}': {bag.First(finding => finding.IsError).Text}");
            mesh = mesh.Clone();
            mesh.DefaultConfig = MeshConfigs.Overlay(mesh.DefaultConfig, annotated, InjectionAnnotations.ProxyConfig, new DiagnosticBag());
        }
        var none = new Dictionary<string, string>();
        return new PodInjector(Config).Inject(new InjectionRequest
        {
            Pod = pod, Owner = owner, Mesh = mesh, Proxy = proxy, ProxyDefaults = MeshConfigs.DefaultProxyConfig(), Revision =
                Revision, NativeSidecars = NativeSidecars,
            AssignsUsers = AssignsUsers, Environment = environment ?? none, NamespaceAnnotations = namespaceAnnotations ?? none,
        });
    }

    private static bool IsNative(string version)
    {
        string[] parts = version.TrimStart('v').Split('.');
        return parts.Length > 1
            && int.TryParse(string.Concat(parts[1].TakeWhile(char.IsAsciiDigit)), System.Globalization.CultureInfo.InvariantCulture,
                out var minor) && minor >= NativeMinorMin;
    }
}
