using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.Cli.Verbs.Objects;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Revisions;

/// <summary>`lateen history`: who changed what, when.</summary>
internal static class HistoryVerb
{
    public static Command Command(Terminal terminal)
    {
        var what = new Argument<string[]>("what")
        {
            Description = "KIND NAME, or KIND/NAME; nothing for all",
            Arity = new ArgumentArity(0, 2),
        };
        var most = new Option<int>("--limit") { Description = "how many revisions", DefaultValueFactory = _ => 20, HelpName = "n" };
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State();
        var command = new Command("history", "Show the revisions of the configuration, newest first") { what, most, inNamespace, state };
        command.SetAction(async (parsed, cancel) =>
        {
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            Target? target = Targets.Parse(parsed.GetValue(what) ?? []) is [var first, ..] ? first : null;
            RevisionList list = await mesh.HistoryAsync(target?.Kind, target is null
                ? null : parsed.GetValue(inNamespace) ?? Shared.DefaultNamespace, target?.Name, parsed.GetValue(most), cancel);
            var table = new ColumnTable("REVISION", "WHEN", "WHO", "WHY", "CHANGES");
            foreach (RevisionRow row in list.Items)
                table.Row(row.Revision.ToString(), $"{row.At.ToLocalTime():yyyy-MM-dd HH:mm:ss}", row.Author, row.Reason,
                    Summary(row.Changes));
            table.Print(terminal);
            return 0;
        });
        return command;
    }

    private static string Summary(IReadOnlyList<ObjectOutcome> changes)
    {
        const int Shown = 3;
        string named = string.Join(", ",
            changes.Take(Shown).Select(
                change =>
                    $"{Sign(change.Outcome)}{change.Resource.Split('.')[0]}/{change.Resource[(change.Resource.IndexOf('/') + 1)..]}"));
        return changes.Count > Shown ? $"{named} and {changes.Count - Shown} more" : named;
    }

    private static string Sign(string outcome) => outcome switch { "created" => "+", "deleted" => "-", _ => "~" };
}
