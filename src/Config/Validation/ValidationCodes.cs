using Lateen.Api.Diagnostics;

namespace Lateen.Config.Validation;

/// <summary>The codes of validation: LTN30xx for all kinds, LTN31xx to LTN43xx by kind.</summary>
public static class ValidationCodes
{
    // ---- all kinds ----
    public static readonly DiagnosticCode Required = Error("LTN3001", "something required is missing", "add it");
    public static readonly DiagnosticCode BadHost =
        Error("LTN3002", "a host name is not valid", "write a domain name, with a star only as the first character where one is allowed");
    public static readonly DiagnosticCode BadPort =
        Error("LTN3003", "a port is not valid", "use a number from 1 to 65535 and a name of letters, digits and hyphens");
    public static readonly DiagnosticCode BadDuration =
        Error("LTN3004", "a duration is not valid", "use at least 1ms, in whole milliseconds");
    public static readonly DiagnosticCode BadLabel =
        Error("LTN3005", "a label or selector is not valid", "use Kubernetes' label syntax, without stars");
    public static readonly DiagnosticCode BadAddress = Error("LTN3006", "an address is not valid",
        "write an IP address, a CIDR range, a domain name or unix:///path, as the field allows");
    public static readonly DiagnosticCode BadPercent = Error("LTN3007", "a percentage is out of range", "use a number from 0 to 100");
    public static readonly DiagnosticCode BadRegex =
        Error("LTN3008", "a regular expression is not valid", "use RE2 syntax of at most 1024 characters");
    public static readonly DiagnosticCode Exclusive = Error("LTN3009", "two things are set that exclude each other", "keep one of the two");
    public static readonly DiagnosticCode Duplicate =
        Error("LTN3010", "something is given twice that may be given once", "remove one of the two");
    public static readonly DiagnosticCode OutOfRange =
        Error("LTN3011", "a number or a text is out of range", "use a value within the limits told");
    public static readonly DiagnosticCode BadExport = Error("LTN3012", "exportTo is not valid", "use \"*\", \".\", or names of namespaces");
    public static readonly DiagnosticCode BadTarget = Error("LTN3013", "a target reference is not valid",
        "refer to a Gateway, GatewayClass, Service or ServiceEntry of the same namespace");
    public static readonly DiagnosticCode Deprecated = Warning("LTN3014", "something deprecated is used", "use its successor");
    public static readonly DiagnosticCode EmptySelector =
        Warning("LTN3015", "a selector selects everything", "give it labels, or remove it");
    public static readonly DiagnosticCode ReservedAnnotation = Error("LTN3016", "an annotation is reserved for internal use", "remove it");
    public static readonly DiagnosticCode BadAnnotation =
        Error("LTN3017", "an annotation has a value that it may not have here", "correct or remove it");
    public static readonly DiagnosticCode Empty = Error("LTN3018", "something is written that says nothing", "fill it or remove it");
    public static readonly DiagnosticCode BadHeader =
        Error("LTN3019", "a header name or value is not valid", "correct it; the authority can only be set, not added or removed");
    public static readonly DiagnosticCode NoEffect = Warning("LTN3020", "something has no effect here", "remove it");

    public static readonly DiagnosticCode PortConvention =
        Error("LTN3021", "a port of a Service does not tell its protocol, so that the proxy has to guess it",
            "set appProtocol, or begin the port's name with the protocol, such as http-web");

    // ---- VirtualService ----
    public static readonly DiagnosticCode HttpRoute =
        Error("LTN3101", "a route is contradictory", "a route forwards, redirects, answers or delegates: one of them");
    public static readonly DiagnosticCode Weights = Error("LTN3102", "the weights of destinations cannot be used",
        "give at least one destination a positive weight, and none a negative one");
    public static readonly DiagnosticCode Gateways =
        Error("LTN3103", "the gateways of a VirtualService are not valid", "write the name of a Gateway, or namespace/name");
    public static readonly DiagnosticCode Delegation = Error("LTN3104", "a delegation is not valid",
        "a root has hosts and routes that only match and delegate; a delegate has no hosts and no gateways");
    public static readonly DiagnosticCode Sni =
        Error("LTN3105", "the SNI hosts of a TLS route are not valid", "name SNI hosts that the VirtualService's hosts cover");
    public static readonly DiagnosticCode SniAddress =
        Warning("LTN3106", "an IP address stands as SNI, which clients do not send", "use a host name");
    public static readonly DiagnosticCode Retries =
        Error("LTN3107", "a retry policy is not valid", "see the retry conditions that Envoy knows");
    public static readonly DiagnosticCode Fault =
        Error("LTN3108", "a fault injection is not valid", "give a delay or an abort that the API supports");
    public static readonly DiagnosticCode Redirect = Error("LTN3109", "a redirect or rewrite is not valid", "correct it");
    public static readonly DiagnosticCode Cors = Error("LTN3110", "a CORS policy is not valid", "correct it");
    public static readonly DiagnosticCode Unreachable =
        Warning("LTN3111", "a route or match can never be reached", "remove it, or move it before the one that hides it");
    public static readonly DiagnosticCode LargeBody =
        Warning("LTN3112", "a direct response has a large body, which every proxy keeps in memory", "serve it from a workload");

