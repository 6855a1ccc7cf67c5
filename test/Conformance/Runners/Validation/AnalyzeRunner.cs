using System.Text.Json;
using Lateen.Config.Analysis;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>Plays <c>analyze</c>: the findings of each analyzer on a folder of resources.</summary>
public sealed class AnalyzeRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "analyze";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", Findings);

    private string? Findings(JsonElement row)
    {
        string analyzer = row.Text("analyzer");
        if (Analyzer.All.All(a => a.Name != analyzer))
            return $"there is no analyzer {analyzer}";

        string mesh = row.Text("meshConfigFile") is { Length: > 0 } file ? Read(file) : "";
        var resources = row.Texts("inputFiles").Select(Read).SelectMany(t => new ResourceDecoder().Decode(t, "", [])).DistinctBy(r => r.Key);
        AnalysisOptions options = AnalysisSettings.Of(mesh, DateTimeOffset.UtcNow);
        var expected = row.GetProperty("expect").EnumerateArray().Select(e => $"{e.Text("code")} {Named(e.Text("resource"))}");
        var found = Analyzer.Analyze(ResourceView.Of(resources), options, analyzer).Select(d => $"{d.Code.Id} {d.Resource}");
        return Differs(string.Join("; ", expected.Order()), string.Join("; ", found.Order()));
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_path, file));

    /// <summary>Objects that name no namespace are in the default one.</summary>
    private static string Named(string resource)
    {
        string[] parts = resource.Split(' ');
        return parts[1].Contains('/') || parts[0] is "Namespace" or "Node" ? resource : $"{parts[0]} default/{parts[1]}";
    }
}
