namespace Lateen.Proxy.Net.Memory;

/// <summary>One end of a simulated connection. Each end has a window: bytes under way or unread at the other end; what exceeds it stays
/// pending here.</summary>
internal sealed partial class MemoryTransport : Transport, IMemorySource
{
    private const int Window = 256 * 1024, SegmentMax = 16 * 1024;

    // Linux gives up an unanswered connect after 127 s (tcp_syn_retries = 6).
    private const long ConnectPatience = 127_000_000;

    private readonly MemoryLoop _loop;
    private OutputQueue _output;
    private readonly Queue<byte[]> _input = new();
    private MemoryTransport? _other;
    private Patience? _patience;
    private Address _local, _remote, _original;
    private CloseReason _reason;
    private int _inputOffset, _unread, _inFlight;
    private long _lastArrival;
    private bool _connecting, _answered, _reading = true, _finArrived, _resetArrived, _peerEnded, _above, _dirty;
    private bool _endRequested, _endSent, _closeRequested, _closed, _told, _letIn;

    private MemoryTransport(MemoryLoop loop, in Address local, in Address remote, in Address original)
    {
        _loop = loop;
        _local = local;
        _remote = remote;
        _original = original;
        Number = loop.Network.NextNumber();
        loop.AddOpen(this);
    }

    /// <summary>Counts transports, so that their order never depends on a hash.</summary>
    public long Number { get; }

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <inheritdoc/>
    public override EventLoop Loop => _loop;

    /// <inheritdoc/>
    public override Address Local => _local;

    /// <inheritdoc/>
    public override Address Remote => _remote;

