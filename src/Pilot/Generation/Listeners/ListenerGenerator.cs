using System.Runtime.CompilerServices;
using Lateen.Pilot.Generation.Gateways;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Patches;
using Lateen.Pilot.Generation.Proxyless;
using Lateen.Pilot.Generation.Waypoints;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>LDS: all listeners of a proxy.</summary>
/// <remarks>
/// Of a sidecar's listeners those for bytes are the same for all its like and made once for them. Those for HTTP name the workload in their
/// spans: they are made for each proxy, and anew when what they would be without a name has become another, or what the proxy itself
/// serves.
/// </remarks>
public sealed class ListenerGenerator : IResourceGenerator
{
    private readonly GenerationCache<ProxyScope, IReadOnlyList<WireResource>> _made = new();
    private readonly GenerationCache<ProxyScope, SharedListeners> _shared = new();
    private readonly ConditionalWeakTable<ProxyNode, OwnListeners> _own = [];

    private sealed record SharedListeners(SharedResources Bytes, IReadOnlyList<OutboundEntry> Http, string HttpVersions);

    private sealed record OwnListeners(OwnInputs Inputs, ResourceSet All);

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Listener;

    /// <inheritdoc/>
    public bool LooksAtEndpoints => false;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        _made.Turn();
        _shared.Turn();
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (scope.Node.IsProxylessGrpc())
            return ProxylessListeners.Build(new ProxyInputs(scope), names).Select(static l => WireResource.Unchecked(l.Name, l)).ToList();
        // Patches may do anything with the listeners of one proxy.
        var isShared = scope.Node.Type == ProxyType.Sidecar && !ReferenceEquals(scope.Client, scope) && ProxyPatches.Of(scope).IsEmpty;
        var all = isShared ? OfSidecar(scope) : _made.GetOrMake(scope, Make);
        return names is null ? all : all.Where(r => names.Contains(r.Name)).ToList();
    }

    private ResourceSet OfSidecar(ProxyScope scope)
    {
        var common = _shared.GetOrMake(scope.Client, MakeShared);
        var inputs = OwnInputs.Of(scope) with { Shared = common.HttpVersions };
        var known = _own.TryGetValue(scope.Node, out var before) && before.Inputs.Equals(inputs) ? before.All.Own : null;
        if (known is not null && ReferenceEquals(before!.All.Shared, common.Bytes)) return before.All;
        var set = ResourceSet.Of(common.Bytes, known ?? MakeOwn(scope, common));
        _own.AddOrUpdate(scope.Node, new OwnListeners(inputs, set));
        return set;
    }

    private static SharedListeners MakeShared(ProxyScope client)
    {
        var outbound = new OutboundListeners(new ListenerParts(new ProxyInputs(client)));
        var entries = outbound.Entries();
        var http = entries.Where(static e => e.Chains.Any(static c => c.Http is not null)).ToList();
        var bytes = entries.Where(static e => !e.Chains.Any(static c => c.Http is not null)).Select(outbound.Render);
        return new SharedListeners(new SharedResources(Wire(bytes), []), http,
            string.Concat(Wire(http.Select(outbound.Render)).Select(static r => r.Name + r.Version)));
    }

    private static List<WireResource> MakeOwn(ProxyScope scope, SharedListeners common)
    {
        var parts = new ListenerParts(new ProxyInputs(scope));
        return Wire([.. common.Http.Select(entry => OutboundListeners.Render(parts, entry, () => new TcpProxies(parts).Unknown())),
            .. SidecarListeners.Others(parts)]);
    }

    private static IReadOnlyList<WireResource> Make(ProxyScope scope)
    {
        var inputs = new ProxyInputs(scope);
        return ProxyPatches.Of(scope).Sound(patches => Make(scope, new ListenerParts(inputs, patches)));
    }

    private static List<WireResource> Make(ProxyScope scope, ListenerParts parts)
    {
        IReadOnlyList<Envoy.Config.Listener.V3.Listener> listeners = scope.Node.Type switch
        {
            ProxyType.Sidecar => SidecarListeners.Build(parts),
            ProxyType.Router => new GatewayListeners(parts).Build(),
            ProxyType.Waypoint => new WaypointListeners(parts).Build(),
            _ => [],
        };
        return Wire(parts.Patches.Listeners(listeners));
    }

    private static List<WireResource> Wire(IEnumerable<Envoy.Config.Listener.V3.Listener> listeners) =>
        [.. listeners.Select(static l => WireResource.Of(l.Name, l))];
}
