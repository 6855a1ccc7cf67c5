using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;
using Mode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>DestinationRules beside the services and pods that they speak of.</summary>
internal static class DestinationRuleAnalysis
{
    private static readonly string[] Topology = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone",
        "topology.istio.io/subzone"];

    public static void Authorities(AnalysisContext context)
    {
        foreach (var rule in context.View.All(Kinds.DestinationRule).Where(r => r.Spec.TrafficPolicy is not null))
        {
            var policy = rule.Spec.TrafficPolicy;
            var credentialsWork = rule.Spec.WorkloadSelector is not null;
            if (IsBlind(policy.Tls, credentialsWork))
            {
                context.Report(Codes.NoServerCertificateVerificationDestinationLevel, rule, "spec.trafficPolicy.tls",
                    $"mode {policy.Tls.Mode} without caCertificates for {rule.Spec.Host}");
            }

            for (var i = 0; i < policy.PortLevelSettings.Count; i++)
            {
                if (IsBlind(policy.PortLevelSettings[i].Tls, credentialsWork))
                {
                    context.Report(Codes.NoServerCertificateVerificationPortLevel, rule, $"spec.trafficPolicy.portLevelSettings[{i}].tls",
                        $"mode {policy.PortLevelSettings[i].Tls.Mode} without caCertificates for {rule.Spec.Host}, "
                        + $"port {policy.PortLevelSettings[i].Port?.Number}");
                }
            }
        }
    }

    /// <summary>A sidecar reads a credential only where the rule selects its workloads.</summary>
    private static bool IsBlind(ClientTLSSettings? tls, bool credentialsWork) =>
        tls is { Mode: Mode.Simple or Mode.Mutual, CaCertificates.Length: 0 } && !(credentialsWork && tls.CredentialName.Length > 0);

    public static void Subsets(AnalysisContext context)
    {
        foreach (var rule in context.View.All(Kinds.DestinationRule))
        {
            if (context.Service(context.HostOf(rule.Spec.Host, rule.Namespace)) is not { Spec.Spec: { Selector.Count: > 0 } service } found)
                continue;
            var workloads = context.Pods(service.Selector, found.Namespace).Select(p => WithTopology(context, p)).ToArray();
            for (var i = 0; i < rule.Spec.Subsets.Count; i++)
            {
                var subset = rule.Spec.Subsets[i];
                if (subset.Labels.Count > 0 && !workloads.Any(w => LabelSets.IsSubset(subset.Labels, w)))
                {
                    context.Report(Codes.DestinationRuleSubsetNotSelectPods, rule, $"spec.subsets[{i}]",
                        $"no pod of {rule.Spec.Host} has the labels {LabelSets.Format(subset.Labels)}");
                }
            }
        }
    }

    /// <summary>A pod has the place of its node.</summary>
    private static IReadOnlyDictionary<string, string> WithTopology(AnalysisContext context, Resource<Kubernetes.Core.V1.Pod> pod)
    {
        if (pod.Spec.Spec?.NodeName is not { Length: > 0 } name || context.View.Find(Kinds.Node, "", name) is not { } node)
            return pod.Labels;
        var labels = pod.Labels.ToDictionary();
        foreach (var label in Topology)
        {
            if (node.Labels.TryGetValue(label, out var value) && value.Length > 0) labels.TryAdd(label, value);
        }

        return labels;
    }

    public static void Hosts(AnalysisContext context)
    {
        foreach (var rule in context.View.All(Kinds.DestinationRule))
        {
            var host = context.HostOf(rule.Spec.Host, rule.Namespace);
            if (!HostNames.IsWildcard(host) && context.Service(host) is null && !context.Entries(host).Any())
            {
                context.Report(Codes.UnknownDestinationRuleHost, rule, "spec.host", $"{rule.Spec.Host} is no service of the mesh");
            }
        }
    }
}
