using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Net.Epoll;

/// <summary>
/// One thread's turn over an edge-triggered epoll set. A turn: wait; read and serve what is ready, each with a bounded share; deadlines;
/// letters; what was deferred; then everything gathered leaves and the closed are told. <see cref="Run"/> holds the thread until
/// <see cref="Stop"/>.
/// </summary>
public sealed unsafe partial class EpollLoop : EventLoop, IDisposable
{
    // Cookies of the set: the descriptor, the bit above it for those that we connected, and above both the generation of its owner.
    private const ulong Connected = 1UL << 31, WakeupCookie = ulong.MaxValue & ~Connected;

    private readonly EpollLoopOptions _options;
    private readonly int _epoll;
    private readonly int _wakeup;
    private readonly TurnEvents _turn = new();
    private readonly byte* _receive;
    private readonly TimingWheel _wheel;
    private readonly Mailbox _mailbox = new();
    private readonly LetterQueue _deferred = new();
    private readonly InternalListeners _internal;
    private readonly ReadyMark _mark;
    private (IEpollSource? Source, uint Generation)[] _sources = new (IEpollSource?, uint)[1024];
    private List<IEpollSource> _ready = new(64), _serving = new(64);
    private List<EpollTransport> _dirty = new(64), _flushing = new(64);
    private List<EpollTransport> _ended = new(16), _telling = new(16);
    private uint _generation;
    private long _now;
    private long _wallClock;
    private bool _stopped;
    private int _wakeupSent;

    /// <summary>Makes the epoll set; nothing runs yet.</summary>
    public EpollLoop(EpollLoopOptions? options = null)
    {
        _options = options ?? new EpollLoopOptions();
        Chance = new Chance(_options.Seed);
        _epoll = Sys.EpollCreate(Sys.CloseOnExec);
        _wakeup = Sys.EventFd(0, Sys.NonBlock | Sys.CloseOnExec);
        if (_epoll < 0 || _wakeup < 0)
            throw new ListenException($"no event loop: error {Sys.Errno}");
        _receive = (byte*)NativeMemory.Alloc((nuint)_options.ReceiveBytes);
        ReadClock();
        _wheel = new TimingWheel(_now);
        _internal = new InternalListeners(this);
        Watch(_wakeup, WakeupCookie, Sys.In | Sys.EdgeTriggered);
        _mark = new ReadyMark(this);
    }

    /// <inheritdoc/>
    public override long Now => _now;

    /// <inheritdoc/>
    public override long WallClock => _wallClock != 0 ? _wallClock : _wallClock = (DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks) / 10;

    /// <inheritdoc/>
    public override Chance Chance { get; }

    /// <summary>What it was made with.</summary>
    internal EpollLoopOptions Options => _options;

    /// <summary>The receive buffer.</summary>
    internal Span<byte> ReceiveBuffer => new(_receive, Waiting.ReadMax(_options.ReceiveBytes));

    /// <summary>Turns until <see cref="Stop"/>, on the calling thread.</summary>
    public void Run()
    {
        while (!Volatile.Read(ref _stopped))
            Turn(long.MaxValue);
    }

    /// <summary>Runs on a thread of its own.</summary>
    public Thread Start()
    {
        var thread = new Thread(Run) { Name = _options.Name, IsBackground = true };
        thread.Start();
        return thread;
    }

