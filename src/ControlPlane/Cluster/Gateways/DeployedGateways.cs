// Gateways: the programs behind Gateways of the cluster. Injector/Gateways renders what a Gateway needs and never writes; here it is
// decided for which ones that is done, and when:
// after a compilation in which something changed that the objects depend on, and again each minute, since somebody may have deleted a
// deployment meanwhile.
//
// What runs a deleted Gateway is deleted by the cluster itself, by the owner that the objects name. State: what was last wished for; a
// restart wishes for all of it anew, and finds it there. Refused: watching deployments (a watch over all namespaces for what is looked at
// once a minute).
using System.Text.Json.Nodes;
using Kubernetes.Core.V1;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.Gateways;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.GatewayApi.Status;
using Lateen.Pilot.Meaning.Settings;
using WrittenGateway = Lateen.Config.Resources.Resource<Kubernetes.Gateway.V1.Gateway>;

namespace Lateen.ControlPlane.Cluster.Gateways;

/// <summary>The Gateways of a cluster that this control plane runs. Driven by the control loop alone.</summary>
/// <param name="options">Names and settings of the control plane.</param>
/// <param name="kubeVersion">The cluster's version: 128 for 1.28.</param>
/// <param name="say">Takes a line for the log.</param>
public sealed class DeployedGateways(ControlPlaneOptions options, int kubeVersion, Action<string> say)
{
    private const string ClassDefaults = "gateway.istio.io/defaults-for-class";

    private readonly Features _features = new(options.Environment);
    private readonly InjectorConfigMap _injector = new(options.RootNamespace, options.Revision);
    private readonly Dictionary<ResourceKey, object?[]> _wished = [];

    /// <summary>What is to be written for a snapshot; nothing for Gateways of which nothing changed.</summary>
    public IReadOnlyList<ClusterWish> Wishes(ResourceView view, MeshSnapshot snapshot, IReadOnlyList<GatewayApiStatus> statuses)
    {
        if (!_features.Flag("PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER", true) || Settings(view, snapshot) is not { } settings)
            return [];
        var wishes = new List<ClusterWish>();
        // Those that have a status are in namespaces that the mesh looks into.
        ResourceKey[] keys = [.. statuses.Where(status => status.Kind == Kinds.KubernetesGateway)
            .Select(status => new ResourceKey(status.Kind, status.Namespace, status.Name))];
        foreach (ResourceKey key in keys)
        {
            if (view.Find(key) is not WrittenGateway { Origin.Source: ResourceOrigin.FromCluster, Spec.Spec: { } spec } gateway
                || !Revisions.IsOf(options.Revision, view, gateway) || ClassOf(view, spec.GatewayClassName) is not { } kind) continue;
            object?[] inputs = Inputs(view, snapshot, settings, gateway, spec.GatewayClassName);
            if (_wished.TryGetValue(key, out object?[]? last) && inputs.SequenceEqual(last)) continue;
            _wished[key] = inputs;
            wishes.Add(new DeploymentWish(key, new GatewayDeployment(settings), Request(view, snapshot, gateway, kind)));
        }
        foreach (ResourceKey gone in _wished.Keys.Except(keys).ToArray()) _wished.Remove(gone);
        return wishes;
    }

    /// <summary>Lets everything be looked at again.</summary>
    public void Forget() => _wished.Clear();

    /// <summary>How the gateways of a class are deployed; null where they are not ours to deploy.</summary>
    private static DeploymentClass? ClassOf(ResourceView view, string className) =>
        DeploymentClass.Of(view.Find(Kinds.GatewayClass, "", className)?.Spec.Spec?.ControllerName
            ?? DeploymentClass.ControllerOf(className));

    // Told once by the injector's own door, too: nothing is deployed by templates that cannot be read.
    private InjectionConfig? Settings(ResourceView view, MeshSnapshot snapshot)
    {
        try
        {
            return _injector.Injection(view, snapshot).Config;
        }
        catch (TemplateException malformed)
        {
            say($"warn\tgateways\tthe injector's ConfigMap can't be read, no gateway is deployed: {malformed.Message}");
            return null;
        }
    }

