using System.Runtime.CompilerServices;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Config.Analysis;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.ControlPlane.Findings;

/// <summary>What a resource names and is not there: hosts, gateways, subsets, ports. Found by the analyzers that `lateen analyze`
/// runs.</summary>
public sealed class References(string domain, string rootNamespace)
{
    private static readonly string[] Analyzers =
    [
        "virtualservice.GatewayAnalyzer", "virtualservice.DestinationHostAnalyzer", "virtualservice.DestinationRuleAnalyzer",
        "destinationrule.HostAnalyzer", "telemetry.ProviderAnalyzer",
    ];

    // To find a path in an object its text is read; the same is said about the same object again and again.
    private readonly ConditionalWeakTable<Resource, Dictionary<string, SourcePosition>> _places = [];
    private readonly AnalysisOptions _options = new() { RootNamespace = rootNamespace, ClusterDomain = domain };
    private object[] _of = [];
    private IReadOnlyList<Resource<ServiceEntry>> _entries = [];
    private ILookup<string, Diagnostic> _found = Array.Empty<Diagnostic>().ToLookup(_ => "");

    /// <summary>What is to be said about a resource of this view.</summary>
    public IEnumerable<Diagnostic> About(Resource resource, ResourceView view) => In(view)[resource.Key.ToString()];

    /// <summary>What is said about resources of a view, and was not said about them in the one before.</summary>
    public IEnumerable<Diagnostic> Newly(ResourceView before, ResourceView after)
    {
        ILookup<string, Diagnostic> known = In(before);
        return In(after).SelectMany(
            of => of.Where(said => !known[of.Key].Any(old => (old.Code, old.Path, old.Text) == (said.Code, said.Path, said.Text))));
    }

    // All that these analyzers look at. A view has the list of the one before as long as nothing of the kind changed.
    private ILookup<string, Diagnostic> In(ResourceView view)
    {
        object[] of = [view.All(Kinds.VirtualService), view.All(Kinds.DestinationRule), view.All(Kinds.Gateway),
            view.All(Kinds.KubernetesGateway), view.All(Kinds.Service), view.All(Kinds.Telemetry)];
        IReadOnlyList<Resource<ServiceEntry>> entries = view.All(Kinds.ServiceEntry);
        bool isKnown = _of.AsSpan().SequenceEqual(of)
            && (ReferenceEquals(_entries, entries) || EntryLists.ChangedAlike(_entries, entries) is not null);
        (_of, _entries) = (of, entries);
        if (isKnown) return _found;
        AnalysisOptions options = _options with { PositionOf = PositionOf };
        return _found = Analyzer.AnalyzeWith(view, options, Analyzers).ToLookup(said => said.Resource);
    }

    private SourcePosition PositionOf(Resource resource, string path)
    {
        Dictionary<string, SourcePosition> places = _places.GetValue(resource, static _ => []);
        if (!places.TryGetValue(path, out SourcePosition place)) places.Add(path, place = resource.PositionOf(path));
        return place;
    }
}
