// Verbs on files: what a text says is judged here, without a mesh. The rules are those of Config, the same that an apply goes through;
// these verbs read, call and print.
using System.CommandLine;
using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.Config.Resources;
using Lateen.Config.Validation;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Files;

/// <summary>`lateen validate -f`: whether each object could be applied, as istioctl's verb of that name.</summary>
internal static class ValidateVerb
{
    public static Command Command(Terminal terminal)
    {
        Option<string[]> files = Shared.Files(required: true);
        Option<bool> recursive = Shared.Recursive();
        Option<string?> inNamespace = Shared.Namespace();
        // Both wait for istioctl's users: references are judged by `analyze`.
        var referential = new Option<bool>("--referential", "-x")
        {
            Description = "accepted as istioctl does; references are the matter of `lateen analyze`",
            Hidden = true,
        };
        var command = new Command("validate", "Judge resources in files, without a mesh") { files, recursive, inNamespace, referential };
        command.Aliases.Add("v");
        command.SetAction(parsed =>
        {
            int mistakes = 0;
            foreach (SourceText source in SourceFiles.Read(parsed.GetRequiredValue(files), parsed.GetValue(recursive), terminal))
                mistakes += Judge(source, parsed.GetValue(inNamespace) ?? Shared.DefaultNamespace, terminal);
            if (mistakes > 0)
                throw new CommandException($"{mistakes} {(mistakes == 1 ? "mistake" : "mistakes")}", "Correct what is listed above.");
            return 0;
        });
        return command;
    }

    private static int Judge(SourceText source, string inNamespace, Terminal terminal)
    {
        var bag = new DiagnosticBag();
        IReadOnlyList<Resource> resources = new ResourceDecoder(
            new DecoderOptions { DefaultNamespace = inNamespace, TellUnused = false }).Decode(source.Text, source.Name, bag);
        List<Diagnostic> found = [.. bag, .. resources.SelectMany(Validator.CheckConventions)];
        foreach (Diagnostic diagnostic in found) FindingLines.Print(terminal, diagnostic);
        int mistakes = found.Count(diagnostic => diagnostic.IsError);
        if (mistakes == 0)
            terminal.Remark(
                $"\"{source.Name}\" {(found.Exists(diagnostic => diagnostic.Level == DiagnosticLevel.Warning) ? "has warnings" : "is valid")}", Tone.Good);
        return mistakes;
    }
}