    /// <summary>From any thread: <see cref="Run"/> returns after the current turn. Connections stay as they are until
    /// <see cref="Dispose"/>.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopped, true);
        Wake();
    }

    /// <summary>One turn: waits at most <paramref name="maxMicros"/> for something to happen.</summary>
    public void Turn(long maxMicros)
    {
        long begun = _now, done = Clock();
        _turn.Wait(_epoll, WaitMillis(maxMicros, done));
        ReadClock();
        ReceiveAll();
        // Answers finish what is under way before more is begun; and the code of either kind stays in the cache while it is served.
        DispatchAll(Connected);
        DispatchAll(0);
        _mark.OnTurn(done - begun, _turn.IsFull);
        ServeReady();
        ServeDeadlines();
        DeliverLetters();
        Settle();
    }

    private int WaitMillis(long maxMicros, long clock)
    {
        if (_ready.Count != 0 || !_deferred.IsEmpty || !_mailbox.IsEmpty || _ended.Count != 0 || _dirty.Count != 0)
            return 0;
        long until = _wheel.NextAt == long.MaxValue ? long.MaxValue : _wheel.NextAt - clock;
        long wait = Math.Min(until, maxMicros);
        // Rounded up, so that the deadline's step has been reached when we wake.
        return wait == long.MaxValue ? -1 : (int)Math.Clamp((wait + 999) / 1000, 0, 60_000);
    }

    private static long Clock() => Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);

    private void ReadClock()
    {
        _now = Clock();
        _wallClock = 0;
    }

    private void ReceiveAll()
    {
        for (int i = 0; i < _turn.Count; i++)
        {
            if (i + 1 < _turn.Count)
                Prefetch.Of(SourceOf(_turn.CookieOf(i + 1)), EpollTransport.LinesTouched);
            if (SourceOf(_turn.CookieOf(i)) is not EpollTransport transport)
                continue;
            _turn.Receive(i, transport);
            Prefetch.Of(transport.Handler, 2);
        }
    }

    private void DispatchAll(ulong kind)
    {
        for (int i = 0; i < _turn.Count; i++)
        {
            ulong cookie = _turn.CookieOf(i);
            if ((cookie & Connected) != kind)
                continue;
            if (cookie == WakeupCookie)
                TakeWakeup();
            else if (SourceOf(cookie) is { } source)
                Dispatch(source, i);
        }
    }

    // None for an event of a descriptor that was closed, and perhaps opened again, earlier in this turn.
    private IEpollSource? SourceOf(ulong cookie)
    {
        if (cookie == WakeupCookie)
            return null;
        (IEpollSource? source, uint generation) = _sources[(int)cookie & int.MaxValue];
        return generation == (uint)(cookie >> 32) ? source : null;
    }

    private void TakeWakeup()
    {
        ulong count;
        Sys.Read(_wakeup, &count, sizeof(ulong));
        Volatile.Write(ref _wakeupSent, 0);
    }

    private void Dispatch(IEpollSource source, int index)
    {
        ReadOnlySpan<byte> arrived = _turn.ArrivedOf(index);
        try
        {
            if (arrived.IsEmpty)
                source.OnEvents(_turn.ReadinessOf(index));
            else
                Unsafe.As<EpollTransport>(source).OnArrived(arrived);
        }
        catch (Exception defect)
        {
            Defect(source, defect);
        }
    }

    private void ServeReady()
    {
        if (_ready.Count == 0)
            return;
        (_serving, _ready) = (_ready, _serving);
        foreach (IEpollSource source in _serving)
        {
            source.IsReady = false;
            if (source.Descriptor < 0)
                continue;
            try
            {
                source.OnReady();
            }
            catch (Exception defect)
            {
                Defect(source, defect);
            }
        }
        _serving.Clear();
    }

    private void ServeDeadlines()
    {
        // A deadline whose owner fails is off the wheel already: the rest goes on.
        for (bool done = false; !done;)
        {
            try
            {
                _wheel.Advance(_now);
                done = true;
            }
            catch (Exception defect)
            {
                Defect(null, defect);
            }
        }
    }

    private void DeliverLetters()
    {
        _mailbox.TakeInto(_deferred);
        Letter letter = _deferred.TakeAll();
        while (letter != Letter.End)
        {
            Letter current = letter;
            letter = LetterQueue.Detach(current);
            try
            {
                current.Deliver();
            }
            catch (Exception defect)
            {
                Defect(null, defect);
            }
        }
    }

    // The one place where a defect of ours is held: it costs the connection, never the worker. It is counted and logged by whoever made the
    // loop.
    private void Defect(IEpollSource? source, Exception defect)
    {
        _options.OnDefect?.Invoke(defect);
        source?.Abandon();
    }

    /// <summary>Lets gathered output leave and tells the closed, until both are done: telling may send.</summary>
    private void Settle()
    {
        while (_dirty.Count != 0 || _ended.Count != 0)
        {
            (_flushing, _dirty) = (_dirty, _flushing);
            for (int i = 0; i < _flushing.Count; i++)
            {
                if (i + 1 < _flushing.Count)
                    Prefetch.Of(_flushing[i + 1], EpollTransport.LinesTouched);
                Settle(_flushing[i], flush: true);
            }
            _flushing.Clear();
            (_telling, _ended) = (_ended, _telling);
            foreach (EpollTransport transport in _telling)
                Settle(transport, flush: false);
            _telling.Clear();
        }
    }

    private void Settle(EpollTransport transport, bool flush)
    {
        try
        {
            if (flush)
                transport.FlushTurn();
            else
                transport.TellClosed();
        }
        catch (Exception defect)
        {
            Defect(transport, defect);
        }
    }

    /// <inheritdoc/>
    public override Transport Connect(in ConnectOptions options, TransportHandler handler)
    {
        if (options.Remote.Kind == AddressKind.Internal)
            return _internal.Connect(options.Remote, options.Passed, handler);
        return EpollTransport.Connect(this, options, handler);
    }

    /// <summary>See <see cref="EpollLoopOptions.Mark"/>.</summary>
    internal uint Mark => _options.Mark;

    /// <inheritdoc/>
    public override DatagramSocket OpenDatagram(in Address local) => new EpollDatagram(this, Sockets.OpenDatagram(local));

    /// <inheritdoc/>
    public override void Arm(Deadline deadline, long micros) => _wheel.Arm(deadline, _now + micros);

    /// <inheritdoc/>
    protected override void DisarmArmed(Deadline deadline) => _wheel.Disarm(deadline);

    /// <inheritdoc/>
    public override void Post(Letter letter)
    {
        if (_mailbox.Add(letter))
            Wake();
    }

    private void Wake()
    {
        if (Interlocked.Exchange(ref _wakeupSent, 1) != 0)
            return;
        ulong one = 1;
        Sys.Write(_wakeup, &one, sizeof(ulong));
    }

    /// <inheritdoc/>
    public override void Defer(Letter letter) => _deferred.Add(letter);

    /// <summary>Takes a descriptor into the set, for all events and for its whole life. False where the kernel refuses.</summary>
    /// <param name="source">Whose it is.</param>
    /// <param name="descriptor">The descriptor.</param>
    /// <param name="connected">We connected it: it is served before those that we accepted.</param>
    internal bool Register(IEpollSource source, int descriptor, bool connected = false)
    {
        if (descriptor >= _sources.Length)
            Array.Resize(ref _sources, Math.Max(descriptor + 1, _sources.Length * 2));
        source.Descriptor = descriptor;
        _sources[descriptor] = (source, ++_generation);
        ulong cookie = (uint)descriptor | (connected ? Connected : 0) | ((ulong)_generation << 32);
        return Watch(descriptor, cookie, Sys.In | Sys.Out | Sys.ReadHangUp | Sys.EdgeTriggered);
    }

    private bool Watch(int descriptor, ulong cookie, uint events)
    {
        byte* at = stackalloc byte[16];
        Unsafe.WriteUnaligned(at, events);
        Unsafe.WriteUnaligned(at + Sys.CookieOffset, cookie);
        return Sys.EpollControl(_epoll, Sys.EpollAdd, descriptor, at) == 0;
    }

    /// <summary>Closes the descriptor; the kernel takes it out of the set.</summary>
    internal void Release(IEpollSource source)
    {
        int descriptor = source.Descriptor;
        if (descriptor < 0)
            return;
        _sources[descriptor] = default;
        source.Descriptor = -1;
        Sys.Close(descriptor);
    }

    /// <summary>It has more to read than its share: it goes on in the next turn.</summary>
    internal void AddReady(IEpollSource source)
    {
        if (source.IsReady)
            return;
        source.IsReady = true;
        _ready.Add(source);
    }

    /// <summary>It has gathered output; the caller adds a transport once.</summary>
    internal void AddDirty(EpollTransport transport) => _dirty.Add(transport);

    /// <summary>It is over and has to be told.</summary>
    internal void AddEnded(EpollTransport transport) => _ended.Add(transport);

    /// <summary>Closes every descriptor without telling anybody. After <see cref="Run"/> has returned.</summary>
    public void Dispose()
    {
        foreach ((IEpollSource? source, _) in _sources)
        {
            if (source is not null)
                Release(source);
        }
        Sys.Close(_wakeup);
        Sys.Close(_epoll);
        _turn.Dispose();
        NativeMemory.Free(_receive);
    }
}
