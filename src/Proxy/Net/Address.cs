// Net: sockets, time and the loop, and nothing of HTTP. A Worker is one thread with one EventLoop; a Transport belongs to the loop that
// made it, for life, and everything about it happens on that loop's turn: no locks, no Task. There are two grounds with the same face:
// epoll over real sockets, and an in-memory network under a virtual clock, on which the whole mesh runs in one process under one seed. What
// the proxy knows of time is the `Now` of its loop; what it knows of chance is the worker's seeded source. The only way in from another
// thread is EventLoop.Post. Refused: SocketAsyncEventArgs and Pipelines (a task switch and allocations per read, and no virtual clock),
// io_uring (measured: nothing at 1-64 connections; it can follow behind Transport).
using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Lateen.Proxy.Net;

/// <summary>What kind of address an <see cref="Address"/> is.</summary>
public enum AddressKind : byte
{
    None,
    V4,
    V6,
    Unix,
    Internal,
}

/// <summary>Where a socket listens or connects: IPv4 or IPv6 with a port, a unix path, or the name of an internal listener. A value: no
/// allocation to copy or compare.</summary>
public readonly struct Address : IEquatable<Address>
{
    // Two halves, not a UInt128: code whose types hold one is never compiled ahead, and nearly all of the proxy holds an address somewhere.
    private readonly ulong _high, _low;
    private readonly string? _name;

    private Address(AddressKind kind, ulong high, ulong low, ushort port, string? name)
    {
        Kind = kind;
        _high = high;
        _low = low;
        Port = port;
        _name = name;
    }

    /// <summary>Which of the forms it is.</summary>
    public AddressKind Kind { get; }

    /// <summary>The port; 0 for unix and internal addresses.</summary>
    public ushort Port { get; }

    /// <summary>The address as a number in network order; an IPv4 address is in the low 32 bits.</summary>
    public UInt128 Ip => new(_high, _low);

    /// <summary>The upper half of that number: the first four groups of an IPv6 address.</summary>
    public ulong High => _high;

    /// <summary>The lower half.</summary>
    public ulong Low => _low;

    /// <summary>The unix path (an abstract one begins with '@') or the internal listener's name.</summary>
    public string Name => Kind == AddressKind.Internal ? _name![.._name!.LastIndexOf('/')] : _name ?? "";

    /// <summary>True for IPv4 and IPv6.</summary>
    public bool IsIp => Kind is AddressKind.V4 or AddressKind.V6;

    /// <summary>True for 0.0.0.0 and ::.</summary>
    public bool IsAny => IsIp && (_high | _low) == 0;

    /// <summary>True for 127.0.0.0/8 and ::1.</summary>
    public bool IsLoopback => Kind switch
    {
        AddressKind.V4 => (uint)_low >> 24 == 127,
        AddressKind.V6 => _high == 0 && _low == 1,
        _ => false,
    };

    /// <summary>True for 127.0.0.1 and ::1 alone.</summary>
    public bool IsLocalhost => (Kind == AddressKind.V4 && (uint)_low == 0x7f000001) || (Kind == AddressKind.V6 && _high == 0 && _low == 1);

    /// <summary>An IPv4 address from its number (127.0.0.1 is 0x7f000001).</summary>
    public static Address V4(uint ip, int port) => new(AddressKind.V4, 0, ip, (ushort)port, null);

    /// <summary>An IPv6 address from its number; an IPv4-mapped one becomes IPv4, as Envoy treats it.</summary>
    public static Address V6(UInt128 ip, int port) => V6((ulong)(ip >> 64), (ulong)ip, port);

    /// <summary>An IPv6 address from the two halves of its number, the first four groups and the last.</summary>
    public static Address V6(ulong high, ulong low, int port) =>
        high == 0 && low >> 32 == 0xffff ? V4((uint)low, port) : new(AddressKind.V6, high, low, (ushort)port, null);

    /// <summary>A unix socket's path.</summary>
    public static Address Unix(string path) => new(AddressKind.Unix, 0, 0, 0, path);

    /// <summary>An internal listener by its name; the id tells endpoints apart that share it.</summary>
    public static Address Internal(string listener, string endpointId = "") =>
        new(AddressKind.Internal, 0, 0, 0, $"{listener}/{endpointId}");

    /// <summary>The same address with another port.</summary>
    public Address WithPort(int port) => new(Kind, _high, _low, (ushort)port, _name);

    /// <summary>Reads "1.2.3.4" or "::1" (no port in the text). False where it is no IP address.</summary>
    public static bool TryParse(ReadOnlySpan<char> ip, int port, out Address address)
    {
        address = default;
        if (!IPAddress.TryParse(ip, out IPAddress? parsed))
            return false;
        address = From(parsed, port);
        return true;
    }

    /// <summary>From the framework's form.</summary>
    public static Address From(IPAddress ip, int port)
    {
        Span<byte> bytes = stackalloc byte[16];
        ip.TryWriteBytes(bytes, out int n);
        return n == 4 ? V4(BinaryPrimitives.ReadUInt32BigEndian(bytes), port)
            : V6(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), port);
    }

    /// <summary>The IP address in the framework's form.</summary>
    /// <exception cref="InvariantException">It is no IP address.</exception>
    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _high);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _low);
        return Kind switch
        {
            AddressKind.V4 => new IPAddress(bytes[12..]),
            AddressKind.V6 => new IPAddress(bytes),
            _ => throw new InvariantException($"{Kind} address has no IP"),
        };
    }

    /// <summary>The address, without a port, with all but the first <paramref name="length"/> bits set to zero; as it is where it has
    /// fewer.</summary>
    public Address Masked(int length)
    {
        int zeros = Math.Max(0, (Kind == AddressKind.V4 ? 32 : 128) - length);
        (ulong high, ulong low) = zeros switch
        {
            >= 128 => (0ul, 0ul),
            >= 64 => (_high >> (zeros - 64) << (zeros - 64), 0ul),
            _ => (_high, _low >> zeros << zeros),
        };
        return new Address(Kind, high, low, 0, _name);
    }

    /// <summary>The IP without its port, or the name.</summary>
    public string Host => IsIp ? ToIPAddress().ToString() : Name;

    /// <inheritdoc/>
    public bool Equals(Address other) =>
        Kind == other.Kind && Port == other.Port && _low == other._low && _high == other._high && _name == other._name;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Address a && Equals(a);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Port, _high, _low, _name);

    /// <summary>As Envoy prints it: 1.2.3.4:80, [::1]:80, /path, envoy://name/id.</summary>
    public override string ToString() => Kind switch
    {
        AddressKind.V4 => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}"),
        AddressKind.V6 => string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}"),
        AddressKind.Unix => Name,
        AddressKind.Internal => $"envoy://{_name}",
        _ => "",
    };

    /// <summary>Equality.</summary>
    public static bool operator ==(Address a, Address b) => a.Equals(b);

    /// <summary>Inequality.</summary>
    public static bool operator !=(Address a, Address b) => !a.Equals(b);
}
