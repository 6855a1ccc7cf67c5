using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Routing;

/// <summary>VirtualService.</summary>
internal static class VirtualServiceRules
{
    public static void Check(Findings f, VirtualService service, string ns)
    {
        var isDelegate = service.Hosts.Count == 0;
        var forMesh = Rules.AppliesToMesh(service.Gateways);
        var forGateway = Rules.AppliesToGateway(service.Gateways);
        if (isDelegate)
        {
            f.ErrorIf(service.Gateways.Count > 0, Codes.Delegation, "spec.gateways",
                "a delegate virtual service must have no gateways specified");
            f.ErrorIf(service.Tls.Count > 0, Codes.Delegation, "spec.tls", "a delegate virtual service must have no tls routes");
            f.ErrorIf(service.Tcp.Count > 0, Codes.Delegation, "spec.tcp", "a delegate virtual service must have no tcp routes");
        }

        Rules.GatewayNames(f, "spec.gateways", service.Gateways);
        Hosts(f, service, ns, forMesh);
        f.ErrorIf(service.Http.Count + service.Tcp.Count + service.Tls.Count == 0, Codes.Required, "spec",
            "http, tcp or tls must be provided in virtual service");
        for (var i = 0; i < service.Http.Count; i++) HttpRouteRules.Check(f, $"spec.http[{i}]", service.Http[i], isDelegate, forGateway);
        for (var i = 0; i < service.Tls.Count; i++) TlsRoute(f, $"spec.tls[{i}]", service.Tls[i], service.Hosts);
        for (var i = 0; i < service.Tcp.Count; i++) TcpRoute(f, $"spec.tcp[{i}]", service.Tcp[i]);
        Rules.ExportTo(f, service.ExportTo, ns);
        RouteReach.Check(f, service);
    }

    private static void Hosts(Findings f, VirtualService service, string ns, bool forMesh)
    {
        var forGateway = Rules.AppliesToGateway(service.Gateways);
        for (var i = 0; i < service.Hosts.Count; i++)
        {
            var (host, path) = (service.Hosts[i], $"spec.hosts[{i}]");
            var reason = forGateway ? NameRules.GatewayDomain(host, isSni: service.Tls.Count > 0) : NameRules.WildcardDomain(host);
            if (reason is not null) f.ErrorIf(!NameRules.IsAddress(host), Codes.BadHost, path, reason);
            else f.ErrorIf(host == "*" && forMesh, Codes.BadHost, path,
                "wildcard host * is not allowed for virtual services bound to the mesh gateway");

            // One host inside another would make two virtual hosts of which one can never be reached.
            var resolved = HostNames.Resolve(host, ns, "cluster.local");
            for (var j = 0; j < i; j++)
            {
                var overlaps = HostNames.Matches(host, service.Hosts[j])
                    || resolved == HostNames.Resolve(service.Hosts[j], ns, "cluster.local");
                f.ErrorIf(overlaps, Codes.Duplicate, path, $"duplicate hosts in virtual service: {service.Hosts[j]} & {host}");
            }
        }
    }

    private static void TlsRoute(Findings f, string path, TLSRoute route, IReadOnlyList<string> hosts)
    {
        f.ErrorIf(route.Match.Count == 0, Codes.Sni, path, "TLS route must have at least one match condition");
        for (var i = 0; i < route.Match.Count; i++)
        {
            var (match, at) = (route.Match[i], $"{path}.match[{i}]");
            f.ErrorIf(match.SniHosts.Count == 0, Codes.Sni, at, "TLS match must have at least one SNI host");
            foreach (var sni in match.SniHosts) SniHost(f, at + ".sniHosts", sni, hosts);
            L4Match(f, at, match.DestinationSubnets, match.Port, match.SourceLabels, match.Gateways);
        }

        f.ErrorIf(route.Route.Count == 0, Codes.Required, path, "TLS route is required");
        Destinations(f, path, route.Route);
    }

    private static void SniHost(Findings f, string path, string sni, IReadOnlyList<string> hosts)
    {
        if (NameRules.IsAddress(sni))
        {
            f.Warn(Codes.SniAddress, path, $"using an IP address ({sni}) goes against SNI spec and most clients do not support this");
            return;
        }

        f.ErrorIf(NameRules.GatewayDomain(sni, isSni: true), Codes.BadHost, path);
        f.ErrorIf(!hosts.Any(h => HostNames.IsSubsetOf(sni, h)), Codes.Sni, path,
            $"SNI host \"{sni}\" is not a compatible subset of any of the virtual service domains: [{string.Join(' ', hosts)}]");
    }

    private static void TcpRoute(Findings f, string path, TCPRoute route)
    {
        for (var i = 0; i < route.Match.Count; i++)
        {
            var (match, at) = (route.Match[i], $"{path}.match[{i}]");
            L4Match(f, at, match.DestinationSubnets, match.Port, match.SourceLabels, match.Gateways);
            if (match.SourceSubnet.Length > 0) f.ErrorIf(NameRules.Subnet(match.SourceSubnet), Codes.BadAddress, at + ".sourceSubnet");
        }

        f.ErrorIf(route.Route.Count == 0, Codes.Required, path, "TCP route is required");
        Destinations(f, path, route.Route);
    }

    private static void L4Match(Findings f, string path, IEnumerable<string> subnets, uint port,
        IEnumerable<KeyValuePair<string, string>> labels, IReadOnlyList<string> gateways)
    {
        foreach (var subnet in subnets) f.ErrorIf(NameRules.Subnet(subnet), Codes.BadAddress, path + ".destinationSubnets");
        if (port != 0) Rules.Port(f, path + ".port", port);
        Rules.Labels(f, path + ".sourceLabels", labels);
        Rules.GatewayNames(f, path + ".gateways", gateways);
    }

    /// <summary>The destinations of a TCP or TLS route.</summary>
    public static void Destinations(Findings f, string path, IReadOnlyList<RouteDestination> destinations)
    {
        for (var i = 0; i < destinations.Count; i++) Weighted(f, $"{path}.route[{i}]", destinations[i].Destination, destinations[i].Weight);
        TotalWeight(f, path, destinations.Count, destinations.Sum(d => (long)Math.Max(d.Weight, 0)));
    }

    public static void Weighted(Findings f, string path, Destination? destination, int weight)
    {
        if (destination is null) f.Error(Codes.Required, path, "destination is required");
        else Destination(f, path + ".destination", destination);
        f.ErrorIf(weight < 0, Codes.Weights, path + ".weight", $"weight {weight} < 0");
    }

    public static void TotalWeight(Findings f, string path, int count, long total) =>
        f.ErrorIf(count > 1 && total == 0, Codes.Weights, path + ".route", "total destination weight = 0");

    /// <summary>Host, subset and port of a destination.</summary>
    public static void Destination(Findings f, string path, Destination destination)
    {
        if (destination.Host == "*") f.Error(Codes.BadHost, path + ".host", $"invalid destination host {destination.Host}");
        else f.ErrorIf(NameRules.WildcardDomain(destination.Host), Codes.BadHost, path + ".host");
        f.ErrorIf(destination.Subset.Length > 0 && !NameRules.IsLabel(destination.Subset), Codes.BadLabel, path + ".subset",
            $"subset name is invalid: {destination.Subset}");
        if (destination.Port is { } port) Rules.Port(f, path + ".port.number", port.Number);
    }
}
