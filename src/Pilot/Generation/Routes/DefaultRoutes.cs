// max_grpc_timeout is deprecated in Envoy, but its successor does not reset a stream the same way; istiod writes it, and so do we.
#pragma warning disable CS0612
using Envoy.Config.Core.V3;
using Envoy.Config.Route.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using EnvoyRoute = Envoy.Config.Route.V3.Route;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Routes and virtual hosts that exist without any rule.</summary>
internal static class DefaultRoutes
{
    /// <summary>Name of a route that no VirtualService asked for.</summary>
    public const string Name = "default";

    /// <summary>Largest body of a direct response: 1 MiB, the limit that validation enforces (Envoy's own is 4 KiB).</summary>
    public const uint DirectResponseBytesMax = 1024 * 1024;

    /// <summary>All traffic of a service to its cluster.</summary>
    public static EnvoyRoute Outbound(string cluster, string operation, HTTPRetry? meshRetries, bool consistentHash)
    {
        var route = To(cluster, operation);
        ApplyTimeout(route.Route_, null, false);
        route.Route_.RetryPolicy = RetryPolicies.Outbound(meshRetries, consistentHash);
        return route;
    }

    /// <summary>All traffic of an inbound chain to the application.</summary>
    public static EnvoyRoute Inbound(string cluster, string operation, HTTPRetry? meshRetries, bool isGrpc)
    {
        var route = To(cluster, operation);
        route.Route_.Timeout = Wire.Zero;
        route.Route_.MaxStreamDuration = new RouteAction.Types.MaxStreamDuration
        {
            MaxStreamDuration_ = Wire.Zero,
            // Without this the grpc-timeout header of the caller would be ignored.
            GrpcTimeoutHeaderMax = Wire.Zero,
        };
        route.Route_.RetryPolicy = RetryPolicies.Inbound(meshRetries, isGrpc);
        return route;
    }

    /// <summary>Sets the timeout of a route; none at all unless a rule has one.</summary>
    public static void ApplyTimeout(RouteAction action, Duration? timeout, bool isProxylessGrpc)
    {
        action.Timeout = timeout ?? Wire.Zero;
        if (isProxylessGrpc) action.MaxStreamDuration = new RouteAction.Types.MaxStreamDuration { MaxStreamDuration_ = action.Timeout };
        else action.MaxGrpcTimeout = action.Timeout;
    }

    /// <summary>The route configuration around virtual hosts.</summary>
    public static RouteConfiguration Configuration(string name, IEnumerable<VirtualHost> hosts, bool isProxylessGrpc) => new()
    {
        Name = name,
        VirtualHosts = { hosts },
        ValidateClusters = false,
        MaxDirectResponseBodySizeBytes = DirectResponseBytesMax,
        IgnorePortInHostMatching = !isProxylessGrpc,
    };

    /// <summary>The answer for a name that nobody knows: an empty configuration, so that the proxy does not wait for it.</summary>
    public static RouteConfiguration Empty(string name) => new() { Name = name, ValidateClusters = false };

    /// <summary>Where requests for unknown hosts go.</summary>
    public static VirtualHost CatchAll(OutboundFallback fallback, bool includeAttemptCount)
    {
        var host = new VirtualHost { Name = fallback.VirtualHostName, Domains = { "*" }, IncludeRequestAttemptCount = includeAttemptCount };
        var route = new EnvoyRoute { Name = fallback.VirtualHostName, Match = RouteMatches.All() };
        if (fallback.IsBlocked) route.DirectResponse = new DirectResponseAction { Status = 502 };
        else route.Route_ = new RouteAction { Cluster = fallback.Cluster, Timeout = Wire.Zero, MaxGrpcTimeout = Wire.Zero };
        host.Routes.Add(route);
        return host;
    }

    private static EnvoyRoute To(string cluster, string operation) => new()
    {
        Name = Name,
        Match = RouteMatches.All(),
        Decorator = new Decorator { Operation = operation },
        Route_ = new RouteAction { Cluster = cluster },
    };
}

/// <summary>What a sidecar does with traffic to destinations that no service explains.</summary>
/// <param name="VirtualHostName">Name of the catch-all virtual host.</param>
/// <param name="Cluster">Cluster of HTTP.</param>
/// <param name="TcpCluster">Cluster of everything else.</param>
/// <param name="IsBlocked">HTTP is answered with 502, TCP is closed.</param>
public sealed record OutboundFallback(string VirtualHostName, string Cluster, string TcpCluster, bool IsBlocked)
{
    private const string PassThroughCluster = "PassthroughCluster";

    /// <summary>To the original destination.</summary>
    public static readonly OutboundFallback PassThrough = new("allow_any", PassThroughCluster, PassThroughCluster, false);

    /// <summary>Nowhere.</summary>
    public static readonly OutboundFallback Blocked = new("block_all", "BlackHoleCluster", "BlackHoleCluster", true);

    /// <summary>Name resolved per request.</summary>
    public static readonly OutboundFallback DynamicDns =
        new("allow_any_dynamic_dns", "AllowAnyDynamicDNSCluster", PassThroughCluster, false);

    /// <summary>From a Sidecar's (or the mesh's) outbound traffic policy.</summary>
    public static OutboundFallback Of(OutboundTrafficPolicy? policy) => policy?.Mode switch
    {
        OutboundTrafficPolicy.Types.Mode.AllowAny
            when policy.EgressProxy is { } proxy => Through(DestinationClusters.Outbound(proxy, null, 0)),
        OutboundTrafficPolicy.Types.Mode.AllowAny => PassThrough,
        OutboundTrafficPolicy.Types.Mode.AllowAnyDynamicDns => DynamicDns,
        _ => Blocked,
    };

    private static OutboundFallback Through(string cluster) => PassThrough with { Cluster = cluster, TcpCluster = cluster };
}
