using Envoy.Config.Listener.V3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>What all listeners of one proxy share: its security, its telemetry, its extensions. Made once for a proxy and a
/// snapshot.</summary>
internal sealed class ListenerParts
{
    private readonly Dictionary<Service, ListenerParts> _byService = new(ReferenceEqualityComparer.Instance as IEqualityComparer<Service>);

    public ListenerParts(ProxyInputs inputs, Patches.ProxyPatches? patches = null, Service? policyService = null)
    {
        Inputs = inputs;
        var snapshot = inputs.Scope.Snapshot;
        var target = new PolicyTarget(inputs.Node.Namespace, inputs.Scope.Labels, inputs.Node.Type == ProxyType.Waypoint, policyService)
        {
            SelectorsReachGateways = inputs.Features.Flag("ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY", true),
        };
        var telemetry = TelemetryScope.Of(snapshot.Telemetry, target, snapshot.Settings.RootNamespace);
        Target = target;
        Logs = new AccessLogs(inputs.Mesh, snapshot.Registry, telemetry);
        Stats = new StatsFilters(inputs.Mesh, telemetry, target.IsWaypoint, inputs.Features);
        Tracing = TracingSelection.Of(telemetry.Levels.SelectMany(static l => l.Tracing), inputs.Mesh);
        Peers = new PeerSecurity(inputs);
        Requests = new RequestSecurity(inputs, target);
        Access = new AccessSecurity(inputs, target);
        Extensions = new ExtensionFilters(inputs, target);
        Patches = patches ?? Generation.Patches.ProxyPatches.Of(inputs.Scope);
    }

    public ProxyInputs Inputs { get; }

    public PolicyTarget Target { get; }

    public AccessLogs Logs { get; }

    public StatsFilters Stats { get; }

    public TracingSelection? Tracing { get; }

    public PeerSecurity Peers { get; }

    public RequestSecurity Requests { get; }

    public AccessSecurity Access { get; }

    public ExtensionFilters Extensions { get; }

    public Patches.ProxyPatches Patches { get; }

    /// <summary>Way of outbound traffic of this proxy.</summary>
    public ListenerClass OutboundClass => Inputs.Node.Type == ProxyType.Router ? ListenerClass.Gateway : ListenerClass.SidecarOutbound;

    /// <summary>The parts with the policies that attach to a service in front of which the proxy stands.</summary>
    public ListenerParts ForService(Service? service)
    {
        if (service is null) return this;
        if (!_byService.TryGetValue(service, out var parts)) _byService[service] = parts = new ListenerParts(Inputs, Patches, service);
        return parts;
    }

    /// <summary>TCP filters in the order in which they act: peers, policies, extensions, metrics, then the protocol's own.</summary>
    /// <param name="listenerClass">Way of the traffic.</param>
    /// <param name="port">Port that extensions are attached to.</param>
    /// <param name="exchangesPeers">The connection begins with the peer exchange.</param>
    /// <param name="isGuarded">Policies apply.</param>
    /// <param name="last">Filters of the protocol.</param>
    public List<Filter> Tcp(ListenerClass listenerClass, int port, bool exchangesPeers, bool isGuarded, IEnumerable<Filter> last)
    {
        var filters = new List<Filter>();
        if (exchangesPeers && Inputs.Features.MetadataExchange) filters.Add(NetworkFilters.PeerExchange());
        var applies = isGuarded && listenerClass != ListenerClass.SidecarOutbound;
        if (applies) filters.AddRange(Access.CustomTcp());
        var extensions = Extensions.Network(listenerClass, port);
        filters.AddRange(extensions.Authn);
        filters.AddRange(extensions.Authz);
        if (applies) filters.AddRange(Access.Tcp());
        filters.AddRange(extensions.Stats);
        filters.AddRange(extensions.Other);
        filters.AddRange(Stats.Tcp(listenerClass));
        filters.AddRange(last);
        return filters;
    }
}
