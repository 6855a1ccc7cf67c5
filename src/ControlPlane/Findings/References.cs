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

    private readonly AnalysisOptions _options = new() { RootNamespace = rootNamespace, ClusterDomain = domain };
    private ResourceView? _of;
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

    // The newest view is asked about again and again.
    private ILookup<string, Diagnostic> In(ResourceView view)
    {
        if (!ReferenceEquals(_of, view))
            (_of, _found) = (view, Analyzers.SelectMany(name => Analyzer.Analyze(view, _options, name)).ToLookup(said => said.Resource));
        return _found;
    }
}
