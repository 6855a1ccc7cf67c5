using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.ControlPlane;
using Lateen.ControlPlane.Ads;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Scope;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>What a control plane that starts now from what is written would give every proxy, beside what each was given over
/// time.</summary>
internal static class FreshStart
{
    private static readonly string[] Types = [TypeUrls.Cluster, TypeUrls.Endpoint, TypeUrls.Listener, TypeUrls.Route, TypeUrls.VirtualHost,
        TypeUrls.Secret, TypeUrls.ExtensionConfig, TypeUrls.NameTable];

    /// <summary>Where the two differ, a line each; a version is a hash of all bytes.</summary>
    public static IEnumerable<string> Differences(Mesh mesh, IEnumerable<Replica> replicas)
    {
        var time = new VirtualTime(mesh.Network);
        var store = new ResourceStore(Validator.Check, time);
        store.Apply(new ChangeSet
        {
            Put = [.. mesh.Written.Everything().OrderByDescending(resource => resource.Key.ToString(), StringComparer.Ordinal)],
            IsObserved = true,
        });
        var fresh = new ControlLoop(new ControlPlaneOptions { StateFolder = "" }, store, Wiring.Generators(), time.GetUtcNow(), time);
        var scopes = new ScopeBuilder(fresh.Hub.Snapshot!);
        return from replica in replicas
               from stream in replica.Process.Control!.Streams.Open
               where stream.IsProxy
               let scope = scopes.ScopeOf(stream.Session.Node!)
               from type in Types
               where stream.Types.ContainsKey(type)
               from difference in Differences(stream, type, fresh.Hub.Generate(type, scope, stream.Session.Asked(type)))
               select difference;
    }

    private static IEnumerable<string> Differences(AdsStream stream, string type, IReadOnlyList<WireResource> anew)
    {
        IReadOnlyDictionary<string, string> held = stream.Session.Held(type);
        string[] wrong = [.. anew.Where(resource => held.GetValueOrDefault(resource.Name) != resource.Version)
            .Select(resource => resource.Name), .. held.Keys.Except(anew.Select(resource => resource.Name)).Select(name => "not " + name)];
        if (wrong.Length > 0)
            yield return $"{stream.ConnectionId} does not hold what a fresh start gives it: {AdsStreams.ShortName(type)} {string.Join(", ", wrong.Take(5))}";
    }
}
