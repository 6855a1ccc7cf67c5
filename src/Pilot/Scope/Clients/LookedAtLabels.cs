using System.Collections.Frozen;
using Lateen.Pilot.Meaning;

namespace Lateen.Pilot.Scope.Clients;

/// <summary>The labels of clients that anything written looks at. All other labels can't make a difference, so that proxies which differ in
/// them are told the same.</summary>
internal static class LookedAtLabels
{
    private static readonly string[] OfTraces =
        ["service.istio.io/canonical-name", "service.istio.io/canonical-revision", "app.kubernetes.io/instance", "app.kubernetes.io/name"];

    /// <summary>Keys of the labels by which rules, patches, telemetry and extensions choose clients.</summary>
    public static FrozenSet<string> Of(MeshSnapshot snapshot)
    {
        var keys = new HashSet<string>();
        foreach (var filter in snapshot.Extensions.EnvoyFilters.Values.SelectMany(filters => filters))
            keys.UnionWith(filter.Spec.WorkloadSelector?.Labels.Keys ?? []);
        foreach (var extension in snapshot.Extensions.TrafficExtensions.Values.SelectMany(extensions => extensions))
            keys.UnionWith(extension.Spec.Selector?.MatchLabels.Keys ?? []);
        foreach (var telemetry in snapshot.Telemetry.ByNamespace.Values.SelectMany(telemetries => telemetries))
            keys.UnionWith(telemetry.Spec.Selector?.MatchLabels.Keys ?? []);
        foreach (var rule in snapshot.VirtualServices.All())
        {
            foreach (var match in rule.Spec.Http.SelectMany(http => http.Match)) keys.UnionWith(match.SourceLabels.Keys);
            foreach (var match in rule.Spec.Tcp.SelectMany(tcp => tcp.Match)) keys.UnionWith(match.SourceLabels.Keys);
            foreach (var match in rule.Spec.Tls.SelectMany(tls => tls.Match)) keys.UnionWith(match.SourceLabels.Keys);
        }
        keys.UnionWith(snapshot.DestinationRules.SelectorKeys());
        return keys.ToFrozenSet();
    }

    /// <summary>Labels that traces name their workload by.</summary>
    public static IEnumerable<string> InTraces => OfTraces;
}
