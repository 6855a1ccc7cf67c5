using System.Diagnostics;
using System.Text.Json;
using Lateen.Test.Conformance.Frame;

namespace Lateen.Test.Conformance.Runners;

/// <summary>Traffic recorded from Envoy, played against <c>lateen proxy</c> by the tool proxy-replay, which lies beside the
/// vectors.</summary>
public sealed class ProxyReplayRunner(string root) : FolderRunner
{
    /// <inheritdoc/>
    public override string Folder => "proxy/*";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        using JsonDocument suite = JsonDocument.Parse(File.ReadAllText(Path.Combine(path, "suite.json")));
        List<string> names = [.. suite.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("name").GetString()!)];

        // Fixed ports can't be bound a second time by the tool's own second try, nor while another suite has them: such a suite gets a
        // network of its own, and each try a process.
        bool alone = suite.RootElement.TryGetProperty("ports", out _);
        List<CaseResult> results = Play(path, names, alone);
        return alone && results.Exists(r => !r.Passed)
            ? [.. results.Zip(Play(path, names, alone), (one, other) => one.Passed ? one : other)] : results;
    }

    private List<CaseResult> Play(string path, List<string> names, bool alone)
    {
        string result = Path.GetTempFileName();
        try
        {
            string[] command = [Tool(path), "--proxy", Command(), "--json", result, "--tries", alone ? "1" : "2", path];
            if (alone && MayUnshare.Value)
                command = ["unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", .. command];
            var start = new ProcessStartInfo(command[0]) { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (string argument in command[1..])
                start.ArgumentList.Add(argument);
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
                process.Kill(entireProcessTree: true);
            return Verdicts(result, names, output.Result + errors.Result);
        }
        finally
        {
            File.Delete(result);
        }
    }

    // A network namespace of one's own needs a right that not every machine gives.
    private static readonly Lazy<bool> MayUnshare = new(() =>
    {
        try
        {
            using Process probe = Process.Start(
                new ProcessStartInfo("unshare", ["--net", "sh", "-c", "ip link set lo up"]) { RedirectStandardError = true })!;
            probe.WaitForExit();
            return probe.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    });

    private string Tool(string path)
    {
        string beside = Path.GetFullPath(Path.Combine(path, "..", "..", "..", "tools", "proxy-replay"));
        return File.Exists(beside) ? beside : Path.Combine(root, "..", "shared", "tools", "proxy-replay");
    }

    // The program that was built beside this one, so that nothing is built or looked up at each start.
    private string Command()
    {
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Name;
        return $"{Path.Combine(root, ".build", "bin", "Cli", configuration, "lateen")} proxy -c {{config}} --concurrency 1 "
            + $"--file-flush-interval-msec 50";
    }

    private static List<CaseResult> Verdicts(string result, List<string> names, string output)
    {
        string text = File.ReadAllText(result);
        if (text.Length == 0)
            return [.. names.Select(n => CaseResult.Fail(n, $"the suite did not run: {Last(output)}"))];
        using JsonDocument report = JsonDocument.Parse(text);
        var byCase = report.RootElement.EnumerateObject()
            .ToDictionary(p => p.Name[(p.Name.IndexOf('/', StringComparison.Ordinal) + 1)..], p => p.Value.Clone());
        return [.. names.Select(n => Verdict(byCase, n))];
    }

    private static CaseResult Verdict(Dictionary<string, JsonElement> report, string name)
    {
        if (!report.TryGetValue(name, out JsonElement found))
            return CaseResult.Fail(name, "the report has no such case");
        if (found.GetProperty("verdict").GetString() == "pass")
            return CaseResult.Pass(name);
        return CaseResult.Fail(name,
            string.Join("; ", found.GetProperty("differences").EnumerateArray().Take(6).Select(d => d.GetString())));
    }

    private static string Last(string output) => output.Length > 500 ? output[^500..] : output;
}
