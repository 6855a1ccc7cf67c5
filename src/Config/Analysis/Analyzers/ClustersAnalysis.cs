using Kubernetes.Core.V1;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Clusters that are one mesh: a service of one name is one service, so it has to look alike everywhere.</summary>
internal static class ClustersAnalysis
{
    private const string Headless = "None";

    public static IReadOnlyList<Diagnostic> Services(IReadOnlyDictionary<string, ResourceView> views, AnalysisOptions options)
    {
        AnalysisContext? context = null;
        var everywhere = views.OrderBy(v => v.Key, StringComparer.Ordinal)
            .SelectMany(v => v.Value.All(Kinds.Service).Select(s => (Cluster: v.Key, View: v.Value, Service: s)));
        foreach (var same in everywhere.GroupBy(s => s.Service.Key).Where(g => g.Count() > 1)
            .OrderBy(g => g.Key.ToString(), StringComparer.Ordinal))
        {
            var (cluster, view, first) = same.First();
            context ??= new AnalysisContext(view, options);
            var reasons = same.Skip(1).SelectMany(other => Differences(first.Spec.Spec ?? new(), other.Service.Spec.Spec ?? new()))
                .Distinct().ToArray();
            if (reasons.Length > 0)
            {
                context.Report(AnalysisCodes.MultiClusterInconsistentService, first, "spec",
                    $"the clusters {string.Join(", ", same.Select(s => s.Cluster))} do not agree about {string.Join(" and ", reasons)}");
            }
        }

        return context?.Findings ?? [];
    }

    private static IEnumerable<string> Differences(ServiceSpec a, ServiceSpec b)
    {
        if ((a.ClusterIp == Headless) != (b.ClusterIp == Headless)) yield return "whether it is headless";
        if (a.Type != b.Type) yield return "its type";
        if (!Ordered(a).SequenceEqual(Ordered(b))) yield return "its ports";
    }

    // Node ports are each cluster's own.
    private static IEnumerable<ServicePort> Ordered(ServiceSpec service) =>
        service.Ports.Select(p => new ServicePort(p) { NodePort = 0 }).OrderBy(p => p.Name, StringComparer.Ordinal);
}
