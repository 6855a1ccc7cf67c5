namespace Lateen.Proxy.Net;

/// <summary>A point in time at which its owner wants to be called. Embedded in the object that waits, so that arming allocates nothing.
/// Rearming moves it.</summary>
public abstract class Deadline
{
    /// <summary>When it is due, in microseconds of <see cref="EventLoop.Now"/>; 0 when it is not armed.</summary>
    public long DueAt { get; internal set; }

    /// <summary>Neighbours in the wheel's slot.</summary>
    internal Deadline? Next;

    /// <summary>The neighbour before it.</summary>
    internal Deadline? Previous;

    /// <summary>The slot it hangs in, -1 for none.</summary>
    internal int Slot = -1;

    /// <summary>True while it waits.</summary>
    public bool IsArmed => DueAt != 0;

    /// <summary>It is due. Called on the loop's turn, not armed any more.</summary>
    protected internal abstract void OnDue(long now);
}

/// <summary>
/// Work from another thread for a loop's thread. Posted objects are the mailbox: the only way across. Posting (or deferring) one that still
/// waits changes nothing: it is delivered once. It waits in one queue at a time, so one object is either posted or deferred, not both.
/// </summary>
public abstract class Letter
{
    /// <summary>The next in its queue; null exactly when it waits in none.</summary>
    internal Letter? Following;

    /// <summary>Ends every queue, so that null can mean "not queued".</summary>
    internal static readonly Letter End = new LastLetter();

    /// <summary>Runs on the loop's thread, at its next turn.</summary>
    protected internal abstract void Deliver();

    private sealed class LastLetter : Letter
    {
        protected internal override void Deliver() => throw new InvariantException("the end of a letter queue was delivered");
    }
}

/// <summary>How to listen.</summary>
/// <param name="Address">Where. Port 0 picks one.</param>
/// <param name="ReusePort">SO_REUSEPORT: each worker has its own socket on the same address.</param>
/// <param name="Transparent">IP_TRANSPARENT, for TPROXY.</param>
/// <param name="FreeBind">IP_FREEBIND: the address need not exist yet.</param>
/// <param name="V6Only">For ::, whether IPv4 is left out.</param>
/// <param name="Backlog">Length of the kernel's queue.</param>
/// <param name="Mode">Access bits of a unix socket's file; 0 for the default.</param>
/// <param name="FastOpen">Length of the queue of TCP Fast Open; 0 switches it off.</param>
/// <param name="Options">Further options of the socket, as they were asked for; null for none.</param>
/// <param name="Bound">The address, where it was bound before (<see cref="EventLoop.Bind"/>); null binds it now.</param>
/// <param name="IsExempt">Connections are let in at once, however far the loop is behind (health).</param>
public readonly record struct ListenOptions(
    Address Address,
    bool ReusePort = true,
    bool Transparent = false,
    bool FreeBind = false,
    bool V6Only = true,
    int Backlog = 1024,
    int Mode = 0,
    int FastOpen = 0,
    IReadOnlyList<SocketOption>? Options = null,
    BoundSocket? Bound = null,
    bool IsExempt = false);

/// <summary>How to connect.</summary>
/// <param name="Remote">Where to.</param>
/// <param name="Source">Our own address; default for any.</param>
/// <param name="Mark">SO_MARK; 0 for none.</param>
/// <param name="TimeoutMicros">Until <see cref="CloseReason.Timeout"/>; 0 for the kernel's own patience.</param>
/// <param name="KeepAlive">TCP keep-alive on.</param>
/// <param name="KeepAliveSeconds">Silence before the first probe; 0 for the kernel's value.</param>
/// <param name="KeepAliveInterval">Seconds between probes; 0 for the kernel's value.</param>
/// <param name="KeepAliveProbes">Unanswered probes before the end; 0 for the kernel's value.</param>
/// <param name="Passed">What the accepting side of an internal listener is told; null for nothing.</param>
public readonly record struct ConnectOptions(
    Address Remote,
    Address Source = default,
    uint Mark = 0,
    long TimeoutMicros = 0,
    bool KeepAlive = false,
    int KeepAliveSeconds = 0,
    int KeepAliveInterval = 0,
    int KeepAliveProbes = 0,
    Metadata? Passed = null);

/// <summary>Takes what a listening socket accepts.</summary>
public abstract class Acceptor
{
    /// <summary>A connection is there. Set its handler before returning, or close it.</summary>
    public abstract void OnAccepted(Transport transport);
}

/// <summary>A listening socket of one loop.</summary>
public abstract class ListeningSocket
{
    /// <summary>Where it listens, with the port that was picked.</summary>
    public abstract Address Address { get; }

