using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Revisions;

/// <summary>`lateen rollback`: the configuration of an earlier revision holds again, as a new revision.</summary>
internal static class RollbackVerb
{
    public static Command Command(Terminal terminal)
    {
        var revision = new Argument<long?>("revision")
        {
            Description = "the revision to return to; nothing for the one before the newest",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<bool> wait = Shared.Wait();
        Option<string?> state = Shared.State(), dryRun = Shared.DryRun();
        Option<string> timeout = Shared.Timeout();
        var command = new Command("rollback", "Return to the configuration of an earlier revision") { revision, dryRun, wait, timeout,
            state };
        command.SetAction(async (parsed, cancel) =>
        {
            bool dry = Shared.IsDryRun(parsed, dryRun);
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            ChangeAnswer answer = await mesh.RollbackAsync(new(parsed.GetValue(revision) ?? -1, dry, Shared.Author), cancel);
            Shared.Findings(terminal, answer);
            if (answer.Objects.Count == 0) terminal.Remark("Nothing differs; no revision was made.");
            await Shared.ReportAsync(mesh, answer, new("", dry, parsed.GetValue(wait), parsed.GetRequiredValue(timeout)), terminal, cancel);
            return 0;
        });
        return command;
    }
}
