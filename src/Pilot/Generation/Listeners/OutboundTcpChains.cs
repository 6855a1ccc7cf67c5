using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>What the chains of one service and port are made for.</summary>
/// <param name="Service">Service.</param>
/// <param name="Port">Port listened on; number 0 for a unix socket.</param>
/// <param name="Bind">First address bound.</param>
/// <param name="Destinations">Ranges that stand for the service, when its address is not bound.</param>
/// <param name="Rules">VirtualServices of the egress listener that have rules for bytes.</param>
internal sealed record TcpChainInputs(Service Service, ServicePort Port, string Bind, IReadOnlyList<string> Destinations,
    IReadOnlyList<RouteRules> Rules);

/// <summary>Opaque outbound chains: by the tls and tcp rules of VirtualServices, else one for the service.</summary>
internal sealed class OutboundTcpChains
{
    private static readonly HashSet<string> MeshGateway = new(["mesh"], StringComparer.Ordinal);
    private readonly ProxyInputs _inputs;
    private readonly TcpProxies _proxies;

    public OutboundTcpChains(ListenerParts parts)
    {
        _inputs = parts.Inputs;
        _proxies = new TcpProxies(parts);
    }

    /// <summary>The chains of a service and port.</summary>
    public List<FilterChainPlan> For(TcpChainInputs wanted)
    {
        var rules = wanted.Rules.Where(r => r.Rules.Hosts.Any(h => Hostnames.Overlap(h, wanted.Service.Hostname))).ToList();
        return wanted.Port.Protocol.IsTls() ? ByServerName(wanted, rules) : ByAddress(wanted, rules);
    }

    /// <summary>Whether the static conditions of a rule hold: gateways, source, port.</summary>
    public static bool AppliesTo(
        IReadOnlyList<string> gateways, uint port, IReadOnlyDictionary<string, string> sourceLabels, string sourceNamespace,
        IReadOnlySet<string> ownGateways, int ownPort, IReadOnlyDictionary<string, string> labels, string ns) =>
        (gateways.Count == 0 || gateways.Any(ownGateways.Contains))
        && (port == 0 || port == ownPort)
        && LabelSelection.IsSubset(sourceLabels, labels)
        && (sourceNamespace.Length == 0 || sourceNamespace == ns);

    // ---- TLS that is not terminated

    // Static conditions are decided here; two rules that leave the same conditions for the proxy would conflict, so the first one counts.
    private List<FilterChainPlan> ByServerName(TcpChainInputs wanted, List<RouteRules> rules)
    {
        var chains = new List<FilterChainPlan>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var destinations = wanted.Destinations;
        foreach (var owner in rules)
        {
            foreach (var rule in owner.Rules.Tls)
            {
                foreach (var match in rule.Match.Where(m => Holds(m, wanted.Port.Number)))
                {
                    if (match.DestinationSubnets.Count > 0 && wanted.Port.Number > 0) destinations = match.DestinationSubnets;
                    if (!seen.Add(string.Join(',', match.SniHosts) + "|" + string.Join(',', match.DestinationSubnets))) continue;
                    chains.Add(new FilterChainPlan
                    {
                        Provenance = Wire.ProvenanceOfVirtualService(owner.Namespace, owner.Name),
                        SniHosts = match.SniHosts,
                        Destinations = destinations,
                        Filters = _proxies.ForRoutes(rule.Route, wanted.Port, owner, false),
                    });
                }
            }
        }
        if (chains.Count == 0) chains.Add(WithoutRule(wanted, ServerNames(wanted), destinations));
        return chains;
    }

