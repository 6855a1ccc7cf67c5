namespace Lateen.Proxy.Net.Epoll;

/// <summary>Makes sockets with the options that a mesh needs. Every failure is an errno.</summary>
internal static unsafe class Sockets
{
    /// <summary>A new non-blocking socket, or -1.</summary>
    public static int Open(int family, int type) => Sys.Socket(family, type | Sys.NonBlock | Sys.CloseOnExec, 0);

    /// <summary>Sets an integer option. False on failure, errno tells why.</summary>
    public static bool Set(int fd, int level, int option, int value) => Sys.SetOption(fd, level, option, &value, sizeof(int)) == 0;

    /// <summary>The socket's pending error, which this clears; 0 for none.</summary>
    public static int TakeError(int fd)
    {
        int error = 0, length = sizeof(int);
        return Sys.GetOption(fd, Sys.SolSocket, Sys.SoError, &error, &length) == 0 ? error : Sys.Errno;
    }

    /// <summary>Our own end.</summary>
    public static Address LocalOf(int fd)
    {
        SocketAddress address = default;
        address.Length = SocketAddress.Size;
        return Sys.GetSocketName(fd, address.Bytes, &address.Length) == 0 ? address.ToAddress() : default;
    }

    /// <summary>What netfilter's REDIRECT or DNAT replaced (SO_ORIGINAL_DST); none where it replaced nothing.</summary>
    public static Address OriginalDestinationOf(int fd, AddressKind kind)
    {
        if (kind is not (AddressKind.V4 or AddressKind.V6))
            return default;
        SocketAddress address = default;
        address.Length = 28;
        int level = kind == AddressKind.V4 ? Sys.SolIp : Sys.SolIpv6;
        return Sys.GetOption(fd, level, Sys.OriginalDestination, address.Bytes, &address.Length) == 0 ? address.ToAddress() : default;
    }

    /// <summary>Opens, binds and listens.</summary>
    /// <exception cref="ListenException">With one clear sentence.</exception>
    public static int Listen(in ListenOptions options) => Listen(Bind(options), options);

    /// <summary>Listens on a bound socket, which is closed where that fails.</summary>
    /// <exception cref="ListenException">With one clear sentence.</exception>
    public static int Listen(int fd, in ListenOptions options)
    {
        if (Sys.Listen(fd, options.Backlog) != 0)
            throw Failed(fd, options.Address);
        SetAll(fd, options, SocketPhase.Listening);
        return fd;
    }

    /// <summary>Opens and binds.</summary>
    /// <exception cref="ListenException">With one clear sentence.</exception>
    public static int Bind(in ListenOptions options)
    {
        Address address = options.Address;
        if (!SocketAddress.TryFrom(address, out SocketAddress at))
            throw new ListenException($"cannot bind '{address}': no such socket address");
        int fd = Open(at.Family, Sys.SockStream);
        if (fd < 0)
            throw Refusal(address, Sys.Errno);
        if (address.Kind == AddressKind.Unix && !address.Name.StartsWith('@'))
            Sys.Unlink(address.Name);
        if (!Prepare(fd, options))
            throw Failed(fd, address);
        SetAll(fd, options, SocketPhase.BeforeBind);
        if (Sys.Bind(fd, at.Bytes, at.Length) != 0)
            throw Failed(fd, address);
        SetAll(fd, options, SocketPhase.Bound);
        if (address.Kind == AddressKind.Unix && options.Mode != 0)
            Sys.ChangeMode(address.Name, (uint)options.Mode);
        return fd;
    }

    private static ListenException Failed(int fd, in Address address)
    {
        int error = Sys.Errno;
        Sys.Close(fd);
        return Refusal(address, error);
    }

    private static void SetAll(int fd, in ListenOptions options, SocketPhase phase)
    {
        foreach (SocketOption option in options.Options ?? [])
        {
            if (option.Phase != phase)
                continue;
            fixed (byte* value = option.Value.Span)
            {
                if (Sys.SetOption(fd, option.Level, option.Name, value, option.Value.Length) == 0)
                    continue;
            }
            int error = Sys.Errno;
            Sys.Close(fd);
            throw new ListenException(
                $"cannot bind '{options.Address}': socket option level {option.Level} name {option.Name}: {Describe(error)}");
        }
    }

    private static bool Prepare(int fd, in ListenOptions options)
    {
        if (!options.Address.IsIp)
            return true;
        bool six = options.Address.Kind == AddressKind.V6;
        // Accepted sockets inherit TCP_NODELAY: no call for each of them.
        bool good = Set(fd, Sys.SolSocket, Sys.ReuseAddr, 1) && Set(fd, Sys.SolTcp, Sys.TcpNoDelay, 1);
        if (options.ReusePort)
            good = good && Set(fd, Sys.SolSocket, Sys.SoReusePort, 1);
        if (six)
            good = good && Set(fd, Sys.SolIpv6, Sys.Ipv6V6Only, options.V6Only ? 1 : 0);
        if (options.FastOpen > 0)
            good = good && Set(fd, Sys.SolTcp, Sys.TcpFastOpen, options.FastOpen);
        if (options.Transparent)
            good = good && Set(fd, six ? Sys.SolIpv6 : Sys.SolIp, six ? Sys.Ipv6Transparent : Sys.IpTransparent, 1);
        if (options.FreeBind)
            good = good && Set(fd, six ? Sys.SolIpv6 : Sys.SolIp, six ? Sys.Ipv6FreeBind : Sys.IpFreeBind, 1);
        return good;
    }

