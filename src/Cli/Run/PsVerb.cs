using System.CommandLine;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Up;

namespace Lateen.Cli.Run;

/// <summary>`lateen ps`: what runs.</summary>
internal static class PsVerb
{
    public static Command Command(Terminal terminal)
    {
        Option<string?> state = Verbs.Shared.State();
        var command = new Command("ps", "Show what runs in the mesh of this machine") { state };
        command.SetAction(async (parsed, cancel) =>
        {
            var table = new ColumnTable("NAME", "NAMESPACE", "ADDRESS", "PID", "SIDECAR", "READY", "RESTARTS");
            foreach (JsonObject row in await RowsAsync(RunningMesh.Find(parsed.GetValue(state)), cancel).ConfigureAwait(false))
            {
                bool ready = row["ready"]?.GetValue<bool>() == true;
                table.Row(Text(row, "name"), Text(row, "namespace"), Text(row, "address"), Text(row, "pid"), Text(row, "sidecar"),
                    new Cell(ready ? "yes" : "no", ready ? Tone.Good : Tone.Doubtful), Text(row, "restarts"));
            }
            table.Print(terminal);
            return 0;
        });
        return command;
    }

    /// <summary>What `lateen up` says that it runs.</summary>
    internal static async Task<IReadOnlyList<JsonObject>> RowsAsync(string folder, CancellationToken cancel)
    {
        await using ControlLine mesh = await ControlLine.ConnectAsync(folder, cancel).ConfigureAwait(false);
        await mesh.WriteAsync(new JsonObject { ["do"] = "ps" }).ConfigureAwait(false);
        JsonObject? answer = await mesh.ReadAsync(cancel).ConfigureAwait(false);
        return [.. (answer?["rows"] as JsonArray ?? []).OfType<JsonObject>()];
    }

    private static string Text(JsonObject row, string name) => row[name]?.ToString() is { Length: > 0 } text ? text : "-";
}
