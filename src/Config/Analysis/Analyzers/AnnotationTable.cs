using System.Collections.Frozen;

namespace Lateen.Config.Analysis.Analyzers;

/// <summary>What an annotation of the mesh is.</summary>
/// <param name="Kinds">The kinds on which it means something.</param>
/// <param name="IsAlpha">It may change or go.</param>
/// <param name="IsDeprecated">It has a successor.</param>
/// <param name="Form">What its value must be.</param>
internal sealed record KnownAnnotation(IReadOnlyList<string> Kinds, bool IsAlpha, bool IsDeprecated, AnnotationForm Form);

/// <summary>The form of an annotation's value.</summary>
internal enum AnnotationForm
{
    Text,
    Boolean,
    Number,
    Ports,
    Ranges,
}

/// <summary>The annotations that Istio's API names.</summary>
internal static class AnnotationTable
{
    private static readonly string[] Pod = ["Pod"];
    private static readonly string[] Service = ["Service"];
    private static readonly string[] Any = [];

    public static readonly FrozenDictionary<string, KnownAnnotation> All = new Dictionary<string, KnownAnnotation>
    {
        // ---- pods ----
        ["sidecar.istio.io/inject"] = Stable(Pod, AnnotationForm.Boolean, deprecated: true),
        ["sidecar.istio.io/status"] = Alpha(Pod),
        ["sidecar.istio.io/rewriteAppHTTPProbers"] = Alpha(Pod, AnnotationForm.Boolean),
        ["sidecar.istio.io/discoveryAddress"] = Alpha(Pod, deprecated: true),
        ["sidecar.istio.io/proxyImage"] = Alpha(Pod),
        ["sidecar.istio.io/proxyImageType"] = Alpha(Pod),
        ["sidecar.istio.io/proxyCPU"] = Alpha(Pod),
        ["sidecar.istio.io/proxyCPULimit"] = Alpha(Pod),
        ["sidecar.istio.io/proxyMemory"] = Alpha(Pod),
        ["sidecar.istio.io/proxyMemoryLimit"] = Alpha(Pod),
        ["sidecar.istio.io/interceptionMode"] = Alpha(Pod),
        ["sidecar.istio.io/bootstrapOverride"] = Alpha(Pod),
        ["sidecar.istio.io/statsInclusionPrefixes"] = Alpha(Pod, deprecated: true),
        ["sidecar.istio.io/statsInclusionSuffixes"] = Alpha(Pod, deprecated: true),
        ["sidecar.istio.io/statsInclusionRegexps"] = Alpha(Pod, deprecated: true),
        ["sidecar.istio.io/statsHistogramBuckets"] = Alpha(Pod),
        ["sidecar.istio.io/statsHistogramBins"] = Alpha(Pod),
        ["sidecar.istio.io/statsFlushInterval"] = Alpha(Pod),
        ["sidecar.istio.io/statsEvictionInterval"] = Alpha(Pod),
        ["sidecar.istio.io/statsCompression"] = Alpha(Pod, deprecated: true),
        ["sidecar.istio.io/extraStatTags"] = Alpha(Pod, deprecated: true),
        ["sidecar.istio.io/userVolume"] = Alpha(Pod),
        ["sidecar.istio.io/userVolumeMount"] = Alpha(Pod),
        ["sidecar.istio.io/logLevel"] = Alpha(Pod),
        ["sidecar.istio.io/componentLogLevel"] = Alpha(Pod),
        ["sidecar.istio.io/agentLogLevel"] = Alpha(Pod),
        ["sidecar.istio.io/nativeSidecar"] = Alpha(Pod, AnnotationForm.Boolean),
        ["status.sidecar.istio.io/port"] = Alpha(Pod, AnnotationForm.Number),
        ["readiness.status.sidecar.istio.io/initialDelaySeconds"] = Alpha(Pod, AnnotationForm.Number),
        ["readiness.status.sidecar.istio.io/periodSeconds"] = Alpha(Pod, AnnotationForm.Number),
        ["readiness.status.sidecar.istio.io/failureThreshold"] = Alpha(Pod, AnnotationForm.Number),
        ["readiness.status.sidecar.istio.io/applicationPorts"] = Alpha(Pod, AnnotationForm.Ports),
        ["traffic.sidecar.istio.io/includeOutboundIPRanges"] = Alpha(Pod, AnnotationForm.Ranges),
        ["traffic.sidecar.istio.io/excludeOutboundIPRanges"] = Alpha(Pod, AnnotationForm.Ranges),
        ["traffic.sidecar.istio.io/includeInboundPorts"] = Alpha(Pod, AnnotationForm.Ports),
        ["traffic.sidecar.istio.io/excludeInboundPorts"] = Alpha(Pod, AnnotationForm.Ports),
        ["traffic.sidecar.istio.io/includeOutboundPorts"] = Alpha(Pod, AnnotationForm.Ports),
        ["traffic.sidecar.istio.io/excludeOutboundPorts"] = Alpha(Pod, AnnotationForm.Ports),
        ["traffic.sidecar.istio.io/excludeInterfaces"] = Alpha(Pod),
        ["traffic.sidecar.istio.io/kubevirtInterfaces"] = Alpha(Pod, deprecated: true),
        ["istio.io/reroute-virtual-interfaces"] = Alpha(Pod),
        ["proxy.istio.io/config"] = Stable(Pod),
        ["proxy.istio.io/overrides"] = Alpha(Pod),
        ["inject.istio.io/templates"] = Alpha(Pod),
        ["inject.istio.io/inject"] = Alpha(Pod, AnnotationForm.Boolean),
        ["prometheus.istio.io/merge-metrics"] = Alpha(Pod, AnnotationForm.Boolean),
        ["prometheus.istio.io/scrape-targets"] = Alpha(Pod),
        ["prometheus.istio.io/secure-port"] = Alpha(Pod, AnnotationForm.Number),
        ["ambient.istio.io/redirection"] = Alpha(Pod),
        ["ambient.istio.io/bypass-inbound-capture"] = Alpha(Pod),
        ["ambient.istio.io/dns-capture"] = Alpha(Pod),

        // ---- other objects ----
        ["networking.istio.io/exportTo"] = Alpha(Service),
        ["networking.istio.io/traffic-distribution"] = Alpha(["Service", "ServiceEntry", "Namespace"]),
        ["traffic.istio.io/nodeSelector"] = Stable(Service),
        ["networking.istio.io/service-type"] = Alpha(["Gateway"]),
        ["networking.istio.io/address-type"] = Alpha(["Gateway"]),
        ["ambient.istio.io/waypoint-inbound-binding"] = Alpha(["GatewayClass", "Gateway"]),
        ["gateway.istio.io/controller-version"] = Stable(Any),
        ["gateway.istio.io/name-override"] = Alpha(["Gateway"]),
        ["gateway.istio.io/service-account"] = Alpha(["Gateway"]),
        ["topology.istio.io/controlPlaneClusters"] = Alpha(["Namespace"]),
        ["galley.istio.io/analyze-suppress"] = Alpha(Any),
        ["istio.io/dry-run"] = Alpha(["AuthorizationPolicy"], AnnotationForm.Boolean),
        ["istio.io/autoRegistrationGroup"] = Alpha(["WorkloadEntry"]),
        ["istio.io/workloadController"] = Alpha(["WorkloadEntry"]),
        ["istio.io/connectedAt"] = Alpha(["WorkloadEntry"]),
        ["istio.io/disconnectedAt"] = Alpha(["WorkloadEntry"]),
        ["istio.io/ignore-policy-attachment"] = Alpha(["BackendTLSPolicy"], AnnotationForm.Boolean),
        ["istio.io/use-waypoint-canary-weight"] = Alpha(["Namespace", "Service", "ServiceEntry"], AnnotationForm.Number),
        ["alpha.istio.io/kubernetes-serviceaccounts"] = Alpha(Service, deprecated: true),
        ["alpha.istio.io/canonical-serviceaccounts"] = Alpha(Service, deprecated: true),
        ["install.operator.istio.io/chart-owner"] = Alpha(Any),
        ["install.operator.istio.io/owner-generation"] = Alpha(Any),
        ["install.operator.istio.io/version"] = Alpha(Any),
        ["kubernetes.io/ingress.class"] = Stable(["Ingress"]),
    }.ToFrozenDictionary();

    private static KnownAnnotation Stable(IReadOnlyList<string> kinds, AnnotationForm form = AnnotationForm.Text,
        bool deprecated = false) => new(kinds, false, deprecated, form);

    private static KnownAnnotation Alpha(IReadOnlyList<string> kinds, AnnotationForm form = AnnotationForm.Text, bool deprecated = false) =>
        new(kinds, true, deprecated, form);
}
