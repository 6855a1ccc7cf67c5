using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Filters;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>Patches listeners: first those that change or remove them, level by level, then those that add.</summary>
/// <param name="patches">Patches in order.</param>
/// <param name="context">Kind of traffic of the listeners.</param>
internal sealed class ListenerPatches(IReadOnlyList<Patch> patches, PatchContext context)
{
    private readonly ILookup<ApplyTo, Patch> _byKind = patches.Where(p => PatchMatches.Context(p, context)).ToLookup(static p => p.ApplyTo);

    /// <summary>Patches listeners in place; answers which remain, and the added ones.</summary>
    public List<Listener> Apply(IEnumerable<Listener> listeners, bool adds)
    {
        var result = listeners.Where(Patched).ToList();
        if (adds) result.AddRange(_byKind[ApplyTo.Listener].Where(static p => p.Operation == Operation.Add)
            .Select(static p => p.Copy<Listener>()));
        return result;
    }

    // False when the listener is removed.
    private bool Patched(Listener listener)
    {
        foreach (var patch in _byKind[ApplyTo.Listener].Where(p => PatchMatches.Listener(p, listener)))
        {
            if (patch.Operation == Operation.Remove) return false;
            if (IsMerge(patch)) Merge(listener, patch);
        }
        foreach (var patch in _byKind[ApplyTo.ListenerFilter].Where(p => PatchMatches.Listener(p, listener)))
        {
            var name = PatchMatches.ListenerFilter(patch);
            if (IsMerge(patch)) MergeListenerFilters(listener, patch, name);
            else ListEdits.Apply(listener.ListenerFilters, patch.Operation, name.Length > 0, f => PatchMatches.Name(name, f.Name),
                patch.Copy<ListenerFilter>);
        }
        PatchChains(listener);
        return true;
    }

    private static void MergeListenerFilters(Listener listener, Patch patch, string name)
    {
        var value = (ListenerFilter)patch.Value!;
        foreach (var filter in listener.ListenerFilters.Where(f => PatchMatches.Name(name, f.Name)))
        {
            if (value.TypedConfig is { } change && filter.TypedConfig is { } config
                && Merging.Packed(config, change, patch.Operation == Operation.MergeAndReplaceList) is { } merged)
            {
                filter.TypedConfig = merged;
            }
            if (value.Name.Length > 0) filter.Name = value.Name;
        }
    }

    private void PatchChains(Listener listener)
    {
        for (var i = listener.FilterChains.Count - 1; i >= 0; i--)
        {
            if (!Patched(listener, listener.FilterChains[i])) listener.FilterChains.RemoveAt(i);
        }
        if (listener.DefaultFilterChain is { } rest && !Patched(listener, rest)) listener.DefaultFilterChain = null;
        foreach (var patch in _byKind[ApplyTo.FilterChain].Where(p => p.Operation == Operation.Add && PatchMatches.Listener(p, listener)))
        {
            listener.FilterChains.Add(patch.Copy<FilterChain>());
        }
    }

    private bool Patched(Listener listener, FilterChain chain)
    {
        foreach (var patch in _byKind[ApplyTo.FilterChain].Where(
            p => PatchMatches.Listener(p, listener) && PatchMatches.Chain(p, listener, chain)))
        {
            if (patch.Operation == Operation.Remove) return false;
            if (IsMerge(patch) && !MergedTransportSocket(chain, patch)) Merge(chain, patch);
        }
        var own = _byKind[ApplyTo.NetworkFilter].Where(p => PatchMatches.Listener(p, listener) && PatchMatches.Chain(p, listener, chain))
            .ToList();
        foreach (var patch in own)
        {
            var name = PatchMatches.NetworkFilter(patch);
            ListEdits.Apply(chain.Filters, patch.Operation, name.Length > 0, f => PatchMatches.Name(name, f.Name), patch.Copy<Filter>);
        }
        foreach (var filter in chain.Filters) PatchFilter(listener, chain, filter, own);
        return true;
    }

    // The settings of a transport socket are packed, so a plain merge would glue bytes of two messages together.
    private static bool MergedTransportSocket(FilterChain chain, Patch patch)
    {
        if (((FilterChain)patch.Value!).TransportSocket is not { TypedConfig: not null } socket
            || chain.TransportSocket is not { TypedConfig: not null } own) return false;
        if (own.Name != socket.Name) return false;
        if (Merging.Packed(own.TypedConfig, socket.TypedConfig, patch.Operation == Operation.MergeAndReplaceList) is { } merged)
            own.TypedConfig = merged;
        return true;
    }

    private void PatchFilter(Listener listener, FilterChain chain, Filter filter, IEnumerable<Patch> own)
    {
        foreach (var patch in own.Where(p => IsMerge(p) && PatchMatches.Name(PatchMatches.NetworkFilter(p), filter.Name)))
        {
            if (filter.TypedConfig is not { } config) continue;
            var value = (Filter)patch.Value!;
            if (value.TypedConfig is { } change
                && Merging.Packed(config, change, patch.Operation == Operation.MergeAndReplaceList) is { } merged)
                filter.TypedConfig = merged;
            if (value.Name.Length > 0) filter.Name = value.Name;
        }
        if (filter.Name == NetworkFilters.HttpName) PatchHttp(listener, chain, filter);
    }

    private void PatchHttp(Listener listener, FilterChain chain, Filter filter)
    {
        var own = _byKind[ApplyTo.HttpFilter].Where(p =>
            PatchMatches.Listener(p, listener) && PatchMatches.Chain(p, listener, chain)
                && PatchMatches.Name(PatchMatches.NetworkFilter(p), filter.Name)).ToList();
        if (own.Count == 0) return;
        var manager = filter.TypedConfig.Unpack<HttpConnectionManager>();
        foreach (var patch in own)
        {
            var name = PatchMatches.HttpFilter(patch);
            ListEdits.Apply(manager.HttpFilters, patch.Operation, name.Length > 0, f => PatchMatches.Name(name, f.Name),
                patch.Copy<HttpFilter>);
        }
        foreach (var http in manager.HttpFilters)
        {
            foreach (var patch in own.Where(p => IsMerge(p) && PatchMatches.Name(PatchMatches.HttpFilter(p), http.Name)))
                MergeHttp(http, patch);
        }
        filter.TypedConfig = Wire.Pack(manager);
    }

    private static void MergeHttp(HttpFilter filter, Patch patch)
    {
        var value = (HttpFilter)patch.Value!;
        if (filter.TypedConfig is not { } config) return;
        if (value.TypedConfig is { } change
            && Merging.Packed(config, change, patch.Operation == Operation.MergeAndReplaceList) is { } merged) filter.TypedConfig = merged;
        if (value.Name.Length > 0) filter.Name = value.Name;
    }

    private static bool IsMerge(Patch patch) => patch.Operation is Operation.Merge or Operation.MergeAndReplaceList;

    private static void Merge(Google.Protobuf.IMessage into, Patch patch) =>
        Merging.Into(into, patch.Value!, patch.Operation == Operation.MergeAndReplaceList);
}
