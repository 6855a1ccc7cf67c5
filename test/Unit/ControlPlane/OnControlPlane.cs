using Lateen.ControlPlane;
using Lateen.Test.Rigs.Discovery;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane;

/// <summary>Tests each of which has a control plane for itself, over real sockets.</summary>
/// <param name="debounceMillis">How long it waits for further changes; null for the default.</param>
public abstract class OnControlPlane(int? debounceMillis) : IAsyncLifetime
{
    private LocalControlPlane _local = null!;

    /// <summary>The control plane.</summary>
    protected RunningControlPlane Running => _local.Running;

    /// <inheritdoc/>
    public virtual async ValueTask InitializeAsync() =>
        _local = await LocalControlPlane.StartAsync(TestContext.Current.CancellationToken,
            debounceMillis is { } millis ? TimeSpan.FromMilliseconds(millis) : null);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _local.DisposeAsync();
    }
}
