using Lateen.ControlPlane;

namespace Lateen.Test.Rigs.Discovery;

/// <summary>A control plane over real sockets, on ports that the system chooses, in a folder of its own.</summary>
internal sealed class LocalControlPlane : IAsyncDisposable
{
    private LocalControlPlane(string folder, RunningControlPlane running) => (Folder, Running) = (folder, running);

    /// <summary>Where it keeps what it is told; gone with it.</summary>
    public string Folder { get; }

    public RunningControlPlane Running { get; }

    /// <summary>Options with which any number of control planes run beside each other.</summary>
    public static ControlPlaneOptions OwnPorts(string stateFolder) => new()
    {
        StateFolder = stateFolder,
        HttpAddress = "127.0.0.1:0",
        GrpcAddress = "127.0.0.1:0",
        SecureGrpcAddress = "127.0.0.1:0",
        MonitoringAddress = "127.0.0.1:0",
    };

    public static async Task<LocalControlPlane> StartAsync(CancellationToken cancel, TimeSpan? debounceAfter = null)
    {
        string folder = Directory.CreateTempSubdirectory("lateen").FullName;
        ControlPlaneOptions options = OwnPorts(folder);
        return new LocalControlPlane(folder,
            await Wiring.StartAsync(options with { DebounceAfter = debounceAfter ?? options.DebounceAfter }, TimeProvider.System, cancel));
    }

    public async ValueTask DisposeAsync()
    {
        await Running.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
