using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Cli;
using Lateen.Cli.Printing;
using Lateen.Injector.Templates;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Validation;

/// <summary>What one of our commands answered.</summary>
internal sealed record IstioctlAnswer(int Exit, string Text, string Errors);

/// <summary>Plays <c>istioctl-live</c> as far as our commands have istioctl's verbs and flags.</summary>
public sealed class IstioctlRunner : RowsRunner
{
    private static readonly Lock Turn = new();
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
        Play("kube-inject.json", Injected);
    }

    private string? Compare(JsonElement row)
    {
        IstioctlAnswer answer = Answer(row.Texts("args"), _path);
        if (Differs(row.GetProperty("exit").GetInt32(), answer.Exit) is { } mistake) return $"exit: {mistake}: {answer.Errors}";
        return row.TextOrNull("stdout") is { } text ? Differs(text.Trim(), answer.Text.Trim()) : null;
    }

    private string? Injected(JsonElement row)
    {
        IstioctlAnswer answer = Answer(row.Texts("args"), _path);
        if (Differs(row.GetProperty("exit").GetInt32(), answer.Exit) is { } mistake) return $"exit: {mistake}: {answer.Errors}";
        if (!row.TryGetProperty("stdoutYAML", out JsonElement documents)) return null;
        JsonNode?[] have = [.. PlainText.Trees(answer.Text)],
            want = [.. documents.EnumerateArray().Where(document => document.ValueKind == JsonValueKind.Object)
                .Select(document => JsonNode.Parse(document.GetRawText()))];
        return have.Length != want.Length
            ? $"have {have.Length} objects, want {want.Length}" : have.Zip(want)
                .Select(pair => Injection.KubernetesObjects.Difference(pair.First, pair.Second)).FirstOrDefault(d => d is not null);
    }

    /// <summary>Runs a command line of ours in a folder. Commands run one after the other, since they share the process's folder.</summary>
    internal static IstioctlAnswer Answer(IReadOnlyList<string> arguments, string folder)
    {
        using StringWriter output = new(), errors = new();
        lock (Turn)
        {
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
}
