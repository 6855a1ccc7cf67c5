namespace Lateen.Proxy.Net.Memory;

/// <summary>A listening socket of a <see cref="MemoryLoop"/>; what arrives waits here until it is accepted.</summary>
internal sealed class MemoryListener : ListeningSocket, IMemorySource
{
    private readonly MemoryLoop _loop;
    private readonly Acceptor _acceptor;
    private readonly Queue<MemoryTransport> _waiting = new();
    private readonly int _backlog;
    private readonly bool _isExempt;
    private int _room;
    private bool _accepting = true;
    private bool _closed;

    public MemoryListener(MemoryLoop loop, in ListenOptions options, Acceptor acceptor)
    {
        _loop = loop;
        _acceptor = acceptor;
        _backlog = _room = options.Backlog;
        _isExempt = options.IsExempt;
        Transparent = options.Transparent;
        ReusePort = options.ReusePort;
        V6Only = options.V6Only;
        loop.Host.CheckFree(options);
        Address asked = options.Bound?.Address ?? options.Address;
        Address = asked.IsIp && asked.Port == 0 ? asked.WithPort(loop.Host.NextPort()) : asked;
        loop.Host.Add(this);
    }

    /// <inheritdoc/>
    public override Address Address { get; }

    public bool Transparent { get; }

    public bool ReusePort { get; }

    public bool V6Only { get; }

    public MemoryLoop Loop => _loop;

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <inheritdoc/>
    public override bool Accepting
    {
        get => _accepting;
        set
        {
            _accepting = value;
            if (value && _waiting.Count != 0)
                _loop.AddReady(this);
        }
    }

    /// <summary>A connect arrived. False where the queue is full: the network drops it, and it is never answered.</summary>
    public bool Enqueue(MemoryTransport transport)
    {
        if (_waiting.Count >= _room)
            return false;
        _waiting.Enqueue(transport);
        _loop.AddReady(this);
        return true;
    }

    /// <inheritdoc/>
    public bool OnReady()
    {
        IsReady = false;
        for (int left = _isExempt || _loop.WorkMicros == 0 ? int.MaxValue : _loop.Age.Intake.Take(); left > 0 && _accepting && !_closed
            && _waiting.TryDequeue(out MemoryTransport? transport); left--)
            transport.BeAccepted(_acceptor, !_isExempt);
        if (_waiting.Count == 0)
            _room = _backlog;
        else if (_accepting && !_closed)
            Postpone();
        return false;
    }

    // As an epoll loop's listening socket.
    private void Postpone()
    {
        _loop.AddReady(this);
        if (_isExempt || !_loop.Age.IsLate)
            return;
        _loop.Age.Intake.OnWaiting(_loop.Now);
        _room = Math.Min(_backlog, _loop.Age.Intake.WaitingMax);
    }

    /// <inheritdoc/>
    public override void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _loop.Host.Remove(this);
        while (_waiting.TryDequeue(out MemoryTransport? transport))
            transport.Abort();
    }
}
