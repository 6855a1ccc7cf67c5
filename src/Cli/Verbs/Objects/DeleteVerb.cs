using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Objects;

/// <summary>`lateen delete`: remove resources by name, by label or by the files they came from.</summary>
internal static class DeleteVerb
{
    public static Command Command(Terminal terminal)
    {
        var what = new Argument<string[]>("what") { Description = "KIND NAME..., or KIND/NAME...", Arity = ArgumentArity.ZeroOrMore };
        Option<string[]> files = Shared.Files(required: false);
        Option<bool> recursive = Shared.Recursive(), wait = Shared.Wait();
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State(), dryRun = Shared.DryRun();
        var selector = new Option<string?>("--selector", "-l") { Description = "only those with these labels", HelpName = "key=value,..." };
        var all = new Option<bool>("--all") { Description = "every resource of the kind in the namespace" };
        var ignore = new Option<bool>("--ignore-not-found") { Description = "what is not there is no mistake" };
        Option<string> timeout = Shared.Timeout(), output = Shared.Output("name", "json");
        var command = new Command("delete", "Remove resources, all of them in one revision") { what, files, recursive, inNamespace,
            selector, all, ignore, dryRun, wait, timeout, output, state };
        command.SetAction(async (parsed, cancel) =>
        {
            IReadOnlyList<SourceText> sources = SourceFiles.Read(parsed.GetRequiredValue(files), parsed.GetValue(recursive), terminal);
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            bool dry = Shared.IsDryRun(parsed, dryRun);
            string[] words = parsed.GetValue(what) ?? [];
            IReadOnlyList<Target> targets = parsed.GetValue(selector) is { } labels || parsed.GetValue(all)
                ? await SelectedAsync(mesh, words, parsed.GetValue(inNamespace), parsed.GetValue(selector), cancel)
                : Targets.Parse(words);
            if (targets.Count == 0 && sources.Count == 0) throw Nothing(parsed.GetValue(selector));
            ChangeAnswer answer = await mesh.DeleteAsync(
                new(targets, sources, parsed.GetValue(inNamespace), dry, parsed.GetValue(ignore), Shared.Author), cancel);
            Shared.Findings(terminal, answer);
            await Shared.ReportAsync(mesh, answer,
                new(parsed.GetRequiredValue(output), dry, parsed.GetValue(wait), parsed.GetRequiredValue(timeout)), terminal, cancel);
            return 0;
        });
        return command;
    }

    private static async Task<IReadOnlyList<Target>> SelectedAsync(OperatorClient mesh, string[] words, string? inNamespace,
        string? selector, CancellationToken cancel)
    {
        if (words.Length != 1) throw new CommandException("--selector and --all need exactly one kind",
            "For example `lateen delete virtualservice --all`.", CommandException.Misuse);
        ObjectList found = await mesh.ObjectsAsync(words[0], inNamespace ?? Shared.DefaultNamespace, null, selector, cancel);
        return [.. found.Items.Select(item => new Target(item.Resource.Split('/')[0], (string?)item.Object["metadata"]?["name"] ?? ""))];
    }

    private static CommandException Nothing(string? selector) => selector is not null
        ? new($"nothing has the labels {selector}")
        : new("nothing is named to delete", "Write `lateen delete KIND NAME`, or `lateen delete -f FILE`.", CommandException.Misuse);
}
