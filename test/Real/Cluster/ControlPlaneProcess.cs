using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Lateen.Test.Real.Cluster;

/// <summary>One `lateen controlplane` on free ports.</summary>
internal sealed class ControlPlaneProcess : IAsyncDisposable
{
    private readonly string state = Directory.CreateTempSubdirectory("lateen-plane-").FullName;
    private readonly StringBuilder said = new();
    private Process process = null!;

    public string Grpc => At("grpc");

    public string Http => At("http");

    public string Https => At("https");

    public int Id => process.Id;

    public string Said
    {
        get
        {
            lock (said) return said.ToString();
        }
    }

    /// <summary>Starts one and waits until its ports are open.</summary>
    public static async Task<ControlPlaneProcess> StartAsync(string name, params string[] arguments)
    {
        var plane = new ControlPlaneProcess();
        ProcessStartInfo start = Stands.Lateen.Start(null, [
            "controlplane", "--state", plane.state, "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--secure-grpc-addr", "127.0.0.1:0", "--https-addr", "127.0.0.1:0", "--monitoring-addr", "127.0.0.1:0", .. arguments]);
        start.Environment["POD_NAME"] = name;
        plane.process = Process.Start(start)!;
        plane.process.OutputDataReceived += (_, line) => plane.Note(line.Data);
        plane.process.ErrorDataReceived += (_, line) => plane.Note(line.Data);
        plane.process.BeginOutputReadLine();
        plane.process.BeginErrorReadLine();
        await plane.UntilSaidAsync("control plane ready", 60);
        return plane;
    }

    public async Task UntilSaidAsync(string words, double withinSeconds = 30) =>
        Assert.True(await Stands.Lateen.UntilAsync(() => Said.Contains(words, StringComparison.Ordinal), withinSeconds), $"\"{words}\" was not said:\n{Said}");

    /// <summary>Ends it as nobody should.</summary>
    public async Task KillAsync()
    {
        Stands.Lateen.Signal(process.Id, 9);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) Stands.Lateen.Signal(process.Id, 15);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!process.HasExited) process.Kill();
        process.Dispose();
        Directory.Delete(state, recursive: true);
    }

    private string At(string door) => (string)JsonNode.Parse(File.ReadAllText(Path.Combine(state, "controlplane.json")))![door]!;

    private void Note(string? line)
    {
        lock (said) said.AppendLine(line);
    }
}
