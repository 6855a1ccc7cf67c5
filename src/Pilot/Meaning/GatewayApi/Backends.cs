using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>References to backends as destinations.</summary>
/// <param name="world">What exists.</param>
/// <param name="needsGrants">Another namespace must have agreed; clients in the mesh can reach it anyway.</param>
internal sealed class Backends(GatewayApiWorld world, bool needsGrants = true)
{
    /// <summary>Nothing that exists; what is sent there is refused.</summary>
    public static Destination Nowhere => new();

    public Destination Of(string fromKind, string fromNamespace, HTTPBackendRef reference) => Of(
        fromKind, fromNamespace, reference.HasGroup ? reference.Group : "", reference.HasKind ? reference.Kind : "Service", reference.Name,
        reference is { HasNamespace: true } && reference.Namespace.Length > 0 ? reference.Namespace : fromNamespace, reference.HasPort ? reference.Port : 0);

    public Destination Of(string fromKind, string fromNamespace, BackendRef reference) => Of(
        fromKind, fromNamespace, reference.HasGroup ? reference.Group : "", reference.HasKind ? reference.Kind : "Service", reference.Name,
        reference is { HasNamespace: true } && reference.Namespace.Length > 0 ? reference.Namespace : fromNamespace, reference.HasPort ? reference.Port : 0);

    public Destination Of(string fromKind, string fromNamespace, BackendObjectReference reference) => Of(
        fromKind, fromNamespace, reference.HasGroup ? reference.Group : "", reference.HasKind ? reference.Kind : "Service", reference.Name,
        reference is { HasNamespace: true } && reference.Namespace.Length > 0 ? reference.Namespace : fromNamespace, reference.HasPort ? reference.Port : 0);

    private Destination Of(string fromKind, string fromNamespace, string group, string kind, string name, string ns, int port)
    {
        var host = (group, kind) switch
        {
            ("" or "core", "Service") => world.HostOf(name, ns),
            ("networking.istio.io", "Hostname") => name,
            ("multicluster.x-k8s.io", "ServiceImport") => $"{name}.{ns}.svc.clusterset.local",
            _ => null,
        };
        if (host is null || (needsGrants && kind != "Hostname" && !world.Grants(fromKind, fromNamespace, group, kind, ns, name))) return Nowhere;
        var destination = new Destination { Host = host };
        if (port > 0) destination.Port = new PortSelector { Number = (uint)port };
        return destination;
    }
}
