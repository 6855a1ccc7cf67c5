using System.CommandLine;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs;

/// <summary>Options and endings that several verbs share, with one wording.</summary>
internal static class Shared
{
    public const string DefaultNamespace = "default";

    public static Option<string?> State() => new("--state")
    {
        Description = "the mesh's state folder (else LATEEN_STATE, else .lateen here or above)",
        HelpName = "folder",
    };

    public static Option<string?> Namespace() =>
        new("--namespace", "-n") { Description = "the namespace (else \"default\")", HelpName = "name" };

    public static Option<bool> AllNamespaces() => new("--all-namespaces", "-A") { Description = "all namespaces" };

    public static Option<string[]> Files(bool required) => new("--filename", "-f")
    {
        Description = "a file, a folder, or - for standard input; may be repeated",
        HelpName = "path",
        Required = required,
        DefaultValueFactory = _ => [],
        AllowMultipleArgumentsPerToken = true,
    };

    public static Option<bool> Recursive() => new("--recursive", "-R") { Description = "look into the folders of a folder, too" };

    // kubectl has --dry-run=client|server|none; here the server always validates, so a bare --dry-run means what all of them mean.
    public static Option<string?> DryRun() => new("--dry-run")
    {
        Description = "validate and tell what would happen, change nothing",
        Arity = ArgumentArity.ZeroOrOne,
        HelpName = "client|server|none",
    };

    public static bool IsDryRun(ParseResult parsed, Option<string?> option) =>
        parsed.GetResult(option) is not null && parsed.GetValue(option) is not "none";

    public static Option<bool> Wait() => new("--wait", "-w") { Description = "wait until every connected proxy runs it" };

    public static Option<string> Timeout() => new("--timeout")
    {
        Description = "how long to wait for the proxies",
        HelpName = "duration",
        DefaultValueFactory = _ => "30s",
    };

    public static Option<string> Output(params string[] formats)
    {
        var output = new Option<string>("--output", "-o")
        {
            Description = "one of " + string.Join(", ", formats),
            HelpName = "format",
            DefaultValueFactory = _ => "",
        };
        output.Validators.Add(result =>
        {
            string? said = result.Tokens.Count > 0 ? result.Tokens[0].Value : null;
            if (said is not null && !formats.Contains(said))
                result.AddError($"-o {said} is not known: it is one of {string.Join(", ", formats)}");
        });
        output.CompletionSources.Add(_ => formats.Select(format => new System.CommandLine.Completions.CompletionItem(format)));
        return output;
    }

    public static string Author => Environment.UserName;

    /// <summary>Prints the findings of a change and, where it was refused, ends the command.</summary>
    public static void Findings(Terminal terminal, ChangeAnswer answer)
    {
        foreach (Finding finding in answer.Findings) FindingLines.Print(terminal, finding);
        if (answer.Accepted) return;
        int mistakes = answer.Findings.Count(finding => finding.Level == "error");
        throw new CommandException($"nothing was changed: {mistakes} {(mistakes == 1 ? "mistake" : "mistakes")}",
            "Correct what is listed above; an apply is taken whole or not at all.");
    }

    /// <summary>Prints what became of a change and, where that is wanted, waits until the proxies run it and tells how it went.</summary>
    public static async Task ReportAsync(OperatorClient mesh, ChangeAnswer answer, ChangeWish wish, Terminal terminal,
        CancellationToken cancel)
    {
        bool isJson = wish.Output == "json", waits = wish.Waits && !wish.IsDryRun;
        if (!isJson) OutcomeLines.Print(terminal, answer, wish.IsDryRun, wish.Output == "name");
        WaitAnswer? waited = waits ? await mesh.WaitAsync(answer.Revision, Durations.Parse(wish.Timeout), cancel) : null;
        if (isJson)
            terminal.Line(System.Text.Json.JsonSerializer.Serialize(answer with { Wait = waited }, OperatorJson.Default.ChangeAnswer));
        if (waited is not null) ProxyProgress.Print(terminal, waited, wish.Timeout);
    }
}

/// <summary>How a change was asked for on the command line.</summary>
/// <param name="Output">The format of the answer; empty for lines.</param>
/// <param name="IsDryRun">Nothing was changed.</param>
/// <param name="Waits">Wait for the proxies.</param>
/// <param name="Timeout">How long at most.</param>
internal sealed record ChangeWish(string Output, bool IsDryRun, bool Waits, string Timeout);
