using System.CommandLine;
using System.Text.Json.Nodes;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.Cli.Up;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Run;

/// <summary>`lateen ps`: what runs.</summary>
internal static class PsVerb
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static Command Command(Terminal terminal)
    {
        Option<string?> state = Verbs.Shared.State();
        var command = new Command("ps", "Show what runs in the mesh of this machine") { state };
        command.SetAction(async (parsed, cancel) =>
        {
            var table = new ColumnTable("NAME", "NAMESPACE", "ADDRESS", "PID", "SIDECAR", "READY", "RESTARTS", "MUTUAL TLS");
            string folder = RunningMesh.Find(parsed.GetValue(state));
            IReadOnlyList<JsonObject> rows = await RowsAsync(folder, cancel).ConfigureAwait(false);
            Dictionary<string, string?> modes = await ModesAsync(folder, cancel).ConfigureAwait(false);
            foreach (JsonObject row in rows)
            {
                bool ready = row["ready"]?.GetValue<bool>() == true;
                table.Row(Text(row, "name"), Text(row, "namespace"), Text(row, "address"), Text(row, "pid"), Text(row, "sidecar"),
                    new Cell(ready ? "yes" : "no", ready ? Tone.Good : Tone.Doubtful), Text(row, "restarts"),
                    modes.GetValueOrDefault($"{row["pod"]}.{row["namespace"]}") ?? "-");
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

    // What each sidecar takes, by pod.namespace. What runs is told also while the control plane, which knows this, does not run.
    private static async Task<Dictionary<string, string?>> ModesAsync(string folder, CancellationToken cancel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(Patience);
        try
        {
            using OperatorClient mesh = OperatorClient.Of(folder);
            ProxyList proxies = await mesh.ProxiesAsync(patience.Token).ConfigureAwait(false);
            return proxies.Items.DistinctBy(row => row.Name).ToDictionary(row => row.Name, row => row.MutualTls);
        }
        catch (Exception away) when (away is CommandException || (away is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return [];
        }
    }

    private static string Text(JsonObject row, string name) => row[name]?.ToString() is { Length: > 0 } text ? text : "-";
}
