using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Objects;

/// <summary>`lateen apply -f`: create or change resources, all of them in one revision or none.</summary>
internal static class ApplyVerb
{
    public static Command Command(Terminal terminal)
    {
        Option<string[]> files = Shared.Files(required: true);
        Option<bool> recursive = Shared.Recursive(), wait = Shared.Wait();
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State(), dryRun = Shared.DryRun();
        Option<string> timeout = Shared.Timeout(), output = Shared.Output("name", "json");
        var command = new Command("apply", "Create or change resources: all of them in one revision, or none") { files, recursive,
            inNamespace, dryRun, wait, timeout, output, state };
        command.SetAction(async (parsed, cancel) =>
        {
            IReadOnlyList<SourceText> sources = SourceFiles.Read(parsed.GetRequiredValue(files), parsed.GetValue(recursive), terminal);
            bool dry = Shared.IsDryRun(parsed, dryRun);
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            ChangeAnswer answer = await mesh.ApplyAsync(new(sources, parsed.GetValue(inNamespace), dry, Shared.Author), cancel);
            Shared.Findings(terminal, answer);
            await Shared.ReportAsync(mesh, answer,
                new(parsed.GetRequiredValue(output), dry, parsed.GetValue(wait), parsed.GetRequiredValue(timeout)), terminal, cancel);
            return 0;
        });
        return command;
    }
}
