using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Lateen.Test.Real.Stands.Proxies;

/// <summary>A proxy is replaced by another process, again and again, under traffic.</summary>
public sealed class HotRestartStand(ITestOutputHelper output) : IAsyncLifetime
{
    private readonly OneProxy _proxy = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await _proxy.DisposeAsync();

    [Fact]
    public async Task No_connection_is_refused_and_no_answer_broken_while_processes_take_each_others_place()
    {
        using var upstream = new SlowUpstream(TimeSpan.FromMilliseconds(100));
        string bootstrap = _proxy.Bootstrap("""{"match":{"prefix":"/"},"route":{"cluster":"up"}}""", OneProxy.Cluster("up", upstream.Port));
        string series = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        string[] Arguments(int epoch) =>
            ["--restart-epoch", epoch.ToString(CultureInfo.InvariantCulture), "--base-id", series, "--drain-time-s", "1",
                "--drain-strategy", "immediate", "--parent-shutdown-time-s", "3"];
        Process running = await _proxy.StartAsync(bootstrap, null, Arguments(0));
        using var over = new CancellationTokenSource();
        var clients = new PlainClients(_proxy.Port, "/");
        Task[] all = [.. Enumerable.Range(0, 8).Select(i => clients.RunAsync(i < 4 ? 1 : 50, over.Token))];
        int restarts = Lateen.IsLong ? 6 : 2;
        for (int epoch = 1; epoch <= restarts; epoch++)
        {
            Process next = await _proxy.StartAsync(bootstrap, null, Arguments(epoch));
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            await running.WaitForExitAsync(patience.Token);
            Assert.Equal(0, running.ExitCode);
            Assert.False(next.HasExited, _proxy.Said);
            running = next;
        }
        await over.CancelAsync();
        await Task.WhenAll(all);
        output.WriteLine($"{restarts} restarts, {clients.Good} answers, {clients.Wrong}");
        Assert.True(clients.AllGood, $"{clients.Good} good, {clients.Wrong}\n{_proxy.Said}");
        Assert.True(clients.Good > 100);
    }
}
