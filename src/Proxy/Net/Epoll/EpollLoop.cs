using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lateen.Proxy.Net.Epoll;

/// <summary>
/// One thread's turn over an edge-triggered epoll set. A turn: wait; serve what is ready, each with a bounded share; deadlines; letters;
/// what was deferred; then everything gathered leaves and the closed are told. <see cref="Run"/> holds the thread until <see cref="Stop"/>.
/// </summary>
public sealed unsafe class EpollLoop : EventLoop, IDisposable
{
    private const int EventsMax = 128;

    private readonly EpollLoopOptions _options;
    private readonly int _epoll;
    private readonly int _wakeup;
    private readonly byte* _events;
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
        _events = (byte*)NativeMemory.AllocZeroed((nuint)(EventsMax * Sys.EventSize));
        _receive = (byte*)NativeMemory.Alloc((nuint)_options.ReceiveBytes);
        ReadClock();
        _wheel = new TimingWheel(_now);
        _internal = new InternalListeners(this);
        Watch(_wakeup, ulong.MaxValue, Sys.In | Sys.EdgeTriggered);
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
    internal Span<byte> ReceiveBuffer => new(_receive, _options.ReceiveBytes);

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
        int count = Sys.EpollWait(_epoll, _events, EventsMax, WaitMillis(maxMicros, done));
        ReadClock();
        for (int i = 0; i < count; i++)
        {
            byte* at = _events + (i * Sys.EventSize);
            Dispatch(Unsafe.ReadUnaligned<ulong>(at + Sys.CookieOffset), Unsafe.ReadUnaligned<uint>(at));
        }
        _mark.OnTurn(done - begun, count == EventsMax);
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

    private void Dispatch(ulong cookie, uint events)
    {
        if (cookie == ulong.MaxValue)
        {
            ulong count;
            Sys.Read(_wakeup, &count, sizeof(ulong));
            Volatile.Write(ref _wakeupSent, 0);
            return;
        }
        (IEpollSource? source, uint generation) = _sources[(uint)cookie];
        // An event of a descriptor that was closed, and perhaps opened again, earlier in this turn.
        if (source is null || generation != (uint)(cookie >> 32))
            return;
        try
        {
            source.OnEvents(events);
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
            foreach (EpollTransport transport in _flushing)
                Settle(transport, flush: true);
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
    public override ListeningSocket Listen(in ListenOptions options, Acceptor acceptor)
    {
        if (options.Address.Kind == AddressKind.Internal)
            return _internal.Listen(options.Address, acceptor);
        if (Inherited.TryRemove(options.Address, out List<int>? handed))
            return Continue(handed, options, acceptor);
        return Open(options.Bound is EpollBound bound ? bound.Listen(options) : Sockets.Listen(options), options, acceptor);
    }

    /// <inheritdoc/>
    public override BoundSocket? Bind(in ListenOptions options) =>
        options.Address.Kind == AddressKind.Internal ? null : new EpollBound(options);

    /// <inheritdoc/>
    public override bool Inherits(in Address address) => Inherited.ContainsKey(address);

    private EpollListener Open(int descriptor, in ListenOptions options, Acceptor acceptor)
    {
        var listener = new EpollListener(this, descriptor, options.Address, options.Transparent, acceptor)
        {
            Asked = options.Address,
            Closed = l => Listening.TryRemove(l, out _),
        };
        Listening[listener] = options.Address;
        return listener;
    }

    // Sockets of a process before us, with the connections that wait in them. A loop may have to take several of one address: that process
    // had more loops.
    private ListeningSocket Continue(List<int> descriptors, ListenOptions options, Acceptor acceptor)
    {
        List<ListeningSocket> all = [.. descriptors.Select(d => (ListeningSocket)Open(d, options, acceptor))];
        return all.Count == 1 ? all[0] : new ListeningGroup(all);
    }

    /// <summary>Listening sockets that a process before this one handed over, by address: taken instead of binding anew. Filled before the
    /// loop runs.</summary>
    internal System.Collections.Concurrent.ConcurrentDictionary<Address, List<int>> Inherited { get; } = new();

    /// <summary>Listening sockets by the address that was asked for; read by the thread that hands them over.</summary>
    internal System.Collections.Concurrent.ConcurrentDictionary<EpollListener, Address> Listening { get; } = new();

    /// <summary>Goes on accepting from a listening descriptor that another process bound (hot restart) or that the service manager
    /// passed.</summary>
    /// <param name="descriptor">The socket; the loop closes it.</param>
    /// <param name="acceptor">Takes what it accepts.</param>
    /// <param name="transparent">Whether it takes what TPROXY sends.</param>
    /// <param name="stated">The original destination of all that it accepts, where neither netfilter nor TPROXY can tell; none for what
    /// they tell.</param>
    public ListeningSocket Adopt(int descriptor, Acceptor acceptor, bool transparent = false, Address stated = default)
    {
        // Whoever bound it may have left it blocking, and one blocking accept stops the worker.
        Sys.FileControl(descriptor, Sys.SetFlags, Sys.NonBlock);
        return new EpollListener(this, descriptor, default, transparent, acceptor) { Stated = stated };
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
    internal bool Register(IEpollSource source, int descriptor)
    {
        if (descriptor >= _sources.Length)
            Array.Resize(ref _sources, Math.Max(descriptor + 1, _sources.Length * 2));
        source.Descriptor = descriptor;
        _sources[descriptor] = (source, ++_generation);
        return Watch(descriptor, (uint)descriptor | ((ulong)_generation << 32), Sys.In | Sys.Out | Sys.ReadHangUp | Sys.EdgeTriggered);
    }

    // The cookie holds the descriptor and, above it, the generation of its owner.
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
        NativeMemory.Free(_events);
        NativeMemory.Free(_receive);
    }
}
