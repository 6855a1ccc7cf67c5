using System.Diagnostics;
using System.Text.Json;

namespace Lateen.Test.Conformance.Frame;

/// <summary>One run over a folder of vectors.</summary>
public sealed class Session(string vectors, IReadOnlyList<FolderRunner> runners, Ratchet? ratchet)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly List<(string Folder, CaseResult Result)> _verdicts = [];
    private readonly List<string> _fallenBack = [];

    /// <summary>Cases that passed.</summary>
    public int Passed => _verdicts.Count(v => v.Result.Passed);

    /// <summary>Cases that passed before and fail now.</summary>
    public IReadOnlyList<string> FallenBack => _fallenBack;

    /// <summary>All folders below the vectors, those of proxy/ one by one.</summary>
    public static IReadOnlyList<string> Folders(string vectors) =>
    [
        .. Directory.EnumerateDirectories(vectors).Select(d => Path.GetFileName(d)!).Where(n => n != "proxy")
            .Concat(Directory.Exists(Path.Combine(vectors, "proxy"))
                ? Directory.EnumerateDirectories(Path.Combine(vectors, "proxy")).Select(d => "proxy/" + Path.GetFileName(d)) : [])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Plays the folders that are wanted.</summary>
    public void Run(Func<string, bool> wanted, bool verbose)
    {
        // Folders that play traffic mostly wait: four at a time. The order of what is printed stays that of the names.
        foreach ((string folder, List<CaseResult> results, TimeSpan took) in Folders(vectors).Where(wanted).AsParallel().AsOrdered()
            .WithDegreeOfParallelism(4)
            .WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(Timed))
        {
            _verdicts.AddRange(results.Select(r => (folder, r)));
            System.Console.WriteLine($"{folder}: {results.Count(r => r.Passed)}/{results.Count} ({took.TotalSeconds:0.0} s)");
            foreach (CaseResult failed in results.Where(r => !r.Passed && verbose))
                System.Console.WriteLine($"  {failed.Name}: {failed.Reason}");
            HoldAgainst(folder, results);
        }
    }

    private (string Folder, List<CaseResult> Results, TimeSpan Took) Timed(string folder)
    {
        var clock = Stopwatch.StartNew();
        return (folder, Play(folder), clock.Elapsed);
    }

    private List<CaseResult> Play(string folder)
    {
        FolderRunner? runner = runners.FirstOrDefault(r => r.Folder == folder)
            ?? runners.FirstOrDefault(
                r => r.Folder.EndsWith("/*", StringComparison.Ordinal) && folder.StartsWith(r.Folder[..^1], StringComparison.Ordinal));
        if (runner is null)
            return [CaseResult.Fail("(folder)", "no runner for this folder yet")];
        var results = new List<CaseResult>();
        try
        {
            foreach (CaseResult result in runner.Run(Path.Combine(vectors, folder)))
                results.Add(result);
        }
        catch (Exception e)
        {
            // A runner that breaks must not hide what the other folders do; the folder fails by name.
            results.Add(CaseResult.Fail("(folder)", $"the runner broke: {e}"));
        }
        return results;
    }

    private void HoldAgainst(string folder, List<CaseResult> results)
    {
        if (ratchet is null)
            return;
        HashSet<string> now = [.. results.Where(r => r.Passed).Select(r => r.Name)];
        foreach (string name in ratchet.Read(folder).Where(n => !now.Contains(n)))
        {
            string reason = results.FirstOrDefault(r => r.Name == name)?.Reason ?? "the case is gone";
            _fallenBack.Add($"{folder}: {name}: {reason}");
        }
    }

    /// <summary>Adds what passes now to the ratchet.</summary>
    public void Tighten()
    {
        foreach (IGrouping<string, (string Folder, CaseResult Result)> folder in _verdicts.GroupBy(v => v.Folder))
        {
            List<string> passed = [.. folder.Where(v => v.Result.Passed).Select(v => v.Result.Name)];
            if (passed.Count > 0)
                ratchet?.Write(folder.Key, passed);
        }
    }

    /// <summary>Writes every verdict with its reason as JSON.</summary>
    public void Report(string file)
    {
        using FileStream stream = File.Create(file);
        JsonSerializer.Serialize(stream, _verdicts.GroupBy(v => v.Folder).ToDictionary(g => g.Key, g => new
        {
            passed = g.Count(v => v.Result.Passed),
            total = g.Count(),
            cases = g.Select(v => new { name = v.Result.Name, passed = v.Result.Passed, reason = v.Result.Reason }),
        }), Indented);
    }
}
