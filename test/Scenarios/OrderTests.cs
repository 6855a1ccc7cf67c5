using System.Diagnostics;
using Xunit;

namespace Lateen.Test.Scenarios;

/// <summary>Orders in which objects are written, by seed.</summary>
public sealed class OrderTests(ITestOutputHelper output)
{
    private static bool IsLong => Environment.GetEnvironmentVariable("LATEEN_LONG") == "1";

    private static ulong First => ulong.TryParse(Environment.GetEnvironmentVariable("LATEEN_SEED"), out ulong seed) ? seed : 1;

    [Fact]
    public void In_whatever_order_objects_are_written_requests_meet_only_what_was_written_and_the_end_is_that_of_a_fresh_start()
    {
        (int most, TimeSpan bound) = IsLong ? (10_000, TimeSpan.FromMinutes(40)) : (200, TimeSpan.FromSeconds(60));
        var watch = Stopwatch.StartNew();
        (int seeds, int answered) = (0, 0);
        for (; seeds < most && watch.Elapsed < bound; seeds++)
        {
            ulong seed = First + (ulong)seeds;
            OrderHistory history = Played(seed);
            Assert.True(history.Broken.Count == 0, $"seed {seed} (run it alone with LATEEN_SEED={seed}):\n{string.Join('\n', history.Told)}\n{string.Join('\n', history.Broken)}");
            answered += history.Answered;
        }
        string told = $"{seeds} seeds in {watch.Elapsed.TotalSeconds:0.0} s: {answered} requests answered";
        output.WriteLine(told);
        TestContext.Current.AddAttachment("orders", told);
        Assert.True(answered > seeds, told);
    }

    private static OrderHistory Played(ulong seed)
    {
        try
        {
            return OrderHistory.Run(seed);
        }
        catch (Exception defect)
        {
            throw new InvalidOperationException($"seed {seed} (run it alone with LATEEN_SEED={seed}): {defect.Message}", defect);
        }
    }
}
