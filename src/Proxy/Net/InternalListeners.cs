namespace Lateen.Proxy.Net;

/// <summary>One loop's internal listeners by name: <see cref="Address.Internal"/> connects inside the loop, without a socket.</summary>
internal sealed class InternalListeners(EventLoop loop)
{
    private readonly Dictionary<string, Listening> _listening = new(StringComparer.Ordinal);

    /// <summary>Begins to listen under a name.</summary>
    /// <exception cref="ListenException">The name is taken.</exception>
    public ListeningSocket Listen(in Address address, Acceptor acceptor)
    {
        var listening = new Listening(this, address, acceptor);
        if (!_listening.TryAdd(address.Name, listening))
            throw new ListenException($"cannot listen on {address}: the name is in use");
        return listening;
    }

    /// <summary>Connects; without such a listener the connection is refused.</summary>
    public Transport Connect(in Address remote, Metadata? passed, TransportHandler handler)
    {
        (PairTransport near, PairTransport far) = PairTransport.Create(loop, remote, passed);
        near.Handler = handler;
        near.Begin(_listening.TryGetValue(remote.Name, out Listening? listening) ? listening.Acceptor : null);
        return near;
    }

    private sealed class Listening(InternalListeners owner, Address address, Acceptor acceptor) : ListeningSocket
    {
        public Acceptor Acceptor => acceptor;

        public override Address Address => address;

        public override bool Accepting { get; set; } = true;

        public override void Close() => owner._listening.Remove(address.Name);
    }
}
