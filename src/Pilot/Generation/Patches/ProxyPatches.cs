// Patches: EnvoyFilters, applied to the finished messages of one proxy.
//
// State: none; the patches that concern a proxy are chosen from the snapshot, messages are changed in place (generators make fresh ones for
// every proxy that has patches). Values of patches are read once for each EnvoyFilter.
//
// Never: a patch applied in part. One that can't be read as the message it patches is left out whole.
//
// Refused: merging patches over JSON. Typed messages merge by descriptor, so that an unknown field is an error of the resource and never a
// silently lost setting.
using System.Text.RegularExpressions;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Listener = Envoy.Config.Listener.V3.Listener;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>The patches of EnvoyFilters that concern one proxy.</summary>
public sealed class ProxyPatches
{
    private readonly ProxyScope _scope;
    private readonly IReadOnlyList<Meant<EnvoyFilter>> _filters;
    private readonly List<Patch> _patches;

    private ProxyPatches(ProxyScope scope, IReadOnlyList<Meant<EnvoyFilter>> filters)
    {
        _scope = scope;
        _filters = filters;
        _patches = filters.SelectMany(static f => PatchValues.Of(f.Spec)).Where(p => IsForProxy(p.Match.Proxy, scope.Node)).ToList();
    }

    /// <summary>No EnvoyFilter concerns the proxy.</summary>
    public bool IsEmpty => _patches.Count == 0;

    /// <summary>Chooses the patches: EnvoyFilters of the root namespace and the proxy's own, by priority; of equal priority those of the
    /// root first.</summary>
    public static ProxyPatches Of(ProxyScope scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        var settings = scope.Snapshot.Settings;
        var filters = scope.Snapshot.Extensions.EnvoyFilters;
        if (filters.Count == 0) return new ProxyPatches(scope, []);
        var target = new PolicyTarget(scope.Node.Namespace, scope.Labels, scope.Node.Type == ProxyType.Waypoint);
        var chosen = new[] { settings.RootNamespace, scope.Node.Namespace }.Where(static n => n.Length > 0).Distinct()
            .SelectMany(ns => filters.TryGetValue(ns, out var found) ? found : [])
            .Where(f => Concerns(f, target, settings.RootNamespace))
            .OrderBy(static f => f.Spec.Priority);
        return new ProxyPatches(scope, [.. chosen]);
    }

    /// <summary>Makes resources with the patches. An EnvoyFilter that breaks the rules of their definitions, so that every proxy would
    /// refuse them, is left out whole and named:
    /// the others, and what they patch, must not suffer from it.</summary>
    /// <param name="make">Makes the resources with some of the patches.</param>
    internal IReadOnlyList<WireResource> Sound(Func<ProxyPatches, IReadOnlyList<WireResource>> make)
    {
        var whole = make(this);
        if (IsEmpty || !whole.Any(static resource => resource.Fault is not null)) return whole;
        var kept = new ProxyPatches(_scope, []);
        var made = make(kept);
        var anyway = made.Where(static resource => resource.Fault is not null).Select(static resource => resource.Name).ToHashSet();
        var leftOut = new List<RefusedFilter>();
        foreach (var filter in _filters)
        {
            var more = new ProxyPatches(_scope, [.. kept._filters, filter]);
            var tried = make(more);
            if (tried.FirstOrDefault(resource => resource.Fault is not null && !anyway.Contains(resource.Name)) is { } broken)
                leftOut.Add(new RefusedFilter(filter.Origin, broken.Name, broken.Fault!));
            else (kept, made) = (more, tried);
        }
        return leftOut.Count == 0 || made.Count == 0 ? made : [made[0].Telling(leftOut), .. made.Skip(1)];
    }

