using System.Collections.Immutable;
using Envoy.Config.Route.V3;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>Patches route configurations: the whole, then hosts and their routes.</summary>
/// <param name="patches">Patches in order.</param>
/// <param name="context">Kind of traffic.</param>
/// <param name="gatewayPorts">Of a gateway: declared ports by the port listened on.</param>
internal sealed class RoutePatches(IReadOnlyList<Patch> patches, PatchContext context,
    IReadOnlyDictionary<int, ImmutableArray<int>>? gatewayPorts)
{
    private readonly ILookup<ApplyTo, Patch> _byKind = patches.Where(p => PatchMatches.Context(p, context)).ToLookup(static p => p.ApplyTo);

    /// <summary>No patch is about routes.</summary>
    public bool IsEmpty => !_byKind[ApplyTo.RouteConfiguration].Any() && !_byKind[ApplyTo.VirtualHost].Any()
        && !_byKind[ApplyTo.HttpRoute].Any();

    /// <summary>Patches a route configuration in place.</summary>
    public RouteConfiguration Apply(RouteConfiguration routes)
    {
        foreach (var patch in _byKind[ApplyTo.RouteConfiguration].Where(p => IsMerge(p) && IsMeant(p, routes))) Merge(routes, patch);
        for (var i = routes.VirtualHosts.Count - 1; i >= 0; i--)
        {
            if (Patched(routes, routes.VirtualHosts[i]) is { } host) routes.VirtualHosts[i] = host;
            else routes.VirtualHosts.RemoveAt(i);
        }
        foreach (var patch in _byKind[ApplyTo.VirtualHost].Where(p => p.Operation == Operation.Add && IsMeant(p, routes)))
            routes.VirtualHosts.Add(patch.Copy<VirtualHost>());
        return routes;
    }

    // Null when the host is removed.
    private VirtualHost? Patched(RouteConfiguration routes, VirtualHost host)
    {
        foreach (var patch in _byKind[ApplyTo.VirtualHost].Where(p => IsMeant(p, routes)))
        {
            if (!PatchMatches.Host(patch, host)) continue;
            if (patch.Operation == Operation.Remove) return null;
            if (patch.Operation == Operation.Replace) host = patch.Copy<VirtualHost>();
            else if (IsMerge(patch)) Merge(host, patch);
        }
        PatchRoutes(routes, host);
        return host;
    }

    private void PatchRoutes(RouteConfiguration routes, VirtualHost host)
    {
        var own = _byKind[ApplyTo.HttpRoute].Where(p => IsMeant(p, routes) && PatchMatches.Host(p, host)).ToList();
        for (var i = host.Routes.Count - 1; i >= 0; i--)
        {
            if (!Patched(own, host.Routes[i])) host.Routes.RemoveAt(i);
        }
        foreach (var patch in own.Where(static p => !IsMerge(p) && p.Operation is not (Operation.Remove or Operation.Replace)))
        {
            // At the top of all routes, but only where the one that is named is there.
            if (patch.Operation == Operation.InsertFirst && PatchMatches.NamesRoute(patch)
                && !host.Routes.Any(route => PatchMatches.Route(patch, route))) continue;
            ListEdits.Apply(host.Routes, patch.Operation, PatchMatches.NamesRoute(patch), r => PatchMatches.Route(patch, r),
                patch.Copy<Route>);
        }
    }

    private static bool Patched(IEnumerable<Patch> own, Route route)
    {
        foreach (var patch in own)
        {
            if (!PatchMatches.Route(patch, route)) continue;
            if (patch.Operation == Operation.Remove) return false;
            if (IsMerge(patch)) Merge(route, patch);
        }
        return true;
    }

    private bool IsMeant(Patch patch, RouteConfiguration routes) => PatchMatches.Routes(patch, routes, context, gatewayPorts);

    private static bool IsMerge(Patch patch) => patch.Operation is Operation.Merge or Operation.MergeAndReplaceList;

    private static void Merge(Google.Protobuf.IMessage into, Patch patch) =>
        Merging.Into(into, patch.Value!, patch.Operation == Operation.MergeAndReplaceList);
}
