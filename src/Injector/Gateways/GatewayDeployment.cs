// Gateways: the programs behind Gateway resources. A Gateway of one of our classes gets a service account, a deployment and a service (and,
// where an operator's overlay asks for them, a scaler and a disruption budget), rendered from the class's template, with the overlays of
// class and Gateway laid over.
//
// A function of the request: it says what is to be written and never writes. It takes nothing over that it has not made (a label tells),
// and leaves a Gateway to a newer control plane that has signed it. A template or overlay that would write anything but the five kinds,
// under the Gateway's names and in its namespace, is refused: overlays come from namespaces' owners, who must not gain the control plane's
// rights by them.
using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Injector.Pods;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Gateways;

/// <summary>Deploys gateways.</summary>
public sealed class GatewayDeployment(InjectionConfig config)
{
    private const string VersionAnnotation = "gateway.istio.io/controller-version";
    private const string ManagedLabel = "gateway.istio.io/managed";
    private const string OldNameLabel = "istio.io/gateway-name";
    private const string NetworkLabel = "topology.istio.io/network";
    private const string ModeLabel = "istio.io/dataplane-mode";
    private const string ApiPrefix = "gateway.networking.k8s.io/";

    // Larger ones win; that of the control planes whose place this one can take.
    private const int Version = 5;

    /// <summary>Whether the Gateway is one that is deployed: one that names addresses of its own, beyond a single address that its service
    /// is to have, runs somewhere already.</summary>
    public static bool IsManaged(JsonObject gateway) => gateway["spec"].Each("addresses").ToArray() switch
    {
        [] => true,
        [var only] => only.Word("type") is null or "IPAddress",
        _ => false,
    };

    /// <summary>A Gateway with the signature that it has in another, later reading of it.</summary>
    public static JsonObject SignedAs(JsonObject gateway, JsonObject later)
    {
        var (signed, annotations) = (gateway.DeepClone().AsObject(), later.Annotations());
        var own = signed.Ensure("metadata").Ensure("annotations");
        if (annotations.TryGetValue(VersionAnnotation, out var version)) own[VersionAnnotation] = version;
        else own.Remove(VersionAnnotation);
        return signed;
    }

