using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.Cli.Printing;

/// <summary>A proxy's decision record: one station a line, and which resource asked for it.</summary>
/// <remarks>The proxy's page is an object with `stations`, each {station, decision, origin?}, and `outcome`; a page of plain text is
/// printed as it is.</remarks>
public static class DecisionLines
{
    /// <summary>Prints a page of /explain or /why.</summary>
    public static void Print(Terminal terminal, string contentType, string text)
    {
        if (contentType != "application/json" || Parsed(text) is not { } record || record["stations"] is not JsonArray stations)
        {
            terminal.Line(text.TrimEnd('\n'));
            return;
        }
        int width = stations.Select(step => Text(step, "station").Length).Append(0).Max();
        int decisions = Math.Min(70, stations.Select(step => Text(step, "decision").Length).Append(0).Max());
        foreach (JsonNode? step in stations)
        {
            string origin = Text(step, "origin");
            string decision = Text(step, "decision");
            string line =
                $"{terminal.Paint(Text(step, "station").PadRight(width), Tone.Strong)}   {(origin.Length > 0 ? decision.PadRight(decisions) : decision)}";
            terminal.Line(origin.Length > 0 ? $"{line}   {terminal.Paint(origin, Tone.Faint)}" : line);
        }
        if (Text(record, "outcome") is { Length: > 0 } outcome)
            terminal.Line($"{new string(' ', width)}   {terminal.Paint(outcome, Tone.Strong)}");
    }

    private static JsonObject? Parsed(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Text(JsonNode? node, string field) => (node as JsonObject)?[field]?.ToString() ?? "";
}