    private static bool Concerns(Meant<EnvoyFilter> filter, PolicyTarget target, string rootNamespace)
    {
        if (filter.Spec.TargetRefs.Count > 0)
            return WorkloadPolicies.Attaches(target, filter.Origin, null, filter.Spec.TargetRefs, rootNamespace);
        return !target.IsWaypoint
            && (filter.Spec.WorkloadSelector is null || LabelSelection.IsSubset(filter.Spec.WorkloadSelector.Labels, target.Labels));
    }

    /// <summary>Whether a patch is for proxies of this version and metadata.</summary>
    public static bool IsForProxy(EnvoyFilter.Types.ProxyMatch? match, ProxyNode node)
    {
        ArgumentNullException.ThrowIfNull(node);
        if (match is null) return true;
        if (match.ProxyVersion.Length > 0 && !IsVersion(match.ProxyVersion, node.Metadata.Text("ISTIO_VERSION"))) return false;
        return match.Metadata.All(pair => node.Metadata.Raw.Fields.TryGetValue(pair.Key, out var value) && value.StringValue == pair.Value);
    }

    // The same language as RE2's: no backtracking, so that an expression can't stall the control plane.
    private static bool IsVersion(string expression, string version)
    {
        try
        {
            return version.Length > 0 && Regex.IsMatch(version, expression, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception failure) when (failure is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>How many patches of a kind concern the proxy.</summary>
    public int Count(ApplyTo kind) => _patches.Count(p => p.ApplyTo == kind);

    /// <summary>Patches the listeners of the proxy.</summary>
    public IReadOnlyList<Listener> Listeners(IReadOnlyList<Listener> listeners)
    {
        ArgumentNullException.ThrowIfNull(listeners);
        if (IsEmpty) return listeners;
        if (_scope.Node.Type == ProxyType.Router) return new ListenerPatches(_patches, PatchContext.Gateway).Apply(listeners, true);
        if (_scope.Node.Type == ProxyType.Waypoint) return new ListenerPatches(_patches, PatchContext.Waypoint).Apply(listeners, true);
        var outbound = listeners.Where(static l => l.TrafficDirection == TrafficDirection.Outbound);
        var inbound = listeners.Where(static l => l.TrafficDirection == TrafficDirection.Inbound);
        return
        [
            .. new ListenerPatches(_patches, PatchContext.SidecarOutbound).Apply(outbound, true),
            .. new ListenerPatches(_patches, PatchContext.SidecarInbound).Apply(inbound, true),
            .. listeners.Where(static l => l.TrafficDirection == TrafficDirection.Unspecified),
        ];
    }

    /// <summary>Patches a route configuration that the proxy fetches.</summary>
    public RouteConfiguration Routes(RouteConfiguration routes)
    {
        if (IsEmpty) return routes;
        var context = _scope.Node.Type == ProxyType.Router ? PatchContext.Gateway : PatchContext.SidecarOutbound;
        return new RoutePatches(_patches, context, _scope.Gateway?.PortsByTarget).Apply(routes);
    }

    /// <summary>Patches the route configuration of an inbound chain.</summary>
    public RouteConfiguration InboundRoutes(RouteConfiguration routes) =>
        IsEmpty ? routes : new RoutePatches(_patches, PatchContext.SidecarInbound, null).Apply(routes);

    /// <summary>Patches the route configuration of a waypoint's chain, which is the patch's own by the port of the chain.</summary>
    public RouteConfiguration WaypointRoutes(RouteConfiguration routes) =>
        IsEmpty ? routes : new RoutePatches(_patches, PatchContext.Waypoint, null).Apply(routes);

    /// <summary>The patches of clusters.</summary>
    public ClusterPatches Clusters(PatchContext context) => new(_patches, context);

    /// <summary>Extension configurations that patches add, by name.</summary>
    public IEnumerable<TypedExtensionConfig> ExtensionConfigs() =>
        _patches.Where(static p => p is { ApplyTo: ApplyTo.ExtensionConfig, Operation: Operation.Add })
            .Select(static p => p.Copy<TypedExtensionConfig>());
}
