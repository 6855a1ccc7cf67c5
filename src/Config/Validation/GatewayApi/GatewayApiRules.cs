using Kubernetes.Gateway.V1;
using Kubernetes.Gateway.X;
using Lateen.Api.Documents;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>The kinds of the Gateway API; false when the message is none.</summary>
internal static class GatewayApiRules
{
    public static void Check(Findings f, Google.Protobuf.IMessage message)
    {
        switch (message)
        {
            case GatewayClass gatewayClass:
                var controller = gatewayClass.Spec?.ControllerName ?? "";
                f.ErrorIf(!ApiNames.IsControllerName(controller), Codes.Policy, "spec.controllerName",
                    $"\"{controller}\" is not of the form domain/path");
                break;
            case Gateway gateway:
                ListenerRules.Check(f, gateway.Spec ?? new GatewaySpec());
                break;
            case ListenerSet set:
                f.ErrorIf(set.Spec?.ParentRef is null or { Name.Length: 0 }, Codes.Required, "spec.parentRef", "parentRef is required");
                ListenerRules.Listeners(f, set.Spec?.Listeners ?? []);
                break;
            case HTTPRoute route:
                HttpRouteApiRules.Check(f, route.Spec ?? new HTTPRouteSpec());
                break;
            case GRPCRoute route:
                GrpcRouteApiRules.Check(f, route.Spec ?? new GRPCRouteSpec());
                break;
            case TCPRoute route:
                RouteParts.Parents(f, route.Spec?.ParentRefs ?? []);
                RouteParts.TcpRules(f, route.Spec?.Rules ?? []);
                break;
            case UDPRoute route:
                RouteParts.Parents(f, route.Spec?.ParentRefs ?? []);
                RouteParts.TcpRules(f, route.Spec?.Rules ?? []);
                break;
            case TLSRoute route:
                RouteParts.Parents(f, route.Spec?.ParentRefs ?? []);
                RouteParts.TcpRules(f, route.Spec?.Rules ?? []);
                SniHosts(f, route.Spec?.Hostnames ?? []);
                break;
            case ReferenceGrant grant:
                Grant(f, grant.Spec ?? new ReferenceGrantSpec());
                break;
            case BackendTLSPolicy policy:
                BackendPolicyRules.Tls(f, policy.Spec ?? new BackendTLSPolicySpec());
                break;
            case XBackendTrafficPolicy policy:
                BackendPolicyRules.Traffic(f, policy.Spec ?? new XBackendTrafficPolicySpec());
                break;
        }
    }

    private static void SniHosts(Findings f, IReadOnlyList<string> hosts)
    {
        f.ErrorIf(hosts.Count == 0, Codes.Required, "spec.hostnames", "at least one hostname is required");
        foreach (var host in hosts)
        {
            f.ErrorIf(Lateen.Api.Names.NameRules.IsAddress(host), Codes.BadHost, "spec.hostnames", "Hostnames cannot contain an IP");
            f.ErrorIf(!ApiNames.IsHostname(host), Codes.BadHost, "spec.hostnames", $"\"{host}\" is not a valid hostname");
        }
    }

    private static void Grant(Findings f, ReferenceGrantSpec spec)
    {
        f.ErrorIf(spec.From.Count is 0 or > 16, Codes.Required, "spec.from", "from needs 1 to 16 entries");
        f.ErrorIf(spec.To.Count is 0 or > 16, Codes.Required, "spec.to", "to needs 1 to 16 entries");
        f.ErrorIf(spec.From.Any(e => e.Kind.Length == 0 || e.Namespace.Length == 0), Codes.Required, "spec.from",
            "kind and namespace are required");
        f.ErrorIf(spec.To.Any(e => e.Kind.Length == 0), Codes.Required, "spec.to", "kind is required");
    }
}
