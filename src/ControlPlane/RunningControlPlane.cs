using Lateen.Config.Sources;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Operator;

namespace Lateen.ControlPlane;

/// <summary>A control plane that has its ports open.</summary>
public sealed class RunningControlPlane(ControlPlaneAddress address, ProcessHost host, OperatorDoor operators, AuthorityKeys keys, FolderSource? folder, FileStream mine) : IAsyncDisposable
{
    /// <summary>Where it listens.</summary>
    public ControlPlaneAddress Address { get; } = address;

    /// <summary>Completes when the control loop has ended by itself, which it does only on a broken invariant.</summary>
    public Task Completion => host.Writer.Completion;

    /// <summary>Runs work on its control loop.</summary>
    public WriterLoop Writer => host.Writer;

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        folder?.Dispose();
        keys.Dispose();
        await host.DisposeAsync();
        operators.Dispose();
        await mine.DisposeAsync();
    }
}
