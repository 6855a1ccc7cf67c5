namespace Lateen.Proxy.Net.Memory;

/// <summary>A connect that a host's rules may turn elsewhere, as iptables REDIRECT does.</summary>
/// <param name="From">The loop that connects.</param>
/// <param name="Host">The host whose rules are asked.</param>
/// <param name="Destination">Where it wants to go.</param>
/// <param name="IsInbound">True where it comes from another host; false where it leaves this one.</param>
public readonly record struct CaptureQuery(MemoryLoop From, MemoryHost Host, Address Destination, bool IsInbound);

/// <summary>A machine (or pod) of a <see cref="MemoryNetwork"/>: addresses, loops, what listens, and rules that capture
/// connections.</summary>
public sealed class MemoryHost
{
    private readonly List<MemoryListener> _listeners = [];
    private readonly Dictionary<Address, MemoryDatagram> _datagrams = [];
    private readonly List<Address> _addresses = [];
    private ushort _nextPort = 32768;

    internal MemoryHost(MemoryNetwork network, string name, in Address ip)
    {
        Network = network;
        Name = name;
        Ip = ip.WithPort(0);
        _addresses.Add(Ip);
    }

    /// <summary>Its network.</summary>
    public MemoryNetwork Network { get; }

    /// <summary>Its name, for people.</summary>
    public string Name { get; }

    /// <summary>Its first address.</summary>
    public Address Ip { get; }

    /// <summary>Where a connect really goes: the address of one of this host's listeners, which then knows the original destination;
    /// default for no change.</summary>
    public Func<CaptureQuery, Address>? Capture { get; set; }

    /// <summary>One more address.</summary>
    public void AddAddress(Address ip)
    {
        _addresses.Add(ip.WithPort(0));
        Network.Own(this, ip);
    }

    /// <summary>A new loop: a process, or one worker of it.</summary>
    public MemoryLoop AddLoop(string name = "worker")
    {
        var loop = new MemoryLoop(this, name, Network.Chance.NextULong());
        Network.Add(loop);
        return loop;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>Sockets that listen, and sockets of datagrams, of all of its loops.</summary>
    public int OpenSockets => _listeners.Count + _datagrams.Count;

    internal bool Owns(in Address address) => address.IsLoopback || address.IsAny || _addresses.Contains(address.WithPort(0));

    internal ushort NextPort() => _nextPort = _nextPort == ushort.MaxValue ? (ushort)32768 : (ushort)(_nextPort + 1);

    /// <summary>The source address of a connect: our own for other hosts, loopback for loopback.</summary>
    internal Address SourceFor(in Address destination)
    {
        if (!destination.IsIp)
            return default;
        if (destination.IsLoopback)
            return destination.Kind == AddressKind.V4 ? Address.V4(0x7f000001, NextPort()) : Address.V6(1, NextPort());
        foreach (Address own in _addresses)
        {
            if (own.Kind == destination.Kind)
                return own.WithPort(NextPort());
        }
        return Ip.WithPort(NextPort());
    }

    internal void Add(MemoryListener listener)
    {
        _listeners.Add(listener);
    }

    /// <summary>Whether the address is here and nobody has it, or all who have it share it.</summary>
    /// <exception cref="ListenException">It can't be listened on.</exception>
    internal void CheckFree(in ListenOptions options)
    {
        Address asked = options.Address;
        bool reuses = options.ReusePort;
        if (asked.IsIp && !options.FreeBind && !options.Transparent && !Owns(asked))
            throw new ListenException($"cannot bind '{asked}': Cannot assign requested address");
        if (options.Bound is null && _listeners.Exists(l => l.Address == asked && !(l.ReusePort && reuses)))
            throw new ListenException($"cannot bind '{asked}': Address already in use");
    }

    internal void Remove(MemoryListener listener) => _listeners.Remove(listener);

    /// <summary>Who listens there: on the address itself, else on any; among several workers one by chance, as SO_REUSEPORT
    /// hashes.</summary>
    internal MemoryListener? ListenerFor(Address destination)
    {
        List<MemoryListener> found = _listeners.FindAll(l => l.Address == destination);
        if (found.Count == 0 && destination.IsIp)
        {
            found = _listeners.FindAll(l => l.Address.Port == destination.Port && l.Address.IsAny
                && (l.Address.Kind == destination.Kind || !l.V6Only));
        }
        return found.Count switch
        {
            0 => null,
            1 => found[0],
            _ => found[(int)Network.Chance.Below((uint)found.Count)],
        };
    }

    internal void Add(MemoryDatagram socket)
    {
        if (!_datagrams.TryAdd(socket.Address, socket))
            throw new ListenException($"cannot bind '{socket.Address}': Address already in use");
    }

    internal void Remove(MemoryDatagram socket) => _datagrams.Remove(socket.Address);

    internal MemoryDatagram? DatagramFor(in Address destination)
    {
        if (_datagrams.TryGetValue(destination, out MemoryDatagram? exact))
            return exact;
        Address any = destination.Kind == AddressKind.V4 ? Address.V4(0, destination.Port) : Address.V6(0, destination.Port);
        return _datagrams.GetValueOrDefault(any);
    }
}
