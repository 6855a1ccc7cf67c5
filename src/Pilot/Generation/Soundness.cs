using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Google.Protobuf;
using Lateen.Api.Schemas;
using Lateen.Api.Schemas.Constraints;

namespace Lateen.Pilot.Generation;

/// <summary>Whether Envoy would take a resource: the rules of its definition, and those few of Envoy's code that what users write can
/// break.</summary>
public static class Soundness
{
    /// <summary>The first rule that a resource breaks; null when it breaks none.</summary>
    /// <param name="message">The resource.</param>
    /// <param name="bytes">The resource as it goes out.</param>
    public static string? Check(IMessage message, ReadOnlySpan<byte> bytes) => Definition(message, bytes) ?? message switch
    {
        RouteConfiguration routes => Domains(routes),
        Listener listener => Chains(listener),
        _ => null,
    };

    /// <summary>The first rule of its definition that a resource breaks.</summary>
    public static string? Definition(IMessage message, ReadOnlySpan<byte> bytes) =>
        MessageRules.FirstViolation(SchemaSet.Of(message.GetType()), bytes, intoAnys: true);

    // "Only unique values for domains are permitted", whatever their case; names of hosts are unique, too.
    private static string? Domains(RouteConfiguration routes)
    {
        var domains = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var names = new HashSet<string>();
        for (var i = 0; i < routes.VirtualHosts.Count; i++)
        {
            var host = routes.VirtualHosts[i];
            if (!names.Add(host.Name)) return $"RouteConfiguration.VirtualHosts[{i}]: another virtual host is named {host.Name}";
            for (var j = 0; j < host.Domains.Count; j++)
            {
                if (!domains.Add(host.Domains[j]))
                    return $"RouteConfiguration.VirtualHosts[{i}]: {host.Domains[j]} is a domain of another virtual host";
            }
        }
        return null;
    }

    // No connection could be told apart.
    private static string? Chains(Listener listener)
    {
        if (listener.FilterChains.Count < 2 || listener.FilterChainMatcher is not null) return null;
        var matches = new HashSet<FilterChainMatch>();
        for (var i = 0; i < listener.FilterChains.Count; i++)
        {
            if (!matches.Add(listener.FilterChains[i].FilterChainMatch ?? new FilterChainMatch()))
                return $"Listener.FilterChains[{i}]: another filter chain has the same match";
        }
        return null;
    }
}
