// Analysis: what is wrong between objects. Each object may be valid by itself while a route names a gateway that nobody wrote, two policies
// claim one workload, or a subset selects no pod. Codes, names and levels are Istio's (IST0101 …), since people know and script against
// them.
//
// Pure functions over one immutable view: nothing is fetched, nothing is changed, and no finding ever keeps an object out. An object may
// silence codes with the annotation galley.istio.io/analyze-suppress.
// Refused: analysis inside validation (an object would be refused because another is not there yet), and a finding per pair of objects (who
// reads it stands before one object).
using Lateen.Api.Diagnostics;

namespace Lateen.Config.Analysis;

/// <summary>The codes of analysis: Istio's, with their names.</summary>
public static class AnalysisCodes
{
    public static readonly DiagnosticCode ReferencedResourceNotFound =
        new("IST0101", DiagnosticLevel.Error, "a referenced object does not exist", "correct the name, or add the object");
    public static readonly DiagnosticCode NamespaceNotInjected = new("IST0102", DiagnosticLevel.Info,
        "the namespace is neither injected nor ambient", "label it istio-injection=enabled, or disabled to say that this is meant");
    public static readonly DiagnosticCode PodMissingProxy =
        new("IST0103", DiagnosticLevel.Warning, "a pod of an injected namespace runs without a proxy", "restart the workload");
    public static readonly DiagnosticCode SchemaValidationError =
        new("IST0106", DiagnosticLevel.Error, "the object is not valid", "see the code beside it");
    public static readonly DiagnosticCode MisplacedAnnotation =
        new("IST0107", DiagnosticLevel.Warning, "an annotation means nothing on this kind", "move it to the kind that it is for");
    public static readonly DiagnosticCode UnknownAnnotation =
        new("IST0108", DiagnosticLevel.Warning, "an annotation of the mesh's domain that nothing knows", "correct its name");
    public static readonly DiagnosticCode ConflictingMeshGatewayVirtualServiceHosts = new("IST0109", DiagnosticLevel.Error,
        "several VirtualServices of the mesh claim one host; the oldest wins", "merge them, or separate them by exportTo");
    public static readonly DiagnosticCode ConflictingSidecarWorkloadSelectors =
        new("IST0110", DiagnosticLevel.Error, "several Sidecars select one workload", "give them selectors that do not overlap");
    public static readonly DiagnosticCode MultipleSidecarsWithoutWorkloadSelectors =
        new("IST0111", DiagnosticLevel.Error, "several Sidecars of a namespace have no selector", "keep one");
    public static readonly DiagnosticCode VirtualServiceDestinationPortSelectorRequired =
        new("IST0112", DiagnosticLevel.Error, "a destination names no port of a service that has several", "name the port");
    public static readonly DiagnosticCode DeploymentAssociatedToMultipleServices = new("IST0116", DiagnosticLevel.Warning,
        "a deployment is in several services with one port and different protocols", "give the port one protocol");
    public static readonly DiagnosticCode PortNameIsNotUnderNamingConvention = new("IST0118", DiagnosticLevel.Info,
        "a port's name does not tell its protocol", "set appProtocol, or begin the name with the protocol");
    public static readonly DiagnosticCode NamespaceMultipleInjectionLabels =
        new("IST0123", DiagnosticLevel.Warning, "the namespace has several labels that ask for injection", "keep one");
    public static readonly DiagnosticCode InvalidAnnotation =
        new("IST0125", DiagnosticLevel.Warning, "an annotation's value cannot be read", "correct the value");
    public static readonly DiagnosticCode NoMatchingWorkloadsFound =
        new("IST0127", DiagnosticLevel.Warning, "the selector selects no workload", "correct the labels");
    public static readonly DiagnosticCode NoServerCertificateVerificationDestinationLevel = new("IST0128", DiagnosticLevel.Warning,
        "TLS is used, but the server's certificate is not verified", "set caCertificates or credentialName");
    public static readonly DiagnosticCode NoServerCertificateVerificationPortLevel = new("IST0129", DiagnosticLevel.Warning,
        "TLS is used on a port, but the server's certificate is not verified", "set caCertificates or credentialName");
    public static readonly DiagnosticCode VirtualServiceUnreachableRule = new("IST0130", DiagnosticLevel.Warning,
        "a rule of a VirtualService can never be reached", "put it before the rule that takes its requests, or remove it");
    public static readonly DiagnosticCode VirtualServiceIneffectiveMatch =
        new("IST0131", DiagnosticLevel.Info, "a match of a VirtualService repeats one before it", "remove it");
    public static readonly DiagnosticCode VirtualServiceHostNotFoundInGateway = new("IST0132", DiagnosticLevel.Warning,
        "hosts of a VirtualService are not among its gateway's", "add the host to the gateway, or correct it");
    public static readonly DiagnosticCode SchemaWarning =
        new("IST0133", DiagnosticLevel.Warning, "the object is doubtful", "see the code beside it");
    public static readonly DiagnosticCode ServiceEntryAddressesRequired =
        new("IST0134", DiagnosticLevel.Warning, "a TCP port of a ServiceEntry has no address of its own", "give addresses");
    public static readonly DiagnosticCode DeprecatedAnnotation =
        new("IST0135", DiagnosticLevel.Info, "an annotation is deprecated", "use its successor");
    public static readonly DiagnosticCode AlphaAnnotation =
        new("IST0136", DiagnosticLevel.Info, "an annotation belongs to a feature that may still change", "nothing, if that is known");
    public static readonly DiagnosticCode DeploymentConflictingPorts =
        new("IST0137", DiagnosticLevel.Warning, "services give one target port of a deployment different ports", "use one port");
    public static readonly DiagnosticCode GatewayDuplicateCertificate =
        new("IST0138", DiagnosticLevel.Warning,
            "several gateways use one certificate, so that HTTP/2 clients reuse connections across them and get 404",
            "use one Gateway, or certificates of their own");
    public static readonly DiagnosticCode InvalidWebhook = new("IST0139", DiagnosticLevel.Error,
        "a webhook of injection overlaps another or names a service that does not exist", "correct its selectors, or its service");
    public static readonly DiagnosticCode IngressRouteRulesNotAffected = new("IST0140", DiagnosticLevel.Warning,
        "a rule for the mesh has no effect on requests through the gateway", "name the subset in the gateway's VirtualService, too");
    public static readonly DiagnosticCode InvalidApplicationUid = new("IST0144", DiagnosticLevel.Warning,
        "the application runs as the proxy's user, so that its traffic is not captured", "run it as another user than 1337");
    public static readonly DiagnosticCode ConflictingGateways =
        new("IST0145", DiagnosticLevel.Error, "several Gateways have the same selector, port and hosts", "merge them");
    public static readonly DiagnosticCode ImageAutoWithoutInjectionWarning = new("IST0146", DiagnosticLevel.Warning,
        "a deployment has `image: auto`, but no injector takes it", "label its pods or its namespace for injection");
    public static readonly DiagnosticCode ImageAutoWithoutInjectionError = new("IST0147", DiagnosticLevel.Error,
        "a pod has `image: auto`, so it was not injected and cannot start", "label it or its namespace for injection");
    public static readonly DiagnosticCode NamespaceInjectionEnabledByDefault =
        new("IST0148", DiagnosticLevel.Info, "the namespace is injected because all are", "label it to say that this is meant");
    public static readonly DiagnosticCode ExternalNameServiceTypeInvalidPortName = new("IST0150", DiagnosticLevel.Warning,
        "an ExternalName service has a TCP port or one without protocol, which captures other traffic of that port", "name the protocol");
    public static readonly DiagnosticCode EnvoyFilterUsesRelativeOperation = new("IST0151", DiagnosticLevel.Warning,
        "a patch depends on the place of others but has no priority", "set priority, or use INSERT_FIRST or ADD");
    public static readonly DiagnosticCode EnvoyFilterUsesReplaceOperationIncorrectly =
        new("IST0152", DiagnosticLevel.Error, "REPLACE works on HTTP_FILTER and NETWORK_FILTER only", "use another operation");
    public static readonly DiagnosticCode EnvoyFilterUsesAddOperationIncorrectly =
        new("IST0153", DiagnosticLevel.Error, "ADD is ignored on ROUTE_CONFIGURATION and HTTP_ROUTE", "use another operation");
    public static readonly DiagnosticCode EnvoyFilterUsesRemoveOperationIncorrectly =
        new("IST0154", DiagnosticLevel.Error, "REMOVE is ignored on ROUTE_CONFIGURATION and HTTP_ROUTE", "use another operation");
    public static readonly DiagnosticCode EnvoyFilterUsesRelativeOperationWithProxyVersion = new("IST0155", DiagnosticLevel.Warning,
        "a patch depends on the place of others and on the proxy's version but has no priority", "set priority");
    public static readonly DiagnosticCode InvalidTelemetryProvider = new("IST0157", DiagnosticLevel.Warning,
        "a Telemetry names no provider, and the mesh has no default, so it is ignored", "name a provider");
    public static readonly DiagnosticCode PodsIstioProxyImageMismatchInNamespace =
        new("IST0158", DiagnosticLevel.Warning, "pods run another proxy image than the injector gives", "restart their workloads");
    public static readonly DiagnosticCode ConflictingTelemetryWorkloadSelectors =
        new("IST0159", DiagnosticLevel.Error, "several Telemetries select one workload", "give them selectors that do not overlap");
    public static readonly DiagnosticCode MultipleTelemetriesWithoutWorkloadSelectors =
        new("IST0160", DiagnosticLevel.Error, "several Telemetries of a namespace have no selector", "keep one");
    public static readonly DiagnosticCode InvalidGatewayCredential =
        new("IST0161", DiagnosticLevel.Error, "a gateway's secret is malformed or expired", "renew the secret");
    public static readonly DiagnosticCode GatewayPortNotDefinedOnService = new("IST0162", DiagnosticLevel.Warning,
        "a gateway listens on a port that its Service does not expose", "add the port to the Service");
    public static readonly DiagnosticCode InvalidExternalControlPlaneConfig =
        new("IST0163", DiagnosticLevel.Warning, "the address of an external control plane is not valid", "correct the webhook's URL");
    public static readonly DiagnosticCode ExternalControlPlaneAddressIsNotAHostname =
        new("IST0164", DiagnosticLevel.Info, "the address of an external control plane is an IP address", "use a host name");
    public static readonly DiagnosticCode ReferencedInternalGateway = new("IST0165", DiagnosticLevel.Warning,
        "a VirtualService refers to a generated Gateway", "use an HTTPRoute, or a Gateway of your own");
    public static readonly DiagnosticCode IneffectiveSelector =
        new("IST0166", DiagnosticLevel.Warning, "a selector does nothing on a gateway of the Gateway API", "use targetRefs");
    public static readonly DiagnosticCode MultiClusterInconsistentService =
        new("IST0170", DiagnosticLevel.Warning, "a service differs between clusters", "make its ports and its type the same everywhere");
    public static readonly DiagnosticCode NegativeConditionStatus =
        new("IST0171", DiagnosticLevel.Warning, "the object's status carries a negative condition", "see its reason");
    public static readonly DiagnosticCode DestinationRuleSubsetNotSelectPods =
        new("IST0173", DiagnosticLevel.Error, "a subset selects no pod, which gives 503 to its traffic", "correct the labels");
    public static readonly DiagnosticCode UnknownDestinationRuleHost =
        new("IST0174", DiagnosticLevel.Warning, "the host of a DestinationRule is no service", "correct the host");
    public static readonly DiagnosticCode JwksUriFetchUnrestricted = new("IST0175", DiagnosticLevel.Warning,
        "the control plane may fetch JWKS from any address", "set BLOCKED_CIDRS_IN_JWKS_URIS on it");
    public static readonly DiagnosticCode ConflictingServiceEntryProtocol =
        new("IST0177", DiagnosticLevel.Warning, "service entries give a host's port different protocols", "use one protocol");
}
