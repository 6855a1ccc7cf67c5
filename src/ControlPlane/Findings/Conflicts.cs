using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Findings.Rivals;

namespace Lateen.ControlPlane.Findings;

/// <summary>Resources of which another takes the place, told on both.</summary>
public sealed class Conflicts(string domain, string rootNamespace)
{
    private readonly Dictionary<string, (object[] Of, ILookup<ResourceKey, Diagnostic> Found)> _known = [];

    /// <summary>What is to be said about each resource of this view.</summary>
    public Func<Resource, IEnumerable<Diagnostic>> In(ResourceView view)
    {
        ILookup<ResourceKey, Diagnostic>[] some = [.. Of(view).Where(static found => found.Count > 0)];
        return some.Length == 0 ? static _ => [] : resource => some.SelectMany(found => found[resource.Key]);
    }

    private IEnumerable<ILookup<ResourceKey, Diagnostic>> Of(ResourceView view)
    {
        var (routes, entries) = (view.All(Kinds.VirtualService), view.All(Kinds.ServiceEntry));
        yield return Known("hosts", [routes], () => RivalHosts.Find(routes, domain).Concat(RivalMatches.Find(routes, domain)));
        yield return Known("rules", [view.All(Kinds.DestinationRule)], () => RivalRules.Find(view.All(Kinds.DestinationRule), domain));
        yield return Known("servers", [view.All(Kinds.Gateway)], () => RivalServers.Find(view.All(Kinds.Gateway)));
        yield return Known("entries", [entries, view.All(Kinds.Service)],
            () => RivalEntries.Find(entries, view.All(Kinds.Service), domain));
        yield return Known("settings",
            [view.All(Kinds.Sidecar), view.All(Kinds.PeerAuthentication), view.All(Kinds.Telemetry), view.All(Kinds.ProxyConfig)],
            () => RivalSettings.Find(view));
        yield return Known("routes", [view.All(Kinds.HTTPRoute), view.All(Kinds.GRPCRoute)],
            () => RivalRoutes.Find(view.All(Kinds.HTTPRoute), view.All(Kinds.GRPCRoute)));
        yield return Known("patches", [view.All(Kinds.EnvoyFilter)], () => RivalPatches.Find(view.All(Kinds.EnvoyFilter), rootNamespace));
        yield return Known("paths", [view.All(Kinds.Ingress)], () => RivalPaths.Find(view.All(Kinds.Ingress)));
        yield return Known("addresses", [view.All(Kinds.WorkloadEntry)], () => RivalAddresses.Find(view.All(Kinds.WorkloadEntry)));
    }

    // A view has the list of the one before as long as nothing of the kind changed.
    private ILookup<ResourceKey, Diagnostic> Known(string what, object[] of, Func<IEnumerable<Rivalry>> find)
    {
        if (_known.TryGetValue(what, out var before) && before.Of.AsSpan().SequenceEqual(of)) return before.Found;
        if (before.Of is [IReadOnlyList<Resource<ServiceEntry>> entries, var services] && ReferenceEquals(services, of[1])
            && EntryLists.ChangedAlike(entries, (IReadOnlyList<Resource<ServiceEntry>>)of[0]) is { } alike
            && alike.All(entry => !before.Found.Contains(entry.Key)))
        {
            // Where there is something to be told of them, their places in the text may be others.
            _known[what] = (of, before.Found);
            return before.Found;
        }
        ILookup<ResourceKey, Diagnostic> found = find().SelectMany(Said).ToLookup(said => said.Key, said => said.Diagnostic);
        _known[what] = (of, found);
        return found;
    }

    private static IEnumerable<(ResourceKey Key, Diagnostic Diagnostic)> Said(Rivalry rivalry) =>
        [Say(rivalry, rivalry.Winner, rivalry.ToWinner, DiagnosticLevel.Info), Say(rivalry, rivalry.Loser, rivalry.ToLoser, rivalry.Level)];

    private static (ResourceKey, Diagnostic) Say(Rivalry rivalry, Claim claim, string text, DiagnosticLevel level) =>
        (claim.Resource.Key, new Diagnostic
        {
            Code = rivalry.Code,
            Level = level,
            Text = text,
            Path = claim.Path,
            Position = claim.Resource.PositionOf(claim.Path),
            Resource = claim.Resource.Key.ToString(),
            Remedy = rivalry.Code.Remedy,
        });
}