    // ---- DestinationRule ----
    public static readonly DiagnosticCode LoadBalancer = Error("LTN3201", "load balancing is not valid", "correct it");
    public static readonly DiagnosticCode Locality = Error("LTN3202", "locality settings are not valid", "correct them");
    public static readonly DiagnosticCode LocalityNeedsOutlier =
        Warning("LTN3203", "failover is set without outlier detection, so no endpoint ever fails over", "add outlierDetection");
    public static readonly DiagnosticCode ClientTls = Error("LTN3204", "client TLS settings are not valid", "correct them");
    public static readonly DiagnosticCode Tunnel =
        Error("LTN3205", "a tunnel is not valid", "give protocol CONNECT or POST, a host and a port");

    // ---- Gateway ----
    public static readonly DiagnosticCode ServerTls = Error("LTN3301", "server TLS settings are not valid", "correct them");
    public static readonly DiagnosticCode ServerTlsUnused = Warning("LTN3302", "a part of the TLS settings is ignored", "remove it");

    // ---- ServiceEntry, WorkloadEntry, WorkloadGroup ----
    public static readonly DiagnosticCode Resolution = Error("LTN3401", "the resolution does not fit the rest of the ServiceEntry",
        "choose a resolution that fits hosts, addresses and endpoints");
    public static readonly DiagnosticCode NeedsAddresses =
        Warning("LTN3402", "a TCP port has no addresses of its own, so that it captures every address on that port", "give addresses");
    public static readonly DiagnosticCode PartialWildcard =
        Warning("LTN3403", "a host has a star inside its first label, which only some places understand", "use *.domain");
    public static readonly DiagnosticCode Probe = Error("LTN3404", "a probe is not valid", "give exactly one method with what it needs");

    // ---- Sidecar ----
    public static readonly DiagnosticCode SidecarListener = Error("LTN3501", "a listener of a Sidecar is not valid", "correct it");
    public static readonly DiagnosticCode SidecarHosts =
        Error("LTN3502", "the hosts of an egress listener are not valid", "write namespace/host, with *, . or ~ as namespace");
    public static readonly DiagnosticCode SidecarHostsRedundant =
        Warning("LTN3503", "a host of an egress listener is contained in another", "remove it");

    // ---- security ----
    public static readonly DiagnosticCode Rule = Error("LTN3701", "a rule of an AuthorizationPolicy is not valid", "correct it");
    public static readonly DiagnosticCode Custom =
        Error("LTN3702", "action CUSTOM is used wrongly", "name a provider, and use only what can be evaluated before it is asked");
    public static readonly DiagnosticCode DenyOnTcp =
        Warning("LTN3703", "a DENY made of HTTP attributes denies every TCP connection in its scope", "add the ports that it is meant for");
    public static readonly DiagnosticCode JwtRule = Error("LTN3704", "a JWT rule is not valid", "correct it");
    public static readonly DiagnosticCode PrivateKey =
        Warning("LTN3705", "the JWKS contains a private key", "publish public keys only, and replace this one");
    public static readonly DiagnosticCode PortMtls =
        Error("LTN3706", "mTLS per port is not valid", "give a selector and ports from 1 to 65535");

    // ---- telemetry, extensions, EnvoyFilter ----
    public static readonly DiagnosticCode Telemetry = Error("LTN3901", "a Telemetry is not valid", "correct it");
    public static readonly DiagnosticCode OnlyOneProvider = Warning("LTN3902", "only the first of several is used", "remove the others");
    public static readonly DiagnosticCode Extension = Error("LTN4001", "an extension is not valid", "correct it");
    public static readonly DiagnosticCode Patch = Error("LTN4101", "a patch is not valid", "correct it");
    public static readonly DiagnosticCode PatchDoubtful =
        Warning("LTN4102", "a patch is probably not what was meant", "compare it with Envoy's API");

    public static readonly DiagnosticCode PatchInternals = Warning("LTN4103",
        "a patch depends on how the proxy is configured inside, which may change at any time", "use another kind where one can say it");

    // ---- Gateway API ----
    public static readonly DiagnosticCode Listener = Error("LTN4201", "a listener of a Gateway or ListenerSet is not valid", "correct it");
    public static readonly DiagnosticCode Route = Error("LTN4202", "a rule of a route is not valid", "correct it");
    public static readonly DiagnosticCode Filter =
        Error("LTN4203", "a filter of a route is not valid", "give it a type and exactly what the type needs");
    public static readonly DiagnosticCode Reference =
        Error("LTN4204", "a reference to another object is not valid or not unique", "correct it");
    public static readonly DiagnosticCode Policy = Error("LTN4205", "a policy of the Gateway API is not valid", "correct it");

    // ---- mesh ----
    public static readonly DiagnosticCode Mesh = Error("LTN4301", "a mesh-wide setting is not valid", "correct it");
    public static readonly DiagnosticCode Provider = Error("LTN4302", "an extension provider is not valid", "correct it");

    private static DiagnosticCode Error(string id, string title, string remedy) => new(id, DiagnosticLevel.Error, title, remedy);

    private static DiagnosticCode Warning(string id, string title, string remedy) => new(id, DiagnosticLevel.Warning, title, remedy);
}
