using Google.Protobuf;
using Istio.Security.V1Beta1;
using Istio.Type.V1Beta1;
using Lateen.Api.Diagnostics;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Objects that select workloads: what they select, and who else does.</summary>
internal static class SelectorAnalysis
{
    private const string GatewayName = "gateway.networking.k8s.io/gateway-name";

    public static void Sidecars(AnalysisContext context) =>
        Selecting(context, Kinds.Sidecar, s => s.WorkloadSelector?.Labels, "spec.workloadSelector",
            Codes.ConflictingSidecarWorkloadSelectors);

    public static void Telemetries(AnalysisContext context) =>
        Selecting(context, Kinds.Telemetry, t => t.Selector?.MatchLabels, "spec.selector", Codes.ConflictingTelemetryWorkloadSelectors);

    public static void DefaultSidecars(AnalysisContext context) =>
        Defaults(context, Kinds.Sidecar, s => s.WorkloadSelector is null, Codes.MultipleSidecarsWithoutWorkloadSelectors);

    public static void DefaultTelemetries(AnalysisContext context) =>
        Defaults(context, Kinds.Telemetry, t => t.Selector is null && t.TargetRef is null && t.TargetRefs.Count == 0,
            Codes.MultipleTelemetriesWithoutWorkloadSelectors);

    /// <summary>A control plane that fetches keys has to be told which addresses it may not ask.</summary>
    public static void KeyAddresses(AnalysisContext context)
    {
        var asking = context.View.All(Kinds.RequestAuthentication).Select(r => r.Key.ToString()).ToArray();
        foreach (var plane in context.View.All(Kinds.Deployment)
            .Where(d => asking.Length > 0 && d.Labels.GetValueOrDefault("app") == "istiod"))
        {
            if (plane.Spec.Spec?.Template?.Spec?.Containers.Any(
                c => c.Env.Any(e => e is { Name: "BLOCKED_CIDRS_IN_JWKS_URIS", Value.Length: > 0 })) != true)
            {
                context.Report(Codes.JwksUriFetchUnrestricted, plane, "spec.template.spec.containers",
                    $"BLOCKED_CIDRS_IN_JWKS_URIS is not set, and there are {string.Join(", ", asking)}");
            }
        }
    }

    private static void Selecting<T>(AnalysisContext context, ResourceKind<T> kind, Func<T, IDictionary<string, string>?> selector,
        string path, DiagnosticCode conflict)
        where T : class, IMessage<T>, new()
    {
        var selected = context.View.All(kind).Where(r => selector(r.Spec) is { Count: > 0 })
            .Select(r => (Resource: r, Pods: context.Pods(selector(r.Spec)!, r.Namespace).Select(p => p.Key).ToHashSet())).ToArray();
        foreach (var (resource, pods) in selected)
        {
            if (pods.Count == 0) context.Report(Codes.ReferencedResourceNotFound, resource, path,
                $"no pod has the labels {LabelSets.Format(selector(resource.Spec)!)}");
            var others = selected.Where(o => o.Resource.Key != resource.Key && o.Pods.Overlaps(pods)).Select(o => o.Resource.Key).ToArray();
            if (others.Length > 0) context.Report(conflict, resource, path, $"{string.Join(", ", others)} selects the same pods");
        }
    }

    private static void Defaults<T>(AnalysisContext context, ResourceKind<T> kind, Func<T, bool> isDefault, DiagnosticCode code)
        where T : class, IMessage<T>, new()
    {
        foreach (var group in context.View.All(kind).Where(r => isDefault(r.Spec)).GroupBy(r => r.Namespace).Where(g => g.Count() > 1))
        {
            foreach (var resource in group)
            {
                context.Report(code, resource, "spec",
                    $"{string.Join(", ", group.Where(o => o.Key != resource.Key).Select(o => o.Key))} has no selector, either");
            }
        }
    }

    /// <summary>An entry that turns nothing on needs no provider.</summary>
    public static void Providers(AnalysisContext context)
    {
        foreach (var telemetry in context.View.All(Kinds.Telemetry))
        {
            for (var i = 0; i < telemetry.Spec.AccessLogging.Count; i++)
            {
                var logging = telemetry.Spec.AccessLogging[i];
                if (logging.Providers.Count == 0 && logging.Disabled != true)
                    context.Report(Codes.InvalidTelemetryProvider, telemetry, $"spec.accessLogging[{i}]", "names no provider");
            }
        }
    }

    public static void OnKubernetesGateways(AnalysisContext context)
    {
        Ineffective(context, Kinds.RequestAuthentication, p => (p.Selector, p.TargetRef is not null || p.TargetRefs.Count > 0));
        Ineffective(context, Kinds.AuthorizationPolicy, p => (p.Selector, p.TargetRef is not null || p.TargetRefs.Count > 0));
        Ineffective(context, Kinds.WasmPlugin, p => (p.Selector, p.TargetRef is not null || p.TargetRefs.Count > 0));
        Ineffective(context, Kinds.Telemetry, p => (p.Selector, p.TargetRef is not null || p.TargetRefs.Count > 0));
    }

    private static void Ineffective<T>(AnalysisContext context, ResourceKind<T> kind,
        Func<T, (WorkloadSelector? Selector, bool HasTargets)> attachment)
        where T : class, IMessage<T>, new()
    {
        foreach (var policy in context.View.All(kind))
        {
            var (selector, hasTargets) = attachment(policy.Spec);
            var gateway = selector is null || hasTargets
                ? null : context.Pods(selector.MatchLabels, policy.Namespace).FirstOrDefault(p => p.Labels.ContainsKey(GatewayName));
            if (gateway is not null) context.Report(Codes.IneffectiveSelector, policy, "spec.selector",
                $"it selects pods of the gateway {gateway.Labels[GatewayName]}");
        }
    }

    public static void AuthorizationPolicies(AnalysisContext context)
    {
        foreach (var policy in context.View.All(Kinds.AuthorizationPolicy))
        {
            var ns = policy.Namespace == context.Options.RootNamespace ? null : policy.Namespace;
            if (policy.Spec.Selector is { MatchLabels.Count: > 0 } selector && !context.Pods(selector.MatchLabels, ns).Any())
            {
                context.Report(Codes.NoMatchingWorkloadsFound, policy, "spec.selector",
                    $"no pod has the labels {LabelSets.Format(selector.MatchLabels)}");
            }

            for (var i = 0; i < policy.Spec.Rules.Count; i++) Namespaces(context, policy, policy.Spec.Rules[i], i);
        }
    }

    private static void Namespaces(AnalysisContext context, Resource policy, Rule rule, int index)
    {
        for (var j = 0; j < rule.From.Count; j++)
        {
            foreach (var ns in (rule.From[j].Source?.Namespaces ?? []).Where(n => !n.Contains('*')))
            {
                if (context.View.Find(Kinds.Namespace, "", ns) is null)
                {
                    context.Report(Codes.ReferencedResourceNotFound, policy, $"spec.rules[{index}].from[{j}].source.namespaces",
                        $"there is no namespace {ns}");
                }
            }
        }
    }
}
