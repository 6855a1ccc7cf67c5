using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Lateen.Bench.Load.Mesh;

/// <summary>The control plane as a process on a core of its own, what it has used, and where it is reached.</summary>
internal sealed class MeshServer : IDisposable
{
    private const int ServerCore = 0;
    private readonly Process _process;
    private readonly DirectoryInfo _folder;
    private readonly Dictionary<int, long> _threads = [];
    private long _peak;

    private MeshServer(Process process, DirectoryInfo folder, JsonNode address)
    {
        (_process, _folder) = (process, folder);
        Xds = IPEndPoint.Parse(address["grpc"]!.GetValue<string>());
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

    /// <summary>Starts a control plane that serves what a source has.</summary>
    public static async Task<MeshServer> StartAsync(string program, MeshWorld world, MeshSource source, string[] options)
    {
        string[] from = await source.OfferAsync(world);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("lateen-mesh-");
        string state = folder.FullName;
        string[] command = program.EndsWith(".dll", StringComparison.Ordinal) ? ["dotnet", program] : [program];
        var start = new ProcessStartInfo("taskset",
            ["-c", ServerCore.ToString(CultureInfo.InvariantCulture), .. command, "controlplane", "--http-addr", "127.0.0.1:0",
                "--grpc-addr", "127.0.0.1:0", "--secure-grpc-addr", "127.0.0.1:0",
                "--monitoring-addr", "127.0.0.1:0", .. from, "--state", state, .. options])
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
        JsonNode told = JsonNode.Parse(await File.ReadAllTextAsync(address))!;
        source.Started(told);
        return new MeshServer(process, folder, told);
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
