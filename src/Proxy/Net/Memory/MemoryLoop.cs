namespace Lateen.Proxy.Net.Memory;

/// <summary>A loop of a <see cref="MemoryHost"/>; its turns come from the network. A defect of ours is not held here: it ends the run, with
/// the seed at hand.</summary>
public sealed class MemoryLoop : EventLoop
{
    // Roughly what an accept or a close takes of a real processor.
    private const long TouchMicros = 15;

    private readonly byte[] _receive = new byte[64 * 1024];
    private readonly TimingWheel _wheel;
    private readonly Mailbox _mailbox = new();
    private readonly LetterQueue _deferred = new();
    private readonly InternalListeners _internal;
    private readonly Queue<IMemorySource> _ready = new();
    private readonly HashSet<MemoryTransport> _open = [];
    private readonly List<ListeningSocket> _listening = [];
    private List<MemoryTransport> _dirty = [], _flushing = [];
    private List<MemoryTransport> _ended = [], _telling = [];
    private readonly Queue<long> _readySince = new();
    private long _busyUntil, _worked;
    private bool _killed;

    internal MemoryLoop(MemoryHost host, string name, ulong seed)
    {
        Host = host;
        Name = name;
        Chance = new Chance(seed);
        _wheel = new TimingWheel(Network.Now);
        _internal = new InternalListeners(this);
    }

    /// <summary>Where it runs.</summary>
    public MemoryHost Host { get; }

    /// <summary>Its name, for people and for capture rules.</summary>
    public string Name { get; }

    /// <summary>Its network.</summary>
    public MemoryNetwork Network => Host.Network;

    /// <inheritdoc/>
    public override long Now => Network.Now;

    /// <inheritdoc/>
    public override long WallClock => Network.WallClockAtZero + Network.Now;

    /// <inheritdoc/>
    public override Chance Chance { get; }

    /// <summary>Virtual time that each source takes that brings bytes: one is served, and the loop is busy for so long. Others (a
    /// connection begins or ends) take <see cref="TouchMicros"/>, at most as much. 0 serves all at once, for nothing.</summary>
    public long WorkMicros { get; set; }

    /// <summary>Connections that are open.</summary>
    public int OpenConnections => _open.Count;

    /// <summary>Deadlines that are armed.</summary>
    public int ArmedDeadlines => _wheel.Count();

    internal bool IsActive { get; set; }

    internal long NextDeadline =>
        _killed ? long.MaxValue : WorkMicros == 0 ? _wheel.NextAt : Math.Max(_busyUntil, HasWork ? 0 : _wheel.NextAt);

    private bool HasWork => _ready.Count != 0 || !_deferred.IsEmpty || !_mailbox.IsEmpty;

    internal Span<byte> ReceiveBuffer => _receive.AsSpan(0, Waiting.ReadMax(_receive.Length));

    internal void Turn()
    {
        if (_killed || Now < _busyUntil)
            return;
        for (int i = WorkMicros == 0 ? _ready.Count : Math.Min(1, _ready.Count); i > 0; i--)
            ServeOne();
        _wheel.Advance(Now);
        DeliverLetters();
        Settle();
        if (HasWork && WorkMicros == 0)
            Network.Activate(this);
    }

    private void ServeOne()
    {
        long since = _readySince.Dequeue();
        if (WorkMicros != 0)
            Age.Sample(Now, _worked, Now - since);
        bool brought = _ready.Dequeue().OnReady();
        _worked = brought ? WorkMicros : Math.Min(WorkMicros, TouchMicros);
        _busyUntil = Now + _worked;
    }

    private void DeliverLetters()
    {
        _mailbox.TakeInto(_deferred);
        Letter letter = _deferred.TakeAll();
        while (letter != Letter.End)
        {
            Letter current = letter;
            letter = LetterQueue.Detach(current);
            current.Deliver();
        }
    }

    private void Settle()
    {
        while (_dirty.Count != 0 || _ended.Count != 0)
        {
            (_flushing, _dirty) = (_dirty, _flushing);
            foreach (MemoryTransport transport in _flushing)
                transport.FlushTurn();
            _flushing.Clear();
            (_telling, _ended) = (_ended, _telling);
            foreach (MemoryTransport transport in _telling)
                transport.TellClosed();
            _telling.Clear();
        }
    }

    /// <inheritdoc/>
    public override ListeningSocket Listen(in ListenOptions options, Acceptor acceptor)
    {
        ListeningSocket socket = options.Address.Kind == AddressKind.Internal
            ? _internal.Listen(options.Address, acceptor)
            : new MemoryListener(this, options, acceptor);
        _listening.Add(socket);
        return socket;
    }

    /// <inheritdoc/>
    public override BoundSocket? Bind(in ListenOptions options) =>
        options.Address.Kind == AddressKind.Internal ? null : new MemoryBound(Host, options);

    /// <inheritdoc/>
    public override Transport Connect(in ConnectOptions options, TransportHandler handler) =>
        options.Remote.Kind == AddressKind.Internal
            ? _internal.Connect(options.Remote, options.Passed, handler) : MemoryTransport.Connect(this, options, handler);

    /// <inheritdoc/>
    public override DatagramSocket OpenDatagram(in Address local) => new MemoryDatagram(this, local);

    /// <inheritdoc/>
    public override void Arm(Deadline deadline, long micros) => _wheel.Arm(deadline, Now + micros);

    /// <inheritdoc/>
    protected override void DisarmArmed(Deadline deadline) => _wheel.Disarm(deadline);

    /// <inheritdoc/>
    public override void Post(Letter letter)
    {
        if (!_killed && _mailbox.Add(letter))
            Network.Activate(this);
    }

    /// <inheritdoc/>
    public override void Defer(Letter letter)
    {
        _deferred.Add(letter);
        Network.Activate(this);
    }

    /// <summary>The process dies: its listeners go, its connections are reset, and none of its handlers hears anything more.</summary>
    public void Kill()
    {
        foreach (ListeningSocket socket in _listening)
            socket.Close();
        foreach (MemoryTransport transport in _open.OrderBy(t => t.Number).ToArray())
            transport.Abort();
        _killed = true;
        Network.Remove(this);
    }

    internal void AddReady(IMemorySource source)
    {
        if (source.IsReady)
            return;
        source.IsReady = true;
        _ready.Enqueue(source);
        _readySince.Enqueue(Now);
        Network.Activate(this);
    }

    internal void AddDirty(MemoryTransport transport)
    {
        _dirty.Add(transport);
        Network.Activate(this);
    }

    internal void AddOpen(MemoryTransport transport) => _open.Add(transport);

    internal void AddEnded(MemoryTransport transport)
    {
        _open.Remove(transport);
        _ended.Add(transport);
        Network.Activate(this);
    }
}

/// <summary>Something of a loop that has work: a connection or a listening socket.</summary>
internal interface IMemorySource
{
    /// <summary>True while it waits for its share of a turn.</summary>
    bool IsReady { get; set; }

    /// <summary>Its share; it sets <see cref="IsReady"/> back. True where it brought bytes.</summary>
    bool OnReady();
}
