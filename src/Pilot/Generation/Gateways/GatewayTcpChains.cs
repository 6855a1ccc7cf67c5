using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Scope;
using Lateen.Pilot.Scope.Gateways;
using Lateen.Registry;
using Mode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Gateways;

/// <summary>Chains of gateway servers that are not HTTP: bytes, terminated TLS, TLS passed through.</summary>
internal sealed class GatewayTcpChains(ListenerParts parts)
{
    private static readonly string[] MeshAlpn = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];
    private readonly ProxyInputs _inputs = parts.Inputs;
    private readonly TcpProxies _proxies = new(parts);
    private readonly TcpProxies _unguarded = new(parts, false);

    /// <summary>What TLS contexts of gateway servers depend on.</summary>
    public static ServerTlsInputs TlsInputs(ProxyInputs inputs, TlsUse use) => new(inputs.Node, inputs.Mesh, use)
    {
        Compliance = inputs.Features.CompliancePolicy,
        HasCredentialSocket = inputs.Node.Metadata.Flag("CREDENTIAL_SOCKET_EXISTS")
            || inputs.Node.Metadata.Raw.Fields.ContainsKey("FILE_CREDENTIAL_SOCKET"),
        ExternalSecrets = SecretConfigs.ExternalProvider(inputs.Mesh, inputs.Scope.Snapshot.Registry),
        ExchangesPeers = inputs.Features.MetadataExchange && !inputs.Features.DisableMetadataExchangeAlpn,
    };

    /// <summary>The chains of a server.</summary>
    /// <param name="server">Server.</param>
    /// <param name="sniTaken">SNI hosts that have a chain already, by port and address.</param>
    public IEnumerable<FilterChainPlan> For(GatewayServer server, HashSet<(int Port, string Bind, string Host)> sniTaken)
    {
        switch (server.Server.Tls?.Mode)
        {
            case null:
                return FromTcpRules(server) is { } plain ? [new FilterChainPlan { Filters = plain }] : [];
            case Mode.Passthrough:
                return FromTlsRules(server, sniTaken);
            case Mode.AutoPassthrough:
                return ToEveryCluster(server);
            default:
                return (FromTcpRules(server) ?? FromTlsRoutes(server)) is { } terminated
                    ? [new FilterChainPlan
                    {
                        SniHosts = server.SniHosts,
                        Tls = TlsContexts.Server(server.Server.Tls, TlsInputs(_inputs, TlsUse.Tcp)),
                        Filters = terminated,
                    }]
                    : [];
        }
    }

    private static ServicePort PortOf(GatewayServer server) =>
        new(server.Server.Port.Name, (int)server.Server.Port.Number, Protocols.Parse(server.Server.Port.Protocol));

    private IEnumerable<RouteRules> RulesOf(GatewayServer server)
    {
        foreach (var meant in _inputs.Scope.Snapshot.VirtualServices.VisibleTo(_inputs.Node.Namespace, server.GatewayName))
        {
            var ns = meant.Origin.Namespace;
            if (server.Hosts.Any(own => (own.Namespace == "*" || own.Namespace == ns)
                && meant.Spec.Hosts.Any(h => Hostnames.Overlap(own.Host, h)))) yield return RouteRules.Of(meant);
        }
    }

    // Nothing but the port tells connections apart, so the first rule takes them all.
    private List<Envoy.Config.Listener.V3.Filter>? FromTcpRules(GatewayServer server)
    {
        var exchanges = server.Server.Tls?.Mode == Mode.IstioMutual;
        foreach (var rules in RulesOf(server))
        {
            foreach (var rule in rules.Rules.Tcp)
            {
                if (rule.Match.Count > 0 && !rule.Match.Any(m => Holds(m.Gateways, m.Port, server))) continue;
                var filters = _proxies.ForRoutes(rule.Route, PortOf(server), rules, exchanges);
                return filters.Count > 0 ? filters : null;
            }
        }
        return null;
    }

    private List<Envoy.Config.Listener.V3.Filter>? FromTlsRoutes(GatewayServer server)
    {
        foreach (var rules in RulesOf(server).Where(static r => r.FromTlsRoute))
        {
            foreach (var rule in rules.Rules.Tls)
            {
                if (rule.Route.Count > 0 && rule.Match.Any(m => Holds(m.Gateways, m.Port, server)))
                {
                    return _proxies.ForRoutes(rule.Route, PortOf(server), rules, server.Server.Tls?.Mode == Mode.IstioMutual);
                }
            }
        }
        return null;
    }

    private List<FilterChainPlan> FromTlsRules(GatewayServer server, HashSet<(int Port, string Bind, string Host)> sniTaken)
    {
        var plans = new List<FilterChainPlan>();
        foreach (var rules in RulesOf(server))
        {
            foreach (var rule in rules.Rules.Tls)
            {
                foreach (var match in rule.Match.Where(m => Holds(m.Gateways, m.Port, server)))
                {
                    if (rule.Route.Count == 0) continue;
                    var keys = match.SniHosts.Select(h => (server.Number, server.Server.Bind, h)).ToList();
                    if (keys.Any(sniTaken.Contains)) continue;
                    sniTaken.UnionWith(keys);
                    plans.Add(new FilterChainPlan
                    {
                        SniHosts = match.SniHosts,
                        Filters = _proxies.ForRoutes(rule.Route, PortOf(server), rules, false),
                    });
                }
            }
        }
        return plans;
    }

    private static bool Holds(IReadOnlyList<string> gateways, uint port, GatewayServer server) =>
        (gateways.Count == 0 || gateways.Contains(server.GatewayName)) && (port == 0 || port == server.Server.Port.Number);

    // Another network's clients name the cluster by SNI, inside their own mutual TLS.
    private List<FilterChainPlan> ToEveryCluster(GatewayServer server)
    {
        var plans = new List<FilterChainPlan>();
        foreach (var service in _inputs.Scope.Imports.Services.Where(static s => !s.MeshExternal))
        {
            if (!server.Hosts.Any(h => (h.Namespace == "*" || h.Namespace == service.Namespace)
                && Hostnames.IsSubset(service.Hostname, h.Host))) continue;
            var policy = _inputs.DestinationRule(service.Hostname);
            foreach (var port in service.Ports.Where(static p => p.Protocol != Protocol.Udp))
            {
                plans.Add(ToCluster($"outbound_.{port.Number}_._.{service.Hostname}", "", port, policy));
                if (policy is null) continue;
                plans.AddRange(policy.Subsets.Select(
                    s => ToCluster($"outbound_.{port.Number}_.{s.Name}_.{service.Hostname}", s.Name, port, policy)));
            }
        }
        return plans;
    }

    private FilterChainPlan ToCluster(string cluster, string subset, ServicePort port, DestinationRule? policy) => new()
    {
        SniHosts = [cluster],
        ApplicationProtocols = MeshAlpn,
        Filters = _unguarded.Single(cluster, cluster, subset, port, policy, false),
    };
}
