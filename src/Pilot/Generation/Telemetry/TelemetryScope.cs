// Telemetry: access logs, traces and metrics of listeners, as Telemetry resources and mesh-wide providers ask for them.
//
// Three steps for each of the three: which resources apply (`TelemetryScope`), what they add up to (merging by level), and the Envoy
// messages. All pure; the mesh configuration and the registry come in through the inputs.
//
// Never: a decision per request. Conditions of logs are handed to the proxy as CEL.
//
// Refused: one generic "provider" interface. Each kind of provider has its own message; what they share (the cluster of a service) is one
// function.
using System.Collections.Immutable;
using Istio.Telemetry.V1Alpha1;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;
using TelemetryResource = Istio.Telemetry.V1Alpha1.Telemetry;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>The Telemetry resources that apply to a workload: mesh, namespace, workload, each at most one; later ones override earlier
/// ones.</summary>
/// <param name="Levels">From the widest to the narrowest.</param>
public sealed record TelemetryScope(ImmutableArray<TelemetryResource> Levels)
{
    /// <summary>Chooses the resources.</summary>
    public static TelemetryScope Of(TelemetryIndex index, PolicyTarget target, string rootNamespace)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(target);
        var levels = ImmutableArray.CreateBuilder<TelemetryResource>();
        if (NamespaceWide(index, rootNamespace) is { } mesh) levels.Add(mesh);
        if (target.Namespace != rootNamespace && NamespaceWide(index, target.Namespace) is { } own) levels.Add(own);
        // A waypoint also tells what the namespace of the service behind it asks for.
        if (target.Service is { } service && service.Namespace != target.Namespace && service.Namespace != rootNamespace
            && NamespaceWide(index, service.Namespace) is { } ofService)
        {
            levels.Add(ofService);
        }
        if (OfWorkload(index, target, rootNamespace) is { } workload) levels.Add(workload);
        return new TelemetryScope(levels.ToImmutable());
    }

    private static TelemetryResource? NamespaceWide(TelemetryIndex index, string ns) =>
        In(index, ns).FirstOrDefault(static t => t.Spec.Selector is not { MatchLabels.Count: > 0 } && Refs(t.Spec).Count == 0)?.Spec;

    private static TelemetryResource? OfWorkload(TelemetryIndex index, PolicyTarget target, string rootNamespace)
    {
        var namespaces = target.Services.Select(static s => s.Namespace).Prepend(target.Namespace).Distinct();
        return namespaces.SelectMany(ns => In(index, ns))
            .FirstOrDefault(t => (t.Spec.Selector is { MatchLabels.Count: > 0 } || Refs(t.Spec).Count > 0)
                && WorkloadPolicies.Attaches(target, t.Origin, t.Spec.Selector, Refs(t.Spec), rootNamespace))?.Spec;
    }

    private static IReadOnlyList<Istio.Type.V1Beta1.PolicyTargetReference> Refs(TelemetryResource spec) =>
        WorkloadPolicies.Refs(spec.TargetRef, spec.TargetRefs);

    private static ImmutableArray<Meant<TelemetryResource>> In(TelemetryIndex index, string ns) =>
        index.ByNamespace.TryGetValue(ns, out var found) ? found : [];
}

/// <summary>Extension providers of the mesh configuration.</summary>
public static class Providers
{
    /// <summary>The provider of a name; case does not matter.</summary>
    public static Provider? Find(Istio.Mesh.V1Alpha1.MeshConfig mesh, string name)
    {
        ArgumentNullException.ThrowIfNull(mesh);
        return mesh.ExtensionProviders.FirstOrDefault(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The cluster that reaches a provider's service, or null when the service is unknown or ambiguous.</summary>
    /// <param name="registry">Services.</param>
    /// <param name="service">Host name, or <c>namespace/host</c>.</param>
    /// <param name="port">Port.</param>
    public static (string Host, string Cluster)? Cluster(Lateen.Registry.RegistryView registry, string service, uint port)
    {
        ArgumentNullException.ThrowIfNull(registry);
        ArgumentNullException.ThrowIfNull(service);
        var slash = service.IndexOf('/', StringComparison.Ordinal);
        var host = service[(slash + 1)..];
        if (!registry.ByHost.TryGetValue(host, out var found)) return null;
        if (slash >= 0 && !found.Any(s => s.Namespace == service[..slash])) return null;
        if (slash < 0 && found.Select(static s => s.Namespace).Distinct().Count() > 1) return null;
        return (host, $"outbound|{port}||{host}");
    }
}
