// Waypoints: proxies that stand in front of services and workloads of the ambient mode. Connections arrive in tunnels (HBONE) and are
// opened inside the proxy: `connect_terminate` takes the tunnel, `main_internal` chooses by the address meant, `connect_originate` opens
// the tunnel that goes on. Sidecars that take tunnels have the same listeners around their own inbound chains.
//
// Pure functions of `ProxyInputs`. What is bound to a waypoint is decided in Workloads.
//
// Refused: outbound clusters for everything that a waypoint's namespace sees. It serves what is bound to it, and what routes of that lead
// to.
using System.Runtime.CompilerServices;
using Lateen.Pilot.Generation.Workloads;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using VirtualService = Istio.Networking.V1Alpha3.VirtualService;

namespace Lateen.Pilot.Generation.Waypoints;

/// <summary>What one waypoint stands in front of.</summary>
internal sealed class WaypointScope
{
    /// <summary>Connections read as HTTP.</summary>
    public const string Http = "http";

    /// <summary>Connections passed on as they are.</summary>
    public const string Tcp = "tcp";

    private static readonly ConditionalWeakTable<ProxyScope, WaypointScope> Made = [];
    private readonly ProxyScope _scope;
    private readonly Dictionary<string, Service> _byHost;

    private WaypointScope(ProxyScope scope)
    {
        _scope = scope;
        var view = AmbientView.Of(scope.Snapshot);
        var name = $"{scope.Node.Namespace}/{scope.Node.Labels.GetValueOrDefault(WaypointBindings.InstanceLabel, "")}";
        var bound = view.Services.Where(service => service.Waypoint == name).ToDictionary(static service => service.Key);
        Services = scope.Imports.Services.Where(service => bound.ContainsKey($"{service.Namespace}/{service.Hostname}")).ToList();
        Workloads = view.Waypoints.TryGetValue(name, out var own)
            ? view.Workloads.Where(workload => own.Address.Equals(workload.Waypoint)).ToList() : [];
        _byHost = Services.DistinctBy(static service => service.Hostname).ToDictionary(static service => service.Hostname);
        Messages = bound;
    }

    /// <summary>Services, oldest first.</summary>
    public IReadOnlyList<Service> Services { get; }

    /// <summary>Their messages by <c>namespace/hostname</c>.</summary>
    public IReadOnlyDictionary<string, AmbientService> Messages { get; }

    /// <summary>Workloads.</summary>
    public IReadOnlyList<Istio.Workload.Workload> Workloads { get; }

    /// <summary>The scope of a waypoint.</summary>
    public static WaypointScope Of(ProxyScope scope) => Made.GetValue(scope, static made => new WaypointScope(made));

    /// <summary>How connections to a port are read; both ways where only their first bytes tell.</summary>
    public static IEnumerable<string> ReadingsOf(Protocol protocol) =>
        protocol == Protocol.Udp ? [] : protocol.IsUnsupported() ? [Tcp, Http] : [protocol.IsHttp() ? Http : Tcp];

    /// <summary>Whether the waypoint stands in front of a host.</summary>
    public bool Serves(string host) => _byHost.ContainsKey(host);

    /// <summary>The rules for a host: of the most specific name.</summary>
    public Meant<VirtualService>? RuleOf(string host)
    {
        var rules = _scope.Imports.EgressListeners.SelectMany(static listener => listener.VirtualServices).ToList();
        return rules.Find(rule => rule.Spec.Hosts.Contains(host))
            ?? rules.Where(rule => rule.Spec.Hosts.Any(pattern => pattern.StartsWith('*') && Meaning.Compile.Hosts.Matches(host, pattern)))
                .MaxBy(rule => rule.Spec.Hosts.Where(pattern => Meaning.Compile.Hosts.Matches(host, pattern))
                    .Max(static pattern => pattern.Length));
    }

    /// <summary>Services that routes lead to and that it doesn't stand in front of itself, or that are outside of the mesh.</summary>
    public IEnumerable<Service> Outbound()
    {
        var hosts = Services.Select(service => RuleOf(service.Hostname)).OfType<Meant<VirtualService>>()
            .SelectMany(static rule => Destinations.Of(rule.Spec)).Select(static d => d.Host).ToHashSet();
        return _scope.Imports.Services.Where(
            service => hosts.Contains(service.Hostname) && (!_byHost.TryGetValue(service.Hostname, out var own) || own.MeshExternal));
    }
}
