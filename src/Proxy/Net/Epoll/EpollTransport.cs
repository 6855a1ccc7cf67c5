namespace Lateen.Proxy.Net.Epoll;

/// <summary>One stream socket. Readiness is remembered between events (edges), output of a turn is gathered, and the end is told once, at
/// the end of a turn.</summary>
internal sealed unsafe partial class EpollTransport : Transport, IEpollSource
{
    /// <summary>As far as a turn looks into it, in lines of 64 bytes.</summary>
    public const int LinesTouched = 3;

    // A turn reads at most this often from one connection: 4 x 64 KiB, then the others have their share.
    private const int ReadsMax = 4;

    // From here a copy costs more than the system call it could save.
    private const int DirectBytes = 16 * 1024;

    // Gathered output above this leaves at once, so that PendingBytes means what the kernel did not take.
    private const int GatherBytes = 64 * 1024;

    private const int VectorsMax = 64;

    private readonly EpollLoop _loop;
    private readonly bool _transparent;
    private readonly Address _remote;
    private Address _local;
    private Address _original;
    private string _connectFailure = "";
    private OutputQueue _output;
    private byte[]? _held;
    private Patience? _patience;
    private CloseReason _reason;
    private State _state;

    private EpollTransport(EpollLoop loop, in Address remote, bool transparent)
    {
        _loop = loop;
        _remote = remote;
        _transparent = transparent;
        HighWatermark = loop.Options.HighWatermark;
        _state = State.Reading;
    }

    [Flags]
    private enum State : ushort
    {
        None = 0,
        Connecting = 1,

        /// <summary>The handler wants bytes.</summary>
        Reading = 2,

        /// <summary>The kernel may have bytes (an edge came and was not read out).</summary>
        MayRead = 4,

        /// <summary>The kernel told of an end or an error: read until it shows.</summary>
        EndSeen = 8,

        /// <summary>The peer's direction has ended and the handler knows.</summary>
        PeerEnded = 16,

        /// <summary>The kernel's buffer is full: wait for its edge.</summary>
        Blocked = 32,
        AboveWatermark = 64,

        /// <summary>It waits in the loop's list of those to flush.</summary>
        Dirty = 128,
        EndRequested = 256,
        EndSent = 512,
        CloseRequested = 1024,
        Closed = 2048,
        OriginalKnown = 4096,
        Told = 8192,

        /// <summary>The last read brought much: the next one wants the whole buffer.</summary>
        Wide = 16384,

        /// <summary>The loop's intake let it in, and hears when it leaves.</summary>
        LetIn = 32768,
    }

    /// <inheritdoc/>
    public int Descriptor { get; set; } = -1;

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <inheritdoc/>
    public override EventLoop Loop => _loop;

    /// <inheritdoc/>
    public override string ConnectFailure => _connectFailure;

    /// <inheritdoc/>
    public override Address Local => _local;

    /// <inheritdoc/>
    public override Address Remote => _remote;

    /// <inheritdoc/>
    public override Address OriginalDestination
    {
        get
        {
            if (!Has(State.OriginalKnown) && Descriptor >= 0)
            {
                _state |= State.OriginalKnown;
                // TPROXY leaves the meant address as the socket's own; REDIRECT keeps it in the connection tracker.
                Address kept = _transparent ? _local : Sockets.OriginalDestinationOf(Descriptor, _local.Kind);
                if (_transparent || kept != _local)
                    _original = kept;
            }
            return _original;
        }
    }

    /// <inheritdoc/>
    public override int PendingBytes => _output.Length;

    /// <inheritdoc/>
    public override bool IsAboveWatermark => Has(State.AboveWatermark);

    /// <inheritdoc/>
    public override bool IsPeerLeaving => Has(State.EndSeen);

    /// <inheritdoc/>
    public override bool IsClosed => (_state & (State.Closed | State.CloseRequested)) != 0;

    /// <inheritdoc/>
    public override bool Reading
    {
        get => Has(State.Reading);
        set
        {
            if (value == Has(State.Reading))
                return;
            _state ^= State.Reading;
            if (value && Has(State.MayRead) && !IsClosed)
                _loop.AddReady(this);
        }
    }

    private bool Has(State state) => (_state & state) != 0;

    /// <summary>Begins to connect.</summary>
    public static EpollTransport Connect(EpollLoop loop, in ConnectOptions options, TransportHandler handler)
    {
        var transport = new EpollTransport(loop, options.Remote, transparent: false) { Handler = handler };
        transport._state |= State.Connecting | State.OriginalKnown;
        int descriptor = Sockets.Connect(options.Mark == 0 && loop.Mark != 0 ? options with { Mark = loop.Mark } : options, out int error,
            out ConnectStep step);
        if (descriptor < 0 || !loop.Register(transport, descriptor, connected: true))
        {
            if (descriptor < 0)
                transport._connectFailure = Sockets.Words(options, error, step);
            transport.End(step == ConnectStep.Connect ? CloseReason.Refused : CloseReason.Environment);
            return transport;
        }
        if (options.TimeoutMicros > 0)
            transport.WaitAtMost(options.TimeoutMicros);
        return transport;
    }