    /// <summary>Stops and resumes accepting; connections wait in the kernel's queue.</summary>
    public abstract bool Accepting { get; set; }

    /// <summary>Ends it; accepted connections live on.</summary>
    public abstract void Close();
}

/// <summary>An address that is bound and not listened on yet: no connection waits behind it.</summary>
public abstract class BoundSocket : IDisposable
{
    /// <summary>Where it is bound, with the port that was picked.</summary>
    public abstract Address Address { get; }

    /// <summary>All who listen on it share one queue of connections, and one socket; else each has its own (SO_REUSEPORT).</summary>
    public abstract bool IsShared { get; }

    /// <summary>Gives it back; whoever listens on it goes on.</summary>
    public abstract void Dispose();
}

/// <summary>A datagram socket of one loop (DNS).</summary>
public abstract class DatagramSocket
{
    /// <summary>Called for each datagram.</summary>
    public Action<Address, ReadOnlyMemory<byte>>? Received { get; set; }

    /// <summary>Where it is bound.</summary>
    public abstract Address Address { get; }

    /// <summary>Sends one datagram; losses are nobody's error.</summary>
    public abstract void Send(in Address to, ReadOnlySpan<byte> datagram);

    /// <summary>Ends it.</summary>
    public abstract void Close();
}

/// <summary>One thread's turn of events: sockets, deadlines, letters. Everything but <see cref="Post"/> is for the loop's own
/// thread.</summary>
public abstract class EventLoop
{
    /// <summary>What waits to be sent, on all connections together.</summary>
    public OutputAccount Waiting { get; } = new();

    /// <summary>The loop's spare buffers for output that waits.</summary>
    internal ChunkPool Chunks { get; }

    /// <summary>A loop on which nothing waits.</summary>
    protected EventLoop() => Chunks = new ChunkPool(Waiting);

    /// <summary>How long what is ready waits for its turn.</summary>
    public QueueAge Age { get; } = new();

    /// <summary>Microseconds of a clock that never goes back; read once a turn.</summary>
    public abstract long Now { get; }

    /// <summary>Microseconds since 1970 UTC; may jump.</summary>
    public abstract long WallClock { get; }

    /// <summary>The worker's chance, seeded.</summary>
    public abstract Chance Chance { get; }

    /// <summary>Begins to listen.</summary>
    /// <exception cref="ListenException">The address is taken, forbidden or unknown; the message is one clear sentence.</exception>
    public abstract ListeningSocket Listen(in ListenOptions options, Acceptor acceptor);

    /// <summary>
    /// Takes an address before anybody listens on it, so that who asked for it hears at once whether it is to be had. Workers listen on it
    /// by <see cref="ListenOptions.Bound"/>. Null where only listening tells.
    /// </summary>
    /// <exception cref="ListenException">As <see cref="Listen"/>.</exception>
    public virtual BoundSocket? Bind(in ListenOptions options) => null;

    /// <summary>Whether a process before this one handed its sockets of an address over: they are taken, nothing is bound. Any
    /// thread.</summary>
    public virtual bool Inherits(in Address address) => false;

    /// <summary>Begins to connect; <paramref name="handler"/> hears of success or failure on a later turn, never inside this
    /// call.</summary>
    public abstract Transport Connect(in ConnectOptions options, TransportHandler handler);

    /// <summary>Opens a datagram socket.</summary>
    /// <exception cref="ListenException">The address is taken, forbidden or unknown.</exception>
    public abstract DatagramSocket OpenDatagram(in Address local);

    /// <summary>Arms (or moves) a deadline to <paramref name="micros"/> from now; at least the wheel's step later.</summary>
    public abstract void Arm(Deadline deadline, long micros);

    /// <summary>Disarms it; harmless when it is not armed, or was never needed (null): owners make their rarer deadlines when they first
    /// arm them.</summary>
    public void Disarm(Deadline? deadline)
    {
        if (deadline is { IsArmed: true })
            DisarmArmed(deadline);
    }

    /// <summary>Takes an armed deadline out.</summary>
    protected abstract void DisarmArmed(Deadline deadline);

    /// <summary>From any thread: <paramref name="letter"/> is delivered on this loop's thread.</summary>
    public abstract void Post(Letter letter);

    /// <summary>Delivers <paramref name="letter"/> at the end of the current turn; for what must not run inside a handler that is on the
    /// stack.</summary>
    public abstract void Defer(Letter letter);
}

/// <summary>Listening failed for a reason of the environment; the message is for a person.</summary>
public sealed class ListenException(string message) : Exception(message);
