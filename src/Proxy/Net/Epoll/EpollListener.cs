namespace Lateen.Proxy.Net.Epoll;

/// <summary>A listening socket: accepts in bounded batches, and rests when descriptors or memory run out.</summary>
internal sealed unsafe class EpollListener : ListeningSocket, IEpollSource
{
    // Out of descriptors or memory: no edge will come for those that wait, so the loop asks again after this.
    private const long RestMicros = 100_000;

    private const int ExemptMax = 64;

    private readonly EpollLoop _loop;
    private readonly Acceptor _acceptor;
    private readonly Address _address;
    private readonly bool _transparent;
    private readonly Rest _rest;
    private bool _accepting = true;
    private bool _mayAccept;
    // As far as the kernel's queue was cut; 0 for not.
    private int _narrowed;

    public EpollListener(EpollLoop loop, int descriptor, in Address asked, bool transparent, Acceptor acceptor)
    {
        _loop = loop;
        _acceptor = acceptor;
        _transparent = transparent;
        _rest = new Rest(this);
        _address = asked.Kind == AddressKind.Unix ? asked : Sockets.LocalOf(descriptor);
        if (loop.Register(this, descriptor))
            return;
        loop.Release(this);
        throw new ListenException($"cannot listen on {asked}: the event loop refuses the socket");
    }

    /// <inheritdoc/>
    public int Descriptor { get; set; } = -1;

    /// <summary>The address as it was asked for.</summary>
    public Address Asked { get; init; }

    /// <summary>See <see cref="ListenOptions"/>.</summary>
    public bool IsExempt { get; init; }

    /// <summary>Length of the kernel's queue; 0 where whoever bound it knows.</summary>
    public int Backlog { get; init; }

    /// <summary>Told when it is closed.</summary>
    public Action<EpollListener>? Closed { get; init; }

    /// <summary>The original destination of all that is accepted; none for what the kernel tells.</summary>
    public Address Stated { get; init; }

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <inheritdoc/>
    public override Address Address => _address;

    /// <inheritdoc/>
    public override bool Accepting
    {
        get => _accepting;
        set
        {
            _accepting = value;
            if (value && _mayAccept && Descriptor >= 0)
                _loop.AddReady(this);
        }
    }

    /// <inheritdoc/>
    public void OnEvents(uint events)
    {
        _mayAccept = true;
        OnReady();
    }

    /// <inheritdoc/>
    public void OnReady()
    {
        for (int left = IsExempt ? ExemptMax : _loop.Age.Intake.Take(); left > 0; left--)
        {
            if (!_accepting || !_mayAccept || Descriptor < 0 || _rest.IsArmed)
                return;
            AcceptOne();
        }
        if (!_mayAccept || Descriptor < 0)
            return;
        _loop.AddReady(this);
        if (IsExempt || !_loop.Age.IsLate)
            return;
        _loop.Age.Intake.OnWaiting(_loop.Now);
        Narrow(_loop.Age.Intake.WaitingMax);
    }

    // listen(2) on a socket that listens changes the length of its queue.
    private void Narrow(int length)
    {
        if (length < Backlog && (_narrowed == 0 || length < _narrowed / 2 || length > _narrowed * 2) && Sys.Listen(Descriptor, length) == 0)
            _narrowed = length;
    }

    private void AcceptOne()
    {
        SocketAddress from = default;
        from.Length = SocketAddress.Size;
        int descriptor = Sys.Accept(Descriptor, from.Bytes, &from.Length, Sys.NonBlock | Sys.CloseOnExec);
        if (descriptor < 0)
        {
            OnRefused(Sys.Errno);
            return;
        }
        if (descriptor >= DescriptorRoom.Max)
        {
            // The next ones wait in the kernel's queue until somebody leaves.
            Sys.Close(descriptor);
            _loop.Arm(_rest, RestMicros);
            return;
        }
        Address remote = from.ToAddress();
        // A connecting unix socket has no name of its own: it is known by the one it came to.
        if (remote.Kind == AddressKind.Unix && remote.Name.Length == 0)
            remote = _address;
        EpollTransport? transport = EpollTransport.Accept(_loop, descriptor, remote, _transparent, !IsExempt);
        if (transport is null)
            return;
        if (Stated.Kind != AddressKind.None)
            transport.StateOriginalDestination(Stated);
        _acceptor.OnAccepted(transport);
    }

    private void OnRefused(int error)
    {
        if (error == Sys.EAgain)
            OnEmptied();
        else if (error is Sys.EMFile or Sys.ENFile or Sys.ENoBufs or Sys.ENoMem)
            _loop.Arm(_rest, RestMicros);
        // Else one connection died in the queue (ECONNABORTED and the network's errors, accept(2)): the next one may be well.
    }

    private void OnEmptied()
    {
        _mayAccept = false;
        if (_narrowed != 0 && Sys.Listen(Descriptor, Backlog) == 0)
            _narrowed = 0;
    }

    /// <inheritdoc/>
    public override void Close()
    {
        _loop.Disarm(_rest);
        Closed?.Invoke(this);
        _loop.Release(this);
    }

    /// <inheritdoc/>
    public void Abandon()
    {
        // A defect while one connection was set up is no reason to stop listening.
        if (_mayAccept && Descriptor >= 0)
            _loop.AddReady(this);
    }

    private sealed class Rest(EpollListener listener) : Deadline
    {
        protected internal override void OnDue(long now)
        {
            if (listener.Descriptor >= 0)
                listener._loop.AddReady(listener);
        }
    }
}

/// <summary>Several listening sockets of one address, as one.</summary>
internal sealed class ListeningGroup(List<ListeningSocket> sockets) : ListeningSocket
{
    /// <inheritdoc/>
    public override Address Address => sockets[0].Address;

    /// <inheritdoc/>
    public override bool Accepting
    {
        get => sockets[0].Accepting;
        set => sockets.ForEach(s => s.Accepting = value);
    }

    /// <inheritdoc/>
    public override void Close() => sockets.ForEach(s => s.Close());
}
