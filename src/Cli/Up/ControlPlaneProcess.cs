using Lateen.Citadel.Tokens;
using Lateen.Cli.Processes;
using Lateen.ControlPlane;

namespace Lateen.Cli.Up;

/// <summary>The control plane as a child: this program again, serving this machine only.</summary>
internal sealed class ControlPlaneProcess
{
    private readonly MeshState _state;

    private readonly IReadOnlyList<int> _ports;

    /// <param name="spawner">Starts it.</param>
    /// <param name="state">Its folder.</param>
    /// <param name="ports">Where it listens: HTTP, xDS, metrics, xDS over TLS; 0 for a free port.</param>
    /// <param name="say">Hears what becomes of it.</param>
    public ControlPlaneProcess(Spawner spawner, MeshState state, IReadOnlyList<int> ports, Action<string> say)
    {
        (_state, _ports) = (state, ports);
        Process = new Supervised("the control plane", spawner, Spec, say);
    }

    public Supervised Process { get; }

    public string Log => _state.Log("controlplane");

    /// <summary>Waits until it serves.</summary>
    /// <exception cref="CommandException">It ended instead, or took too long.</exception>
    public async Task<ControlPlaneAddress> ReadyAsync(TimeSpan patience, CancellationToken cancel)
    {
        for (DateTime until = DateTime.UtcNow + patience; DateTime.UtcNow < until; await Task.Delay(10, cancel).ConfigureAwait(false))
        {
            if (Process.CurrentEnd.IsCompleted)
                throw new CommandException($"the control plane ended while it started: {LogTail.Of(Log)}", $"Its log is {Log}.");
            if (Address() is { } address && address.ProcessId == Process.ProcessId && File.Exists(_state.SecureSocket)) return address;
        }
        throw new CommandException($"the control plane did not start within {patience.TotalSeconds:0} s: {LogTail.Of(Log)}",
            $"Its log is {Log}.");
    }

    private ControlPlaneAddress? Address()
    {
        try { return ControlPlaneAddress.Read(_state.Folder); }
        catch (Exception missing) when (missing is IOException or System.Text.Json.JsonException) { return null; }
    }

    private ProcessSpec Spec()
    {
        File.Delete(_state.XdsSocket);
        File.Delete(_state.SecureSocket);
        (string program, string[] first) = Workload.Self();
        return new ProcessSpec
        {
            Program = program,
            // The socket's name is relative: a unix socket's path has 107 bytes, and a state folder may lie deep.
            Arguments =
            [
                .. first, "controlplane", "--debounce", "20", "--state", _state.Folder, "--config-dir", _state.Cluster, "--grpc-socket",
                Path.GetFileName(_state.XdsSocket),
                "--http-addr", $"127.0.0.1:{_ports[0]}", "--grpc-addr", $"127.0.0.1:{_ports[1]}", "--monitoring-addr",
                $"127.0.0.1:{_ports[2]}",
                "--secure-grpc-socket", Path.GetFileName(_state.SecureSocket), "--secure-grpc-addr", $"127.0.0.1:{_ports[3]}",
                "--token-keys", TokenIssuer.KeySetPath(_state.Authority),
            ],
            Folder = _state.Folder,
            Log = Log,
        };
    }
}
