using Lateen.Pilot.Generation.Gateways;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Proxyless;
using Lateen.Pilot.Generation.Waypoints;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>LDS: all listeners of a proxy.</summary>
/// <param name="keys">Fetched JSON web keys by issuer and address; null where nothing is fetched.</param>
public sealed class ListenerGenerator(Func<string, string, string>? keys = null) : IResourceGenerator
{
    private readonly GenerationCache<ProxyScope, IReadOnlyList<WireResource>> made = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Listener;

    /// <inheritdoc/>
    public void BeginSnapshot() => made.Turn();

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (scope.Node.IsProxylessGrpc()) return ProxylessListeners.Build(new ProxyInputs(scope), names).Select(static l => WireResource.Of(l.Name, l)).ToList();
        var all = made.GetOrMake(scope, Make);
        return names is null ? all : all.Where(r => names.Contains(r.Name)).ToList();
    }

    private IReadOnlyList<WireResource> Make(ProxyScope scope)
    {
        var inputs = keys is null ? new ProxyInputs(scope) : new ProxyInputs(scope) { Keys = keys };
        var parts = new ListenerParts(inputs);
        var listeners = scope.Node.Type switch
        {
            ProxyType.Sidecar => SidecarListeners.Build(parts),
            ProxyType.Router => new GatewayListeners(parts).Build(),
            ProxyType.Waypoint => new WaypointListeners(parts).Build(),
            _ => [],
        };
        return parts.Patches.Listeners(listeners).Select(static l => WireResource.Of(l.Name, l)).ToList();
    }
}
