using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Lateen.Bench.Load.Mesh;

/// <summary>The control plane as a process on a core of its own, what it has used, and a way to tell it things.</summary>
internal sealed class MeshServer : IDisposable
{
    private const int ServerCore = 0;
    private readonly Process _process;
    private readonly DirectoryInfo _folder;
    private readonly HttpClient _operator;
    private readonly Dictionary<int, long> _threads = [];
    private long _peak;

    private MeshServer(Process process, DirectoryInfo folder, JsonNode address)
    {
        (_process, _folder) = (process, folder);
        Xds = IPEndPoint.Parse(address["grpc"]!.GetValue<string>());
        _operator = new HttpClient
        {
            BaseAddress = new Uri($"http://{address["http"]!.GetValue<string>()}/lateen/v1/"),
            Timeout = TimeSpan.FromMinutes(5),
        };
        _operator.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", address["token"]!.GetValue<string>());
    }

    /// <summary>Where xDS is served.</summary>
    public IPEndPoint Xds { get; }

    /// <summary>The process, for those who look into it.</summary>
    public int Id => _process.Id;

    /// <summary>Largest resident memory so far, in MB.</summary>
    public long PeakMegabytes => Math.Max(_peak, StepPeakMegabytes);

    /// <summary>Largest resident memory since <see cref="BeginPeak"/>, in MB.</summary>
    public long StepPeakMegabytes => Status("VmHWM:") / 1024;

    /// <summary>What of the resident memory are pages of files, which other processes of the same program share, in MB.</summary>
    public long FilePagesMegabytes => Status("RssFile:") / 1024;

    /// <summary>Resident memory now, in MB.</summary>
    public long ResidentMegabytes => Status("VmRSS:") / 1024;

    /// <summary>Starts a control plane that serves a world.</summary>
    public static async Task<MeshServer> StartAsync(string program, MeshWorld world, string[] options)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("lateen-mesh-");
        string config = folder.CreateSubdirectory("config").FullName, state = folder.CreateSubdirectory("state").FullName;
        int file = 0;
        foreach (JsonObject[] objects in world.Objects().Chunk(500))
            await File.WriteAllTextAsync(Path.Combine(config, string.Create(CultureInfo.InvariantCulture, $"world-{file++:d4}.yaml")),
                string.Join("\n---\n", objects.Select(o => o.ToJsonString())));
        string[] command = program.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", program] : [program];
        var start = new ProcessStartInfo("taskset",
            ["-c", ServerCore.ToString(CultureInfo.InvariantCulture), .. command, "controlplane", "--http-addr", "127.0.0.1:0",
                "--grpc-addr", "127.0.0.1:0", "--secure-grpc-addr", "127.0.0.1:0",
                "--monitoring-addr", "127.0.0.1:0", "--config-dir", config, "--state", state, .. options])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        };
        Process process = Process.Start(start)!;
        string said = "";
        process.ErrorDataReceived += (_, line) => said = line.Data ?? said;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        string address = Path.Combine(state, "controlplane.json");
        for (var waited = Stopwatch.StartNew(); !File.Exists(address); await Task.Delay(50))
        {
            if (waited.Elapsed > TimeSpan.FromMinutes(2) || process.HasExited)
                throw new InvalidOperationException($"the control plane does not start: {said}");
        }
        return new MeshServer(process, folder, JsonNode.Parse(await File.ReadAllTextAsync(address))!);
    }

    /// <summary>Creates or changes objects.</summary>
    public async Task ApplyAsync(params JsonObject[] objects)
    {
        // Endpoints are seen in a cluster, not written by a person: no revision is made of each.
        bool observed = objects.All(o => o["kind"]!.GetValue<string>() == "EndpointSlice");
        var asked = new JsonObject
        {
            ["observed"] = observed,
            ["sources"] = new JsonArray(
                new JsonObject { ["name"] = "bench", ["text"] = string.Join("\n---\n", objects.Select(o => o.ToJsonString())) }),
            ["dryRun"] = false,
        };
        using var body = new StringContent(asked.ToJsonString(), Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await _operator.PostAsync(new Uri("apply", UriKind.Relative), body);
        JsonNode? said = await answer.Content.ReadFromJsonAsync<JsonNode>();
        if (said?["accepted"]?.GetValue<bool>() != true)
            throw new InvalidOperationException($"the control plane refuses: {said?.ToJsonString()}");
    }

    /// <summary>Looks for the largest resident memory from here on (proc(5): 5 in clear_refs resets the kernel's mark).</summary>
    public void BeginPeak()
    {
        _peak = PeakMegabytes;
        File.WriteAllText($"/proc/{_process.Id}/clear_refs", "5");
    }

    /// <summary>CPU seconds so far: what the scheduler gave each thread (proc(5): first field of schedstat, in ns).</summary>
    public double CpuSeconds()
    {
        foreach (string task in Directory.GetDirectories($"/proc/{_process.Id}/task"))
        {
            try
            {
                string stat = File.ReadAllText(task + "/schedstat");
                _threads[int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture)] =
                    long.Parse(stat.AsSpan(0, stat.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // It ended; what it had used when last looked at stays.
            }
        }
        return _threads.Values.Sum() / 1e9;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _operator.Dispose();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private long Status(string field) =>
        long.Parse(File.ReadLines($"/proc/{_process.Id}/status").First(l => l.StartsWith(field, StringComparison.Ordinal))
            .Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
