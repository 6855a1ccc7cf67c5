using System.CommandLine;
using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;

namespace Lateen.Cli.Run;

/// <summary>`lateen logs NAME`: the end of a log, and with -f what comes after.</summary>
internal static class LogsVerb
{
    private const int BufferBytes = 64 << 10;

    public static Command Command(Terminal terminal)
    {
        var name = new Argument<string?>("name")
        {
            Description = "a workload, NAME.sidecar, controlplane or ingressgateway; none: what there is",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var follow = new Option<bool>("--follow", "-f") { Description = "go on with what is written from now on" };
        var tail = new Option<int>("--tail") { Description = "how many lines of the end", DefaultValueFactory = _ => 100 };
        Option<string?> state = Verbs.Shared.State();
        var command = new Command("logs", "Show the log of a workload, of its sidecar, or of the control plane") { name, follow, tail,
            state };
        command.SetAction(async (parsed, cancel) =>
        {
            string logs = Path.Combine(RunningMesh.Find(parsed.GetValue(state)), "logs");
            string[] known = Directory.Exists(logs)
                ? [.. Directory.EnumerateFiles(logs, "*.log").Select(Path.GetFileNameWithoutExtension).OfType<string>()
                    .Order(StringComparer.Ordinal)] : [];
            if (parsed.GetValue(name) is not { } wanted)
            {
                foreach (string log in known) terminal.Line(log);
                return 0;
            }
            if (!known.Contains(wanted))
            {
                string? nearest = Suggestions.Nearest(wanted, known);
                throw new CommandException($"there is no log of \"{wanted}\" in {logs}",
                    nearest is null ? "`lateen logs` lists what there is." : $"Did you mean \"{nearest}\"?");
            }
            await ShowAsync(terminal, Path.Combine(logs, wanted + ".log"), parsed.GetValue(tail), parsed.GetValue(follow), cancel)
                .ConfigureAwait(false);
            return 0;
        });
        return command;
    }

    private static async Task ShowAsync(Terminal terminal, string path, int tail, bool follow, CancellationToken cancel)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, BufferBytes,
            useAsync: false);
        using var reader = new StreamReader(file);
        var last = new Queue<string>();
        while (await reader.ReadLineAsync(cancel).ConfigureAwait(false) is { } line)
        {
            last.Enqueue(line);
            if (last.Count > tail) last.Dequeue();
        }
        foreach (string line in last) terminal.Line(line);
        while (follow)
        {
            if (await reader.ReadLineAsync(cancel).ConfigureAwait(false) is { } line) terminal.Line(line);
            else await Task.Delay(200, cancel).ConfigureAwait(false);
        }
    }
}
