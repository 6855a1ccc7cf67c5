namespace Lateen.Proxy.Net.Epoll;

/// <summary>A bound socket. With SO_REUSEPORT it only holds the address while every loop binds a socket of its own; without, loops listen
/// on duplicates of this one.</summary>
internal sealed class EpollBound : BoundSocket
{
    private readonly Address _address;
    private int _descriptor;

    /// <summary>Binds.</summary>
    /// <exception cref="ListenException">With one clear sentence.</exception>
    public EpollBound(in ListenOptions options)
    {
        _descriptor = Sockets.Bind(options);
        _address = options.Address.IsIp ? Sockets.LocalOf(_descriptor) : options.Address;
        IsShared = !options.ReusePort || !options.Address.IsIp;
    }

    /// <inheritdoc/>
    public override Address Address => _address;

    /// <inheritdoc/>
    public override bool IsShared { get; }

    /// <summary>A listening socket for one loop.</summary>
    /// <exception cref="ListenException">With one clear sentence.</exception>
    public int Listen(in ListenOptions options)
    {
        if (!IsShared)
            return Sockets.Listen(options with { Address = _address });
        int copy = Sys.FileControl(_descriptor, Sys.DuplicateCloseOnExec, 0);
        if (copy < 0)
            throw Sockets.Refusal(options.Address, Sys.Errno);
        return Sockets.Listen(copy, options);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_descriptor >= 0)
            Sys.Close(_descriptor);
        _descriptor = -1;
    }
}
