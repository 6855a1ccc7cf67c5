using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Lateen.Test.Real.Cluster;

/// <summary>One `lateen controlplane` on free ports.</summary>
internal sealed class ControlPlaneProcess : IAsyncDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("lateen-plane-").FullName;
    private readonly StringBuilder _said = new();
    private Process _process = null!;

    public string Grpc => At("grpc");

    public string Http => At("http");

    public string Https => At("https");

    public int Id => _process.Id;

    public string Said
    {
        get
        {
            lock (_said) return _said.ToString();
        }
    }

    /// <summary>Starts one and waits until its ports are open.</summary>
    public static async Task<ControlPlaneProcess> StartAsync(string name, params string[] arguments)
    {
        var plane = new ControlPlaneProcess();
        ProcessStartInfo start = Stands.Lateen.Start(null, [
            "controlplane", "--state", plane._state, "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--secure-grpc-addr",
            "127.0.0.1:0", "--https-addr", "127.0.0.1:0", "--monitoring-addr", "127.0.0.1:0", .. arguments]);
        start.Environment["POD_NAME"] = name;
        plane._process = Process.Start(start)!;
        plane._process.OutputDataReceived += (_, line) => plane.Note(line.Data);
        plane._process.ErrorDataReceived += (_, line) => plane.Note(line.Data);
        plane._process.BeginOutputReadLine();
        plane._process.BeginErrorReadLine();
        await plane.UntilSaidAsync("control plane ready", 60);
        return plane;
    }

    public async Task UntilSaidAsync(string words, double withinSeconds = 30) =>
        Assert.True(await Stands.Lateen.UntilAsync(() => Said.Contains(words, StringComparison.Ordinal), withinSeconds),
            $"\"{words}\" was not said:\n{Said}");

    /// <summary>Ends it as nobody should.</summary>
    public async Task KillAsync()
    {
        Stands.Lateen.Signal(_process.Id, 9);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) Stands.Lateen.Signal(_process.Id, 15);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await _process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
        Directory.Delete(_state, recursive: true);
    }

    private string At(string door) => (string)JsonNode.Parse(File.ReadAllText(Path.Combine(_state, "controlplane.json")))![door]!;

    private void Note(string? line)
    {
        lock (_said) _said.AppendLine(line);
    }
}
