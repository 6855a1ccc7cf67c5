using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Files;

/// <summary>Findings of an analysis in istioctl's three forms.</summary>
internal static class AnalysisReport
{
    private const string Documentation = "https://istio.io/latest/docs/reference/config/analysis/";

    /// <summary>Prints as <c>log</c>, <c>json</c> or <c>yaml</c>.</summary>
    public static void Print(Terminal terminal, IReadOnlyList<Diagnostic> found, string format)
    {
        if (format == "json") terminal.Line(List(found).ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        else if (format == "yaml") terminal.Out.Write(found.Count == 0 ? "[]\n" : YamlText.Of(List(found)));
        else if (found.Count == 0) terminal.Line();
        else foreach (Diagnostic diagnostic in found) terminal.Line(Line(terminal, diagnostic));
    }

    private static string Line(Terminal terminal, Diagnostic diagnostic)
    {
        Tone tone = diagnostic.Level switch
        {
            DiagnosticLevel.Error => Tone.Bad,
            DiagnosticLevel.Warning => Tone.Doubtful,
            _ => Tone.Faint,
        };
        return $"{terminal.Paint(diagnostic.Level.ToString(), tone)} [{diagnostic.Code.Id}] "
            + $"({diagnostic.Resource}{Place(diagnostic, " ")}) {diagnostic.Text}";
    }

    private static string Place(Diagnostic diagnostic, string before) => diagnostic.Position switch
    {
        { File: { Length: > 0 } file, Line: > 0 and var line } =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{before}{file}:{line}"),
        { File: { Length: > 0 } file } => before + file,
        _ => "",
    };

    private static JsonArray List(IEnumerable<Diagnostic> found) => new([.. found.Select(diagnostic => new JsonObject
    {
        ["code"] = diagnostic.Code.Id,
        ["documentationUrl"] = $"{Documentation}{diagnostic.Code.Id.ToLowerInvariant()}/",
        ["level"] = diagnostic.Level.ToString(),
        ["message"] = diagnostic.Text,
        ["origin"] = diagnostic.Resource,
        ["reference"] = Place(diagnostic, ""),
    })]);
}
