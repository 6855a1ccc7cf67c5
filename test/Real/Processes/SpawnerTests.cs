using System.Globalization;
using Lateen.Cli.Network;
using Lateen.Cli.Processes;
using Xunit;

namespace Lateen.Test.Real.Processes;

/// <summary>Children of real programs: /bin/sh and what every machine has.</summary>
public sealed class SpawnerTests : IDisposable
{
    private static readonly Spawner Spawner = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-test-").FullName;

    [Theory]
    [InlineData("exit 7", 7)]
    [InlineData("kill -9 $$", 137)]
    [InlineData("true", 0)]
    public async Task The_exit_code_is_that_of_a_shell(string script, int code) =>
    Assert.Equal(code, await Spawner.RunAsync(Shell(script)));

    [Fact]
    public async Task A_program_that_is_not_there_is_said_to_be_missing()
    {
        PosixException missing = await Assert.ThrowsAsync<PosixException>(
            () => Spawner.StartAsync(new ProcessSpec { Program = "/no/such/program" }));
        Assert.Equal(2, missing.Errno);
        Assert.Contains("/no/such/program", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Input_environment_folder_and_output_are_the_childs()
    {
        var spec = Shell("cat; echo $COLOUR; pwd") with
        {
            Input = "words\n",
            Folder = _folder,
            Environment = new Dictionary<string, string> { ["COLOUR"] = "red" },
        };
        Assert.Equal(0, await Spawner.RunAsync(spec));
        Assert.Equal(["words", "red", _folder], await File.ReadAllLinesAsync(spec.Log!, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_a_child_started_ends_with_it()
    {
        ProcessSpec spec = Shell("sleep 600 & echo $!; wait");
        Child child = await Spawner.StartAsync(spec);
        int grandchild = int.Parse(await FirstLineAsync(spec.Log!), CultureInfo.InvariantCulture);
        Assert.True(Lives(grandchild));
        await child.StopAsync(TimeSpan.FromSeconds(5));
        await UntilAsync(() => !Lives(grandchild));
    }

    // Code that the runtime makes inside a child, in memory that both share, spoils the parent: it did, before fork was rehearsed.
    [Fact]
    public async Task Many_children_are_started_while_the_heap_is_busy()
    {
        using var busy = new CancellationTokenSource();
        Task allocating = Task.Run(() =>
        {
            var kept = new List<byte[]>();
            while (!busy.IsCancellationRequested)
            {
                kept.Add(new byte[8192]);
                if (kept.Count > 2000) kept.Clear();
            }
        }, TestContext.Current.CancellationToken);
        int[] codes = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Spawner.RunAsync(Shell($"exit {i % 5}"))));
        await busy.CancelAsync();
        await allocating;
        Assert.Equal(Enumerable.Range(0, 100).Select(i => i % 5), codes);
    }

    [Fact]
    public async Task A_supervised_program_is_started_again_until_it_is_stopped()
    {
        string count = Path.Combine(_folder, "count");
        var supervised = new Supervised("it", Spawner, () => Shell($"echo x >> {count}; exit 3"), _ => { });
        await supervised.StartAsync();
        await UntilAsync(() => File.Exists(count) && File.ReadAllLines(count).Length >= 3);
        await supervised.StopAsync(TimeSpan.FromSeconds(1));
        int starts = File.ReadAllLines(count).Length;
        Assert.Null(supervised.ProcessId);
        // One that was ended before its first line has left none.
        Assert.InRange(starts, supervised.Restarts, supervised.Restarts + 1);
    }

    [Fact]
    public async Task A_workloads_network_has_its_own_address_and_goes_with_its_last_user()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "it needs root");
        Assert.SkipWhen(TransparentCapture.Obstacle() is not null, TransparentCapture.Obstacle() ?? "");
        string log = Path.Combine(_folder, "network");
        Subnet subnet;
        using (TransparentCapture capture = await TransparentCapture.CreateAsync(Spawner, log))
        {
            subnet = capture.Subnet;
            Placement first = await capture.PlaceAsync(0, [80]), second = await capture.PlaceAsync(1, [80]);
            ProcessSpec show = Shell("ip -o -4 addr show dev eth0; iptables -t nat -S ISTIO_INBOUND") with { Network = second.Network };
            Assert.Equal(0, await Spawner.RunAsync(show));
            string said = await File.ReadAllTextAsync(show.Log!, TestContext.Current.CancellationToken);
            Assert.Contains($"inet {second.Address}/16", said, StringComparison.Ordinal);
            Assert.Contains("-j ISTIO_IN_REDIRECT", said, StringComparison.Ordinal);
            Assert.NotEqual(first.Address, second.Address);
            Assert.True(Directory.Exists($"/sys/class/net/{subnet.Cable}"));
        }
        await UntilAsync(() => !Directory.Exists($"/sys/class/net/{subnet.Cable}"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private ProcessSpec Shell(string script) =>
        new() { Program = "/bin/sh", Arguments = ["-c", script], Log = Path.Combine(_folder, Guid.NewGuid().ToString("N")) };

    private static bool Lives(int id)
    {
        try { return !File.ReadAllText($"/proc/{id}/stat").Contains(") Z ", StringComparison.Ordinal); }
        catch (IOException) { return false; }
    }

    private static async Task<string> FirstLineAsync(string path)
    {
        await UntilAsync(() => File.Exists(path) && File.ReadAllText(path).Contains('\n', StringComparison.Ordinal));
        return File.ReadLines(path).First();
    }

    // What the kernel does on its own cannot be waited for otherwise.
    private static async Task UntilAsync(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        for (int i = 0; i < 1000; i++)
        {
            if (condition()) return;
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
        Assert.Fail("the condition did not come true within 10 s");
    }
}
