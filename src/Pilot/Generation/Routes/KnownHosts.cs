using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Registry;
using ServicePort = Lateen.Registry.ServicePort;
using MeshConfig = Istio.Mesh.V1Alpha1.MeshConfig;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>What was made of a service for clients of one sort, and what it was made of.</summary>
/// <param name="name">Name of its virtual host.</param>
internal sealed class KnownHost(string name)
{
    private object? _of;
    private IReadOnlyList<string>? _domains;
    private byte[] _bytes = [];

    /// <summary>Name of its virtual host.</summary>
    public string Name => name;

    /// <summary>The names under which such clients may ask for it, as far as no other service has them.</summary>
    public VirtualHostDomains.Set? Domains { get; set; }

    /// <summary>The build that used it last.</summary>
    internal long Used { get; set; }

    /// <summary>The host as an entry of a configuration; null when it was not made of these before.</summary>
    /// <param name="domains">Its domains.</param>
    /// <param name="of">Its <see cref="RuleRoutes"/>; without rules the DestinationRule for it, or null.</param>
    public byte[]? Made(IReadOnlyList<string> domains, object? of) =>
        _domains is not null && ReferenceEquals(of, _of) && (ReferenceEquals(domains, _domains) || domains.SequenceEqual(_domains))
            ? _bytes : null;

    /// <summary>Remembers the host.</summary>
    public byte[] Keep(IReadOnlyList<string> domains, object? of, byte[] bytes)
    {
        (_domains, _of, _bytes) = (domains, of, bytes);
        return bytes;
    }
}

/// <summary>Everything besides the service and the rule for it that its virtual host depends on. Settings are compared as
/// objects.</summary>
/// <param name="ListenPort">Port of the listener.</param>
/// <param name="Namespace">Namespace of the client.</param>
/// <param name="DnsDomain">DNS domain of the client.</param>
/// <param name="ClusterId">Its cluster.</param>
/// <param name="Traits">Families of addresses that it has, whether its own DNS answers, whether requests say how often they were
/// tried.</param>
internal sealed record HostClient(int ListenPort, string Namespace, string DnsDomain, string ClusterId,
    (bool IPv4, bool IPv6, bool CapturesDns, bool CountsAttempts) Traits, MeshConfig Mesh, Meaning.Features Features)
{
    /// <summary>Of the inputs of a configuration.</summary>
    public static HostClient Of(SidecarRouteInputs inputs, int listenPort) =>
        new(listenPort, inputs.Node.Namespace, inputs.Node.DnsDomain, inputs.Node.ClusterId,
            (inputs.Node.SupportsIPv4, inputs.Node.SupportsIPv6, inputs.Node.Metadata.DnsCapture, inputs.IncludeAttemptCount), inputs.Mesh,
            inputs.Features);

    /// <inheritdoc/>
    public bool Equals(HostClient? other) => other is not null && ListenPort == other.ListenPort && Namespace == other.Namespace
        && DnsDomain == other.DnsDomain && ClusterId == other.ClusterId
        && Traits == other.Traits && ReferenceEquals(Mesh, other.Mesh) && ReferenceEquals(Features, other.Features);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(ListenPort, Namespace, DnsDomain, ClusterId, Traits);
}

/// <summary>
/// Virtual hosts of services as clients of one sort were given them. A table of five thousand hosts of which one changes is put together of
/// the others' bytes, without a message being made.
/// </summary>
/// <param name="sets">Sets of names that are used again and again; one build at a time has them.</param>
internal sealed class KnownHosts((HashSet<string> Names, HashSet<string> Taken, HashSet<string> FullNames) sets)
{
    private readonly Dictionary<(Service Service, int Port), KnownHost> _all = [];
    private readonly Dictionary<Service, (ServicePort Port, Service View)> _views = [];
    private readonly Dictionary<VirtualService, RuleRoutes> _routes = new(ReferenceEqualityComparer.Instance);
    private long _builds;

    /// <summary>For a configuration that is made once.</summary>
    public KnownHosts() : this(NewSets())
    {
    }

    /// <summary>Sets for all that are built one after another.</summary>
    public static (HashSet<string> Names, HashSet<string> Taken, HashSet<string> FullNames) NewSets() =>
        (new(StringComparer.Ordinal), new(StringComparer.OrdinalIgnoreCase), new(StringComparer.Ordinal));

    /// <summary>A build begins: empty sets.</summary>
    public (HashSet<string> Names, HashSet<string> Taken, HashSet<string> FullNames) Sets()
    {
        sets.Names.Clear();
        sets.Taken.Clear();
        sets.FullNames.Clear();
        _builds++;
        return sets;
    }

    /// <summary>What is known of a service at a port.</summary>
    public KnownHost Of(Service service, int port)
    {
        if (!_all.TryGetValue((service, port), out var known))
            _all.Add((service, port), known = new KnownHost(Wire.HostPort(service.Hostname, port)));
        known.Used = _builds;
        return known;
    }

    /// <summary>A service with nothing but one port: the same object again while the service is the same.</summary>
    public Service View(Service service, ServicePort port)
    {
        if (_views.TryGetValue(service, out var known) && ReferenceEquals(known.Port, port)) return known.View;
        var view = service.WithOnlyPort(port);
        _views[service] = (port, view);
        return view;
    }

    /// <summary>What is known of the routes of a VirtualService, if anything.</summary>
    public RuleRoutes? RoutesOf(VirtualService rules)
    {
        if (!_routes.TryGetValue(rules, out var known)) return null;
        known.Used = _builds;
        return known;
    }

    /// <summary>Remembers the routes of a VirtualService.</summary>
    public RuleRoutes Keep(RuleRoutes routes)
    {
        routes.Used = _builds;
        return _routes[routes.Rules.Rules] = routes;
    }

    /// <summary>The configuration is made, and of routes the messages are no longer wanted, nor those that it did not ask for.</summary>
    public void Close()
    {
        foreach (var (rules, routes) in _routes)
        {
            routes.Drop();
            if (routes.Used < _builds - 1) _routes.Remove(rules);
        }
    }

    /// <summary>Services that the build did not ask for are gone; they are forgotten when they come to be an eighth of all.</summary>
    public void End(int used)
    {
        if (_all.Count + _views.Count <= 2 * (used + (used / 8) + 8)) return;
        foreach (var (key, known) in _all)
        {
            if (known.Used != _builds) _all.Remove(key);
        }
        foreach (var (service, (port, view)) in _views)
        {
            if (!_all.ContainsKey((view, port.Number))) _views.Remove(service);
        }
    }
}
