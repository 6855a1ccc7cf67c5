using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Lateen.Bench.Load;

/// <summary>One proxy and what was measured of it.</summary>
internal sealed partial class Contestant(string name, int port, Process process, int loadCore)
{
    private readonly List<double> _costs = [], _rates = [];

    public string Name => name;

    /// <summary>CPU microseconds a request.</summary>
    public double Median => Middle(_costs);

    public double Least => _costs.Min();

    public double Most => _costs.Max();

    /// <summary>Requests a second.</summary>
    public double Rate => Middle(_rates);

    public long ResidentMegabytes => Tree(process.Id).Sum(p => Status(p, "VmRSS:")) / 1024;

    /// <summary>One round of 64 connections that ask as fast as they are answered.</summary>
    public void Run(Work work, int seconds, bool isCounted)
    {
        double before = CpuMicros();
        long requests = Load(work, seconds);
        if (!isCounted)
            return;
        _costs.Add((CpuMicros() - before) / Math.Max(1, requests));
        _rates.Add((double)requests / seconds);
    }

    private long Load(Work work, int seconds)
    {
        string[] headers = ["user-agent: bench/1.0", "accept: */*", "end-user: tom", "cookie: session=abcdef0123456789",
            "x-forwarded-proto: http"];
        if (work.Host.Length > 0)
            headers = [.. headers, "Host: " + work.Host];
        string core = loadCore.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("taskset",
            ["-c", core, "wrk", "-t1", "-c64", $"-d{seconds}s", .. headers.SelectMany(h => new[] { "-H", h }),
                $"http://127.0.0.1:{port}/v1/x"]) { RedirectStandardOutput = true };
        using Process wrk = Process.Start(start)!;
        string said = wrk.StandardOutput.ReadToEnd();
        wrk.WaitForExit();
        if (Trouble().Match(said) is { Success: true } trouble)
            throw new InvalidOperationException($"{name}, {work.Name}: {trouble.Value}");
        return Requests().Match(said) is { Success: true } found ? long.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"{name}: wrk says {said}");
    }

    /// <summary>User and system time of all processes, threads that ended included (proc(5): fields 14 and 15 of stat, in hundredths of a
    /// second).</summary>
    public double CpuMicros() => Tree(process.Id).Select(p => File.ReadAllText($"/proc/{p}/stat")).Sum(stat =>
    {
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) * 10_000;
    });

    private static IEnumerable<int> Tree(int root)
    {
        yield return root;
        foreach (string child in File.ReadAllText($"/proc/{root}/task/{root}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (int below in Tree(int.Parse(child, CultureInfo.InvariantCulture)))
                yield return below;
        }
    }

    private static long Status(int id, string field) =>
        long.Parse(File.ReadLines($"/proc/{id}/status").First(l => l.StartsWith(field, StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2].Trim('\t'), CultureInfo.InvariantCulture);

    private static double Middle(List<double> values) => values.Order().ElementAt(values.Count / 2);

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Requests();

    [GeneratedRegex("Socket errors.*|Non-2xx.*")]
    private static partial Regex Trouble();
}
