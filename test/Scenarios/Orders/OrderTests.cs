using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>Orders in which objects are written, by seed.</summary>
public sealed class OrderTests(ITestOutputHelper output)
{
    private const int TriesToShorten = 150, FailuresMax = 3;

    private static bool IsLong => Environment.GetEnvironmentVariable("LATEEN_LONG") == "1";

    private static long Number(string variable, long otherwise) =>
        long.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out long number) ? number : otherwise;

    [Fact]
    public void In_whatever_order_objects_are_written_requests_meet_only_what_was_written_and_the_end_is_that_of_a_fresh_start()
    {
        (long most, TimeSpan bound) = IsLong ? (10_000, TimeSpan.FromMinutes(55)) : (200, TimeSpan.FromSeconds(60));
        (long first, long seeds) = (Number("LATEEN_SEED", 1), Number("LATEEN_SEEDS", most));
        if (seeds > most) bound = TimeSpan.FromHours(24);
        bound = TimeSpan.FromSeconds(Number("LATEEN_SECONDS", (long)bound.TotalSeconds));
        var watch = Stopwatch.StartNew();
        var failures = new ConcurrentBag<string>();
        (int played, int judged, int answered) = (0, 0, 0);
        // Beside other tests one at a time, so that everybody has his share of the machine.
        Parallel.For(first, first + seeds,
            new ParallelOptions { MaxDegreeOfParallelism = (int)Number("LATEEN_WORKERS", IsLong ? Environment.ProcessorCount : 1) },
            (seed, loop) =>
            {
                if (watch.Elapsed > bound || failures.Count >= FailuresMax)
                {
                    loop.Stop();
                    return;
                }
                var plan = OrderPlan.Of((ulong)seed);
                OrderRun run = OrderRun.Of(plan);
                Interlocked.Increment(ref played);
                Interlocked.Add(ref judged, run.Judged);
                Interlocked.Add(ref answered, run.Answered);
                if (run.Broken.Count > 0) failures.Add(Told(plan, run));
            });
        string told =
            $"{played} seeds in {watch.Elapsed.TotalSeconds:0.0} s: {judged} requests judged, {answered} answered by applications";
        output.WriteLine(told);
        TestContext.Current.AddAttachment("orders", told);
        Assert.True(failures.IsEmpty, told + "\n" + string.Join("\n\n", failures.Order(StringComparer.Ordinal)));
        // Plans in which nothing was ever answered would prove nothing.
        Assert.True(answered > 10 * played && judged > answered, told);
    }

    private static string Told(OrderPlan plan, OrderRun run)
    {
        OrderPlan shorter = Shortening.Of(plan, static one => OrderRun.Of(one).Broken.Count > 0, TriesToShorten);
        OrderRun last = OrderRun.Of(shorter);
        return $"seed {plan.Seed} (alone: ./run-tests orders --seed {plan.Seed} --seeds 1): {string.Join('\n', run.Broken)}\nshortened "
            + $"from {plan.Acts.Count} acts to {shorter.Acts.Count}: {shorter}\n{string.Join('\n', last.Broken)}";
    }
}
