using Kubernetes.Core.V1;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>Pods, and whether they have their proxy.</summary>
internal static class WorkloadAnalysis
{
    private const string InjectionLabel = "istio-injection";
    private const string Revision = "istio.io/rev";
    private const string Mode = "istio.io/dataplane-mode";
    private const string Inject = "sidecar.istio.io/inject";
    private const long ProxyUid = 1337;
    private static readonly string[] ProxyContainers = ["istio-proxy", "istio-init", "istio-validation"];

    public static void Injection(AnalysisContext context)
    {
        var injected = new HashSet<string>();
        var byDefault = context.Options.InjectsByDefault || InjectorSaysByDefault(context);
        foreach (var ns in context.View.All(Kinds.Namespace).Where(n => !context.IsSystem(n.Name)))
        {
            var injection = ns.Labels.GetValueOrDefault(InjectionLabel);
            var ways = new[] { injection == "enabled", ns.Labels.ContainsKey(Revision), ns.Labels.GetValueOrDefault(Mode) == "ambient" };
            if (injection == "disabled") continue;
            if (ways.Count(w => w) > 1)
            {
                context.Report(Codes.NamespaceMultipleInjectionLabels, ns, "metadata.labels",
                    "it has more than one of the labels istio-injection, istio.io/rev and istio.io/dataplane-mode");
            }
            else if (ways[2]) continue;
            else if (!ways[0] && !ways[1])
            {
                context.Report(byDefault ? Codes.NamespaceInjectionEnabledByDefault : Codes.NamespaceNotInjected, ns, "metadata.labels",
                    $"the namespace {ns.Name} has no label that asks for injection");
                if (!byDefault) continue;
            }

            injected.Add(ns.Name);
        }

        foreach (var pod in context.View.All(Kinds.Pod)
            .Where(p => injected.Contains(p.Namespace) && WantsProxy(p) && !HasProxy(p.Spec.Spec)))
        {
            context.Report(Codes.PodMissingProxy, pod, "spec.containers", $"the pod {pod.Name} has no proxy");
        }
    }

    /// <summary>The setting of the injector that an installation of Istio keeps in a ConfigMap.</summary>
    private static bool InjectorSaysByDefault(AnalysisContext context) =>
        context.View.In(Kinds.ConfigMap, context.Options.RootNamespace)
            .Where(c => c.Name.StartsWith("istio-sidecar-injector", StringComparison.Ordinal)).Any(c =>
                c.Spec.Data.TryGetValue("values", out var values) && DocumentReader.ReadSingle(values, "", []) is { } root
                && NodePath.Find(root, "sidecarInjectorWebhook.enableNamespacesByDefault") is ScalarNode { Value: "true" });

    private static bool WantsProxy(Resource<Pod> pod) =>
        pod.Labels.GetValueOrDefault(Inject) != "false" && pod.Annotations.GetValueOrDefault(Inject) != "false"
            && pod.Spec.Spec is not { HostNetwork: true };

    private static bool HasProxy(PodSpec? spec) =>
        spec is not null && spec.Containers.Concat(spec.InitContainers).Any(c => c.Name == "istio-proxy");

    public static void ApplicationUid(AnalysisContext context)
    {
        foreach (var pod in context.View.All(Kinds.Pod)) Uid(context, pod, pod.Spec.Spec, "spec");
        foreach (var deployment in context.View.All(Kinds.Deployment))
            Uid(context, deployment, deployment.Spec.Spec?.Template?.Spec, "spec.template.spec");
    }

    private static void Uid(AnalysisContext context, Resource resource, PodSpec? spec, string path)
    {
        if (spec is null) return;
        var own = spec.Containers.Where(c => !ProxyContainers.Contains(c.Name)).ToArray();
        var byPod = spec.SecurityContext is { HasRunAsUser: true, RunAsUser: ProxyUid }
            && own.Any(c => c.SecurityContext is not { HasRunAsUser: true });
        if (byPod || own.Any(c => c.SecurityContext is { HasRunAsUser: true, RunAsUser: ProxyUid }))
            context.Report(Codes.InvalidApplicationUid, resource, path, "it runs as user 1337");
    }
}
