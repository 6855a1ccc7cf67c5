using System.Collections.Frozen;
using Google.Protobuf.Reflection;

namespace Lateen.ControlPlane.Findings;

/// <summary>The fields of all kinds that change nothing, and why.</summary>
/// <remarks>
/// A test walks every field of every kind: one that no code of Registry, Pilot, Injector or the control plane reads stands here, or the
/// test fails; one that stands here and is read fails it, too.
/// A field that has a message is idle with all that is in it.
/// </remarks>
public static class IdleTable
{
    private const string Unsupported = "Istio does not support it, and says so in the object's conditions where it can";
    private const string OfGroup = "workloads do not register themselves; write a WorkloadEntry for each";
    private const string OfPicker = "it counts by the service that belongs to the pool";

    private static readonly FrozenDictionary<string, string> Reasons = new Dictionary<string, string>
    {
        // ---- Istio
        ["istio.networking.v1alpha3.EnvoyFilter.Patch.filterClass"] = "",
        ["istio.networking.v1alpha3.EnvoyFilter.ListenerMatch.portName"] = "name the port's number",
        ["istio.networking.v1alpha3.SidecarPort.targetPort"] = "defaultEndpoint says where the workload listens",
        ["istio.networking.v1alpha3.Server.defaultEndpoint"] = "",
        ["istio.networking.v1alpha3.Port.targetPort"] = "",
        ["istio.networking.v1alpha3.OutlierDetection.consecutiveErrors"] = "consecutive5xxErrors has taken its place",
        ["istio.networking.v1alpha3.LoadBalancerSettings.backendUtilization"] = "Istio knows it and does not do it yet",
        ["istio.networking.v1alpha3.L4MatchAttributes.sourceSubnet"] = "",
        ["istio.networking.v1alpha3.HTTPFaultInjection.Abort.http2Error"] = "use httpStatus or grpcStatus",
        ["istio.networking.v1alpha3.HTTPFaultInjection.Delay.exponentialDelay"] = "use fixedDelay",
        ["istio.extensions.v1alpha1.WasmConfig.verificationKey"] = "Istio knows it and does not do it yet",

        ["istio.networking.v1alpha3.WorkloadGroup.metadata"] = OfGroup,
        ["istio.networking.v1alpha3.WorkloadGroup.template"] = OfGroup,
        ["istio.networking.v1alpha3.WorkloadGroup.probe"] = OfGroup,

        // ---- Gateway API
        ["kubernetes.gateway.v1.HTTPRouteSpec.useDefaultGateways"] = Unsupported,
        ["kubernetes.gateway.v1.GRPCRouteSpec.useDefaultGateways"] = Unsupported,
        ["kubernetes.gateway.v1.TLSRouteSpec.useDefaultGateways"] = Unsupported,
        ["kubernetes.gateway.v1.TCPRouteSpec.useDefaultGateways"] = Unsupported,
        ["kubernetes.gateway.v1.GatewaySpec.defaultScope"] = Unsupported,
        ["kubernetes.gateway.v1.TCPRouteRule.name"] = "routes of connections carry no names",
        ["kubernetes.gateway.v1.HTTPRouteRule.sessionPersistence"] = "use the annotation istio.io/persistent-session of the Service",
        ["kubernetes.gateway.v1.GRPCRouteRule.sessionPersistence"] = "use the annotation istio.io/persistent-session of the Service",
        ["kubernetes.gateway.x.XBackendTrafficPolicySpec.sessionPersistence"] = Unsupported,
        ["kubernetes.gateway.v1.HTTPRouteFilter.externalAuth"] = Unsupported,
        ["kubernetes.gateway.v1.HTTPRouteFilter.extensionRef"] = Unsupported,
        ["kubernetes.gateway.v1.BackendTLSPolicySpec.options"] = Unsupported,
        ["kubernetes.gateway.v1.GatewayClassSpec.parametersRef"] =
            "settings for all Gateways of a class stand in a ConfigMap with the label gateway.istio.io/defaults-for-class",
        ["kubernetes.gateway.v1.GatewayClassSpec.description"] = "it is for people",
        ["kubernetes.gateway.x.XBackendTrafficPolicySpec.RequestRate.interval"] = "Envoy's retry budget has no such window",
        ["kubernetes.gateway.x.XBackendSpec.type"] = Unsupported,
        ["kubernetes.gateway.x.XBackendSpec.protocol"] = Unsupported,
        ["kubernetes.gateway.x.XBackendSpec.TLS.clientCertificateRef"] = Unsupported,
        ["kubernetes.gateway.x.XBackendSpec.Port.name"] = "",

        // ---- what others own
        ["kubernetes.inference.v1.InferencePoolSpec.selector"] = OfPicker,
        ["kubernetes.inference.v1.InferencePoolSpec.targetPorts"] = OfPicker,
        ["kubernetes.inference.v1.InferencePoolSpec.appProtocol"] = OfPicker,
        ["kubernetes.inference.v1.InferencePoolSpec.EndpointPickerRef.group"] = OfPicker,
        ["kubernetes.inference.v1.InferencePoolSpec.EndpointPickerRef.kind"] = OfPicker,
        ["kubernetes.inference.v1.InferencePoolSpec.EndpointPickerRef.port"] = OfPicker,
        ["kubernetes.inference.v1.InferencePoolSpec.EndpointPickerRef.failureMode"] = OfPicker,
        ["kubernetes.multicluster.v1alpha1.ServiceImport.spec"] =
            "services of a set of clusters are told by ServiceEntries, or by remote clusters",
        ["kubernetes.networking.v1.IngressSpec.defaultBackend"] = "write a rule without a host",
        ["kubernetes.networking.v1.IngressBackend.resource"] = "a backend is a Service",
        ["kubernetes.networking.v1.IngressClassSpec.parameters"] = "",
    }.ToFrozenDictionary();

    /// <summary>Why a field changes nothing, empty where there is no more to say; null where it does something.</summary>
    public static string? Reason(FieldDescriptor field) => Reasons.GetValueOrDefault(Name(field));

    /// <summary>The fields of the table, by the full name of their message.</summary>
    public static IEnumerable<string> Fields => Reasons.Keys;

    /// <summary>How a field is called here.</summary>
    public static string Name(FieldDescriptor field) => $"{field.ContainingType.FullName}.{field.JsonName}";
}
