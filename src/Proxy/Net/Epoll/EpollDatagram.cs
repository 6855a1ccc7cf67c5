namespace Lateen.Proxy.Net.Epoll;

/// <summary>A datagram socket. A full send buffer loses the datagram, as the network may.</summary>
internal sealed unsafe class EpollDatagram : DatagramSocket, IEpollSource
{
    private const int ReadsMax = 64;

    private readonly EpollLoop _loop;
    private readonly Address _address;

    // Callers may keep a Memory only for the call; it is pinned so that the kernel can write to it.
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);

    public EpollDatagram(EpollLoop loop, int descriptor)
    {
        _loop = loop;
        _address = Sockets.LocalOf(descriptor);
        if (loop.Register(this, descriptor))
            return;
        loop.Release(this);
        throw new ListenException("cannot open a datagram socket: the event loop refuses it");
    }

    /// <inheritdoc/>
    public int Descriptor { get; set; } = -1;

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <inheritdoc/>
    public override Address Address => _address;

    /// <inheritdoc/>
    public void OnEvents(uint events)
    {
        if ((events & (Sys.In | Sys.Error)) != 0)
            OnReady();
    }

    /// <inheritdoc/>
    public void OnReady()
    {
        fixed (byte* start = _buffer)
        {
            for (int i = 0; i < ReadsMax && Descriptor >= 0; i++)
            {
                SocketAddress from = default;
                from.Length = SocketAddress.Size;
                nint count = Sys.ReceiveFrom(Descriptor, start, _buffer.Length, 0, from.Bytes, &from.Length);
                if (count >= 0)
                    Received?.Invoke(from.ToAddress(), _buffer.AsMemory(0, (int)count));
                else if (Sys.Errno == Sys.EAgain)
                    return;
            }
        }
        if (Descriptor >= 0)
            _loop.AddReady(this);
    }

    /// <inheritdoc/>
    public override void Send(in Address to, ReadOnlySpan<byte> datagram)
    {
        if (Descriptor < 0 || !SocketAddress.TryFrom(to, out SocketAddress at))
            return;
        fixed (byte* start = datagram)
            Sys.SendTo(Descriptor, start, datagram.Length, Sys.MsgNoSignal, at.Bytes, at.Length);
    }

    /// <inheritdoc/>
    public override void Close() => _loop.Release(this);

    /// <inheritdoc/>
    public void Abandon()
    {
        if (Descriptor >= 0)
            _loop.AddReady(this);
    }
}
