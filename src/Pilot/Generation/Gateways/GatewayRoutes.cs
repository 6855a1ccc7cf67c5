// Gateways: listeners and route configurations of routers: one listener for a port, one chain for a TLS server, one route configuration
// for a plaintext port or an HTTPS server, filled with the VirtualServices that name the Gateway.
//
// Servers arrive merged (`MergedGateway`): which of them share a port was decided in Scope. Pure functions of `ProxyInputs`; routes are
// translated in Routes, connection managers are rendered in Listeners.
//
// Refused: treating a gateway as a sidecar without application: only the translation of rules is the same, hosts, names and chains are not.
using Envoy.Config.Route.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Lateen.Pilot.Scope.Gateways;
using EnvoyRoute = Envoy.Config.Route.V3.Route;
using Service = Lateen.Registry.Service;

namespace Lateen.Pilot.Generation.Gateways;

/// <summary>Route configurations of routers.</summary>
internal sealed class GatewayRoutes
{
    private readonly ProxyInputs _inputs;
    private readonly bool _countsAttempts;
    private readonly Dictionary<(string Gateway, RouteRules Rules), IReadOnlyList<EnvoyRoute>> _translated = [];
    private readonly Dictionary<string, HostEntry> _hosts = new(StringComparer.Ordinal);

    private GatewayRoutes(ProxyInputs inputs)
    {
        _inputs = inputs;
        _countsAttempts = inputs.Config.ProxyHeaders?.AttemptCount?.Disabled != true;
    }

    /// <summary>Makes the route configuration of a name.</summary>
    public static RouteConfiguration Generate(ProxyInputs inputs, string name)
    {
        if (inputs.Scope.Gateway is not { } gateway || !gateway.ByRouteName.TryGetValue(name, out var servers))
            return DefaultRoutes.Empty(name);
        return new GatewayRoutes(inputs).Generate(name, servers);
    }

    private sealed class HostEntry(string name, int port)
    {
        public string Name { get; } = name;

        public int Port { get; } = port;

        public List<RouteRules> Rules { get; } = [];

        public List<EnvoyRoute> Routes { get; } = [];

        public bool RequiresTls { get; set; }
    }

    private RouteConfiguration Generate(string name, IReadOnlyList<GatewayServer> servers)
    {
        foreach (var server in servers)
        {
            AddRules(server);
            if (server.Server.Tls?.HttpsRedirect == true) AddRedirects(server);
        }
        var built = _hosts.Count == 0 ? [Blackhole((int)servers[0].Server.Port.Number)] : Collapsed();
        built.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return DefaultRoutes.Configuration(name, built, false);
    }

    // A host of a rule counts where the server has it too; a server may take only hosts of certain namespaces.
    private void AddRules(GatewayServer server)
    {
        foreach (var meant in _inputs.Scope.Snapshot.VirtualServices.VisibleTo(_inputs.Node.Namespace, server.GatewayName))
        {
            var rules = RouteRules.Of(meant);
            var allowed = server.Hosts.Where(h => h.Namespace == "*" || h.Namespace == rules.Namespace).Select(static h => h.Host);
            var common = Hostnames.Intersect(allowed, rules.Rules.Hosts);
            if (common.Count == 0) continue;
            var routes = Translate(server, rules);
            if (routes.Count == 0) continue;
            foreach (var host in common)
            {
                var entry = Entry(host, server);
                entry.Rules.Add(rules);
                entry.Routes.AddRange(routes);
                if (server.Server.Tls?.HttpsRedirect == true) entry.RequiresTls = true;
            }
        }
    }

    private IReadOnlyList<EnvoyRoute> Translate(GatewayServer server, RouteRules rules)
    {
        if (_translated.TryGetValue((server.GatewayName, rules), out var known)) return known;
        return _translated[(server.GatewayName, rules)] = RouteTranslator.Translate(new RouteRulesInputs
        {
            Rules = rules,
            ProxyLabels = _inputs.Scope.Labels,
            ProxyNamespace = _inputs.Node.Namespace,
            ListenPort = (int)server.Server.Port.Number,
            Gateways = new HashSet<string>([server.GatewayName], StringComparer.Ordinal),
            Mesh = _inputs.Mesh,
            Config = _inputs.Config,
            Lookups = new RouteLookups
            {
                Service = host => Find(host, rules.Namespace),
                Hash = d => HashPolicies.ForDestination(_inputs.DestinationRule(d.Host), d),
                Picker = rule => _inputs.Features.InferencePools
                    ? rule.Route.Select(d => EndpointPickers.Of(Find(d.Destination?.Host ?? "", rules.Namespace),
                        _inputs.Scope.Snapshot.Settings.DomainSuffix)).FirstOrDefault(static picker => picker is not null)
                    : null,
            },
            IsTls = server.Server.Tls is not null,
            AdvertisesHttp3 = server.OffersHttp3,
            MarksMirroredHosts = !_inputs.Features.DisableShadowHostSuffix,
        });
    }

    // What a rule means by a host is first of all what its own namespace has under that name.
    private Service? Find(string host, string ns)
    {
        if (_inputs.Scope.Snapshot.Registry.ByHost.TryGetValue(host, out var all))
        {
            foreach (var service in all)
            {
                if (service.Namespace == ns) return service;
            }
        }
        return _inputs.Service(host);
    }

    private void AddRedirects(GatewayServer server)
    {
        foreach (var (_, host) in server.Hosts) Entry(host, server).RequiresTls = true;
    }

    private HostEntry Entry(string host, GatewayServer server)
    {
        host = host.ToLowerInvariant();
        if (!_hosts.TryGetValue(host, out var entry)) _hosts[host] = entry = new HostEntry(host, (int)server.Server.Port.Number);
        return entry;
    }

    // Hosts with the same rules become one virtual host: its name is that of the most specific one.
    private List<VirtualHost> Collapsed()
    {
        var groups = new List<(HostEntry First, VirtualHost Host)>();
        foreach (var entry in _hosts.Values.OrderBy(static e => e.Name, Comparer<string>.Create(ByLength)))
        {
            var same = groups.FirstOrDefault(
                g => entry.Rules.Count > 0 && g.First.RequiresTls == entry.RequiresTls && g.First.Rules.SequenceEqual(entry.Rules));
            if (same.Host is not null) same.Host.Domains.Add(Wire.HostText(entry.Name));
            else groups.Add((entry, Build(entry)));
        }
        return groups.Select(static g => g.Host).ToList();
    }

    private static int ByLength(string left, string right)
    {
        if (Hostnames.IsWildcard(left) != Hostnames.IsWildcard(right)) return Hostnames.IsWildcard(left) ? 1 : -1;
        return left.Length != right.Length ? right.Length - left.Length : string.CompareOrdinal(left, right);
    }

    private VirtualHost Build(HostEntry entry)
    {
        var host = new VirtualHost
        {
            Name = Wire.HostPort(entry.Name, entry.Port),
            Domains = { Wire.HostText(entry.Name) },
            IncludeRequestAttemptCount = _countsAttempts,
        };
        if (entry.RequiresTls) host.RequireTls = VirtualHost.Types.TlsRequirementType.All;
        host.Routes.Add(RouteTranslator.CatchAllsLast(entry.Routes).Select(static r => r.Clone()));
        return host;
    }

    private static VirtualHost Blackhole(int port) => new() { Name = Wire.HostPort("blackhole", port), Domains = { "*" } };
}
