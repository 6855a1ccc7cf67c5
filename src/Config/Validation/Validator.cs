using Istio.Extensions.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Istio.Security.V1Beta1;
using Istio.Telemetry.V1Alpha1;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Validation.Policies;
using Lateen.Config.Validation.Routing;
using Lateen.Config.Validation.Traffic;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation;

/// <summary>Judges one object by itself.</summary>
public static class Validator
{
    private const string ReservedPrefix = "internal.istio.io/";
    private const string UseWaypoint = "istio.io/use-waypoint";

    /// <summary>Everything that is wrong with the object, with places. An error means that it may not be taken in.</summary>
    public static IReadOnlyList<Diagnostic> Check(Resource resource)
    {
        var findings = new Findings();
        Check(findings, resource);
        return findings.Items.Count == 0 ? [] : findings.Items.Select(f => Place(f, resource)).ToArray();
    }

    /// <summary>The same, and whether a Service's ports say their protocol: for a person who asks, not for admission, where it would refuse
    /// what works.</summary>
    public static IReadOnlyList<Diagnostic> CheckConventions(Resource resource)
    {
        var findings = new Findings();
        Check(findings, resource);
        if (resource.Message is Kubernetes.Core.V1.Service service) ServicePortRules.Check(findings, service);
        return findings.Items.Select(f => Place(f, resource)).ToArray();
    }

    private static void Check(Findings f, Resource resource)
    {
        foreach (var annotation in resource.Annotations.Keys.Where(a => a.StartsWith(ReservedPrefix, StringComparison.Ordinal)))
        {
            f.Error(Codes.ReservedAnnotation, "metadata.annotations", $"annotation {annotation} is reserved for internal use");
        }

        WrittenEmpty.Check(f, resource);
        switch (resource.Message)
        {
            case VirtualService service:
                VirtualServiceRules.Check(f, service, resource.Namespace);
                break;
            case DestinationRule rule:
                DestinationRuleRules.Check(f, rule, resource.Namespace);
                break;
            case Gateway gateway:
                GatewayRules.Check(f, gateway);
                break;
            case ServiceEntry entry:
                var waypoint = resource.Labels.TryGetValue(UseWaypoint, out var name) && name != "none";
                ServiceEntryRules.Check(f, entry, resource.Namespace, waypoint);
                break;
            case WorkloadEntry entry:
                WorkloadRules.CheckEntry(f, "spec", entry);
                break;
            case WorkloadGroup group:
                WorkloadRules.CheckGroup(f, group);
                break;
            case Sidecar sidecar:
                SidecarRules.Check(f, sidecar, resource.Namespace);
                break;
            case EnvoyFilter filter:
                EnvoyFilterRules.Check(f, filter);
                break;
            case Istio.Networking.V1Beta1.ProxyConfig config:
                Mesh.ProxyConfigRules.CheckResource(f, config);
                break;
            case AuthorizationPolicy policy:
                AuthorizationRules.Check(f, policy, resource.Annotations);
                break;
            case PeerAuthentication policy:
                AuthenticationRules.CheckPeer(f, policy);
                break;
            case RequestAuthentication policy:
                AuthenticationRules.CheckRequest(f, policy, resource.Annotations);
                break;
            case Telemetry telemetry:
                TelemetryRules.Check(f, telemetry);
                break;
            case WasmPlugin plugin:
                ExtensionRules.CheckWasm(f, plugin);
                break;
            case TrafficExtension extension:
                ExtensionRules.CheckTraffic(f, extension);
                break;
            default:
                GatewayApi.GatewayApiRules.Check(f, resource.Message);
                break;
        }
    }

    private static Diagnostic Place(Finding finding, Resource resource) => new()
    {
        Code = finding.Code,
        Level = finding.Level,
        Text = finding.Text,
        Path = finding.Path,
        Resource = resource.Key.ToString(),
        Position = resource.PositionOf(finding.Path),
        Remedy = finding.Code.Remedy,
    };
}
