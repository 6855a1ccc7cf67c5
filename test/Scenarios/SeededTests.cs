using System.Diagnostics;
using Xunit;

namespace Lateen.Test.Scenarios;

/// <summary>Histories under accident, by seed.</summary>
public sealed class SeededTests(ITestOutputHelper output)
{
    private static bool IsLong => Environment.GetEnvironmentVariable("LATEEN_LONG") == "1";

    private static ulong First => ulong.TryParse(Environment.GetEnvironmentVariable("LATEEN_SEED"), out ulong seed) ? seed : 1;

    [Fact]
    public void Whatever_happens_requests_are_answered_or_visibly_broken_and_by_nobody_whom_no_route_names()
    {
        (int most, TimeSpan bound) = IsLong ? (20_000, TimeSpan.FromMinutes(20)) : (500, TimeSpan.FromSeconds(60));
        var watch = Stopwatch.StartNew();
        ulong seed = First;
        (int byApplication, int byProxy, int broken) = (0, 0, 0);
        for (int i = 0; i < most && watch.Elapsed < bound; i++, seed++)
        {
            SeededHistory history = Played(seed);
            Assert.True(history.Broken.Count == 0,
                $"seed {seed} (run it alone with LATEEN_SEED={seed}):\n{string.Join('\n', history.Broken)}");
            (int a, int p, int b) = history.Outcomes;
            (byApplication, byProxy, broken) = (byApplication + a, byProxy + p, broken + b);
        }
        string told =
            $"{seed - First} seeds in {watch.Elapsed.TotalSeconds:0.0} s: {byApplication} requests answered by applications, {byProxy} "
            + $"by proxies, {broken} broken";
        output.WriteLine(told);
        TestContext.Current.AddAttachment("histories", told);
        // A run without accidents, or without answers, would prove nothing.
        Assert.True(byApplication > 0 && byProxy > 0 && broken > 0, told);
    }

    [Fact]
    public void The_same_seed_gives_the_same_history_byte_for_byte()
    {
        for (ulong seed = First; seed < First + (IsLong ? 500u : 20u); seed++)
        {
            SeededHistory one = Played(seed), two = Played(seed);
            Assert.True(one.Hash == two.Hash, $"seed {seed}: the histories part at\n{Parting(one.Events, two.Events)}");
        }
    }

    private static SeededHistory Played(ulong seed)
    {
        try
        {
            return SeededHistory.Run(seed);
        }
        catch (Exception defect)
        {
            throw new InvalidOperationException($"seed {seed} (run it alone with LATEEN_SEED={seed}): {defect.Message}", defect);
        }
    }

    private static string Parting(string one, string two)
    {
        foreach ((string left, string right) in one.Split('\n').Zip(two.Split('\n')))
        {
            if (left != right) return $"{left}\n{right}";
        }
        return "the end of the shorter one";
    }
}