    /// <summary>A bound datagram socket.</summary>
    /// <exception cref="ListenException">With one clear sentence.</exception>
    public static int OpenDatagram(in Address local)
    {
        if (!SocketAddress.TryFrom(local, out SocketAddress at))
            throw new ListenException($"cannot bind '{local}': no such socket address");
        int fd = Open(at.Family, Sys.SockDatagram);
        if (fd >= 0 && Sys.Bind(fd, at.Bytes, at.Length) == 0)
            return fd;
        int error = Sys.Errno;
        if (fd >= 0)
            Sys.Close(fd);
        throw Refusal(local, error);
    }

    /// <summary>Opens a socket and begins to connect. Returns the descriptor, or -1 with the errno and the step that failed.</summary>
    public static int Connect(in ConnectOptions options, out int error, out ConnectStep step)
    {
        step = ConnectStep.Open;
        if (!SocketAddress.TryFrom(options.Remote, out SocketAddress to))
        {
            error = Sys.EAddrNotAvail;
            return -1;
        }
        int fd = Open(to.Family, Sys.SockStream);
        if (fd < 0)
        {
            error = Sys.Errno;
            return -1;
        }
        bool begun = false;
        if (!options.Remote.IsIp || Prepare(fd, options, ref step))
        {
            step = ConnectStep.Connect;
            begun = Sys.Connect(fd, to.Bytes, to.Length) == 0 || Sys.Errno == Sys.EInProgress;
        }
        error = begun ? 0 : Sys.Errno;
        if (begun)
            return fd;
        Sys.Close(fd);
        return -1;
    }

    /// <summary>The failure of a connect that ended at once.</summary>
    public static string Words(in ConnectOptions options, int error, ConnectStep step) => step switch
    {
        ConnectStep.Connect => $"immediate connect error: {Describe(error)}|remote address:{options.Remote}",
        ConnectStep.Bind => $"failed to bind to {options.Source}: {Describe(error)}",
        _ => "",
    };

    /// <summary>An errno's words.</summary>
    public static string Describe(int error) => new System.ComponentModel.Win32Exception(error).Message;

    private static bool Prepare(int fd, in ConnectOptions options, ref ConnectStep step)
    {
        Set(fd, Sys.SolTcp, Sys.TcpNoDelay, 1);
        if (options.KeepAlive)
        {
            Set(fd, Sys.SolSocket, Sys.SoKeepAlive, 1);
            SetUnlessZero(fd, Sys.TcpKeepIdle, options.KeepAliveSeconds);
            SetUnlessZero(fd, Sys.TcpKeepInterval, options.KeepAliveInterval);
            SetUnlessZero(fd, Sys.TcpKeepCount, options.KeepAliveProbes);
        }
        if (options.Mark != 0 && !Set(fd, Sys.SolSocket, Sys.SoMark, (int)options.Mark))
            return false;
        if (!options.Source.IsIp)
            return true;
        step = ConnectStep.Bind;
        return BindSource(fd, options.Source);
    }

    private static void SetUnlessZero(int fd, int option, int value)
    {
        if (value != 0)
            Set(fd, Sys.SolTcp, option, value);
    }

    private static bool BindSource(int fd, in Address source)
    {
        SocketAddress.TryFrom(source, out SocketAddress from);
        return Sys.Bind(fd, from.Bytes, from.Length) == 0;
    }

    /// <summary>What a connection that ended with this errno is told.</summary>
    public static CloseReason ReasonOf(int error) => error switch
    {
        Sys.EConnRefused or Sys.ENoEntry => CloseReason.Refused,
        Sys.ETimedOut => CloseReason.Timeout,
        Sys.EConnReset or Sys.EPipe or Sys.EConnAborted => CloseReason.Reset,
        _ => CloseReason.Environment,
    };

    /// <summary>What an address could not be bound for, in Envoy's words, and what to do where that is not plain.</summary>
    public static ListenException Refusal(in Address address, int error) =>
        new($"cannot bind '{address}': {Describe(error)}{(error == Sys.EPerm ? " (an option of the socket needs CAP_NET_ADMIN)" : "")}");
}

/// <summary>How far a connect came.</summary>
internal enum ConnectStep : byte
{
    /// <summary>Making the socket, and its options.</summary>
    Open,

    /// <summary>Binding it to our own address.</summary>
    Bind,

    /// <summary>Connecting.</summary>
    Connect,
}
