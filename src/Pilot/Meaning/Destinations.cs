using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>Where a VirtualService sends.</summary>
public static class Destinations
{
    /// <summary>Every destination of a VirtualService, mirrors included.</summary>
    public static IEnumerable<Destination> Of(VirtualService rule)
    {
        foreach (var http in rule.Http)
        {
            foreach (var destination in OfHttp(http)) yield return destination;
        }
        foreach (var route in rule.Tcp.SelectMany(tcp => tcp.Route).Concat(rule.Tls.SelectMany(tls => tls.Route)))
        {
            if (route.Destination is not null) yield return route.Destination;
        }
    }

    /// <summary>Every destination of one HTTP route.</summary>
    public static IEnumerable<Destination> OfHttp(HTTPRoute http)
    {
        foreach (var route in http.Route)
        {
            if (route.Destination is not null) yield return route.Destination;
        }
        if (http.Mirror is not null) yield return http.Mirror;
        foreach (var mirror in http.Mirrors)
        {
            if (mirror.Destination is not null) yield return mirror.Destination;
        }
    }

    /// <summary>Hosts of all destinations.</summary>
    public static IEnumerable<string> HostsOf(VirtualService rule) => Of(rule).Select(destination => destination.Host);
}
