using System.Globalization;
using Envoy.Config.Route.V3;
using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using EnvoyRoute = Envoy.Config.Route.V3.Route;
using ServicePort = Lateen.Registry.ServicePort;
using MeshConfig = Istio.Mesh.V1Alpha1.MeshConfig;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Everything that one outbound route configuration of a sidecar depends on.</summary>
public sealed record SidecarRouteInputs
{
    /// <summary>Name: a port, <c>host:port</c> of a sniffed service, <c>http_proxy</c> or a unix path.</summary>
    public required string RouteName { get; init; }

    /// <summary>The proxy.</summary>
    public required ProxyNode Node { get; init; }

    /// <summary>Labels of the proxy's workload.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Tell services how often a request was tried.</summary>
    public bool IncludeAttemptCount { get; init; } = true;

    /// <summary>Mesh-wide settings.</summary>
    public required MeshConfig Mesh { get; init; }

    /// <summary>The proxy's own configuration; null for the mesh's default.</summary>
    public Istio.Mesh.V1Alpha1.ProxyConfig? Config { get; init; }

    /// <summary>Services that the egress listener of this name imports, in order.</summary>
    public required IReadOnlyList<Service> Services { get; init; }

    /// <summary>VirtualServices for the mesh gateway that the egress listener imports, oldest first.</summary>
    public required IReadOnlyList<RouteRules> VirtualServices { get; init; }

    /// <summary>DestinationRule that applies to a host from this proxy.</summary>
    public required Func<string, DestinationRule?> DestinationRule { get; init; }

    /// <summary>What unknown hosts get.</summary>
    public required OutboundFallback Fallback { get; init; }

    /// <summary>Switches of the control plane.</summary>
    public Features Features { get; init; } = Features.Default;

    /// <summary>The egress listener is an explicit HTTP proxy: clients name host and port.</summary>
    public bool IsHttpProxy { get; init; }
}

/// <summary>Services and other hosts of one port with the same routes.</summary>
/// <param name="Port">The port.</param>
/// <param name="Services">Services.</param>
/// <param name="OtherHosts">Hosts that are no services.</param>
/// <param name="Routes">Their routes; null for those that each service has without rules.</param>
internal sealed record HostGroup(int Port, IReadOnlyList<Service> Services, IReadOnlyList<string> OtherHosts, RuleRoutes? Routes);

/// <summary>Outbound route configurations of sidecars.</summary>
public sealed class SidecarRoutes
{
    /// <summary>Route name of the explicit HTTP proxy port.</summary>
    public const string HttpProxyName = "http_proxy";

    private readonly SidecarRouteInputs _inputs;
    private readonly int _port;
    private readonly bool _isSniffed;
    private readonly KnownHosts _known;
    private readonly Dictionary<string, Service> _services = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    private SidecarRoutes(SidecarRouteInputs inputs, int port, bool isSniffed, KnownHosts? known = null)
    {
        _inputs = inputs;
        _known = known ?? new KnownHosts();
        _port = inputs.IsHttpProxy ? 0 : port;
        _isSniffed = isSniffed;
        foreach (var service in inputs.Services) AddOnPort(service);
    }

    /// <summary>Makes the route configuration, or null when the name is none that a sidecar has.</summary>
    public static RouteConfiguration? Generate(SidecarRouteInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        var isUnix = inputs.RouteName.StartsWith("unix://", StringComparison.Ordinal);
        // gRPC libraries name routes after the cluster of the service that they dial.
        if (inputs.Node.IsProxylessGrpc() && ClusterNames.Parse(inputs.RouteName) is { } dialed)
        {
            var hosts = new SidecarRoutes(inputs, dialed.Port, false).VirtualHosts()
                .OrderBy(static host => host.Name, StringComparer.Ordinal);
            return new RouteConfiguration { Name = inputs.RouteName, VirtualHosts = { hosts } };
        }
        var colon = isUnix ? -1 : inputs.RouteName.IndexOf(':', StringComparison.Ordinal);
        var hasPort = int.TryParse(inputs.RouteName.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port);
        if (!hasPort && !isUnix && inputs.RouteName != HttpProxyName) return null;
        return new SidecarRoutes(inputs, hasPort ? port : 0, colon >= 0).Generate();
    }

