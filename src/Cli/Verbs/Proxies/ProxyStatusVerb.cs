using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Proxies;

/// <summary>`lateen proxy-status`: every connected proxy and whether it runs what it should.</summary>
internal static class ProxyStatusVerb
{
    private static readonly string[] Columns = ["CDS", "LDS", "EDS", "RDS"];

    // Answers come within a second; a stream that ends now and then is a deployment.
    private const int PatienceSeconds = 5, Restless = 3;

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
            string begins = parsed.GetValue(name) ?? "";
            ProxyList shown = new(list.Revision, [.. list.Items.Where(row => row.Name.StartsWith(begins, StringComparison.Ordinal))],
                [.. (list.Left ?? []).Where(row => row.Proxy.StartsWith(begins, StringComparison.Ordinal))]);
            if (parsed.GetRequiredValue(output) == "json")
                terminal.Line(System.Text.Json.JsonSerializer.Serialize(shown, OperatorJson.Default.ProxyList));
            else Print(terminal, shown);
            return 0;
        });
        return command;
    }

    private static void Print(Terminal terminal, ProxyList list)
    {
        if (list.Items.Count == 0) terminal.Remark("No proxy is connected.");
        else PrintTable(terminal, list);
        foreach (ProxyRow row in list.Items)
        {
            foreach ((string type, TypeState state) in row.Types)
            {
                string age = Durations.Age(TimeSpan.FromSeconds(state.SinceSeconds));
                if (state.Error is not null)
                    terminal.Remark($"{row.Name} refused {type} {age} ago and {Taken(state, row)}: {state.Error}", Tone.Bad);
                else if (state.State == "STALE" && state.SinceSeconds >= PatienceSeconds)
                    terminal.Remark($"{row.Name} has not answered {type} for {age} and {Taken(state, row)}", Tone.Doubtful);
            }
        }
        foreach (LeftRow left in (list.Left ?? []).Where(left => left.Times >= Restless))
        {
            string now = list.Items.Any(row => row.Name == left.Proxy) ? "it is connected now" : "it is not connected now";
            terminal.Remark($"{left.Proxy} comes and goes: its stream ended {left.Times} times in the last ten minutes, "
                + $"the last time {Durations.Age(TimeSpan.FromSeconds(left.SinceSeconds))} ago; {now}", Tone.Doubtful);
        }
    }

    private static void PrintTable(Terminal terminal, ProxyList list)
    {
        var table = new ColumnTable(["NAME", "CLUSTER", .. Columns, "REVISION", "VERSION", "IDENTITY"]);
        foreach (ProxyRow row in list.Items)
        {
            Cell[] types = [.. Columns.Select(type => State(row.Types.GetValueOrDefault(type)))];
            Cell revision = new(row.Revision == 0 && list.Revision > 0 ? "none" : row.Revision.ToString(),
                row.Revision == list.Revision ? Tone.Plain : Tone.Doubtful);
            table.Row([row.Name, row.Cluster, .. types, revision, row.Version, Identity(row)]);
        }
        table.Print(terminal);
    }

    // The version of a type says more than the revision of all of them, where there is one.
    private static string Taken(TypeState state, ProxyRow row) => state.Acked is null ? "has taken none yet"
        : row.Revision == 0 ? $"last took version {state.Acked}" : $"last took version {state.Acked} (revision {row.Revision})";

    // Who it has proved to be; a stream in clear text proves nothing.
    private static Cell Identity(ProxyRow row) =>
        row.Identity is { } proved ? new(proved["spiffe://".Length..], Tone.Good) : new("none (clear text)", Tone.Doubtful);

    private static Cell State(TypeState? state)
    {
        if (state is null) return new("IGNORED", Tone.Faint);
        Tone tone = state.State switch { "SYNCED" => Tone.Good, "ERROR" => Tone.Bad, "STALE" => Tone.Doubtful, _ => Tone.Faint };
        return new(state.State is "SYNCED" or "STALE" or "ERROR"
            ? $"{state.State} ({Durations.Age(TimeSpan.FromSeconds(state.SinceSeconds))})" : state.State, tone);
    }
}