    /// <summary>Takes an accepted socket. Null where the kernel refuses to watch it.</summary>
    public static EpollTransport? Accept(EpollLoop loop, int descriptor, in Address remote, bool transparent, bool isLetIn)
    {
        var transport = new EpollTransport(loop, remote, transparent);
        if (!loop.Register(transport, descriptor))
        {
            loop.Release(transport);
            return null;
        }
        transport._local = Sockets.LocalOf(descriptor);
        if (isLetIn)
        {
            transport._state |= State.LetIn;
            loop.Age.Intake.OnEntered();
        }
        return transport;
    }

    /// <summary>Says where the connection was meant to go, in the kernel's place.</summary>
    public void StateOriginalDestination(in Address address)
    {
        _original = address;
        _state |= State.OriginalKnown;
    }

    // Arriving

    /// <inheritdoc/>
    public void OnEvents(uint events)
    {
        if (Has(State.Connecting) && !FinishConnect(events))
            return;
        if ((events & Sys.Out) != 0 && Has(State.Blocked))
        {
            _state &= ~State.Blocked;
            FlushTurn();
        }
        if ((events & (Sys.In | Sys.ReadHangUp | Sys.HangUp | Sys.Error)) == 0 || Descriptor < 0)
            return;
        _state |= State.MayRead;
        if ((events & (Sys.ReadHangUp | Sys.HangUp | Sys.Error)) != 0)
            _state |= State.EndSeen;
        if (Has(State.Reading) && !IsClosed)
            Read();
        else if ((events & Sys.Error) != 0)
            End(CloseReason.Reset);
    }

    /// <summary>True where its readiness means nothing but bytes that the handler wants, and few of them.</summary>
    public bool MayReceive(uint events)
    {
        const State hindering =
            State.Connecting | State.MayRead | State.EndSeen | State.Blocked | State.CloseRequested | State.Closed | State.Wide;
        return (events & ~Sys.Out) == Sys.In && (_state & (State.Reading | hindering)) == State.Reading;
    }

    /// <summary>Reads ahead of <see cref="OnArrived"/>, which follows in this turn. 0 where there is nothing to show: then
    /// <see cref="OnEvents"/> follows.</summary>
    public int Receive(byte* to, int room)
    {
        nint count = Sys.Receive(Descriptor, to, room, 0);
        if (count < 0)
            EndOfInput(count);
        else
            NoteLength(count, count == room);
        return (int)Math.Max(count, 0);
    }

    /// <summary>What was read for it.</summary>
    public void OnArrived(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed)
            return;
        if (!Has(State.Reading))
        {
            // Who was served before it in this turn has paused it.
            _held = bytes.ToArray();
            _state |= State.MayRead;
            return;
        }
        Show(bytes);
        if (Has(State.MayRead) && Has(State.Reading) && !IsClosed)
            Read();
    }

    /// <inheritdoc/>
    public void OnReady()
    {
        if (Has(State.Reading) && Has(State.MayRead) && !IsClosed)
            Read();
    }

    private bool FinishConnect(uint events)
    {
        if ((events & (Sys.Out | Sys.Error | Sys.HangUp)) == 0)
            return false;
        int error = Sockets.TakeError(Descriptor);
        if (error != 0)
        {
            _connectFailure = "delayed connect error: " + Sockets.Describe(error);
            CloseReason reason = Sockets.ReasonOf(error);
            End(reason == CloseReason.Environment ? CloseReason.Refused : reason);
            return false;
        }
        _state &= ~State.Connecting;
        _patience?.Stop(_loop);
        _local = Sockets.LocalOf(Descriptor);
        if (Has(State.CloseRequested))
            WaitAtMost(_loop.Options.CloseMicros);
        else
            Handler.OnConnected(this);
        if (Descriptor >= 0)
            MarkDirty();
        return Descriptor >= 0;
    }

    // A short read has emptied the socket: the next byte brings an edge (epoll(7)), unless the end has been told already.
    private void NoteLength(nint count, bool full)
    {
        _state &= ~(State.MayRead | State.Wide);
        if (full || Has(State.EndSeen))
            _state |= State.MayRead;
        if (count >= TurnEvents.RoomLeast)
            _state |= State.Wide;
    }

    private void Read()
    {
        if (_held is { } held)
        {
            _held = null;
            Show(held);
            if (!Has(State.Reading) || IsClosed)
                return;
        }
        Span<byte> buffer = _loop.ReceiveBuffer;
        fixed (byte* start = buffer)
        {
            for (int i = 0; i < ReadsMax; i++)
            {
                nint count = Sys.Receive(Descriptor, start, buffer.Length, 0);
                if (count <= 0)
                {
                    EndOfInput(count);
                    return;
                }
                NoteLength(count, count == buffer.Length);
                Show(buffer[..(int)count]);
                if (!Has(State.MayRead) || !Has(State.Reading) || IsClosed)
                    return;
            }
        }
        _loop.AddReady(this);
    }

    private void EndOfInput(nint count)
    {
        if (count < 0)
        {
            int error = Sys.Errno;
            if (error == Sys.EIntr)
                _loop.AddReady(this);
            else if (error == Sys.EAgain)
                _state &= ~State.MayRead;
            else
                End(Sockets.ReasonOf(error));
            return;
        }
        _state &= ~State.MayRead;
        if (Has(State.PeerEnded))
            return;
        _state |= State.PeerEnded;
        Handler.OnEnd(this);
        EndWhenBothEnded();
    }
}
