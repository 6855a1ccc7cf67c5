using System.Net;
using Kubernetes.Admissionregistration.V1;
using Kubernetes.Core.V1;
using Lateen.Api.Documents;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Codes = Lateen.Config.Analysis.AnalysisCodes;
using ProxyConfig = Istio.Mesh.V1Alpha1.ProxyConfig;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>The injector's webhooks, what they take, and the image that they give.</summary>
internal static class InjectorAnalysis
{
    private const string Revision = "istio.io/rev";
    private const string InjectionLabel = "istio-injection";
    private const string Proxy = "istio-proxy";
    private const string Injector = "istio-sidecar-injector";
    private static readonly IReadOnlyDictionary<string, string> NoLabels = new Dictionary<string, string>();

    /// <summary>Each pod is to be taken by one webhook at most, and each webhook needs its service.</summary>
    public static void Webhooks(AnalysisContext context)
    {
        var webhooks = context.View.All(Kinds.MutatingWebhookConfiguration)
            .Where(c => Revisions(c).Any() || c.Spec.Webhooks.Any(IsOfMesh))
            .SelectMany(c => c.Spec.Webhooks.Select(w => (Owner: c, Webhook: w))).ToArray();
        var revisions = webhooks.SelectMany(w => Revisions(w.Owner)).Distinct().ToArray();
        var told = new HashSet<(ResourceKey, string)>();
        foreach (var ns in Combinations(InjectionLabel, ["enabled", "disabled"], revisions))
        {
            foreach (var pod in Combinations("sidecar.istio.io/inject", ["true", "false"], revisions))
            {
                var taking = webhooks.Where(w => Takes(w.Webhook, ns, pod)).ToArray();
                foreach (var (owner, webhook) in taking.Length > 1 ? taking : [])
                {
                    var others = string.Join(", ",
                        taking.Where(o => o.Webhook != webhook || o.Owner != owner).Select(o => $"{o.Owner.Name}/{o.Webhook.Name}"));
                    if (told.Add((owner.Key, webhook.Name + others)))
                    {
                        context.Report(Codes.InvalidWebhook, owner, "webhooks",
                            $"{webhook.Name} takes pods that are taken by {others}, too; they would be injected twice");
                    }
                }
            }
        }

        foreach (var (owner, webhook) in webhooks.Where(w => w.Webhook.ClientConfig?.Service is not null))
        {
            var service = webhook.ClientConfig.Service;
            if (context.View.Find(Kinds.Service, service.Namespace, service.Name) is null)
            {
                context.Report(Codes.InvalidWebhook, owner, "webhooks",
                    $"{webhook.Name} asks the service {service.Namespace}/{service.Name}, which does not exist");
            }
        }
    }

