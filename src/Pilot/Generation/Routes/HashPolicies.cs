using Envoy.Config.Route.V3;
using Istio.Networking.V1Alpha3;
using ConsistentHash = Istio.Networking.V1Alpha3.LoadBalancerSettings.Types.ConsistentHashLB;
using HashPolicy = Envoy.Config.Route.V3.RouteAction.Types.HashPolicy;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Consistent hashing of a DestinationRule as it appears on routes.</summary>
internal static class HashPolicies
{
    /// <summary>The hash policy, or null when the setting names no key.</summary>
    public static HashPolicy? Of(ConsistentHash? hash) => hash?.HashKeyCase switch
    {
        ConsistentHash.HashKeyOneofCase.HttpHeaderName =>
            new HashPolicy { Header = new HashPolicy.Types.Header { HeaderName = hash.HttpHeaderName } },
        ConsistentHash.HashKeyOneofCase.HttpCookie => new HashPolicy { Cookie = Cookie(hash.HttpCookie) },
        ConsistentHash.HashKeyOneofCase.UseSourceIp => new HashPolicy
        {
            ConnectionProperties = new HashPolicy.Types.ConnectionProperties { SourceIp = hash.UseSourceIp },
        },
        ConsistentHash.HashKeyOneofCase.HttpQueryParameterName => new HashPolicy
        {
            QueryParameter = new HashPolicy.Types.QueryParameter { Name = hash.HttpQueryParameterName },
        },
        _ => null,
    };

    /// <summary>The setting for a service without a VirtualService: that of the port, else that of the rule.</summary>
    public static ConsistentHash? ForService(DestinationRule? rule, int port)
    {
        var hash = rule?.TrafficPolicy?.LoadBalancer?.ConsistentHash;
        var ofPort = rule?.TrafficPolicy?.PortLevelSettings.FirstOrDefault(p => p.Port?.Number == port);
        return ofPort?.LoadBalancer?.ConsistentHash ?? hash;
    }

    /// <summary>The setting for a destination: subset and port, subset, port, rule, in that order.</summary>
    public static ConsistentHash? ForDestination(DestinationRule? rule, Destination destination)
    {
        if (rule is null) return null;
        var subset = rule.Subsets.FirstOrDefault(s => s.Name == destination.Subset)?.TrafficPolicy;
        return OfPort(subset, destination) ?? subset?.LoadBalancer?.ConsistentHash
            ?? OfPort(rule.TrafficPolicy, destination) ?? rule.TrafficPolicy?.LoadBalancer?.ConsistentHash;
    }

    private static ConsistentHash? OfPort(TrafficPolicy? policy, Destination destination) =>
        destination.Port is not { } port
            ? null : policy?.PortLevelSettings.FirstOrDefault(p => p.Port?.Number == port.Number)?.LoadBalancer?.ConsistentHash;

    private static HashPolicy.Types.Cookie Cookie(ConsistentHash.Types.HTTPCookie cookie)
    {
        var result = new HashPolicy.Types.Cookie { Name = cookie.Name, Path = cookie.Path, Ttl = cookie.Ttl };
        foreach (var attribute in cookie.Attributes)
        {
            result.Attributes.Add(new HashPolicy.Types.CookieAttribute { Name = attribute.Name, Value = attribute.Value });
        }
        return result;
    }
}