    // The name is needed only where the address does not already tell the service.
    private List<string> ServerNames(TcpChainInputs wanted)
    {
        var service = wanted.Service;
        var address = ServiceAddresses.Primary(service, _inputs.Node);
        if (address.Contains('/')) address = "";
        var wildcard = _inputs.Node.Wildcards()[0];
        if (service.Source == ServiceSource.ServiceEntry && _inputs.Node.IsIPv6Only && address == Service.UnspecifiedAddress)
            address = ServiceAddresses.UnspecifiedIPv6;
        if (wanted.Destinations.Count == 0 && address.Length > 0 && (address != wildcard || wanted.Bind != wildcard)) return [];
        var names = new List<string> { service.Hostname };
        foreach (var alias in service.Aliases)
        {
            names.Add(alias.Hostname);
            if (_inputs.Features.Flag("PILOT_ENABLE_ABSOLUTE_FQDN_VHOST_DOMAIN", true)) names.Add(alias.Hostname + ".");
            names.AddRange(VirtualHostDomains.ShortForms(alias.Hostname, 0, _inputs.Node.DnsDomain));
        }
        return names;
    }

    // ---- plain bytes

    private List<FilterChainPlan> ByAddress(TcpChainInputs wanted, List<RouteRules> rules)
    {
        var chains = new List<FilterChainPlan>();
        foreach (var owner in rules)
        {
            foreach (var rule in owner.Rules.Tcp)
            {
                var subnets = new List<string>();
                var matches = rule.Match.Where(m => Holds(m, wanted.Port.Number)).ToList();
                // A rule, or one of its alternatives, that asks for no subnet takes all the rest.
                if (rule.Match.Count == 0 || matches.Any(m => m.DestinationSubnets.Count == 0 || wanted.Port.Number == 0))
                {
                    chains.Add(Of(rule, owner, wanted.Destinations, true));
                    return chains;
                }
                foreach (var match in matches) subnets.AddRange(match.DestinationSubnets);
                if (subnets.Count == 0) continue;
                chains.Add(Of(rule, owner, subnets, false));
                if (subnets.Order(StringComparer.Ordinal).SequenceEqual(wanted.Destinations.Order(StringComparer.Ordinal))) return chains;
            }
        }
        chains.Add(WithoutRule(wanted, [], wanted.Destinations));
        return chains;

        FilterChainPlan Of(TCPRoute rule, RouteRules owner, IReadOnlyList<string> destinations, bool named) => new()
        {
            Provenance = named ? Wire.ProvenanceOfVirtualService(owner.Namespace, owner.Name) : null,
            Destinations = destinations,
            Filters = _proxies.ForRoutes(rule.Route, wanted.Port, owner, false),
        };
    }

    // A port that a Sidecar renames leads to the service's only port.
    private FilterChainPlan WithoutRule(TcpChainInputs wanted, IReadOnlyList<string> names, IReadOnlyList<string> destinations)
    {
        var service = wanted.Service;
        var port = service.Ports.Length == 1 ? service.Ports[0].Number : wanted.Port.Number;
        var cluster = $"outbound|{port}||{service.Hostname}";
        var statName = StatNames.Outbound(_inputs.Mesh.OutboundClusterStatName, service.Hostname, "",
            new ServicePort("", port, Protocol.Tcp), 0, service, cluster);
        var filters = _proxies.Single(statName, cluster, "", wanted.Port, _inputs.DestinationRule(service.Hostname), true);
        if (service.Resolution == ServiceResolution.DynamicDns)
            filters.Insert(filters.Count - 1, DynamicDns.SniFilter(DynamicDns.CacheOf(service.Hostname, _inputs.Node), port));
        return new FilterChainPlan { SniHosts = names, Destinations = destinations, Filters = filters };
    }

    private bool Holds(TLSMatchAttributes match, int port) =>
        AppliesTo(match.Gateways, match.Port, match.SourceLabels, match.SourceNamespace, MeshGateway, port, _inputs.Scope.Labels,
            _inputs.Node.Namespace);

    private bool Holds(L4MatchAttributes match, int port) =>
        AppliesTo(match.Gateways, match.Port, match.SourceLabels, match.SourceNamespace, MeshGateway, port, _inputs.Scope.Labels,
            _inputs.Node.Namespace);
}