    /// <summary>Where webhooks ask a control plane outside of the cluster.</summary>
    public static void ExternalControlPlane(AnalysisContext context)
    {
        var validating = context.View.All(Kinds.ValidatingWebhookConfiguration)
            .Where(c => c.Name == "istiod-default-validator" || c.Name.StartsWith("istio-validator", StringComparison.Ordinal))
            .SelectMany(c => c.Spec.Webhooks.Select(w => (Owner: (Resource)c, Webhook: w)));
        var mutating = context.View.All(Kinds.MutatingWebhookConfiguration)
            .Where(c => c.Name.StartsWith(Injector, StringComparison.Ordinal))
            .SelectMany(c => c.Spec.Webhooks.Select(w => (Owner: (Resource)c, Webhook: w)));
        foreach (var (owner, webhook) in validating.Concat(mutating))
        {
            var (hasUrl, url) = (webhook.ClientConfig?.HasUrl == true, webhook.ClientConfig?.Url ?? "");
            if (!hasUrl)
            {
                if (webhook.ClientConfig?.Service is null)
                    context.Report(Codes.InvalidExternalControlPlaneConfig, owner, "webhooks",
                        $"{webhook.Name} has neither a URL nor a service");
            }
            else if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.IdnHost.Length == 0)
            {
                context.Report(Codes.InvalidExternalControlPlaneConfig, owner, "webhooks", $"\"{url}\" of {webhook.Name} names no host");
            }
            else if (IPAddress.TryParse(parsed.IdnHost, out _))
            {
                context.Report(Codes.ExternalControlPlaneAddressIsNotAHostname, owner, "webhooks",
                    $"{url} of {webhook.Name} has an IP address for host");
            }
        }
    }

    /// <summary>The image <c>auto</c> stands for the injector's; without an injector there is no such image.</summary>
    public static void AutoImages(AnalysisContext context)
    {
        foreach (var pod in context.View.All(Kinds.Pod).Where(p => HasAutoImage(p.Spec.Spec)))
        {
            context.Report(Codes.ImageAutoWithoutInjectionError, pod, "spec.containers", $"the pod {pod.Name} has the image auto");
        }

        var webhooks = context.View.All(Kinds.MutatingWebhookConfiguration).SelectMany(c => c.Spec.Webhooks).Where(IsOfMesh).ToArray();
        foreach (var deployment in context.View.All(Kinds.Deployment).Where(d => HasAutoImage(d.Spec.Spec?.Template?.Spec)))
        {
            var ns = context.View.Find(Kinds.Namespace, "", deployment.Namespace)?.Labels ?? NoLabels;
            var pod = deployment.Spec.Spec.Template.Metadata?.Labels.ToDictionary() ?? NoLabels;
            if (!webhooks.Any(w => Takes(w, ns, pod)))
            {
                context.Report(Codes.ImageAutoWithoutInjectionWarning, deployment, "spec.template.spec.containers",
                    $"the deployment {deployment.Name} has the image auto, but no webhook of injection selects its pods");
            }
        }
    }

    /// <summary>Pods whose proxy is not the one that their injector would give today.</summary>
    public static void Images(AnalysisContext context)
    {
        var images = context.View.All(Kinds.ConfigMap).Where(c => c.Name.StartsWith(Injector, StringComparison.Ordinal))
            .DistinctBy(c => c.Name).ToDictionary(c => c.Name, ImageOf);
        foreach (var ns in images.Count > 0 ? context.View.All(Kinds.Namespace) : [])
        {
            var revision = ns.Labels.GetValueOrDefault(Revision)
                ?? (ns.Labels.GetValueOrDefault(InjectionLabel) == "enabled" ? "default" : null);
            if (revision is null || !images.TryGetValue(revision is "" or "default" ? Injector : $"{Injector}-{revision}", out var image))
                continue;
            var old = context.View.In(Kinds.Pod, ns.Name)
                .Where(p => !p.Annotations.ContainsKey("sidecar.istio.io/proxyImage") && Runs(p, image, ImageType(context, p)) == false)
                .Select(p => p.Name).ToArray();
            if (old.Length > 0) context.Report(Codes.PodsIstioProxyImageMismatchInNamespace, ns, "",
                $"the pods {string.Join(", ", old)} do not run {image}");
        }
    }

    /// <summary>Whether the pod's proxy has the image or its variant; null where it has no proxy.</summary>
    private static bool? Runs(Resource<Pod> pod, string image, string variant) =>
        pod.Spec.Spec is { } spec && spec.Containers.Concat(spec.InitContainers).FirstOrDefault(c => c.Name == Proxy) is { } proxy
            ? proxy.Image == image || proxy.Image == $"{image}-{variant}" : null;

    private static string ImageOf(Resource<ConfigMap> map)
    {
        var values = map.Spec.Data.TryGetValue("values", out var text) ? DocumentReader.ReadSingle(text, "", []) : null;
        string At(string path) => values is not null && NodePath.Find(values, path) is ScalarNode scalar ? scalar.Value : "";
        var image = At("global.proxy.image");
        return image.Contains('/', StringComparison.Ordinal) ? image : $"{At("global.hub")}/{image}:{At("global.tag")}";
    }

    /// <summary>The nearest word about the kind of image: the pod's, its ProxyConfig's, that of its namespace, of the root namespace, the
    /// mesh's.</summary>
    private static string ImageType(AnalysisContext context, Resource<Pod> pod)
    {
        if (pod.Annotations.TryGetValue("proxy.istio.io/config", out var text) && DocumentReader.ReadSingle(text, "", []) is { } root
            && new MessageReader("", []).Read<ProxyConfig>(root).Image?.ImageType is { Length: > 0 } own)
        {
            return own;
        }

        var here = context.View.In(Kinds.ProxyConfig, pod.Namespace)
            .Where(c => c.Spec.Selector is null || LabelSets.IsSubset(c.Spec.Selector.MatchLabels, pod.Labels))
            .OrderBy(c => c.Spec.Selector is null);
        var said = here.Concat(context.View.In(Kinds.ProxyConfig, context.Options.RootNamespace).Where(c => c.Spec.Selector is null))
            .Select(c => c.Spec.Image?.ImageType).FirstOrDefault(t => t is { Length: > 0 });
        return said ?? context.Options.ImageType;
    }

    private static bool HasAutoImage(PodSpec? spec) => spec is not null && spec.Containers.Any(c => c is { Name: Proxy, Image: "auto" });

    private static bool IsOfMesh(Webhook webhook) => webhook.Name.EndsWith("istio.io", StringComparison.Ordinal);

    private static bool Takes(Webhook webhook, IReadOnlyDictionary<string, string> ns, IReadOnlyDictionary<string, string> pod) =>
        (webhook.NamespaceSelector is null || LabelSelectors.Selects(webhook.NamespaceSelector, ns))
            && (webhook.ObjectSelector is null || LabelSelectors.Selects(webhook.ObjectSelector, pod));

    private static IEnumerable<string> Revisions(Resource<MutatingWebhookConfiguration> webhooks)
    {
        if (webhooks.Labels.TryGetValue(Revision, out var own)) yield return own;
        foreach (var selector in webhooks.Spec.Webhooks.SelectMany(w => new[] { w.NamespaceSelector, w.ObjectSelector })
            .OfType<Kubernetes.Meta.V1.LabelSelector>())
        {
            if (selector.MatchLabels.TryGetValue(Revision, out var matched)) yield return matched;
            foreach (var named in selector.MatchExpressions.Where(e => e.Key == Revision).SelectMany(e => e.Values)) yield return named;
        }
    }

    /// <summary>All ways in which the labels of injection can stand on one object.</summary>
    private static IEnumerable<IReadOnlyDictionary<string, string>> Combinations(string label, string[] values, string[] revisions) =>
        from value in values.Prepend(null)
        from revision in revisions.Prepend(null)
        select new Dictionary<string, string>(new[] { KeyValuePair.Create(label, value),
            KeyValuePair.Create(Revision, revision) }.Where(p => p.Value is not null).Select(p => KeyValuePair.Create(p.Key, p.Value!)));
}