    /// <summary>What is to be written for one.</summary>
    public DeploymentResult Deploy(DeploymentRequest request)
    {
        if (!IsManaged(request.Gateway)) return new DeploymentResult([]);
        var annotations = request.Gateway.Annotations();
        var version = annotations.TryGetValue(VersionAnnotation, out var written)
            ? int.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed) ? parsed : int.MaxValue : 0;
        if (version > Version) return new DeploymentResult([]);
        var names = Names(request);
        JsonObject[] signature = version < Version ? [Signature()] : [];
        if (request.OverlayProblem is { } missing) return new DeploymentResult(signature, missing);
        try
        {
            List<JsonObject> objects = [.. signature];
            foreach (var rendered in Rendered(request, names))
            {
                if (Refusal(rendered, request.Gateway, names) is { } refusal) return new DeploymentResult(signature, refusal);
                if (Finished(rendered, request) is { } finished) objects.Add(finished);
            }
            return new DeploymentResult(objects);
        }
        catch (TemplateException failure)
        {
            return new DeploymentResult(signature, failure.Message);
        }
    }

    /// <summary>Why an object must not be written for a Gateway; null where it may.</summary>
    internal static string? Refusal(JsonObject rendered, JsonObject gateway, (string Deployment, string Account) names)
    {
        var (kind, metadata, of) = (rendered.Word("kind"), rendered["metadata"], gateway["metadata"]);
        if (!ObjectOverlays.Kinds.ContainsKey(kind ?? ""))
            return $"unexpected object kind \"{kind}\", only {string.Join(", ", ObjectOverlays.Kinds.Keys)} are allowed";
        if (metadata.Word("namespace") != of.Word("namespace"))
            return $"object namespace \"{metadata.Word("namespace")}\" does not match gateway namespace \"{of.Word("namespace")}\"";
        var name = metadata.Word("name") ?? "";
        return name == names.Deployment || name == names.Account || name.StartsWith(of.Word("name") ?? "", StringComparison.Ordinal)
            ? null
            : $"object name \"{name}\" does not match expected pattern (expected {names.Deployment}, {names.Account}, or a prefix of "
                + $"\"{of.Word("name")}\")";
    }

    private static (string Deployment, string Account) Names(DeploymentRequest request)
    {
        var (name, annotations) = (request.Gateway["metadata"].Word("name") ?? "", request.Gateway.Annotations());
        var standard = request.Class.HasPlainNames ? name : $"{name}-{request.Gateway["spec"].Word("gatewayClassName")}";
        string Named(string annotation) => annotations.TryGetValue(annotation, out var own) && own.Length > 0 ? own : standard;
        return (Named("gateway.istio.io/name-override"), Named("gateway.istio.io/service-account"));
    }

    private static JsonObject Signature() => new()
    {
        ["apiVersion"] = "gateway.networking.k8s.io/v1", ["kind"] = "Gateway",
        ["metadata"] = new JsonObject { ["annotations"] =
            new JsonObject { [VersionAnnotation] = Version.ToString(CultureInfo.InvariantCulture) } },
    };

    private IEnumerable<JsonObject> Rendered(DeploymentRequest request, (string Deployment, string Account) names)
    {
        var template = config.TemplateOf(request.Class.Template)
            ?? throw new TemplateException($"no \"{request.Class.Template}\" template defined");
        return PlainText.Trees(template.Render(Context(request, names))).OfType<JsonObject>()
            .Select(rendered => ObjectOverlays.Apply(rendered, request.Overlays)).OfType<JsonObject>().ToArray();
    }

    // Labelled as ours, and bound to what is there: null where that is somebody else's.
    private static JsonObject? Finished(JsonObject rendered, DeploymentRequest request)
    {
        var metadata = rendered.Ensure("metadata");
        metadata.Ensure("labels")[ManagedLabel] = request.Class.Label;
        if (request.Existing(rendered.Word("kind")!, metadata.Word("name")!) is not { } existing) return rendered;
        if (!existing.Labels().ContainsKey(ManagedLabel)) return null;
        if (existing["metadata"].Word("resourceVersion") is { Length: > 0 } version) metadata["resourceVersion"] = version;
        // A deployment's selector can't be changed: one that selects by a label of former times keeps it.
        if (rendered.Word("kind") == "Deployment" && existing["spec"]?["selector"] is JsonObject selector
            && selector.Words("matchLabels").TryGetValue(OldNameLabel, out var old) && old.Length > 0)
        {
            rendered.Ensure("spec")["selector"] = selector.DeepClone();
            rendered.Ensure("spec").Ensure("template").Ensure("metadata").Ensure("labels")[OldNameLabel] = old;
        }
        return rendered;
    }

    private Dictionary<string, object?> Context(DeploymentRequest request, (string Deployment, string Account) names)
    {
        var (metadata, spec, annotations) =
            (request.Gateway["metadata"], request.Gateway["spec"] as JsonObject, request.Gateway.Annotations());
        var (user, group) = ProxyUsers.Of(request.NamespaceAnnotations);
        var type = request.Proxy.Image?.ImageType ?? "";
        return new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["ObjectMeta"] = PodObject.Of(metadata as JsonObject), ["Spec"] = PodObject.Of(spec),
            ["Name"] = metadata.Word("name"), ["Namespace"] = metadata.Word("namespace"), ["UID"] = metadata.Word("uid") ?? "",
            ["Annotations"] = new TextMap(annotations), ["Labels"] = new TextMap(request.Gateway.Labels()),
            ["GatewayClass"] = spec.Word("gatewayClassName"), ["DeploymentName"] = names.Deployment, ["ServiceAccount"] = names.Account,
            ["Ports"] = ServicePorts.Of(spec.Each("listeners").Concat(request.MoreListeners), request.HasQuic),
            ["ServiceType"] = annotations.GetValueOrDefault("networking.istio.io/service-type", request.Class.ServiceType),
            ["ClusterID"] = request.ClusterId, ["KubeVersion"] = (long)request.KubeVersion, ["Revision"] =
                request.Revision, ["NativeSidecars"] = true, ["CompliancePolicy"] = "",
            ["ProxyUID"] = user, ["ProxyGID"] = group,
            ["InfrastructureLabels"] = Labels(request), ["InfrastructureAnnotations"] = Infrastructure(request, "annotations"),
            ["GatewayNameLabel"] = "gateway.networking.k8s.io/gateway-name",
            ["IsEastWestGateway"] = request.Class.Controller == "istio.io/eastwest-controller", ["ControllerLabel"] = request.Class.Label,
            ["ProxyImage"] = ProxyImages.Of(config.Values, type, annotations), ["AgentgatewayImage"] =
                ProxyImages.Of(config.Values, type, annotations, "agentgateway", "agentgateway"),
            ["ProxyConfig"] = new ProtoObject(request.Proxy, request.ProxyDefaults), ["MeshConfig"] = new ProtoObject(request.Mesh),
            ["Values"] = PlainText.Of(config.Values, hasWholeNumbers: false),
        };
    }

    private TextMap Labels(DeploymentRequest request)
    {
        var (labels, own) = (Infrastructure(request, "labels"), request.Gateway.Labels());
        if (request.IsAmbient && !request.Class.IsOfMesh && !own.ContainsKey(ModeLabel) && !labels.ContainsKey(ModeLabel))
            labels[ModeLabel] = "none";
        if (request.Class.IsOfMesh && !own.ContainsKey(NetworkLabel) && config.Values["global"].Word("network") is { Length: > 0 } network)
            labels[NetworkLabel] = network;
        return labels;
    }

    // What the Gateway says of its infrastructure replaces its own metadata; names of the API's own are not its to give.
    private static TextMap Infrastructure(DeploymentRequest request, string part)
    {
        if ((request.Gateway["spec"] as JsonObject)?["infrastructure"] is JsonObject infrastructure && infrastructure[part] is JsonObject)
            return new TextMap(infrastructure.Words(part).Where(entry => !entry.Key.StartsWith(ApiPrefix, StringComparison.Ordinal)));
        return new TextMap(request.CopiesMetadata ? request.Gateway["metadata"].Words(part) : []);
    }
}
