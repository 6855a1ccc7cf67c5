using System.Diagnostics;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Server;
using Lateen.Test.Rigs.Stage;
using Xunit;

namespace Lateen.Test.Scenarios;

/// <summary>Tests that measure the memory of the process: nothing else may run beside them.</summary>
[CollectionDefinition(nameof(AloneInTheProcess), DisableParallelization = true)]
public sealed class AloneInTheProcess;

/// <summary>A day of simulated time with configuration that never rests: what it leaves behind must not grow with it.</summary>
[Collection(nameof(AloneInTheProcess))]
public sealed class DayTests(ITestOutputHelper output)
{
    private const long MicrosPerMinute = 60_000_000;
    private const int MinutesPerRound = 15, Rounds = 24 * 60 / MinutesPerRound, WarmRounds = Rounds / 4;
    // The subsets' names and labels repeat after eight rounds: this round is like the last one of the day.
    private const int FirstRounds = 7;
    private const long GrowthBytesMax = 6 << 20;

    [Fact]
    public void After_a_day_of_changes_a_proxy_holds_what_it_held_in_the_morning()
    {
        var watch = Stopwatch.StartNew();
        var mesh = new Mesh(1);
        mesh.AddService("front", "default", new PortManifest(9080, 9080, "http"));
        mesh.AddService("back", "default", new PortManifest(9080, 9080, "http"));
        Pod front = mesh.AddPod("front", "v1", "default"), back = mesh.AddPod("back", "v1", "default");
        mesh.AddPod("back", "v2", "default");
        mesh.Settle();
        (long bytes, int series) before = default;
        (string front, string back) held = default;
        for (int round = 0; round < Rounds; round++)
        {
            if (round == WarmRounds) before = (GC.GetTotalMemory(forceFullCollection: true), Series(front));
            Change(mesh, round);
            mesh.Settle();
            Call[] calls = [.. Enumerable.Range(0, 4)
                .Select(_ => mesh.Call(front.Application!.Loop, mesh.Resolve("back", 9080), new CallRequest("GET", "/", "back:9080", []),
                    front))];
            mesh.Await(calls);
            Assert.All(calls, call => Assert.Equal((200, (string?)null), (call.Status, call.Broken)));
            mesh.Calls.Clear();
            foreach (Pod pod in mesh.Pods) pod.Log.Lines.Clear();
            mesh.Network.Advance(MinutesPerRound * MicrosPerMinute);
            // By now each of the names that come and go has been there once.
            if (round == FirstRounds) held = (Held(front), Held(back));
        }
        (string front, string back) holds = (Held(front), Held(back));
        // Longer than any idle clock: what is still open now would stay open for ever.
        mesh.Network.Advance(2 * 60 * MicrosPerMinute);
        (long bytes, int series) after = (GC.GetTotalMemory(forceFullCollection: true), Series(front));
        output.WriteLine($"front: {holds.front}; back: {holds.back}");
        output.WriteLine($"{Rounds} rounds in {watch.Elapsed.TotalSeconds:0.0} s; {before.bytes >> 10} KB and {before.series} series "
            + $"before, {after.bytes >> 10} KB and {after.series} after");
        Assert.True(after.bytes - before.bytes < GrowthBytesMax, $"grew by {(after.bytes - before.bytes) >> 10} KB");
        Assert.True(after.series <= before.series + 10, $"{before.series} series became {after.series}");
        Assert.Equal(held.front, holds.front);
        Assert.Equal(held.back, holds.back);
        foreach (Pod pod in (Pod[])[front, back])
        {
            foreach ((string name, long value) in Gauges(pod)
                .Where(g => g.Name.EndsWith("downstream_cx_active", StringComparison.Ordinal)
                    || g.Name.EndsWith("rq_active", StringComparison.Ordinal)
                    || g.Name.EndsWith("rq_pending_active", StringComparison.Ordinal)))
                Assert.True(value == 0, $"{pod.Name}: {name} is {value}");
        }
        GC.KeepAlive(mesh);
    }

    // Everything of a proxy that is counted one by one, at the end of a round of quiet: sockets, connections, deadlines, bytes that wait,
    // clusters and listeners. The hours differ in the names of subsets alone.
    private static string Held(Pod pod)
    {
        ProxyServer proxy = pod.Proxy!;
        MemoryLoop[] loops = [(MemoryLoop)proxy.Main, .. proxy.Workers.Select(static w => (MemoryLoop)w.Loop)];
        return $"{pod.Host.OpenSockets} sockets, {loops.Sum(static l => l.OpenConnections)} connections, "
            + $"{loops.Sum(static l => l.Waiting.Bytes)} bytes that wait, {proxy.Clusters.All.Count(static c => c.Current is not null)} "
            + $"clusters, {proxy.Listeners.All.Count} listeners, {loops.Sum(static l => l.ArmedDeadlines)} deadlines";
    }

    private static int Series(Pod pod) => pod.Proxy!.Statistics.All().Length;

    private static List<(string Name, long Value)> Gauges(Pod pod)
    {
        var all = new List<(string, long)>();
        foreach (Lateen.Proxy.Statistics.StatSeries series in pod.Proxy!.Statistics.All())
        {
            // What the proxy keeps open to its control plane is meant to stay.
            if (series.Kind == Lateen.Proxy.Statistics.StatKind.Gauge && !series.Name.Contains("xds-grpc", StringComparison.Ordinal))
                all.Add((series.Name, series.Value));
        }
        return all;
    }

    // Subsets of ever new names: clusters and routes come and go.
    private static void Change(Mesh mesh, int round) =>
        mesh.ApplyOrFail("rule", ChosenSubset.Yaml($"chosen{round % 8}", 1 + (round % 2)));
}
