using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Registry;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Scope;

/// <summary>Decides what the proxies of a namespace import under a Sidecar resource.</summary>
internal static class SidecarImports
{
    private static readonly IstioEgressListener Everything = new() { Hosts = { "*/*" } };

    /// <summary>Imports of sidecars.</summary>
    public static SidecarScope Of(MeshSnapshot snapshot, string ns, Meant<Sidecar>? sidecar)
    {
        var declared = sidecar?.Spec.Egress is { Count: > 0 } egress ? egress : (IEnumerable<IstioEgressListener>)[Everything];
        var visible = snapshot.Services.VisibleTo(ns).ToList();
        var listeners = declared.Select(listener => ListenerOf(snapshot, ns, listener, visible)).ToImmutableArray();
        var services = new ImportedServices();
        foreach (var listener in listeners)
        {
            foreach (var service in listener.Services) services.Add(service);
            foreach (var service in Inferred(snapshot, ns, listener)) services.Add(service);
        }
        return Finish(snapshot, ns, sidecar, listeners, services);
    }

    /// <summary>Imports of gateways and waypoints: everything that their namespace sees.</summary>
    public static SidecarScope OfGateway(MeshSnapshot snapshot, string ns)
    {
        var services = new ImportedServices();
        foreach (var service in snapshot.Services.VisibleTo(ns)) services.Add(service);
        var listener = new EgressListener
        {
            Declared = null,
            Services = services.All,
            VirtualServices = [.. snapshot.VirtualServices.VisibleTo(ns, VirtualServiceIndex.MeshGateway)],
        };
        return Finish(snapshot, ns, null, [listener], services);
    }

    private static SidecarScope Finish(MeshSnapshot snapshot, string ns, Meant<Sidecar>? sidecar, ImmutableArray<EgressListener> listeners,
        ImportedServices services)
    {
        var all = services.All;
        var root = snapshot.Settings.RootNamespace;
        var rules = new Dictionary<string, ImmutableArray<MergedDestinationRule>>();
        foreach (var service in all)
        {
            var found = DestinationRuleLookup.Find(snapshot.DestinationRules, ns, service.Hostname, service.Namespace, root);
            if (!found.IsEmpty) rules[service.Hostname] = found;
        }
        return new SidecarScope
        {
            Namespace = ns,
            Sidecar = sidecar,
            EgressListeners = listeners,
            Services = all,
            ByHost = all.ToDictionary(service => service.Hostname),
            DestinationRules = rules,
            OutboundTrafficPolicy = sidecar?.Spec.OutboundTrafficPolicy ?? OfMesh(snapshot.Settings),
        };
    }

    private static OutboundTrafficPolicy? OfMesh(MeshSettings settings) => settings.Mesh.OutboundTrafficPolicy is { } mesh
        ? new OutboundTrafficPolicy { Mode = (OutboundTrafficPolicy.Types.Mode)mesh.Mode }
        : null;

    private static EgressListener ListenerOf(MeshSnapshot snapshot, string ns, IstioEgressListener declared, List<Service> visible)
    {
        var hosts = EgressHosts.Of(declared.Hosts, ns);
        var services = SelectServices(visible, ns, hosts, declared);
        var rules = snapshot.VirtualServices.VisibleTo(ns, VirtualServiceIndex.MeshGateway).Where(rule => Selects(hosts, rule))
            .ToImmutableArray();
        return new EgressListener
        {
            Declared = declared,
            Services = services,
            VirtualServices = rules,
        };
    }

    // ---- services

    private static ImmutableArray<Service> SelectServices(List<Service> visible, string ns, EgressHosts hosts, IstioEgressListener declared)
    {
        var port = PortOf(declared);
        var imported = new List<Service>();
        foreach (var service in visible)
        {
            if (!hosts.ImportsService(service.Namespace, service.Hostname)) continue;
            var cut = port == 0 ? service : WithPort(service, port);
            if (cut is not null) imported.Add(WithAliases(cut, hosts));
        }
        // One namespace for each hostname: the client's own, else Kubernetes before entries, else the first.
        var chosen = new Dictionary<string, Service>();
        foreach (var service in imported)
        {
            if (!chosen.TryGetValue(service.Hostname, out var existing) || service.Namespace == ns
                || (existing.Source != ServiceSource.Kubernetes && service.Source == ServiceSource.Kubernetes && existing.Namespace != ns))
            {
                chosen[service.Hostname] = service;
            }
        }
        return [.. imported.Where(service => chosen[service.Hostname].Namespace == service.Namespace)];
    }

    private static int PortOf(IstioEgressListener declared) =>
        declared.Port is { Number: > 0 } port && Protocols.Parse(port.Protocol) != Protocol.HttpProxy ? (int)port.Number : 0;

    private static Service? WithPort(Service service, int number)
    {
        if (service.PortByNumber(number) is not { } port) return null;
        return service.Ports.Length == 1 ? service : service.WithPorts([port]);
    }

