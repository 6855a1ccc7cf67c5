// Pods: a pod as its owner wrote it becomes one with a sidecar. Templates are rendered and laid over it, the owner's own words about
// injected containers over that (ContainerOverrides);
// then come the things that no template can say: where probes go (ProbeRewrite), where metrics are (MetricsMerge), the order of containers,
// and what was done (InjectionStatus).
//
// A pod is a JSON tree throughout: what this build knows nothing of goes through untouched. Everything here is a function of the request;
// whether a pod is to be injected at all is asked before (InjectionDecision). Webhook, kube-inject and check-inject all call this and
// nothing else.
//
// Refused: a sidecar built by code. Operators replace parts of it by templates of their own, and they can only replace what is a template.
using System.Globalization;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;
using Lateen.Injector.Settings;

namespace Lateen.Injector.Pods;

/// <summary>Injects pods.</summary>
public sealed class PodInjector(InjectionConfig config)
{
    private const string Cluster = "ISTIO_META_CLUSTER_ID";
    private const string Network = "ISTIO_META_NETWORK";
    private const string NetworkLabel = "topology.istio.io/network";
    private static readonly MergeSchema Schema = MergeSchema.Of("Pod");

    /// <summary>Injects one.</summary>
    public InjectionResult Inject(InjectionRequest request)
    {
        try
        {
            return InjectionAnnotations.Mistake(request.Pod.Annotations()) is { } mistake
                ? new InjectionResult(null, mistake) : new InjectionResult(Injected(request), null);
        }
        catch (TemplateException failure)
        {
            return new InjectionResult(null, failure.Message);
        }
    }

    private JsonObject Injected(InjectionRequest request)
    {
        var written = request.Pod.DeepClone().AsObject();
        if (request.AssignsUsers) ProxyUsers.ForgetAssigned(written);
        var environment = Environment(request, written);
        var (result, template) = Rendered(request, written);
        ContainerOverrides.Apply(result, written, template);
        ProxyUsers.Follow(result, written, request.Proxy);
        if (result.Container(PodTree.Proxy) is { } proxy) Tell(proxy, environment);
        MetricsMerge.Apply(result, request.Mesh);
        ProbeRewrite.Apply(result, config.Values["sidecarInjectorWebhook"].Word("rewriteAppHTTPProbe") == "true",
            request.Mesh.DefaultConfig.StatusPort);
        var metadata = result.Ensure("metadata");
        if (environment.TryGetValue(Network, out var network)) metadata.Ensure("labels")[NetworkLabel] = network;
        metadata.Ensure("annotations")[InjectionStatus.Annotation] = InjectionStatus.Write(template, request.Revision);
        foreach (var (name, value) in config.InjectedAnnotations) metadata.Ensure("annotations")[name] = value;
        ContainerOrder.Apply(result, request.Proxy.HoldApplicationUntilProxyStarts == true
            || config.Values["global"]?["proxy"].Word("holdApplicationUntilProxyStarts") == "true");
        return result;
    }

