using System.CommandLine;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Objects;

/// <summary>`lateen describe KIND NAME`: a resource for reading: where it was written, what the mesh says about it, its content, its last
/// changes.</summary>
internal static class DescribeVerb
{
    private const int ChangesShown = 5;

    public static Command Command(Terminal terminal)
    {
        var what = new Argument<string[]>("what") { Description = "KIND [NAME...], or KIND/NAME...", Arity = ArgumentArity.OneOrMore };
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State();
        Option<bool> allNamespaces = Shared.AllNamespaces();
        var command = new Command("describe", "Tell about resources: content, effect, mistakes, last changes") { what, inNamespace,
            allNamespaces, state };
        command.SetAction(async (parsed, cancel) =>
        {
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            string? within = parsed.GetValue(allNamespaces) ? null : parsed.GetValue(inNamespace) ?? Shared.DefaultNamespace;
            IReadOnlyList<StoredObject> found = await GetVerb.FindAsync(mesh, parsed.GetRequiredValue(what), within, null, cancel);
            if (found.Count == 0) throw new CommandException($"no {parsed.GetRequiredValue(what)[0]} found",
                within is null ? null : $"That was namespace {within}; -A looks everywhere.");
            for (int i = 0; i < found.Count; i++)
            {
                if (i > 0) terminal.Line();
                await DescribeAsync(mesh, terminal, found[i], cancel);
            }
            return 0;
        });
        return command;
    }

    private static async Task DescribeAsync(OperatorClient mesh, Terminal terminal, StoredObject item, CancellationToken cancel)
    {
        string name = Text(item.Object, "name"), inNamespace = Text(item.Object, "namespace");
        Field(terminal, "Name", terminal.Paint(name, Tone.Strong));
        if (inNamespace.Length > 0) Field(terminal, "Namespace", inNamespace);
        Field(terminal, "Kind", $"{item.Kind} ({item.Object["apiVersion"]})");
        if (item.Place is not null) Field(terminal, "Written at", item.Place);
        Field(terminal, "Changed", $"{Durations.Age(DateTimeOffset.UtcNow - item.ChangedAt)} ago, revision {item.Revision}");
        Pairs(terminal, "Labels", item.Object["metadata"]?["labels"] as JsonObject);
        Effect(terminal, item);
        Content(terminal, item.Object);
        RevisionList changes = await mesh.HistoryAsync(item.Kind, inNamespace, name, ChangesShown, cancel);
        if (changes.Items.Count == 0) return;
        terminal.Line("Last changes:");
        foreach (RevisionRow row in changes.Items)
            terminal.Line($"  revision {row.Revision}  {row.At.ToLocalTime():yyyy-MM-dd HH:mm:ss}  {row.Author}  {row.Reason}");
    }

    private static void Effect(Terminal terminal, StoredObject item)
    {
        if (item.Findings.Count == 0)
        {
            Field(terminal, "Effect", terminal.Paint("accepted, in effect", Tone.Good));
            return;
        }
        terminal.Line("Effect:");
        foreach (Finding finding in item.Findings)
        {
            Tone tone = finding.Level switch { "error" => Tone.Bad, "warning" => Tone.Doubtful, _ => Tone.Plain };
            terminal.Line(
                $"  {terminal.Paint($"{finding.Level} {finding.Code}", tone)}  {finding.Text}{(finding.Place is null ? "" : terminal.Paint($"  {finding.Place}", Tone.Faint))}");
            if (finding.Remedy is not null) terminal.Line("    " + finding.Remedy);
        }
    }

    private static void Content(Terminal terminal, JsonObject resource)
    {
        foreach ((string key, JsonNode? value) in resource)
        {
            if (key is "apiVersion" or "kind" or "metadata" || value is null) continue;
            terminal.Line($"{char.ToUpperInvariant(key[0])}{key[1..]}:");
            foreach (string line in YamlText.Of(value).TrimEnd('\n').Split('\n')) terminal.Line("  " + line);
        }
    }

    private static void Pairs(Terminal terminal, string heading, JsonObject? pairs)
    {
        if (pairs is { Count: > 0 }) Field(terminal, heading, string.Join(", ", pairs.Select(pair => $"{pair.Key}={pair.Value}")));
    }

    private static void Field(Terminal terminal, string heading, string text) => terminal.Line($"{heading + ":",-13}{text}");

    private static string Text(JsonObject resource, string field) => resource["metadata"]?[field]?.ToString() ?? "";
}
