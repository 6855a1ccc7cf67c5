using System.Security.Cryptography;
using System.Text;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>References to backends as destinations.</summary>
/// <param name="world">What exists.</param>
/// <param name="needsGrants">Another namespace must have agreed; clients in the mesh can reach it anyway.</param>
internal sealed class Backends(GatewayApiWorld world, bool needsGrants = true)
{
    private const int PoolHashLength = 8;

    /// <summary>Nothing that exists; what is sent there is refused.</summary>
    private static Destination Nowhere => new();

    public (Destination Destination, Problem? Problem) Of(string fromKind, string fromNamespace, HTTPBackendRef reference) =>
        Of(fromKind, fromNamespace, Plain(
            reference.Name, reference.HasGroup ? reference.Group : null, reference.HasKind ? reference.Kind : null, reference.HasNamespace
                ? reference.Namespace : null, reference.HasPort ? reference.Port : 0));

    public (Destination Destination, Problem? Problem) Of(string fromKind, string fromNamespace, BackendRef reference) =>
        Of(fromKind, fromNamespace, Plain(
            reference.Name, reference.HasGroup ? reference.Group : null, reference.HasKind ? reference.Kind : null, reference.HasNamespace
                ? reference.Namespace : null, reference.HasPort ? reference.Port : 0));

    private static BackendObjectReference Plain(string name, string? group, string? kind, string? ns, int port)
    {
        var plain = new BackendObjectReference { Name = name };
        if (group is not null) plain.Group = group;
        if (kind is not null) plain.Kind = kind;
        if (ns is not null) plain.Namespace = ns;
        if (port > 0) plain.Port = port;
        return plain;
    }

    /// <summary>Where a reference leads. With a problem that is no backend's own the whole route can't be served.</summary>
    public (Destination Destination, Problem? Problem) Of(string fromKind, string fromNamespace, BackendObjectReference reference)
    {
        var ns = reference is { HasNamespace: true, Namespace.Length: > 0 } ? reference.Namespace : fromNamespace;
        var (group, kind) = (reference.HasGroup ? reference.Group : "", reference.HasKind ? reference.Kind : "Service");
        if (needsGrants && !world.Grants(fromKind, fromNamespace, group == "core" ? "" : group, kind, ns, reference.Name))
        {
            return (Nowhere, new Problem(
                Problem.RefNotPermitted,
                $"backendRef {reference.Name}/{ns} not accessible to a {fromKind} in namespace \"{fromNamespace}\" (missing a "
                + $"ReferenceGrant?)"));
        }
        return (group, kind) switch
        {
            ("" or "core", "Service") => OfService(reference, ns, world.HostOf(reference.Name, ns)),
            ("networking.istio.io", "Hostname") => OfHost(reference, ns),
            ("multicluster.x-k8s.io", "ServiceImport") => OfImport(reference, ns),
            ("inference.networking.k8s.io", "InferencePool") => OfPool(reference, ns),
            ("gateway.networking.x-k8s.io", "XBackend") => OfBackend(reference, ns),
            _ =>
                (Nowhere, new Problem(Problem.InvalidKind,
                    $"referencing unsupported backendRef: group \"{reference.Group}\" kind \"{reference.Kind}\"")),
        };
    }

    /// <summary>Name of the service that stands for a pool of inference servers.</summary>
    public static string PoolService(string pool) =>
        $"{pool}-ip-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(pool)))[..PoolHashLength]}";

    private (Destination, Problem?) OfService(BackendObjectReference reference, string ns, string host)
    {
        if (reference.Name.Contains('.', StringComparison.Ordinal))
            return (Nowhere,
                new Problem(Problem.InvalidDestination, "service name invalid; the name of the Service must be used, not the hostname."));
        return At(reference, host, world.Registry.Find(host, ns) is null ? Missing(host) : null);
    }

    private (Destination, Problem?) OfHost(BackendObjectReference reference, string ns)
    {
        if (reference.HasNamespace)
            return (Nowhere, new Problem(Problem.InvalidDestination, "namespace may not be set with Hostname type"));
        return At(reference, reference.Name, world.Registry.ByHost.ContainsKey(reference.Name) ? null : Missing(reference.Name));
    }

    // An imported service is the service of that name in any cluster, unless there are names of the set of clusters.
    private (Destination, Problem?) OfImport(BackendObjectReference reference, string ns)
    {
        var imported = $"{reference.Name}.{ns}.svc.clusterset.local";
        var host = world.Registry.ByHost.ContainsKey(imported) ? imported : world.HostOf(reference.Name, ns);
        return At(reference, host, world.Registry.ByHost.ContainsKey(host) ? null : Missing(host));
    }

    private (Destination, Problem?) OfPool(BackendObjectReference reference, string ns)
    {
        if (reference.Name.Contains('.', StringComparison.Ordinal))
            return (Nowhere, new Problem(Problem.InvalidDestination,
                "InferencePool.Name invalid; the name of the InferencePool must be used, not the hostname."));
        if (!world.Inputs.Pools.Any(pool => pool.Namespace == ns && pool.Name == reference.Name)) return (Nowhere, Missing(reference.Name));
        var host = world.HostOf(PoolService(reference.Name), ns);
        if (world.Registry.Find(host, ns) is not { } service) return (Nowhere, Missing(host));
        return service.Labels.ContainsKey("istio.io/inferencepool-extension-service")
            && service.Labels.ContainsKey("istio.io/inferencepool-extension-port")
            ? (new Destination { Host = host }, null)
            : (Nowhere, new Problem(Problem.InvalidDestination, "InferencePool service invalid, extensionRef labels not found"));
    }

    private (Destination, Problem?) OfBackend(BackendObjectReference reference, string ns)
    {
        if (world.Inputs.Backends.FirstOrDefault(backend => backend.Namespace == ns
            && backend.Name == reference.Name)?.Spec.Spec is not { } spec) return (Nowhere, Missing(reference.Name));
        var port = spec.Port?.Port_ ?? 0;
        if (reference is { HasPort: true, Port: > 0 } && reference.Port != port)
        {
            return (Nowhere, new Problem(Problem.BackendNotFound, string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"backend({reference.Name}) does not expose port {reference.Port}, expected {port}")));
        }
        return (new Destination { Host = spec.ExternalHostname?.Hostname ?? "", Port = new PortSelector { Number = (uint)port } }, null);
    }

    private static (Destination, Problem?) At(BackendObjectReference reference, string host, Problem? problem) =>
        reference is { HasPort: true, Port: > 0 }
            ? (new Destination { Host = host, Port = new PortSelector { Number = (uint)reference.Port } }, problem)
            : (Nowhere, new Problem(Problem.InvalidDestination, "port is required in backendRef"));

    private static Problem Missing(string what) => new(Problem.BackendNotFound, $"backend({what}) not found");
}
