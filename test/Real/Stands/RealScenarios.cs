using System.Net;
using Lateen.Test.Rigs;
using Lateen.Test.Rigs.Text;
using Xunit;

namespace Lateen.Test.Real.Stands;

/// <summary>Scenario files against real processes, as far as their steps allow it: with `./run-tests scenarios --real`.</summary>
public sealed class RealScenarios(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly string Folder = Path.Combine(Repository.Root, "test", "Scenarios");
    private RunningMesh _mesh = null!;
    private Dictionary<string, IPAddress> _pods = null!;

    private static bool IsAll => Lateen.IsLong || Environment.GetEnvironmentVariable("LATEEN_REAL") == "1";

    public async ValueTask InitializeAsync()
    {
        string program = $"python3, {Path.Combine(Repository.Root, "test", "Real", "Stands", "application.py")}";
        (string Name, string Version)[] workloads = [("productpage", "v1"), ("details", "v1"), ("ratings", "v1"), ("reviews", "v1"),
            ("reviews", "v2"), ("reviews", "v3")];
        string yaml = string.Join("---\n",
            workloads.Select(w => w.Name).Distinct().Select(SmallMesh.Service)
                .Concat(workloads.Select(w => SmallMesh.Deployment(w.Name, w.Version, program)
                    .Replace($"args: [{w.Name}]", $"args: [{w.Name}, {w.Version}]", StringComparison.Ordinal))));
        _mesh = await RunningMesh.StartAsync(yaml, capture: "loopback");
        CommandEnd ps = await _mesh.VerbAsync("ps");
        _pods = ps.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(row => workloads.Any(w => row[0] == $"{w.Name}-{w.Version}"))
            .ToDictionary(row => row[0].Replace("-v", " v", StringComparison.Ordinal), row => IPAddress.Parse(row[2]));
    }

    public async ValueTask DisposeAsync() => await _mesh.DisposeAsync();

    [Fact]
    public async Task The_same_files_hold_over_real_sockets()
    {
        Assert.SkipUnless(IsAll, "they take minutes: ./run-tests scenarios --real");
        ScenarioFile[] files = [.. Directory.GetFiles(Folder, "*.scenario", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => ScenarioFile.Read(Path.GetRelativePath(Repository.Root, path), File.ReadAllText(path)))];
        ScenarioFile[] playable = [.. files.Where(RealPlay.IsPlayable)
            .Where(file => file.Path.Contains(Environment.GetEnvironmentVariable("LATEEN_SCENARIO") ?? "", StringComparison.Ordinal))];
        Assert.NotEmpty(playable);
        var failed = new List<string>();
        int played = 0;
        for (int i = 0; i < playable.Length; i++, played++)
        {
            var play = new RealPlay(_mesh, _pods);
            await play.ForgetAsync();
            try
            {
                await play.RunAsync(playable[i]);
            }
            catch (ScenarioException broken)
            {
                failed.Add(broken.Message);
            }
            // Everything that the scenario wrote goes; nothing else is written in this mesh.
            CommandEnd written = await _mesh.VerbAsync("get", "all", "-A", "-o", "name");
            foreach (string name in written.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                foreach (string place in new[] { "default", "other", "infra" })
                    await _mesh.VerbAsync("delete", name.Trim(), "-n", place, "--ignore-not-found");
            }
        }
        output.WriteLine($"{played} played of {playable.Length} that can be played for real, of {files.Length}");
        Assert.True(failed.Count == 0, $"{failed.Count} of {played}:\n{string.Join('\n', failed)}");
    }
}
