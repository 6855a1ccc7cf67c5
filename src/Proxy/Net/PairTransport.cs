namespace Lateen.Proxy.Net;

/// <summary>
/// One end of a connection between two parts of the same loop (internal listeners): what one end sends waits in its queue until the loop
/// shows it to the other end, so neither runs inside the other's call. Pausing, watermarks and both ways to end are those of a socket.
/// </summary>
internal sealed class PairTransport : Transport
{
    private static readonly Address Client = Address.Internal("internal_client_address");

    private readonly EventLoop _loop;
    private readonly Address _local;
    private readonly Address _remote;
    private readonly Pump _pump;
    private PairTransport _other = null!;
    private OutputQueue _output;
    private CloseReason _reason;
    private bool _connecting, _reading = true, _above, _endRequested, _endTold, _peerEnded, _closeRequested, _closed, _told;

    private PairTransport(EventLoop loop, in Address local, in Address remote)
    {
        _loop = loop;
        _local = local;
        _remote = remote;
        _pump = new Pump(this);
    }

    /// <inheritdoc/>
    public override EventLoop Loop => _loop;

    /// <inheritdoc/>
    public override Address Local => _local;

    /// <inheritdoc/>
    public override Address Remote => _remote;

    /// <inheritdoc/>
    public override Address OriginalDestination => default;

    /// <summary>What the end that connected tells of itself; null for nothing.</summary>
    public Metadata? Passed { get; private init; }

    /// <inheritdoc/>
    public override int PendingBytes => _output.Length;

    /// <inheritdoc/>
    public override bool IsAboveWatermark => _above;

    /// <inheritdoc/>
    public override bool IsClosed => _closed || _closeRequested;

    /// <inheritdoc/>
    public override bool Reading
    {
        get => _reading;
        set
        {
            if (value == _reading)
                return;
            _reading = value;
            if (value)
                _loop.Defer(_other._pump);
        }
    }

    /// <summary>Both ends: the one that connects to <paramref name="remote"/> and the one that is accepted there.</summary>
    public static (PairTransport Near, PairTransport Far) Create(EventLoop loop, in Address remote, Metadata? passed)
    {
        var near = new PairTransport(loop, Client, remote) { _connecting = true };
        var far = new PairTransport(loop, remote, Client) { Passed = passed };
        near._other = far;
        far._other = near;
        return (near, far);
    }

    /// <summary>The near end's connect: to this acceptor, or refused where there is none.</summary>
    public void Begin(Acceptor? acceptor)
    {
        if (acceptor is null)
            End(CloseReason.Refused);
        else
            _loop.Defer(new Arrival(this, acceptor));
    }

    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || _endRequested || bytes.IsEmpty)
            return;
        BytesOut += bytes.Length;
        _output.Append(bytes, _loop.Chunks);
        if (_loop.Waiting.IsAbove(_output.Length, HighWatermark))
            _above = true;
        _loop.Defer(_pump);
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override void EndSend()
    {
        _endRequested = true;
        _loop.Defer(_pump);
    }

    /// <inheritdoc/>
    public override void Close(bool abort = false)
    {
        if (_closed || (_closeRequested && !abort))
            return;
        _closeRequested = true;
        if (abort)
        {
            End(CloseReason.Local);
            _other.End(CloseReason.Reset);
        }
        else if (_connecting)
        {
            End(CloseReason.Local);
        }
        _loop.Defer(_pump);
    }

    /// <summary>Shows the other end what waits here, then the end, then tells our own.</summary>
    private void Push()
    {
        if (!_connecting && !_other._connecting)
        {
            Deliver();
            if (_output.Length == 0 && !_closed)
                PassEnd();
        }
        if (_above && !_loop.Waiting.IsAbove(_output.Length * 2, HighWatermark) && !IsClosed)
        {
            _above = false;
            Handler.OnWritable(this);
        }
        if (!_closed || _told)
            return;
        // Only here, never inside a call that may be looking at a chunk.
        _output.Clear(_loop.Chunks);
        _told = true;
        Handler?.OnClosed(this, _reason);
    }

    private unsafe void Deliver()
    {
        while (_output.Head is { Length: > 0 } chunk && _other._reading && !_other.IsClosed && !_closed)
        {
            int count = chunk.Length;
            // The handler may send on this end's queue only through the other end: the chunk stays as it is during the call.
            _other.Show(new ReadOnlySpan<byte>(chunk.Filled, count));
            if (!_closed)
                _output.Consume(count, _loop.Chunks);
        }
        // What the other end will never read must not hold us; as with a socket, an end with bytes unread breaks the connection.
        if (!_other.IsClosed || _closed)
            return;
        bool unread = _output.Length > 0;
        _output.Clear(_loop.Chunks);
        if (unread && !_closeRequested)
            End(CloseReason.Reset);
    }

    private void PassEnd()
    {
        if ((_endRequested || _closeRequested) && !_endTold && (_other._reading || _other.IsClosed))
        {
            _endTold = true;
            _other._peerEnded = true;
            if (!_other.IsClosed)
                _other.Handler.OnEnd(_other);
            if (_other._endTold || _other._closed)
                _other.End(CloseReason.Remote);
        }
        if (_closeRequested || (_endTold && _peerEnded))
            End(_peerEnded ? CloseReason.Remote : CloseReason.Local);
    }

    private void End(CloseReason reason)
    {
        if (_closed)
            return;
        _closed = true;
        _reason = reason;
        _loop.Defer(_pump);
    }

    private sealed class Pump(PairTransport transport) : Letter
    {
        protected internal override void Deliver() => transport.Push();
    }

    private sealed class Arrival(PairTransport near, Acceptor acceptor) : Letter
    {
        protected internal override void Deliver()
        {
            if (near._closed)
                return;
            near._connecting = false;
            acceptor.OnAccepted(near._other);
            near.Handler.OnConnected(near);
            near._loop.Defer(near._pump);
            near._loop.Defer(near._other._pump);
        }
    }
}
