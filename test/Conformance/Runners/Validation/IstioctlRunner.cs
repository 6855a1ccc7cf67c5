using System.Text.Json;
using Lateen.Cli;
using Lateen.Cli.Printing;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>What one of our commands answered.</summary>
internal sealed record IstioctlAnswer(int Exit, string Text, string Errors);

/// <summary>Plays <c>istioctl-live</c> as far as our commands have istioctl's verbs and flags.</summary>
public sealed class IstioctlRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "istioctl-live";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = Path.Combine(path, "data");
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll()
    {
        Play("validate.json", Compare);
        Play("analyze.json", Compare);
    }

    private string? Compare(JsonElement row)
    {
        IstioctlAnswer answer = Answer(row.Texts("args"), _path);
        if (Differs(row.GetProperty("exit").GetInt32(), answer.Exit) is { } mistake) return $"exit: {mistake}: {answer.Errors}";
        return row.TextOrNull("stdout") is { } text ? Differs(text.Trim(), answer.Text.Trim()) : null;
    }

    /// <summary>Runs a command line of ours in a folder. Commands run one after the other, since they share the process's folder.</summary>
    internal static IstioctlAnswer Answer(IReadOnlyList<string> arguments, string folder)
    {
        using StringWriter output = new(), errors = new();
        string before = Environment.CurrentDirectory;
        Environment.CurrentDirectory = folder;
        try
        {
            int exit = Commands.RunAsync(arguments, new Terminal(output, errors, TextReader.Null)).GetAwaiter().GetResult();
            return new IstioctlAnswer(exit, output.ToString(), errors.ToString());
        }
        finally
        {
            Environment.CurrentDirectory = before;
        }
    }
}
