using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Lateen.Test.Real.Cluster;

/// <summary>One `lateen controlplane` on free ports.</summary>
internal sealed class ControlPlaneProcess : IAsyncDisposable
{
    private readonly bool _ownsState;
    private readonly StringBuilder _said = new();
    private Process _process = null!;

    private ControlPlaneProcess(string state, bool ownsState) => (State, _ownsState) = (state, ownsState);

    /// <summary>Its folder.</summary>
    public string State { get; }

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

    /// <summary>Starts one in a folder that goes with it, and waits until its ports are open.</summary>
    public static async Task<ControlPlaneProcess> StartAsync(string name, params string[] arguments)
    {
        var plane = new ControlPlaneProcess(Directory.CreateTempSubdirectory("lateen-plane-").FullName, ownsState: true);
        await plane.Launch(name, arguments).UntilReadyAsync();
        return plane;
    }

    /// <summary>Starts one in a folder that others had before, and waits for nothing.</summary>
    public static ControlPlaneProcess Begin(string state, string name, params string[] arguments) =>
        new ControlPlaneProcess(state, ownsState: false).Launch(name, arguments);

    /// <summary>Waits until its ports are open.</summary>
    public Task UntilReadyAsync() => UntilSaidAsync("control plane ready", 60);

    private ControlPlaneProcess Launch(string name, string[] arguments)
    {
        ProcessStartInfo start = Stands.Lateen.Start(null, [
            "controlplane", "--state", State, "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--secure-grpc-addr",
            "127.0.0.1:0", "--https-addr", "127.0.0.1:0", "--monitoring-addr", "127.0.0.1:0", .. arguments]);
        start.Environment["POD_NAME"] = name;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        return this;
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
        if (_ownsState) Directory.Delete(State, recursive: true);
    }

    /// <summary>A client of its operator's API.</summary>
    public HttpClient Operator()
    {
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            BaseAddress = new Uri($"http://{Http}/lateen/v1/"),
            Timeout = TimeSpan.FromSeconds(30),
        };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", At("token"));
        return client;
    }

    private string At(string door) => (string)JsonNode.Parse(File.ReadAllText(Path.Combine(State, "controlplane.json")))![door]!;

    private void Note(string? line)
    {
        lock (_said) _said.AppendLine(line);
    }
}
