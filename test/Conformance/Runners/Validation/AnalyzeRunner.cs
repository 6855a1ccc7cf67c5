using System.Text.Json;
using Lateen.Api.Diagnostics;
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
        if (row.TryGetProperty("istioctlArgs", out _)) return Command(row);
        if (row.TryGetProperty("clusters", out JsonElement clusters)) return Clusters(row, clusters);
        string analyzer = row.Text("analyzer");
        if (Analyzer.All.All(a => a.Name != analyzer))
            return $"there is no analyzer {analyzer}";

        string mesh = row.Text("meshConfigFile") is { Length: > 0 } file ? Read(file) : "";
        AnalysisOptions options = AnalysisSettings.Of(mesh, DateTimeOffset.UtcNow);
        return Compare(row, Analyzer.Analyze(View(row.Texts("inputFiles")), options, analyzer));
    }

    private string? Clusters(JsonElement row, JsonElement clusters)
    {
        var views = clusters.EnumerateObject()
            .ToDictionary(cluster => cluster.Name, cluster => View(cluster.Value.EnumerateArray().Select(file => file.GetString()!)));
        return Compare(row, Analyzer.AnalyzeClusters(views, AnalysisSettings.Of("", DateTimeOffset.UtcNow)));
    }

    private string? Command(JsonElement row)
    {
        IstioctlAnswer answer = IstioctlRunner.Answer(row.Texts("istioctlArgs"), _path);
        return Differs(row.Truth("expectFailure"), answer.Exit != 0) is { } mistake ? $"{mistake}: {answer.Errors}" : null;
    }

    private static string? Compare(JsonElement row, IReadOnlyList<Diagnostic> findings)
    {
        var expected = row.GetProperty("expect").EnumerateArray().Select(e => $"{e.Text("code")} {Named(e.Text("resource"))}");
        return Differs(string.Join("; ", expected.Order()), string.Join("; ", findings.Select(d => $"{d.Code.Id} {d.Resource}").Order()));
    }

    private ResourceView View(IEnumerable<string> files) =>
        ResourceView.Of(files.Select(Read).SelectMany(t => new ResourceDecoder().Decode(t, "", [])).DistinctBy(r => r.Key));

    private string Read(string file) => File.ReadAllText(Path.Combine(_path, file));

    /// <summary>Objects that name no namespace are in the default one.</summary>
    private static string Named(string resource)
    {
        string[] parts = resource.Split(' ');
        return parts[1].Contains('/')
            || parts[0] is "Namespace" or "Node" or "MutatingWebhookConfiguration" or "ValidatingWebhookConfiguration"
            ? resource : $"{parts[0]} default/{parts[1]}";
    }
}
