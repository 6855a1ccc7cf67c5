using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>`lateen proxy-status`: every connected proxy and whether it runs what it should.</summary>
internal static class ProxyStatusVerb
{
    private static readonly string[] Columns = ["CDS", "LDS", "EDS", "RDS"];

    public static Command Command(Terminal terminal)
    {
        var name = new Argument<string?>("name")
        {
            Description = "only proxies whose name begins with this",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> state = Shared.State();
        Option<string> output = Shared.Output("json");
        var command = new Command("proxy-status", "Show every connected proxy and whether it runs the newest configuration") { name, output,
            state };
        command.SetAction(async (parsed, cancel) =>
        {
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            ProxyList list = await mesh.ProxiesAsync(cancel);
            ProxyRow[] rows = [.. list.Items.Where(row => row.Name.StartsWith(parsed.GetValue(name) ?? "", StringComparison.Ordinal))];
            if (parsed.GetRequiredValue(output) == "json")
                terminal.Line(System.Text.Json.JsonSerializer.Serialize(new ProxyList(list.Revision, rows),
                    OperatorJson.Default.ProxyList));
            else Print(terminal, rows, list.Revision);
            return 0;
        });
        return command;
    }

    private static void Print(Terminal terminal, ProxyRow[] rows, long newest)
    {
        if (rows.Length == 0)
        {
            terminal.Remark("No proxy is connected.");
            return;
        }
        var table = new ColumnTable(["NAME", "CLUSTER", .. Columns, "REVISION", "VERSION", "IDENTITY"]);
        foreach (ProxyRow row in rows)
        {
            Cell[] types = [.. Columns.Select(type => State(row.Types.GetValueOrDefault(type)))];
            Cell revision = new(row.Revision.ToString(), row.Revision == newest ? Tone.Plain : Tone.Doubtful);
            table.Row([row.Name, row.Cluster, .. types, revision, row.Version, Identity(row)]);
        }
        table.Print(terminal);
        foreach (ProxyRow row in rows)
        {
            foreach ((string type, TypeState state) in row.Types)
            {
                if (state.Error is not null) terminal.Remark($"{row.Name} refused {type}: {state.Error}", Tone.Bad);
            }
        }
    }

    // Who it has proved to be; a stream in clear text proves nothing.
    private static Cell Identity(ProxyRow row) =>
        row.Identity is { } proved ? new(proved["spiffe://".Length..], Tone.Good) : new("none (clear text)", Tone.Doubtful);

    private static Cell State(TypeState? state)
    {
        if (state is null) return new("IGNORED", Tone.Faint);
        Tone tone = state.State switch { "SYNCED" => Tone.Good, "ERROR" => Tone.Bad, "STALE" => Tone.Doubtful, _ => Tone.Faint };
        return new(state.State is "SYNCED" or "STALE"
            ? $"{state.State} ({Durations.Age(TimeSpan.FromSeconds(state.SinceSeconds))})" : state.State, tone);
    }
}