    /// <summary>The configuration as a resource that is put together of what was made before; null where it has to be made whole.</summary>
    /// <param name="inputs">What it depends on.</param>
    /// <param name="known">What was made for clients of this sort.</param>
    internal static WireResource? Table(SidecarRouteInputs inputs, Func<HostClient, KnownHosts> known)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(known);
        // A name of digits alone is that of a port whose services all share it.
        if (inputs.Node.IsProxylessGrpc() || inputs.IsHttpProxy
            || !int.TryParse(inputs.RouteName, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0) return null;
        var routes = new SidecarRoutes(inputs, port, false, known(HostClient.Of(inputs, port)));
        var table = routes.Table();
        routes._known.Close();
        return table;
    }

    private WireResource? Table()
    {
        var names = new VirtualHostNames(_inputs, _port, _known);
        var drafts = names.Build(Groups());
        _known.End(drafts.Count);
        // Two hosts of one name or domain are a mistake that only the whole configuration shows.
        if (names.Has(_inputs.Fallback.VirtualHostName, "*")) return null;
        drafts.RemoveAll(draft => draft.Port != _port);
        drafts.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        var entries = new List<byte[]>(drafts.Count + 1);
        foreach (var draft in drafts)
        {
            if (EntryOf(draft) is not { } entry) return null;
            entries.Add(entry);
        }
        if (Entry(DefaultRoutes.CatchAll(_inputs.Fallback, _inputs.IncludeAttemptCount)) is not { } last) return null;
        entries.Add(last);
        var rest = DefaultRoutes.Configuration("", [], isProxylessGrpc: false).ToByteArray();
        return WireResource.OfParts<RouteConfiguration>(_inputs.RouteName,
            new RouteConfiguration { Name = _inputs.RouteName }.ToByteArray(), entries, rest);
    }

    private byte[]? EntryOf(HostDraft draft)
    {
        if (draft.Service is not { } service) return Entry(Host(draft));
        var (known, of) = (_known.Of(service, draft.Port), (object?)draft.Routes ?? _inputs.DestinationRule(service.Hostname));
        return known.Made(draft.Domains, of) ?? (Entry(Host(draft)) is { } made ? known.Keep(draft.Domains, of, made) : null);
    }

    // As the configuration has it; null when no proxy would take it.
    private static byte[]? Entry(VirtualHost host)
    {
        var size = host.CalculateSize();
        var entry = new byte[1 + CodedOutputStream.ComputeLengthSize(size) + size];
        var output = new CodedOutputStream(entry);
        output.WriteTag(RouteConfiguration.VirtualHostsFieldNumber, WireFormat.WireType.LengthDelimited);
        output.WriteMessage(host);
        output.CheckNoSpaceLeft();
        return Soundness.Definition(host, entry.AsSpan(entry.Length - size)) is null ? entry : null;
    }

    private RouteConfiguration Generate()
    {
        var hosts = VirtualHosts();
        if (_isSniffed) hosts = OnlyTheSniffed(hosts);
        hosts.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        if (!_isSniffed) hosts.Add(DefaultRoutes.CatchAll(_inputs.Fallback, _inputs.IncludeAttemptCount));
        RouteConfiguration configuration = DefaultRoutes.Configuration(_inputs.RouteName, hosts, _inputs.Node.IsProxylessGrpc());
        // An explicit proxy serves all ports at one: it is the port in the host that tells services apart there. Istio says that ports are
        // ignored all the same, which leaves every request to the catch-all; a node that lives by its explicit proxy asks for the other.
        if (_inputs.IsHttpProxy && _inputs.Node.Metadata.Flag("LATEEN_EXPLICIT_PROXY")) configuration.IgnorePortInHostMatching = false;
        return configuration;
    }