    private static Service WithAliases(Service service, EgressHosts hosts)
    {
        if (service.Aliases.IsEmpty) return service;
        var kept = service.Aliases.RemoveAll(alias => !hosts.ImportsService(alias.Namespace, alias.Hostname));
        return kept.Length == service.Aliases.Length ? service : service.WithAliases(kept);
    }

    // ---- what VirtualServices lead to is imported with them

    private static IEnumerable<Service> Inferred(MeshSnapshot snapshot, string ns, EgressListener listener)
    {
        var port = listener.Declared is null ? 0 : PortOf(listener.Declared);
        foreach (var rule in listener.VirtualServices)
        {
            var ports = DestinationPorts(rule.Spec, ns);
            foreach (var (host, wanted) in ports)
            {
                if (Choose(snapshot, ns, host) is not { } service) continue;
                var cut = port > 0 ? WithPort(service, port) : WithPorts(service, wanted);
                if (cut is not null) yield return cut;
            }
        }
    }

    private static Service? Choose(MeshSnapshot snapshot, string ns, string host)
    {
        if (!snapshot.Registry.ByHost.TryGetValue(host, out var services)) return null;
        return services.FirstOrDefault(service => service.Namespace == ns)
            ?? services.Where(service => snapshot.Services.IsVisible(service, ns))
                .OrderBy(service => service.Namespace, StringComparer.Ordinal).FirstOrDefault();
    }

    private static SortedDictionary<string, HashSet<int>> DestinationPorts(VirtualService rule, string ns)
    {
        var ports = new SortedDictionary<string, HashSet<int>>(StringComparer.Ordinal);
        void Add(Destination? destination)
        {
            if (destination is null) return;
            if (!ports.TryGetValue(destination.Host, out var set)) ports.Add(destination.Host, set = []);
            set.Add((int)(destination.Port?.Number ?? 0));
        }
        foreach (var http in rule.Http)
        {
            // Routes for clients of other namespaces lead nowhere from here.
            if (http.Match.Count > 0 && http.Match.All(match => match.SourceNamespace.Length > 0 && match.SourceNamespace != ns)) continue;
            foreach (var destination in Destinations.OfHttp(http)) Add(destination);
        }
        foreach (var tcp in rule.Tcp)
        {
            if (tcp.Match.Count > 0 && tcp.Match.All(match => match.SourceNamespace.Length > 0 && match.SourceNamespace != ns)) continue;
            foreach (var route in tcp.Route) Add(route.Destination);
        }
        foreach (var tls in rule.Tls)
        {
            if (tls.Match.Count > 0 && tls.Match.All(match => match.SourceNamespace.Length > 0 && match.SourceNamespace != ns)) continue;
            foreach (var route in tls.Route) Add(route.Destination);
        }
        return ports;
    }

    private static Service? WithPorts(Service service, HashSet<int> wanted)
    {
        if (wanted.Contains(0)) return service;
        var kept = service.Ports.Where(port => wanted.Contains(port.Number)).ToImmutableArray();
        return kept.Length == service.Ports.Length ? service : kept.IsEmpty ? null : service.WithPorts(kept);
    }

    // ---- virtual services

    /// <summary>Whether an egress host list imports a rule.</summary>
    internal static bool Selects(EgressHosts hosts, Meant<VirtualService> rule) =>
        rule.Spec.Hosts.Any(host => hosts.ImportsRule(rule.Origin.Namespace, host));
}

/// <summary>Services as they are imported, one for each hostname; Kubernetes before entries, ports of partial imports added up.</summary>
internal sealed class ImportedServices
{
    private readonly List<Service> _all = [];
    private readonly Dictionary<string, int> _places = [];

    public ImmutableArray<Service> All => [.. _all];

    public void Add(Service service)
    {
        if (!_places.TryGetValue(service.Hostname, out var place))
        {
            _places.Add(service.Hostname, _all.Count);
            _all.Add(service);
            return;
        }
        var existing = _all[place];
        if (ReferenceEquals(existing, service)
            || (existing.Source == ServiceSource.Kubernetes && service.Source != ServiceSource.Kubernetes)) return;
        if (existing.Source != ServiceSource.Kubernetes && service.Source == ServiceSource.Kubernetes)
        {
            _all[place] = service;
            return;
        }
        if (!CanMerge(existing, service)) return;
        var added = service.Ports.Where(port => existing.PortByNumber(port.Number) is null).ToList();
        if (added.Count > 0) _all[place] = existing.WithPorts([.. existing.Ports, .. added]);
    }

    private static bool CanMerge(Service left, Service right) =>
        left.Namespace == right.Namespace && left.Resolution == right.Resolution && left.Source == right.Source
        && Same(left.Labels, right.Labels) && Same(left.Selector, right.Selector) && left.ExportTo.SetEquals(right.ExportTo);

    private static bool Same(IReadOnlyDictionary<string, string> left, IReadOnlyDictionary<string, string> right) =>
        left.Count == right.Count && left.All(pair => right.TryGetValue(pair.Key, out var value) && value == pair.Value);
}
