using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Lateen.Test.Real.Stands;

/// <summary>A `lateen up` with its folder and its state, ended with everything that it started.</summary>
internal sealed class RunningMesh : IAsyncDisposable
{
    private readonly StringBuilder _said = new();
    private Process _process = null!;

    private RunningMesh(string folder, int port, string state) => (Folder, Port, State) = (folder, port, state);

    /// <summary>Holds YAML (mesh/) and state (.lateen/).</summary>
    public string Folder { get; }

    /// <summary>The gateway's.</summary>
    public int Port { get; }

    public string State { get; }

    public int ProcessId => _process.Id;

    public bool HasEnded => _process.HasExited;

    /// <summary>What it printed so far.</summary>
    public string Said
    {
        get
        {
            lock (_said) return _said.ToString();
        }
    }

    public HttpClient Client { get; } = new(new SocketsHttpHandler
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        MaxConnectionsPerServer = 64,
    }) { Timeout = TimeSpan.FromSeconds(20) };

    public Uri Page(string path) => new($"http://127.0.0.1:{Port}{path}");

    /// <summary>Starts a mesh with the YAML given; returns when it has said that it is ready.</summary>
    public static async Task<RunningMesh> StartAsync(string yaml, string capture = "auto", string? stateOn = null, bool asNobody = false,
        string? firewall = null)
    {
        string folder = Directory.CreateTempSubdirectory("lateen-stand-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "mesh"));
        await File.WriteAllTextAsync(Path.Combine(folder, "mesh", "mesh.yaml"), yaml);
        var mesh = new RunningMesh(folder, Lateen.FreePort(), Path.Combine(stateOn ?? folder, ".lateen"));
        // A link, so that verbs find the state in the folder where they are started.
        if (stateOn is not null) File.CreateSymbolicLink(Path.Combine(folder, ".lateen"), mesh.State);
        if (asNobody && Environment.IsPrivilegedProcess) await Process.Start("chown", ["-R", "65534:65534", folder]).WaitForExitAsync();
        (mesh.IsNobodys, mesh.Firewall) = (asNobody, firewall);
        await mesh.UpAsync(capture);
        return mesh;
    }

    /// <summary>Starts a mesh of a folder that is there.</summary>
    public static async Task<RunningMesh> OfFolderAsync(string described)
    {
        string folder = Directory.CreateTempSubdirectory("lateen-stand-").FullName;
        var mesh = new RunningMesh(folder, Lateen.FreePort(), Path.Combine(folder, ".lateen")) { Described = described };
        await mesh.UpAsync();
        return mesh;
    }

    private bool IsNobodys { get; set; }

    private string? Firewall { get; set; }

    private string Described { get; init; } = "mesh";

    /// <summary>`lateen up` on the folder as it is.</summary>
    public async Task UpAsync(string capture = "auto")
    {
        lock (_said) _said.Clear();
        _process = Process.Start(
            Prepared("up", Described, "--port", Port.ToString(CultureInfo.InvariantCulture), "--capture", capture, "--state", State))!;
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Lateen.UntilAsync(() => Said.Contains("Ctrl-C", StringComparison.Ordinal) || _process.HasExited, 60);
        if (!Said.Contains("Ctrl-C", StringComparison.Ordinal))
            throw new InvalidOperationException($"`lateen up` did not get ready:\n{Said}");
    }

    /// <summary>A verb against this mesh.</summary>
    public Task<CommandEnd> VerbAsync(params string[] arguments) => Lateen.RunAsync(Prepared(arguments));

    /// <summary>Applies a text, and expects it to be taken.</summary>
    public async Task ApplyAsync(string yaml, bool wait = true)
    {
        string[] verb = wait ? ["apply", "-f", "-", "--wait"] : ["apply", "-f", "-"];
        CommandEnd end = await Lateen.RunAsync(Prepared(verb), yaml);
        if (end.Code != 0) throw new InvalidOperationException($"the apply was refused: {end}");
    }

    /// <summary>The rows of `lateen ps`: name to (program, sidecar); 0 for none.</summary>
    public async Task<Dictionary<string, (int Program, int Sidecar)>> ProcessesAsync()
    {
        CommandEnd end = await VerbAsync("ps");
        return end.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToDictionary(row => row[0], row => (Number(row[3]), Number(row[4])));
    }

    /// <summary>Every process that this mesh has started: those that know its state folder, and those in their groups.</summary>
    public IReadOnlyList<int> Descendants()
    {
        var all = new Dictionary<int, int>();
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int id) && ParentOf(id) is { } parent)
                all[id] = parent;
        }
        var found = new List<int> { _process.Id };
        for (int i = 0; i < found.Count; i++) found.AddRange(all.Where(pair => pair.Value == found[i]).Select(pair => pair.Key));
        return [.. found.Skip(1)];
    }

    public async Task StopAsync(int signal = 2)
    {
        if (!_process.HasExited) Lateen.Signal(_process.Id, signal);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await _process.WaitForExitAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        IReadOnlyList<int> left = _process.HasExited ? [] : Descendants();
        try
        {
            await StopAsync();
        }
        finally
        {
            if (!_process.HasExited) _process.Kill();
            foreach (int id in left.Where(Lateen.Lives)) Lateen.Signal(id, 9);
            _process.Dispose();
            Client.Dispose();
            Directory.Delete(Folder, recursive: true);
        }
    }

    private ProcessStartInfo Prepared(params string[] arguments)
    {
        ProcessStartInfo start = Lateen.Start(Folder, arguments);
        if (Firewall is not null) start.Environment["LATEEN_FIREWALL"] = Firewall;
        return IsNobodys ? Lateen.AsNobody(start) : start;
    }

    private void Note(string? line)
    {
        lock (_said) _said.Append(line).Append('\n');
    }

    private static int? ParentOf(int id)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static int Number(string text) => int.TryParse(text, CultureInfo.InvariantCulture, out int number) ? number : 0;
}
