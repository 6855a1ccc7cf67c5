using System.CommandLine;
using System.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Objects;

/// <summary>`lateen edit KIND NAME`: the resource in an editor, applied when it is saved.</summary>
internal static class EditVerb
{
    private static readonly string[] ServerFields = ["resourceVersion", "generation", "uid", "creationTimestamp", "managedFields"];

    public static Command Command(Terminal terminal)
    {
        var what = new Argument<string[]>("what") { Description = "KIND NAME, or KIND/NAME", Arity = new ArgumentArity(1, 2) };
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State();
        var command = new Command("edit", "Change a resource in $VISUAL or $EDITOR") { what, inNamespace, state };
        command.SetAction(async (parsed, cancel) =>
        {
            using OperatorClient mesh = OperatorClient.Of(parsed.GetValue(state));
            Target target = Targets.Parse(parsed.GetRequiredValue(what))[0];
            string within = parsed.GetValue(inNamespace) ?? Shared.DefaultNamespace;
            ObjectList found = await mesh.ObjectsAsync(target.Kind, within, target.Name, null, cancel);
            string file = Path.Combine(Path.GetTempPath(), $"lateen-edit-{Guid.NewGuid():n}.yaml");
            try
            {
                return await EditAsync(mesh, terminal, file, Editable(found.Items[0]), within, cancel);
            }
            finally
            {
                File.Delete(file);
            }
        });
        return command;
    }

    // A text with mistakes comes back to the editor with the mistakes above it, as often as it takes; saving it unchanged gives up.
    private static async Task<int> EditAsync(OperatorClient mesh, Terminal terminal, string file, string before, string within,
        CancellationToken cancel)
    {
        string shown = before;
        while (true)
        {
            await File.WriteAllTextAsync(file, shown, cancel);
            await OpenAsync(file, cancel);
            string edited = await File.ReadAllTextAsync(file, cancel);
            if (edited == shown)
            {
                terminal.Remark("Edit cancelled, no changes made.");
                return shown == before ? 0 : CommandException.Refused;
            }
            string text = Uncommented(edited);
            ChangeAnswer answer = await mesh.ApplyAsync(new([new("edited.yaml", text)], within, false, Shared.Author), cancel);
            if (answer.Accepted)
            {
                Shared.Findings(terminal, answer);
                OutcomeLines.Print(terminal, answer, dryRun: false);
                return 0;
            }
            shown =
                string.Concat(answer.Findings.Select(
                    finding => $"# {finding.Level} {finding.Code}: {finding.Text}{(finding.Place is null ? "" : $" ({finding.Place})")}\n"))
                    + text;
        }
    }

    private static string Uncommented(string text) =>
        string.Concat(text.Split('\n').SkipWhile(line => line.StartsWith('#')).Select(line => line + "\n"));

    private static string Editable(StoredObject item)
    {
        var copy = item.Object.DeepClone().AsObject();
        copy.Remove("status");
        if (copy["metadata"] is System.Text.Json.Nodes.JsonObject metadata) Array.ForEach(ServerFields, field => metadata.Remove(field));
        return YamlText.Of(copy);
    }

    private static async Task OpenAsync(string file, CancellationToken cancel)
    {
        string editor = Environment.GetEnvironmentVariable("VISUAL") ?? Environment.GetEnvironmentVariable("EDITOR") ?? "vi";
        // The variable may hold arguments ("code --wait"), which a shell takes apart.
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false };
        foreach (string argument in new[] { "-c", editor + " \"$0\"", file }) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)
            ?? throw new CommandException($"the editor \"{editor}\" could not be started", "Set EDITOR.");
        await process.WaitForExitAsync(cancel);
        if (process.ExitCode != 0)
            throw new CommandException($"the editor \"{editor}\" ended with {process.ExitCode}",
                "Nothing was changed. Set EDITOR to another one.");
    }
}
