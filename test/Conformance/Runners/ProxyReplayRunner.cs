using System.Diagnostics;
using System.Text.Json;
using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners;

/// <summary>Traffic recorded from Envoy, played against <c>lateen proxy</c> by the tool proxy-replay, which lies beside the vectors.</summary>
public sealed class ProxyReplayRunner(string root) : FolderRunner
{
    /// <inheritdoc/>
    public override string Folder => "proxy/*";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        string tool = Tool(path);
        string result = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo(tool) { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (string argument in (string[])["--proxy", Command(), "--json", result, "--tries", "2", path])
                start.ArgumentList.Add(argument);
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
                process.Kill(entireProcessTree: true);
            return Verdicts(result, path, output.Result + errors.Result);
        }
        finally
        {
            File.Delete(result);
        }
    }

    private string Tool(string path)
    {
        string beside = Path.GetFullPath(Path.Combine(path, "..", "..", "..", "tools", "proxy-replay"));
        return File.Exists(beside) ? beside : Path.Combine(root, "..", "shared", "tools", "proxy-replay");
    }

    // The program that was built beside this one, so that nothing is built or looked up at each start.
    private string Command()
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Name;
        return $"{Path.Combine(root, ".build", "bin", "Cli", configuration, "lateen")} proxy -c {{config}} --concurrency 1 --file-flush-interval-msec 50";
    }

    private static List<CaseResult> Verdicts(string result, string path, string output)
    {
        using JsonDocument suite = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "suite.json")));
        List<string> names = [.. suite.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("name").GetString()!)];
        string text = File.ReadAllText(result);
        if (text.Length == 0)
            return [.. names.Select(n => CaseResult.Fail(n, $"the suite did not run: {Last(output)}"))];
        using JsonDocument report = JsonDocument.Parse(text);
        var byCase = report.RootElement.EnumerateObject().ToDictionary(p => p.Name[(p.Name.IndexOf('/', StringComparison.Ordinal) + 1)..], p => p.Value.Clone());
        return [.. names.Select(n => Verdict(byCase, n))];
    }

    private static CaseResult Verdict(Dictionary<string, JsonElement> report, string name)
    {
        if (!report.TryGetValue(name, out JsonElement found))
            return CaseResult.Fail(name, "the report has no such case");
        if (found.GetProperty("verdict").GetString() == "pass")
            return CaseResult.Pass(name);
        return CaseResult.Fail(name, string.Join("; ", found.GetProperty("differences").EnumerateArray().Take(6).Select(d => d.GetString())));
    }

    private static string Last(string output) => output.Length > 500 ? output[^500..] : output;
}
