using System.Globalization;

namespace Lateen.Bench.Load.Moments;

/// <summary>Workers share nothing: what a request costs with one worker and with two, over the same two cores.</summary>
internal static class WorkersBench
{
    /// <summary>The rows of the table.</summary>
    public static IEnumerable<string> Run(string lateen, int rounds, int seconds)
    {
        using var lab = new Lab();
        int backend = lab.Backend();
        var work = new Work("http1");
        Contestant[] all = [.. new[] { 1, 2 }.Select(n => lab.StartLateen($"{n} worker{(n > 1 ? "s" : "")}", work, backend, lateen, n))];
        for (int round = 0; round <= rounds; round++)
        {
            foreach (Contestant contestant in all)
                contestant.Run(work, seconds, isCounted: round > 0);
        }
        yield return "| workers | CPU µs a request: median (least–most) | requests a second |";
        yield return "|---|---|---|";
        foreach (Contestant c in all)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"| {c.Name} | {c.Median:F1} ({c.Least:F1}–{c.Most:F1}) | {c.Rate:F0} |");
    }
}