    /// <inheritdoc/>
    public override Address OriginalDestination => _original;

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
            if (value && !IsClosed)
                _loop.AddReady(this);
        }
    }

    // Connecting

    /// <summary>Begins to connect.</summary>
    public static MemoryTransport Connect(MemoryLoop loop, in ConnectOptions options, TransportHandler handler)
    {
        MemoryHost host = loop.Host;
        Address local = options.Source.IsIp ? options.Source : host.SourceFor(options.Remote);
        if (local.IsIp && local.Port == 0)
            local = local.WithPort(host.NextPort());
        var transport = new MemoryTransport(loop, local, options.Remote, default) { Handler = handler, _connecting = true };
        transport._patience = new Patience(transport);
        loop.Arm(transport._patience, options.TimeoutMicros > 0 ? options.TimeoutMicros : ConnectPatience);

        Address target = host.Capture?.Invoke(new CaptureQuery(loop, host, options.Remote, IsInbound: false)) ?? default;
        MemoryHost? to = target.Kind != AddressKind.None || !options.Remote.IsIp || host.Owns(options.Remote)
            ? host : loop.Network.HostOf(options.Remote);
        if (target.Kind == AddressKind.None && to is not null && to != host)
            target = to.Capture?.Invoke(new CaptureQuery(loop, to, options.Remote, IsInbound: true)) ?? default;
        if (to is not null)
            loop.Network.Send(new Call(host, to, transport, options.Remote, target), 0);
        return transport;
    }

    /// <summary>The first packet: finds the listener, which makes the other end and answers, or refuses.</summary>
    private sealed class Call(MemoryHost from, MemoryHost to, MemoryTransport near, Address asked, Address redirected) : Packet(from, to)
    {
        public override void Arrive()
        {
            if (near._closed)
                return;
            Address actual = redirected.Kind == AddressKind.None ? asked : redirected;
            MemoryListener? listener = To.ListenerFor(actual);
            if (listener is null)
            {
                near._loop.Network.Send(new Answer(To, From, near, refused: true), 0);
                return;
            }
            bool captured = redirected.Kind != AddressKind.None;
            Address own = listener.Transparent ? asked : actual;
            var far = new MemoryTransport(listener.Loop, own, near._local, captured || listener.Transparent ? asked : default);
            far._other = near;
            if (!listener.Enqueue(far))
            {
                far.Discard();
                return;
            }
            near._other = far;
            far._lastArrival = near._loop.Network.Send(new Answer(To, From, near, refused: false), 0);
        }
    }

    private sealed class Answer(MemoryHost from, MemoryHost to, MemoryTransport near, bool refused) : Packet(from, to)
    {
        public override void Arrive() => near.OnAnswer(refused);
    }

    private void OnAnswer(bool refused)
    {
        if (_closed)
            return;
        _loop.Disarm(_patience!);
        _answered = !refused;
        if (refused)
            End(CloseReason.Refused);
        else
            _loop.AddReady(this);
    }

    /// <summary>The listener's loop hands it to its acceptor.</summary>
    public void BeAccepted(Acceptor acceptor, bool isLetIn)
    {
        if (_closed)
            return;
        _letIn = isLetIn;
        if (isLetIn)
            _loop.Age.Intake.OnEntered();
        acceptor.OnAccepted(this);
        _loop.AddReady(this);
    }

    // Arriving

    /// <inheritdoc/>
    public bool OnReady()
    {
        IsReady = false;
        if (_connecting)
        {
            if (!_answered)
                return false;
            _connecting = false;
            if (!_closeRequested)
                Handler.OnConnected(this);
            MarkDirty();
        }
        // A connection that has not been accepted has nobody to read.
        if (Handler is null)
            return false;
        bool brings = _reading && _unread > 0;
        while (_reading && _unread > 0 && !IsClosed)
            ReadOnce();
        if (_resetArrived && !_closed)
            End(CloseReason.Reset);
        else if (_finArrived && _reading && _unread == 0 && !_peerEnded && !IsClosed)
            PeerEnds();
        return brings;
    }

    private void ReadOnce()
    {
        Span<byte> buffer = _loop.ReceiveBuffer;
        // With faults on, reads are short as well: a handler must not believe in the borders of messages.
        MemoryNetwork network = _loop.Network;
        if (network.Chance.Hits(network.Faults.SplitPerMille, 1000))
            buffer = buffer[..(1 + (int)network.Chance.Below(32))];
        int count = 0;
        while (count < buffer.Length && _input.TryPeek(out byte[]? segment))
        {
            int n = Math.Min(segment.Length - _inputOffset, buffer.Length - count);
            segment.AsSpan(_inputOffset, n).CopyTo(buffer[count..]);
            count += n;
            _inputOffset += n;
            if (_inputOffset < segment.Length)
                break;
            _inputOffset = 0;
            _input.Dequeue();
        }
        _unread -= count;
        network.Send(new WindowOpens(_loop.Host, _other!._loop.Host, _other, count), 0);
        Show(buffer[..count]);
    }

    private void PeerEnds()
    {
        _peerEnded = true;
        Handler.OnEnd(this);
        EndWhenBothEnded();
    }

    private sealed class Segment(MemoryHost from, MemoryHost to, MemoryTransport receiver, byte[] bytes) : Packet(from, to)
    {
        public override void Arrive() => receiver.OnSegment(bytes);
    }

    private void OnSegment(byte[] bytes)
    {
        // Bytes for a socket that is gone are answered with a reset.
        if (_closed)
        {
            SendReset();
            return;
        }
        _input.Enqueue(bytes);
        _unread += bytes.Length;
        _loop.AddReady(this);
    }

    private sealed class Fin(MemoryHost from, MemoryHost to, MemoryTransport receiver) : Packet(from, to)
    {
        public override void Arrive()
        {
            receiver._finArrived = true;
            receiver._loop.AddReady(receiver);
        }
    }

    private sealed class Rst(MemoryHost from, MemoryHost to, MemoryTransport receiver) : Packet(from, to)
    {
        public override void Arrive()
        {
            receiver._resetArrived = true;
            receiver._loop.AddReady(receiver);
            if (receiver.Handler is null)
                receiver.Discard();
        }
    }

    private sealed class WindowOpens(MemoryHost from, MemoryHost to, MemoryTransport sender, int count) : Packet(from, to)
    {
        public override void Arrive()
        {
            sender._inFlight -= count;
            if (!sender._closed)
                sender.MarkDirty();
        }
    }

    // Leaving

    /// <inheritdoc/>
    public override void Close(bool abort = false)
    {
        if (_closed || (_closeRequested && !abort))
            return;
        _closeRequested = true;
        if (abort)
        {
            Abort();
            return;
        }
        Drain();
        if (_connecting || _output.Length == 0)
            Finish();
        else
            _loop.Arm(_patience ??= new Patience(this), 10_000_000);
    }

    private void Finish()
    {
        if (_closed)
            return;
        // close() with unread bytes resets, as the kernel does: the peer may lose what we sent last.
        if (_unread > 0)
            SendReset();
        else if (!_endSent && _other is { } other)
            Transmit(new Fin(_loop.Host, other._loop.Host, other));
        End(_peerEnded ? CloseReason.Remote : CloseReason.Local);
    }

    /// <summary>Ends it at once; the peer is reset.</summary>
    public void Abort()
    {
        if (_closed)
            return;
        SendReset();
        End(CloseReason.Local);
    }

    private void End(CloseReason reason)
    {
        if (_closed)
            return;
        _closed = true;
        _reason = _closeRequested && reason != CloseReason.Remote ? CloseReason.Local : reason;
        if (_patience is not null)
            _loop.Disarm(_patience);
        _output.Clear(_loop.Chunks);
        _loop.AddEnded(this);
        if (_letIn)
            _loop.Age.Intake.OnLeft();
    }

    /// <summary>It was never accepted: nobody is to be told.</summary>
    private void Discard()
    {
        _closed = _told = true;
        _loop.AddEnded(this);
    }

    /// <summary>The loop's part: the end is told, once.</summary>
    public void TellClosed()
    {
        if (_told)
            return;
        _told = true;
        Handler?.OnClosed(this, _reason);
    }

    private sealed class Patience(MemoryTransport transport) : Deadline
    {
        protected internal override void OnDue(long now)
        {
            if (transport._closeRequested)
                transport.Abort();
            else
                transport.End(CloseReason.Timeout);
        }
    }
}
