// Planes: control planes as processes, without an API server: what they keep when they are killed, what they say of clients that behave
// badly, how several stand beside each other. Clients are the tests' own gRPC client over real sockets; operators are the verbs.
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Lateen.Test.Real.Cluster;
using Xunit;

namespace Lateen.Test.Real.Planes;

/// <summary>`kill -9` while applies and deletes are under way and files are written into the watched folder: after each restart everything
/// acknowledged is there, what was not answered is there whole or not at all, and proxies are told what they would be told by a control
/// plane that never saw any of it.</summary>
public sealed class KillStand(ITestOutputHelper output) : IDisposable
{
    private const int Writers = 3, Files = 2;
    private static readonly int Rounds = Stands.Lateen.IsLong ? 60 : 3, ComparedEvery = Stands.Lateen.IsLong ? 5 : 3;
    private readonly string _folder = Directory.CreateTempSubdirectory("lateen-kill-").FullName;
    private readonly int[] _files = new int[Files];

    private string State => Path.Combine(_folder, "state");

    private string Watched => Path.Combine(_folder, "files");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Killed_at_any_moment_it_keeps_what_it_acknowledged_and_nothing_by_half()
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("LATEEN_SEED"), out int asked) ? asked : 20_261_122;
        var chance = new Random(seed);
        PairWriter[] writers = [.. Enumerable.Range(0, Writers).Select(i => new PairWriter(i, seed + i))];
        Directory.CreateDirectory(Watched);
        string services = string.Join("---\n", writers.Select(writer => writer.Services()));
        await File.WriteAllTextAsync(Path.Combine(Watched, "services.yaml"), services, Cancel);
        for (int round = 0; round < Rounds; round++)
        {
            await KillWhileItStartsAsync(chance);
            await using ControlPlaneProcess plane = Begin();
            await plane.UntilReadyAsync();
            await VerifyAsync(plane, writers);
            if (round % ComparedEvery == ComparedEvery - 1) await CompareAsync(plane, writers);
            await KillUnderChangesAsync(plane, writers, chance);
        }
        await using ControlPlaneProcess last = Begin();
        await last.UntilReadyAsync();
        await VerifyAsync(last, writers);
        output.WriteLine($"seed {seed}: {Rounds} rounds, {writers.Sum(writer => writer.Count)} changes acknowledged");
        Assert.True(writers.Sum(writer => writer.Count) > Rounds, "hardly a change was acknowledged");
    }

    private ControlPlaneProcess Begin() => ControlPlaneProcess.Begin(State, "killed", "--config-dir", Watched, "--debounce", "5");

    // Keys of the authority, the journal and the address are made or read while it starts.
    private async Task KillWhileItStartsAsync(Random chance)
    {
        await using ControlPlaneProcess plane = Begin();
        using var moment = new PeriodicTimer(TimeSpan.FromMilliseconds(chance.Next(1, 700)));
        await moment.WaitForNextTickAsync(Cancel);
        await plane.KillAsync();
    }

    private async Task KillUnderChangesAsync(ControlPlaneProcess plane, PairWriter[] writers, Random chance)
    {
        using HttpClient operators = plane.Operator();
        int before = writers.Sum(writer => writer.Count), changes = chance.Next(1, 40);
        Task[] running = [.. writers.Select(writer => writer.RunAsync(operators))];
        Task files = WriteFilesAsync(running);
        Assert.True(await Stands.Lateen.UntilAsync(() => writers.Sum(writer => writer.Count) - before >= changes, 30), plane.Said);
        // Somewhere within the change that comes next.
        for (int spins = chance.Next(200_000); spins > 0; spins--) Thread.SpinWait(1);
        await plane.KillAsync();
        await Task.WhenAll(running);
        await files;
    }

    // As an editor writes: neither at once nor under another name.
    private async Task WriteFilesAsync(Task[] until)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(15));
        for (int i = 0; !Array.TrueForAll(until, task => task.IsCompleted); i++)
        {
            int number = ++_files[i % Files];
            await File.WriteAllTextAsync(Path.Combine(Watched, FileOf(i % Files) + ".yaml"), Entry(i % Files, number), Cancel);
            await timer.WaitForNextTickAsync(Cancel);
        }
    }

    private async Task VerifyAsync(ControlPlaneProcess plane, PairWriter[] writers)
    {
        using HttpClient operators = plane.Operator();
        JsonArray objects = (await AskAsync(operators, "objects?kind=all"))["items"]!.AsArray();
        int Number(string kind, string name) => objects.Where(item => (string?)item!["kind"] == kind
            && (string?)item["object"]!["metadata"]!["name"] == name)
            .Select(item => int.Parse((string)item!["object"]!["metadata"]!["annotations"]!["number"]!, CultureInfo.InvariantCulture))
            .SingleOrDefault();
        foreach (PairWriter writer in writers) writer.Verify(Number);
        // Files are read before anybody is served.
        for (int file = 0; file < Files; file++) Assert.Equal(_files[file], Number("ServiceEntry", FileOf(file)));
        string[] revisions = [.. Directory.EnumerateFiles(Path.Combine(State, "revisions")).Order(StringComparer.Ordinal)];
        JsonArray history = (await AskAsync(operators, "history?most=10000"))["items"]!.AsArray();
        Assert.Equal(revisions.Length, history.Count);
        Assert.Equal(Enumerable.Range(1, revisions.Length), history.Select(row => (int)row!["revision"]!).Reverse());
        string[] leftovers = [.. Directory.EnumerateFiles(State, "*", SearchOption.AllDirectories)
            .Where(file => Path.GetExtension(file) is ".tmp" or ".new")];
        Assert.Empty(leftovers);
        Assert.DoesNotContain("\tfault\t", plane.Said, StringComparison.Ordinal);
    }

    // Somebody who starts with nothing, and is told the same objects by their texts.
    private async Task CompareAsync(ControlPlaneProcess plane, PairWriter[] writers)
    {
        await using ControlPlaneProcess fresh = await ControlPlaneProcess.StartAsync("fresh", "--config-dir", Watched, "--debounce", "5");
        using HttpClient operators = fresh.Operator();
        object[] sources = [.. writers.SelectMany(writer => writer.Written()).Select(yaml => new { name = "all.yaml", text = yaml })];
        using HttpResponseMessage applied = await operators.PostAsJsonAsync("apply", new { sources, dryRun = false }, Cancel);
        Assert.True(applied.IsSuccessStatusCode);
        JsonObject waited = await AskAsync(operators, "wait?timeout=20s");
        Assert.True((bool)waited["converged"]!, waited.ToJsonString());
        SortedDictionary<string, ByteString> told = await Discovered.AllAsync(plane.Grpc, "default"),
            expected = await Discovered.AllAsync(fresh.Grpc, "default");
        Assert.Contains(told.Keys, name => name.StartsWith("Cluster outbound|80|n", StringComparison.Ordinal));
        Assert.Equal(expected.Keys, told.Keys);
        Assert.All(expected, pair => Assert.True(told[pair.Key].Equals(pair.Value), pair.Key));
    }

    private static async Task<JsonObject> AskAsync(HttpClient operators, string what) =>
        JsonNode.Parse(await operators.GetStringAsync(new Uri(what, UriKind.Relative), Cancel))!.AsObject();

    private static string FileOf(int file) => string.Create(CultureInfo.InvariantCulture, $"file-{file}");

    private static string Entry(int file, int number) => $$"""
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: {{FileOf(file)}}, annotations: {number: "{{number}}"} }
        spec: {hosts: [n{{number}}.{{FileOf(file)}}.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}

        """;
}