    // By identity: what is the same object has not changed.
    private object?[] Inputs(ResourceView view, MeshSnapshot snapshot, InjectionConfig settings, WrittenGateway gateway,
        string className) =>
    [
        gateway, settings, snapshot.Settings, snapshot.Extensions, view.Find(Kinds.GatewayClass, "", className),
        view.Find(Kinds.Namespace, "", gateway.Namespace),
        .. Overlays(view, gateway, className), .. ListenerSets(view, gateway),
    ];

    private DeploymentRequest Request(ResourceView view, MeshSnapshot snapshot, WrittenGateway gateway, DeploymentClass kind)
    {
        var (mesh, spec) = (snapshot.Settings.Mesh, gateway.Spec.Spec!);
        return new DeploymentRequest
        {
            Gateway = Json(gateway),
            Class = kind,
            Mesh = mesh,
            Proxy = ProxyConfigs.Effective(snapshot.Extensions, options.RootNamespace, mesh.DefaultConfig, gateway.Namespace,
                gateway.Labels, gateway.Annotations),
            ProxyDefaults = MeshConfigs.DefaultProxyConfig(),
            MoreListeners = [.. ListenerSets(view, gateway)
                .SelectMany(set => (Json(set)["spec"]?["listeners"] as JsonArray ?? []).OfType<JsonObject>()
                    .Select(listener => listener.DeepClone().AsObject()))],
            Overlays = [.. Overlays(view, gateway, spec.GatewayClassName).OfType<Resource<ConfigMap>>()
                .Select(map => map.Spec.Data.AsReadOnly())],
            OverlayProblem = OverlayName(gateway) is { } named && view.Find(Kinds.ConfigMap, gateway.Namespace, named) is null
                ? $"ConfigMap {gateway.Namespace}/{named}, which spec.infrastructure.parametersRef names, does not exist" : null,
            NamespaceAnnotations = view.Find(Kinds.Namespace, "", gateway.Namespace)?.Annotations ?? new Dictionary<string, string>(),
            ClusterId = options.ClusterId,
            KubeVersion = kubeVersion,
            Revision = options.Revision,
            IsAmbient = _features.Ambient,
            CopiesMetadata = _features.Flag("PILOT_ENABLE_GATEWAY_API_COPY_LABELS_ANNOTATIONS", true),
        };
    }

    // Of its class first, then of its own.
    private IEnumerable<Resource?> Overlays(ResourceView view, WrittenGateway gateway, string className)
    {
        yield return view.In(Kinds.ConfigMap, options.RootNamespace).Where(map => map.Labels.GetValueOrDefault(ClassDefaults) == className)
            .MinBy(map => map.Name, StringComparer.Ordinal);
        yield return OverlayName(gateway) is { } named ? view.Find(Kinds.ConfigMap, gateway.Namespace, named) : null;
    }

    private static string? OverlayName(WrittenGateway gateway) =>
        gateway.Spec.Spec?.Infrastructure?.ParametersRef is { Kind: "ConfigMap", Group: "" } reference ? reference.Name : null;

    // Those that their status says are taken.
    private static IEnumerable<Resource<Kubernetes.Gateway.V1.ListenerSet>> ListenerSets(ResourceView view, WrittenGateway gateway) =>
        view.All(Kinds.ListenerSet).Where(set =>
            set.Spec.Spec?.ParentRef is { } parent && parent.Name == gateway.Name
                && (parent.Namespace.Length > 0 ? parent.Namespace : set.Namespace) == gateway.Namespace
            && set.Spec.Status?.Conditions.Any(condition => condition is { Type: "Accepted", Status: "True" }) == true)
            .OrderBy(set => set.Namespace, StringComparer.Ordinal).ThenBy(set => set.Name, StringComparer.Ordinal);

    private static JsonObject Json(Resource written) =>
        JsonNode.Parse(NodeText.ToJson(ResourceNodes.Of(written), indented: false))!.AsObject();
}
