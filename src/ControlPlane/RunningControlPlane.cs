using Lateen.Config.Sources;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Operator;

namespace Lateen.ControlPlane;

/// <summary>A control plane that has its ports open.</summary>
public sealed class RunningControlPlane(ControlPlaneAddress address, ProcessHost host, OperatorDoor operators, AuthorityKeys keys, FolderSource? folder, ClusterConnection? cluster, Keys.KeyFetcher fetcher, FileStream mine) : IAsyncDisposable
{
    /// <summary>Where it listens.</summary>
    public ControlPlaneAddress Address { get; } = address;

    /// <summary>Completes when the control loop, or what follows a cluster, has ended by itself, which they do only on a broken invariant.</summary>
    public Task Completion { get; } = cluster is null ? host.Writer.Completion : Task.WhenAny(host.Writer.Completion, cluster.Completion).Unwrap();

    /// <summary>Runs work on its control loop.</summary>
    public WriterLoop Writer => host.Writer;

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        folder?.Dispose();
        keys.Dispose();
        if (cluster is not null) await cluster.DisposeAsync();
        await host.DisposeAsync();
        operators.Dispose();
        fetcher.Dispose();
        await mine.DisposeAsync();
    }
}