    // A service is seen with nothing but the port of this configuration, which makes it the default port of destinations.
    private void AddOnPort(Service service)
    {
        var name = service.Hostname.ToLowerInvariant();
        if (_port != 0)
        {
            if (service.Ports.FirstOrDefault(p => p.Number == _port && p.Protocol != Protocol.Udp) is not { } own) return;
            service = _known.View(service, own);
        }
        else name = service.Hostname;
        if (_services.TryAdd(name, service)) _order.Add(name);
        else _services[name] = service;
    }

    // ---- which hosts exist, and their routes

    private List<VirtualHost> VirtualHosts()
    {
        var hosts = new VirtualHostNames(_inputs, _port, _known).Build(Groups()).Select(draft => (draft.Port, Host: Host(draft)));
        return _port != 0 ? hosts.Where(h => h.Port == _port).Select(static h => h.Host).ToList() : ExplicitProxyHosts(hosts.ToList());
    }

    private List<HostGroup> Groups()
    {
        var groups = new List<HostGroup>(_order.Count);
        foreach (var rules in Selected()) groups.AddRange(GroupsOf(rules));
        var ruled = groups.SelectMany(static g => g.Services).ToHashSet();
        foreach (var service in _order.Select(name => _services[name]))
        {
            if (ruled.Contains(service) || service.Resolution == ServiceResolution.Alias) continue;
            foreach (var port in service.Ports)
            {
                if (IsHttpOrSniffed(port.Protocol)) groups.Add(new HostGroup(port.Number, [service], [], null));
            }
        }
        return groups;
    }

    private VirtualHost Host(HostDraft draft)
    {
        var built = new VirtualHost
        {
            Name = draft.Name,
            Domains = { draft.Domains },
            IncludeRequestAttemptCount = _inputs.IncludeAttemptCount,
        };
        // Copies, so that a later change of one host's routes (patches) stays there.
        if (draft.Routes is null) built.Routes.Add(DefaultRoute(draft.Service!, draft.Port));
        else built.Routes.Add((draft.Routes.Made ?? Translated(draft.Routes)).Select(static r => r.Clone()));
        if (PersistentSessions.For(draft.Service) is { } session) built.TypedPerFilterConfig[PersistentSessions.FilterName] = session;
        return built;
    }

    // Clients of an explicit proxy name the port; without one only port 80 can be meant.
    private static List<VirtualHost> ExplicitProxyHosts(List<(int Port, VirtualHost Host)> hosts)
    {
        foreach (var (_, host) in hosts.Where(static h => h.Port != 80))
        {
            var withPort = host.Domains.Where(static d => d.Contains(':')).ToList();
            host.Domains.Clear();
            host.Domains.Add(withPort);
        }
        return hosts.Select(static h => h.Host).Where(static h => h.Domains.Count > 0).ToList();
    }

    // On port 80 rules for hosts outside the registry count as well: that is where such requests arrive.
    private IEnumerable<RouteRules> Selected() => _port == 80 ? _inputs.VirtualServices : _inputs.VirtualServices.Where(IsForSomeService);

    private bool IsForSomeService(RouteRules rules) => rules.Rules.Hosts.Select(static h => h.ToLowerInvariant()).Any(host =>
        _services.ContainsKey(host)
            || _order.Any(name => (Hostnames.IsWildcard(host) || Hostnames.IsWildcard(name)) && Hostnames.Overlap(host, name)));

    private IEnumerable<HostGroup> GroupsOf(RouteRules rules)
    {
        var routes = RoutesOf(rules);
        if (routes.IsEmpty) return [];
        var (others, matching) = SplitHosts(rules);
        if (rules.IsGatewayApi)
        {
            // Producer or consumer routes only.
            matching = matching.Where(s => s.Namespace == rules.Namespace || _inputs.Node.Namespace == rules.Namespace).ToList();
            if (matching.Count == 0) return [];
        }
        var byPort = matching.SelectMany(
            static s => s.Ports.Where(static p => IsHttpOrSniffed(p.Protocol)).Select(p => (Port: p.Number, Service: s)))
            .GroupBy(static x => x.Port, static x => x.Service)
            .Select(g => new HostGroup(g.Key, g.ToList(), others, routes)).ToList();
        if (byPort.Count == 0 && _port == 80) byPort.Add(new HostGroup(80, [], others, routes));
        return byPort;
    }

