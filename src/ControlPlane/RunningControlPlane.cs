using Lateen.Config.Sources;
using Lateen.ControlPlane.Certificates;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Hosting;
using Lateen.ControlPlane.Operator;

namespace Lateen.ControlPlane;

/// <summary>A control plane that has its ports open.</summary>
public sealed class RunningControlPlane(ControlPlaneAddress address, ProcessHost host, OperatorDoor operators, AuthorityKeys keys,
    FolderSource? folder, Mcp.ConfigSources sources, ClusterConnection? cluster, Keys.KeyFetcher fetcher, FileStream mine)
    : IAsyncDisposable
{
    private static readonly TimeSpan DrainPause = TimeSpan.FromMilliseconds(20), LastWait = TimeSpan.FromMilliseconds(500);

    /// <summary>Where it listens.</summary>
    public ControlPlaneAddress Address { get; } = address;

    /// <summary>Completes when the control loop, or what follows a cluster, has ended by itself, which they do only on a broken
    /// invariant.</summary>
    public Task Completion { get; } = cluster is null
        ? host.Writer.Completion : Task.WhenAny(host.Writer.Completion, cluster.Completion).Unwrap();

    /// <summary>Runs work on its control loop.</summary>
    public WriterLoop Writer => host.Writer;

    /// <summary>Sends the clients to other replicas, one after another so that these are not stormed: readiness ends first, and the lease
    /// is let go of. Returns when all have gone, or after the time given.</summary>
    public async Task DrainAsync(TimeSpan longest, TimeProvider time)
    {
        if (cluster is not null) await cluster.ResignAsync();
        int left = await Writer.AskAsync((loop, _) =>
        {
            loop.Streams.IsDraining = true;
            return loop.Streams.Count;
        });
        // A small mesh is gone in a blink, a large one takes all of the time.
        TimeSpan pause = TimeSpan.FromTicks(Math.Min(longest.Ticks / Math.Max(left, 1), DrainPause.Ticks));
        while (await Writer.AskAsync((loop, _) => loop.Streams.EndOldest())) await Task.Delay(pause, time);
        for (TimeSpan waited = TimeSpan.Zero; waited < LastWait
            && await Writer.AskAsync((loop, _) => loop.Streams.Count) > 0; waited += DrainPause) await Task.Delay(DrainPause, time);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        folder?.Dispose();
        keys.Dispose();
        await sources.DisposeAsync();
        if (cluster is not null) await cluster.DisposeAsync();
        await host.DisposeAsync();
        operators.Dispose();
        fetcher.Dispose();
        await mine.DisposeAsync();
    }
}
