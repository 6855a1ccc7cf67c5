using System.CommandLine;
using Lateen.Api.Diagnostics;
using Lateen.Cli.Printing;
using Lateen.Cli.Remote;
using Lateen.Config.Analysis;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Verbs.Files;

/// <summary>`lateen analyze`: what is wrong between objects, in files, in the mesh, or in the mesh as it would be with the files;
/// istioctl's flags, codes and exit codes.</summary>
internal static class AnalyzeVerb
{
    /// <summary>A file cannot be read as resources (EX_DATAERR).</summary>
    private const int Unreadable = 65;

    /// <summary>Findings at or above the threshold.</summary>
    private const int Found = 79;

    public static Command Command(Terminal terminal)
    {
        var files = new Argument<string[]>("files")
        {
            Description = "files, folders, or - for standard input",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<bool> recursive = Shared.Recursive(), allNamespaces = Shared.AllNamespaces();
        Option<string?> inNamespace = Shared.Namespace(), state = Shared.State();
        var mesh = new Option<bool?>("--use-kube", "-k")
        {
            Description = "look at the running mesh, too (as a rule: when no files are named)",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var meshConfig = new Option<string?>("--meshConfigFile") { Description = "settings of the mesh, as YAML", HelpName = "file" };
        var only = new Option<string[]>("--analyzer")
        {
            Description = "only these analyzers",
            HelpName = "name",
            DefaultValueFactory = _ => [],
        };
        var list = new Option<bool>("--list-analyzers", "-L") { Description = "tell the analyzers' names" };
        var suppress = new Option<string[]>("--suppress", "-S")
        {
            Description = "leave out CODE=Kind name.namespace; * stands for anything",
            HelpName = "code=object",
            DefaultValueFactory = _ => [],
        };
        Option<string> failure = Level("--failure-threshold", "Error", "the level from which the exit code is 79");
        Option<string> threshold = Level("--output-threshold", "Info", "the level from which findings are printed");
        var output = new Option<string>("--output", "-o")
        {
            Description = "one of log, json, yaml",
            HelpName = "format",
            DefaultValueFactory = _ => "log",
        };
        var command = new Command("analyze", "Find what is wrong between resources")
            { files, recursive, inNamespace, allNamespaces, mesh, meshConfig, only, list, suppress, failure, threshold, output, state };
        command.SetAction(async (parsed, cancel) =>
        {
            if (parsed.GetValue(list))
            {
                foreach (Analyzer analyzer in Analyzer.All) terminal.Line(analyzer.Name);
                return 0;
            }
            if (parsed.GetRequiredValue(output) is not ("log" or "json" or "yaml"))
                throw new CommandException($"{parsed.GetRequiredValue(output)} is no format", "Formats are log, json and yaml.",
                    CommandException.Misuse);
            IReadOnlyList<Suppression> suppressed = [.. parsed.GetRequiredValue(suppress).Select(Suppression.Parse)];
            string within = parsed.GetValue(inNamespace) ?? Shared.DefaultNamespace;
            string[] named = parsed.GetValue(files) ?? [];
            var unread = new DiagnosticBag();
            List<Resource> resources = Decode(SourceFiles.Read(named, parsed.GetValue(recursive), terminal), within, unread);
            if (parsed.GetValue(mesh) ?? named.Length == 0) await AddMeshAsync(resources, parsed.GetValue(state), cancel);
            AnalysisOptions options = AnalysisSettings.Of(
                parsed.GetValue(meshConfig) is { } file ? SourceFiles.Read([file], false, terminal)[0].Text : "", DateTimeOffset.UtcNow);

            IEnumerable<Diagnostic> found = Run(ResourceView.Of(resources), options, parsed.GetRequiredValue(only));
            // As istioctl has it: findings are those of one namespace, and of objects that are in none, also where all objects come from
            // files.
            if (!parsed.GetValue(allNamespaces))
                found = found.Where(diagnostic => diagnostic.Resource.Contains($" {within}/", StringComparison.Ordinal)
                    || diagnostic.Resource == "Namespace " + within
                    || (!diagnostic.Resource.Contains('/', StringComparison.Ordinal)
                        && !diagnostic.Resource.StartsWith("Namespace ", StringComparison.Ordinal)));
            List<Diagnostic> kept = [.. found.Where(diagnostic => !suppressed.Any(rule => rule.Covers(diagnostic)))];
            return Answer(terminal, kept, unread, named, Severity(parsed.GetRequiredValue(threshold)),
                Severity(parsed.GetRequiredValue(failure)), parsed.GetRequiredValue(output));
        });
        return command;
    }

    private static List<Resource> Decode(IEnumerable<SourceText> sources, string within, DiagnosticBag unread)
    {
        var decoder = new ResourceDecoder(new DecoderOptions { DefaultNamespace = within, TellUnused = false });
        // Of two texts about one object the later one holds, as with an apply.
        return [.. sources.SelectMany(source => decoder.Decode(source.Text, source.Name, unread)).GroupBy(resource => resource.Key)
            .Select(same => same.Last())];
    }

    private static async Task AddMeshAsync(List<Resource> resources, string? state, CancellationToken cancel)
    {
        using OperatorClient mesh = OperatorClient.Of(state);
        ObjectList stored = await mesh.ObjectsAsync("all", null, null, null, cancel);
        var decoder = new ResourceDecoder(new DecoderOptions { TellUnused = false });
        HashSet<ResourceKey> inFiles = [.. resources.Select(resource => resource.Key)];
        resources.AddRange(stored.Items.SelectMany(item => decoder.Decode(item.Object.ToJsonString(), "", []))
            .Where(resource => !inFiles.Contains(resource.Key)));
    }

    private static IEnumerable<Diagnostic> Run(ResourceView view, AnalysisOptions options, string[] only)
    {
        foreach (string name in only)
        {
            if (!Analyzer.IsKnown(name))
                throw new CommandException($"there is no analyzer {name}", "`lateen analyze -L` lists them.");
        }
        return only.Length == 0 ? Analyzer.Analyze(view, options) : only.SelectMany(name => Analyzer.Analyze(view, options, name));
    }

    private static int Answer(Terminal terminal, List<Diagnostic> found, DiagnosticBag unread, string[] named, DiagnosticLevel threshold,
        DiagnosticLevel failure, string format)
    {
        foreach (Diagnostic diagnostic in unread.Where(diagnostic => diagnostic.IsError)) FindingLines.Print(terminal, diagnostic);
        List<Diagnostic> shown =
        [
            .. found.Where(diagnostic => diagnostic.Level >= threshold).OrderByDescending(diagnostic => diagnostic.Level)
                .ThenBy(diagnostic => diagnostic.Code.Id, StringComparer.Ordinal)
                .ThenBy(diagnostic => diagnostic.Resource, StringComparer.Ordinal)
                .ThenBy(diagnostic => diagnostic.Text, StringComparer.Ordinal),
        ];
        AnalysisReport.Print(terminal, shown, format);
        string about = named.Length > 0 ? string.Join(", ", named) : "the mesh";
        if (shown.Count == 0) terminal.Remark($"✔ No validation issues found when analyzing {about}.", Tone.Good);
        if (unread.HasErrors)
            throw new CommandException("some files could not be read as resources", "Correct what is listed above.", Unreadable);
        if (!found.Exists(diagnostic => diagnostic.Level >= failure)) return 0;
        throw new CommandException($"analysis found issues when analyzing {about}",
            "See https://istio.io/docs/reference/config/analysis for the codes.", Found);
    }

    private static Option<string> Level(string name, string otherwise, string meaning) => new(name)
    {
        Description = $"{meaning}: Info, Warning or Error",
        HelpName = "level",
        DefaultValueFactory = _ => otherwise,
    };

    private static DiagnosticLevel Severity(string said) =>
        Enum.TryParse(said, ignoreCase: true, out DiagnosticLevel level) && !char.IsDigit(said[0])
            ? level : throw new CommandException($"{said} is no level", "Levels are Info, Warning and Error.", CommandException.Misuse);
}

/// <summary>What the user does not want to hear of: a code, or all, on an object, or on all that fit a pattern.</summary>
internal sealed record Suppression(string Code, string Kind, string Name)
{
    /// <summary>Reads <c>IST0101=VirtualService reviews.shop</c>.</summary>
    /// <exception cref="CommandException">It has another form.</exception>
    public static Suppression Parse(string said)
    {
        string[] parts = said.Split('=', 2);
        string[] about = parts.Length == 2 ? parts[1].Split(' ', 2) : [];
        if (about.Length == 1 && about[0] == "*") about = ["*", "*"];
        return about.Length == 2 ? new(parts[0], about[0], about[1])
            : throw new CommandException($"{said} is not a valid suppression value",
                "Write CODE=Kind name.namespace, such as \"IST0102=Namespace default\".");
    }

    public bool Covers(Diagnostic diagnostic)
    {
        string[] words = diagnostic.Resource.Split(' ', 2);
        if (words.Length < 2) return false;
        string[] place = words[1].Split('/', 2);
        return Fits(Code, diagnostic.Code.Id) && Fits(Kind, words[0])
            && Fits(Name, place.Length == 2 ? $"{place[1]}.{place[0]}" : place[0]);
    }

    private static bool Fits(string pattern, string word) =>
        System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, word, ignoreCase: false);
}
