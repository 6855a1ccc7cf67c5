using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Lateen.Proxy.Net.Epoll;

/// <summary>The kernel's form of an <see cref="Address"/>: sockaddr_in, sockaddr_in6 or sockaddr_un in one buffer.</summary>
internal unsafe struct SocketAddress
{
    /// <summary>sizeof(sockaddr_un), the largest.</summary>
    public const int Size = 110;

    private const int UnixPathMax = 108;

    /// <summary>The bytes; the first two are the family in host order.</summary>
    public fixed byte Bytes[Size];

    /// <summary>How many of them count.</summary>
    public int Length;

    /// <summary>AF_INET, AF_INET6 or AF_UNIX.</summary>
    public int Family => Unsafe.ReadUnaligned<ushort>(ref Bytes[0]);

    /// <summary>Writes <paramref name="address"/>. False where the kernel has no such address (internal, none, a path too long).</summary>
    public static bool TryFrom(in Address address, out SocketAddress result)
    {
        result = default;
        Span<byte> bytes = new(Unsafe.AsPointer(ref result.Bytes[0]), Size);
        switch (address.Kind)
        {
            case AddressKind.V4:
                Unsafe.WriteUnaligned(ref bytes[0], (ushort)Sys.AfInet);
                BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], address.Port);
                BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)address.Low);
                result.Length = 16;
                return true;
            case AddressKind.V6:
                Unsafe.WriteUnaligned(ref bytes[0], (ushort)Sys.AfInet6);
                BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], address.Port);
                BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], address.High);
                BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], address.Low);
                result.Length = 28;
                return true;
            case AddressKind.Unix:
                return TryUnix(address.Name, bytes, out result.Length);
            default:
                return false;
        }
    }

    private static bool TryUnix(string path, Span<byte> bytes, out int length)
    {
        Unsafe.WriteUnaligned(ref bytes[0], (ushort)Sys.AfUnix);
        length = 0;
        if (Encoding.UTF8.GetByteCount(path) >= UnixPathMax)
            return false;
        int n = Encoding.UTF8.GetBytes(path, bytes[2..]);
        // An abstract name begins with NUL and is as long as it is told; a path ends with NUL (unix(7)).
        bool isAbstract = path.StartsWith('@');
        if (isAbstract)
            bytes[2] = 0;
        length = 2 + n + (isAbstract ? 0 : 1);
        return true;
    }

    /// <summary>Reads what the kernel wrote; <see cref="AddressKind.None"/> for families that we do not speak.</summary>
    public Address ToAddress()
    {
        ReadOnlySpan<byte> bytes = new(Unsafe.AsPointer(ref Bytes[0]), Math.Clamp(Length, 0, Size));
        if (bytes.Length < 2)
            return default;
        switch (Family)
        {
            case Sys.AfInet when bytes.Length >= 8:
                return Address.V4(BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
            case Sys.AfInet6 when bytes.Length >= 24:
                return Address.V6(BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
                    BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
            case Sys.AfUnix:
                return Address.Unix(UnixName(bytes[2..]));
            default:
                return default;
        }
    }

    private static string UnixName(ReadOnlySpan<byte> name)
    {
        // A connecting unix socket has no name: the common case costs nothing.
        if (name.IsEmpty)
            return "";
        if (name[0] == 0)
            return "@" + Encoding.UTF8.GetString(name[1..]);
        int end = name.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? name : name[..end]);
    }
}
