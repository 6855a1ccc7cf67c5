namespace Lateen.Proxy.Net.Epoll;

// Chapter of EpollLoop: listening sockets, those that it opens and those that another process opened.
public sealed unsafe partial class EpollLoop
{
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
            IsExempt = options.IsExempt,
            Backlog = options.Backlog,
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
}
