// Routes: VirtualServices and services to Envoy route configurations, for sidecars (outbound per port, inbound per chain) and, by way of
// the same route translation, for gateways.
//
// Pure functions of their inputs records; no state, no registry, no clock. Names (hosts, gateways) in the rules are expected to be
// resolved already, delegates merged: that is Meaning's work.
//
// Never: a lookup by the generator itself. What must be known about a destination comes in through `RouteLookups`.
//
// Refused: one route table for all proxies with conditions on labels, evaluated at the proxy: source labels and namespace are facts about
// the proxy and known here, and Envoy could not evaluate them anyway.
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using MeshConfig = Istio.Mesh.V1Alpha1.MeshConfig;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Whose rules of matching a VirtualService follows.</summary>
public enum RuleSemantics
{
    /// <summary>As written: string prefixes.</summary>
    Istio,

    /// <summary>Made from a Kubernetes Ingress: prefixes by path segment.</summary>
    Ingress,

    /// <summary>Made from a Gateway API route: prefixes by segment, invalid backends answer 500.</summary>
    GatewayApi,
}

/// <summary>A VirtualService ready for use: names resolved, delegates merged.</summary>
/// <param name="Namespace">Namespace of the (root) resource.</param>
/// <param name="Name">Name of the (root) resource.</param>
/// <param name="Rules">Its contents.</param>
/// <param name="Semantics">Where it comes from.</param>
public sealed record RouteRules(string Namespace, string Name, VirtualService Rules, RuleSemantics Semantics = RuleSemantics.Istio)
{
    private const string SemanticsAnnotation = "internal.istio.io/route-semantics";
    private const string ParentsAnnotation = "internal.istio.io/parents";

    /// <summary>Reads what a compiled VirtualService says about itself.</summary>
    public static RouteRules Of(Meant<VirtualService> meant)
    {
        ArgumentNullException.ThrowIfNull(meant);
        var semantics = meant.Origin.Annotations.GetValueOrDefault(SemanticsAnnotation) switch
        {
            "gateway" => RuleSemantics.GatewayApi,
            "ingress" => RuleSemantics.Ingress,
            _ => RuleSemantics.Istio,
        };
        var parents = meant.Origin.Annotations.GetValueOrDefault(ParentsAnnotation, "");
        return new RouteRules(meant.Origin.Namespace, meant.Origin.Name, meant.Spec, semantics)
        {
            FromTlsRoute = parents.StartsWith("TLSRoute/", StringComparison.Ordinal),
        };
    }

    /// <summary>Made from a TLSRoute: its <c>tls</c> rules also serve terminating servers.</summary>
    public bool FromTlsRoute { get; init; }

    /// <summary>Path-segment prefixes.</summary>
    public bool SegmentPrefixes => Semantics != RuleSemantics.Istio;

    /// <summary>Made from a Gateway API route.</summary>
    public bool IsGatewayApi => Semantics == RuleSemantics.GatewayApi;
}

/// <summary>What the translation asks about the world.</summary>
public sealed record RouteLookups
{
    /// <summary>The service that a destination host means for this proxy, or null.</summary>
    public required Func<string, Service?> Service { get; init; }

    /// <summary>The consistent-hash setting that applies to a destination, or null.</summary>
    public Func<Destination, LoadBalancerSettings.Types.ConsistentHashLB?> Hash { get; init; } = static _ => null;

    /// <summary>Who chooses the server for requests of a rule, or null.</summary>
    public Func<HTTPRoute, EndpointPicker?> Picker { get; init; } = static _ => null;

    /// <summary>The cluster of a destination. The default names outbound clusters; waypoints have names of their own.</summary>
    public Func<Destination, Service?, int, string> Cluster { get; init; } = DestinationClusters.Outbound;
}

/// <summary>Everything that the routes of one VirtualService on one port depend on.</summary>
public sealed record RouteRulesInputs
{
    /// <summary>The rules.</summary>
    public required RouteRules Rules { get; init; }

    /// <summary>Labels of the proxy's workload.</summary>
    public required IReadOnlyDictionary<string, string> ProxyLabels { get; init; }

    /// <summary>Namespace of the proxy's workload.</summary>
    public required string ProxyNamespace { get; init; }

    /// <summary>Port that the listener has.</summary>
    public required int ListenPort { get; init; }

    /// <summary><c>mesh</c> for sidecars, otherwise <c>namespace/name</c> of the gateways.</summary>
    public required IReadOnlySet<string> Gateways { get; init; }

    /// <summary>Mesh-wide settings.</summary>
    public required MeshConfig Mesh { get; init; }

    /// <summary>The proxy's own configuration; null for the mesh's default.</summary>
    public Istio.Mesh.V1Alpha1.ProxyConfig? Config { get; init; }

    /// <summary>Questions about destinations.</summary>
    public required RouteLookups Lookups { get; init; }

    /// <summary>The listener terminates TLS.</summary>
    public bool IsTls { get; init; }

    /// <summary>Tell clients that HTTP/3 is served on the same port.</summary>
    public bool AdvertisesHttp3 { get; init; }

    /// <summary>Mirrored requests carry <c>-shadow</c> behind their host.</summary>
    public bool MarksMirroredHosts { get; init; }

    /// <summary>The client is a gRPC library rather than a proxy.</summary>
    public bool IsProxylessGrpc { get; init; }
}

/// <summary>Cluster names of destinations.</summary>
public static class DestinationClusters
{
    /// <summary>The cluster that an unusable Gateway API backend is sent to; it never exists.</summary>
    public const string Unknown = "UnknownService";

    /// <summary><c>outbound|port|subset|host</c>. The port is the named one, else the service's only one, else the listener's.</summary>
    public static string Outbound(Destination? destination, Service? service, int listenPort)
    {
        if (string.IsNullOrEmpty(destination?.Host)) return Unknown;
        var host = string.IsNullOrEmpty(service?.ExternalName) ? destination.Host : service.ExternalName;
        var port = destination.Port is { } named ? (int)named.Number : service is { Ports.Length: 1 }
            ? service.Ports[0].Number : listenPort;
        return $"outbound|{port}|{destination.Subset}|{host}";
    }
}
