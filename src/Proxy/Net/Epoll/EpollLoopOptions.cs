namespace Lateen.Proxy.Net.Epoll;

/// <summary>What a loop is made with.</summary>
public sealed record EpollLoopOptions
{
    /// <summary>Its name, for the thread.</summary>
    public string Name { get; init; } = "worker";

    /// <summary>Seed of <see cref="EventLoop.Chance"/>.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The one receive buffer.</summary>
    public int ReceiveBytes { get; init; } = 64 * 1024;

    /// <summary>Default of <see cref="Transport.HighWatermark"/>.</summary>
    public int HighWatermark { get; init; } = 1 << 20;

    /// <summary>SO_MARK of connections that bring none of their own; 0 for none.</summary>
    public uint Mark { get; init; }

    /// <summary>How long a closed connection may take to pass on what is pending before it is reset.</summary>
    public long CloseMicros { get; init; } = 10_000_000;

    /// <summary>Told of each defect that stopped a connection (<see cref="InvariantException"/> and the like), for counters and the log.
    /// Called on the loop's thread.</summary>
    public Action<Exception>? OnDefect { get; init; }
}