    private RuleRoutes RoutesOf(RouteRules rules)
    {
        if (_known.RoutesOf(rules.Rules) is { } known && known.Holds(_inputs, Find)) return known;
        var made = new RuleRoutes(rules, _inputs);
        Translated(made);
        return _known.Keep(made);
    }

    private IReadOnlyList<EnvoyRoute> Translated(RuleRoutes routes) => routes.Make(new RouteRulesInputs
    {
        Rules = routes.Rules,
        ProxyLabels = _inputs.Labels,
        ProxyNamespace = _inputs.Node.Namespace,
        ListenPort = _port,
        Gateways = MeshGateway,
        Mesh = _inputs.Mesh,
        Config = _inputs.Config,
        Lookups = new RouteLookups { Service = Find },
        IsProxylessGrpc = _inputs.Node.IsProxylessGrpc(),
        MarksMirroredHosts = !_inputs.Features.DisableShadowHostSuffix,
    }, Find, _inputs.DestinationRule);

    private static readonly HashSet<string> MeshGateway = new(["mesh"], StringComparer.Ordinal);

    private Service? Find(string host) => _services.GetValueOrDefault(host);

    private (List<string> Others, List<Service> Matching) SplitHosts(RouteRules rules)
    {
        var others = new List<string>();
        var matching = new List<Service>();
        foreach (var host in rules.Rules.Hosts.Where(static h => !Hostnames.IsWildcard(h)))
        {
            if (_services.TryGetValue(host.ToLowerInvariant(), out var service)) matching.Add(service);
            else others.Add(host);
        }
        foreach (var host in rules.Rules.Hosts.Where(Hostnames.IsWildcard).Select(static h => h.ToLowerInvariant()))
        {
            // A route of the Gateway API is for the services that it names, be their own host a wildcard.
            var covered = _order.Where(name => rules.IsGatewayApi ? name == host : Hostnames.Overlap(name, host)).ToList();
            if (covered.Count == 0) others.Add(host);
            matching.AddRange(covered.Where(name => MostSpecific(name) == rules).Select(name => _services[name]));
        }
        return (others, matching);
    }

    /// <summary>The rules that own a service: those that name it, else those with the longest wildcard; the oldest of equals.</summary>
    private RouteRules? MostSpecific(string serviceName)
    {
        RouteRules? best = null;
        var bestHost = "";
        foreach (var rules in _inputs.VirtualServices)
        {
            foreach (var host in rules.Rules.Hosts.Select(static h => h.ToLowerInvariant()))
            {
                if (host == serviceName && !Hostnames.IsWildcard(host)) return rules;
                if (!Hostnames.IsWildcard(host) || !Hostnames.IsSubset(serviceName, host)) continue;
                if (best is not null && host.Length <= bestHost.Length) continue;
                (best, bestHost) = (rules, host);
            }
        }
        return best;
    }

    private EnvoyRoute DefaultRoute(Service service, int port)
    {
        var hash = HashPolicies.ForService(_inputs.DestinationRule(service.Hostname), port);
        var route = DefaultRoutes.Outbound($"outbound|{port}||{service.Hostname}", $"{service.Hostname}:{port}/*",
            _inputs.Mesh.DefaultHttpRetryPolicy, false);
        if (HashPolicies.Of(hash) is { } policy) route.Route_.HashPolicy.Add(policy);
        return route;
    }

    private static bool IsHttpOrSniffed(Protocol protocol) => protocol.IsHttp() || protocol.IsUnsupported();

    // A sniffed service has a listener of its own, whose routes know nothing but that service under any name.
    private List<VirtualHost> OnlyTheSniffed(List<VirtualHost> hosts)
    {
        var bare = _inputs.RouteName[.._inputs.RouteName.LastIndexOf(':')];
        var own = hosts.Where(h => h.Domains.Contains(_inputs.RouteName) || h.Domains.Contains(bare)).ToList();
        if (own.Count != 1) return own;
        own[0].Domains.Clear();
        own[0].Domains.Add("*");
        return own;
    }
}
