using System.CommandLine;
using Lateen.Api.Texts;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Revisions;

/// <summary>`lateen diff`: between two revisions, or between what is live and what an apply would make of it.</summary>
internal static class DiffVerb
{
    public static Command Command(Terminal terminal)
    {
        var from = new Argument<long?>("from")
        {
            Description = "a revision (-1: the one before the newest)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var to = new Argument<long?>("to") { Description = "a later revision; nothing for the newest", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> files = Shared.Files(required: false);
        Option<bool> recursive = Shared.Recursive();
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State();
        var command = new Command("diff", "Show what differs: between revisions, or (-f) what an apply would change") { from, to, files,
            recursive, inNamespace, state };
        command.SetAction(async (parsed, cancel) =>
        {
            IReadOnlyList<SourceText> sources = SourceFiles.Read(parsed.GetRequiredValue(files), parsed.GetValue(recursive), terminal);
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            DiffAnswer answer = sources.Count > 0
                ? await mesh.DiffAsync(new ApplyRequest(sources, parsed.GetValue(inNamespace), true, Shared.Author), cancel)
                : await mesh.DiffAsync(parsed.GetValue(from) ?? -1, parsed.GetValue(to), cancel);
            foreach (ObjectDiff changed in answer.Objects) Print(terminal, changed, answer);
            if (answer.Objects.Count == 0) terminal.Remark("No differences.");
            return answer.Objects.Count == 0 ? 0 : 1;
        });
        return command;
    }

    private static void Print(Terminal terminal, ObjectDiff changed, DiffAnswer answer)
    {
        string name = changed.Namespace is null ? changed.Resource : $"{changed.Resource} -n {changed.Namespace}";
        terminal.Line(terminal.Paint($"--- {name} (revision {answer.From})", Tone.Strong));
        terminal.Line(terminal.Paint($"+++ {name} ({(answer.To < 0 ? "as applied" : $"revision {answer.To}")})", Tone.Strong));
        foreach (string line in LineDiff.Hunks(changed.Before ?? "", changed.After ?? ""))
        {
            Tone tone = line[0] switch { '+' => Tone.Good, '-' => Tone.Bad, '@' => Tone.Faint, _ => Tone.Plain };
            terminal.Line(terminal.Paint(line, tone));
        }
    }
}