    // What the webhook's address says wins over the installation's settings, and the pod's label over both.
    private SortedDictionary<string, string> Environment(InjectionRequest request, JsonObject pod)
    {
        var environment = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in request.Environment) environment[name] = value;
        void Default(string name, string? value)
        {
            if (environment.GetValueOrDefault(name, "").Length == 0 && !string.IsNullOrEmpty(value)) environment[name] = value;
        }
        Default(Cluster, config.Values["global"]?["multiCluster"].Word("clusterName"));
        Default(Network, config.Values["global"].Word("network"));
        if (pod.Labels().TryGetValue(NetworkLabel, out var network) && network.Length > 0) environment[Network] = network;
        return environment;
    }

    private static void Tell(JsonObject proxy, SortedDictionary<string, string> environment)
    {
        if (environment.Count == 0) return;
        if (proxy["env"] is JsonArray env)
        {
            foreach (var known in env.OfType<JsonObject>().Where(variable => environment.ContainsKey(variable.Word("name") ?? ""))
                .ToArray()) env.Remove(known);
        }
        foreach (var (name, value) in environment) proxy.AddVariable(name, value);
    }

    // ---- Templates

    private (JsonObject Result, JsonObject Template) Rendered(InjectionRequest request, JsonObject written)
    {
        var context = Context(request, Stripped(written, request.Mesh));
        var (result, template) = (written.DeepClone().AsObject(), new JsonObject());
        foreach (var name in Names(written))
        {
            if (config.TemplateOf(name) is not { } found)
                throw new TemplateException(
                    $"requested template \"{name}\" not found; "
                    + $"have {string.Join(", ", config.TemplateNames.Order(StringComparer.Ordinal))}");
            var overlay = FieldOrder.Spelled(PlainText.Tree(found.Render(context))) as JsonObject ?? [];
            StrategicMerge.Apply(template, overlay, Schema);
            // The owner's words about the proxy stand among the containers, wherever the template puts it.
            if (template.Container("initContainers", PodTree.Proxy) is not null && result.Take("containers", PodTree.Proxy) is { } moved)
                result.List("initContainers").Add(moved);
            StrategicMerge.Apply(result, overlay, Schema);
        }
        return (result, template);
    }

    private IEnumerable<string> Names(JsonObject pod)
    {
        IEnumerable<string> named = pod.Annotations().TryGetValue("inject.istio.io/templates", out var chosen)
            ? chosen.Split(',').Select(name => name.Trim()) : config.DefaultTemplates;
        return named.SelectMany(name => config.Aliases.TryGetValue(name, out var meant) ? meant : [name]);
    }

    // Without what an earlier injection brought, so that templates see the pod as its owner wrote it.
    private static JsonObject Stripped(JsonObject written, MeshConfig mesh)
    {
        var pod = written.DeepClone().AsObject();
        if (pod.Annotations().TryGetValue(InjectionStatus.Annotation, out var annotation))
        {
            var status = InjectionStatus.Parse(annotation);
            foreach (var name in status.Containers) pod.Take("containers", name);
            foreach (var name in status.InitContainers) pod.Take("initContainers", name);
            if (pod.Annotations().GetValueOrDefault("prometheus.io/port") == mesh.DefaultConfig.StatusPort.ToString(
                CultureInfo.InvariantCulture)) MetricsMerge.Forget(pod);
            (pod["metadata"]?["annotations"] as JsonObject)?.Remove(InjectionStatus.Annotation);
        }
        ContainerOverrides.Restore(pod);
        return pod;
    }

    private Dictionary<string, object?> Context(InjectionRequest request, JsonObject pod)
    {
        var (user, group) = ProxyUsers.Of(request.NamespaceAnnotations);
        return new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["TypeMeta"] = new Dictionary<string, object?> { ["APIVersion"] = request.Owner.ApiVersion, ["Kind"] = request.Owner.Kind },
            ["DeploymentMeta"] = new Dictionary<string, object?> { ["Name"] = request.Owner.Name, ["Namespace"] = request.Owner.Namespace },
            ["ObjectMeta"] = PodObject.Of(pod["metadata"] as JsonObject),
            ["Spec"] = PodObject.Of(pod["spec"] as JsonObject),
            ["ProxyConfig"] = new ProtoObject(request.Proxy, request.ProxyDefaults),
            ["MeshConfig"] = new ProtoObject(request.Mesh),
            ["Values"] = PlainText.Of(config.Values, hasWholeNumbers: false),
            ["Revision"] = request.Revision,
            ["NativeSidecars"] = request.NativeSidecars,
            ["ProxyImage"] = ProxyImages.Of(config.Values, request.Proxy.Image?.ImageType ?? "", pod.Annotations()),
            ["ProxyInitImage"] = ProxyImages.Of(config.Values, request.Proxy.Image?.ImageType ?? "", pod.Annotations(), "proxy_init"),
            ["ProxyUID"] = user,
            ["ProxyGID"] = group,
            ["InboundTrafficPolicyMode"] =
                request.Mesh.InboundTrafficPolicy?.Mode == MeshConfig.Types.InboundTrafficPolicy.Types.Mode.Localhost
                    ? "localhost" : "passthrough",
            ["CompliancePolicy"] = request.CompliancePolicy,
        };
    }
}
