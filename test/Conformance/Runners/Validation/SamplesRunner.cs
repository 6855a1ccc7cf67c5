using System.Text.Json;
using Lateen.Api.Diagnostics;
using Lateen.Config.Analysis;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Config.Validation;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;
using Lateen.Test.Conformance.Runners.Traffic;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>Plays <c>samples</c>: every object is valid, analysis finds no broken one, and configuration for a sidecar and a gateway can be
/// made of them with their workloads.</summary>
public sealed class SamplesRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "samples";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
    {
        string text = Read(row.Text("file"));
        var bag = new DiagnosticBag();
        IReadOnlyList<Resource> own = new ResourceDecoder(new DecoderOptions { TellUnused = false }).Decode(text, row.Text("file"), bag);
        Diagnostic[] mistakes = [.. bag.Concat(own.SelectMany(Validator.Check)).Where(d => d.IsError)];
        bool valid = row.GetProperty("expect").Truth("valid");
        if (valid != (mistakes.Length == 0))
            return $"expected {(valid ? "valid" : "a mistake")}, found {string.Join("; ", mistakes.Take(3).Select(m => m.ToString()))}";
        if (!valid) return null;

        var decoder = new ResourceDecoder();
        List<Resource> all = [.. own.Concat(row.Texts("workloads").SelectMany(file => decoder.Decode(Read(file), file, [])))
            .DistinctBy(r => r.Key)];
        var broken = Analyzer.Analyze(ResourceView.Of(all), AnalysisSettings.Of("", DateTimeOffset.UtcNow))
            .FirstOrDefault(d => d.Code == AnalysisCodes.SchemaValidationError);
        return broken is null ? Generated(all) : broken.ToString();
    });

    private static string? Generated(List<Resource> all)
    {
        foreach (string type in (string[])["sidecar", "router"])
        {
            using JsonDocument proxy =
                JsonDocument.Parse($$"""{ "type": "{{type}}", "labels": { "istio": "ingressgateway", "app": "productpage" } }""");
            World world = World.Of(all, World.Node(proxy.RootElement), Tables.Rows.Settings(null));
            int listeners = world.Listeners().Count;
            int clusters = new ClusterGenerator().Generate(world.Scope, null).Count
                + new EndpointGenerator().Generate(world.Scope, null).Count;
            if (type == "sidecar" && (listeners == 0 || clusters == 0))
                return $"a {type} got {listeners} listeners and {clusters} clusters";
        }
        return null;
    }

    private string Read(string file) => File.ReadAllText(Path.Combine(_path, file));
}
