using System.Text.Json;
using Lateen.Config.Analysis;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Test.Unit.Api;
using Xunit;

namespace Lateen.Test.Unit.Config.Analysis;

public sealed class AnalysisVectorTests
{
    /// <summary>Analyzers that look at what this mesh does not read: webhooks, the injector's own configuration, several clusters at once.</summary>
    private static readonly HashSet<string> Elsewhere =
        ["externalcontrolplane.ExternalControlPlaneAnalyzer", "injection.ImageAnalyzer", "injection.ImageAutoAnalyzer", "webhook.Analyzer", "authn.BlockedCIDRsAnalyzer"];

    [Fact]
    public void Findings_of_each_analyzer() => Vectors.Play("analyze/cases.json", row =>
    {
        var analyzer = row.Text("analyzer");
        if (analyzer.Length == 0 || analyzer.Contains("multi-cluster", StringComparison.Ordinal) || Elsewhere.Contains(analyzer))
        {
            return null;
        }

        if (Analyzer.All.All(a => a.Name != analyzer))
        {
            return $"there is no analyzer {analyzer}";
        }

        var mesh = row.Text("meshConfigFile") is { Length: > 0 } file ? Read(file) : "";
        var texts = row.Texts("inputFiles").Select(Read).ToArray();
        var resources = texts.SelectMany(t => new ResourceDecoder().Decode(t, "", [])).DistinctBy(r => r.Key);
        var options = new AnalysisOptions
        {
            Now = DateTimeOffset.UtcNow,
            AllocatesAddresses = mesh.Contains("DNS_AUTO_ALLOCATE: \"true\"", StringComparison.Ordinal),
        };
        var expected = row.GetProperty("expect").EnumerateArray().Select(e => $"{e.Text("code")} {Named(e.Text("resource"))}");
        var found = Analyzer.Analyze(ResourceView.Of(resources), options, analyzer).Select(d => $"{d.Code.Id} {d.Resource}");
        return Vectors.Differs(string.Join("; ", expected.Order()), string.Join("; ", found.Order()));
    });

    private static string Read(string file) => File.ReadAllText(Path.Combine(Vectors.Root(), "analyze", file));

    /// <summary>Objects that name no namespace are in the default one.</summary>
    private static string Named(string resource)
    {
        var parts = resource.Split(' ');
        return parts[1].Contains('/') || parts[0] is "Namespace" or "Node" ? resource : $"{parts[0]} default/{parts[1]}";
    }
}
