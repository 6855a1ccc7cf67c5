// Cli: the one binary. It holds no logic of the parts it starts: a verb reads its arguments, asks a part or the control plane's operator
// API, and prints. What goes to standard output is the answer and may be piped; everything else goes to standard error.
//
// Exit codes: 0 done; 1 the mesh said no (a mistake in the configuration, not found, not converged); 64 the command line was wrong;
// 69 no control plane to talk to. `diff` and `--dry-run` follow diff(1): 1 means "there are differences".
using System.CommandLine;
using System.CommandLine.Parsing;
using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.Cli.Run;
using Lateen.Cli.Up;
using Lateen.Cli.Verbs;
using Lateen.Cli.Verbs.Files;
using Lateen.Cli.Verbs.Objects;
using Lateen.Cli.Verbs.Proxies;
using Lateen.Cli.Verbs.Revisions;

namespace Lateen.Cli;

/// <summary>Every command of `lateen`, one line each, and the edge at which a failure becomes a sentence and an exit code.</summary>
public static class Commands
{
    /// <summary>The command tree, writing to <paramref name="terminal"/>.</summary>
    public static RootCommand Root(Terminal terminal) =>
        new("Lateen: a service mesh. Start one with `lateen up`, then `lateen apply -f FILE`.")
        {
            UpVerb.Command(terminal),
            RunVerb.Command(terminal),
            PsVerb.Command(terminal),
            LogsVerb.Command(terminal),
            ControlPlaneVerb.Command(terminal),
            AgentVerb.Command(),
            ConsoleVerb.Command(terminal),

            ApplyVerb.Command(terminal),
            GetVerb.Command(terminal),
            DescribeVerb.Command(terminal),
            EditVerb.Command(terminal),
            DeleteVerb.Command(terminal),

            ValidateVerb.Command(terminal),
            AnalyzeVerb.Command(terminal),
            InjectVerb.Command(terminal),
            CheckInjectVerb.Command(terminal),
            DefinitionsVerb.Command(terminal),

            HistoryVerb.Command(terminal),
            DiffVerb.Command(terminal),
            RollbackVerb.Command(terminal),

            ProxyStatusVerb.Command(terminal),
            ProxySecretsVerb.Command(terminal),
            ExplainVerb.Command(terminal),
            WhyVerb.Command(terminal),
            CompletionVerb.Command(terminal),
        };

    /// <summary>Parses and runs one command line.</summary>
    /// <returns>The exit code, see the top of this file.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments, Terminal terminal)
    {
        ParseResult parsed = Root(terminal).Parse(arguments);
        if (parsed.Errors.Count > 0 || StrayOption(parsed) is not null) return Misused(parsed, terminal);
        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, Output = terminal.Out, Error = terminal.Error });
        }
        catch (CommandException failure)
        {
            terminal.Complain(failure.Message, failure.Remedy);
            return failure.ExitCode;
        }
        catch (OperationCanceledException)
        {
            return 130; // as a shell reports SIGINT
        }
    }

    private static int Misused(ParseResult parsed, Terminal terminal)
    {
        CommandResult at = parsed.CommandResult;
        string path = Path(at);
        string? unknown = StrayOption(parsed) ?? (parsed.UnmatchedTokens is [var first, ..] ? first : null);
        string? nearest = unknown is null
            ? null : Suggestions.Nearest(unknown, at.Command.Subcommands.Select(c => c.Name).Concat(Options(at)));
        string said = unknown is not null ? $"`{path}` does not know \"{unknown}\"" : parsed.Errors[0].Message.TrimEnd('.');
        terminal.Complain(said, nearest is null ? $"See `{path} --help`." : $"Did you mean \"{nearest}\"? See `{path} --help`.");
        return CommandException.Misuse;
    }

    // An argument that takes many words also takes a misspelt option; behind `--` anything goes, and -1 is a number.
    private static string? StrayOption(ParseResult parsed)
    {
        if (parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash)) return null;
        IEnumerable<string> words = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value);
        return words.FirstOrDefault(word => word.Length > 1 && word[0] == '-' && !long.TryParse(word, out _));
    }

    private static IEnumerable<string> Options(CommandResult at) =>
        at.Command.Options.SelectMany(option => option.Aliases.Append(option.Name));

    private static string Path(CommandResult at)
    {
        var names = new List<string>();
        for (SymbolResult? step = at; step is CommandResult { Command: not RootCommand } command; step = step.Parent)
            names.Insert(0, command.Command.Name);
        return string.Join(' ', names.Prepend("lateen"));
    }
}
