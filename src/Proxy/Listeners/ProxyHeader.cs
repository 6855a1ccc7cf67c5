using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Listeners;

/// <summary>What a PROXY protocol header says (haproxy's proxy-protocol.txt, versions 1 and 2).</summary>
public sealed class ProxyHeader
{
    private const int TextMax = 107, FixedLength = 16;

    /// <summary>1 or 2.</summary>
    public int Version { get; private init; }

    /// <summary>The client; kind None where the header leaves the socket's own addresses (LOCAL, UNKNOWN).</summary>
    public Address Source { get; private init; }

    /// <summary>Where the client connected to.</summary>
    public Address Destination { get; private init; }

    /// <summary>Further values of version 2, by type.</summary>
    public IReadOnlyList<(byte Type, byte[] Value)> Values { get; private init; } = [];

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>
    /// Looks at the first bytes. Found gives the header and how many bytes it took; NotIt means that no header begins here; a header that
    /// begins but is broken gives Found without a header: such a connection must end.
    /// </summary>
    public static Inspection Inspect(ReadOnlySpan<byte> bytes, out ProxyHeader? header, out int taken)
    {
        header = null;
        taken = 0;
        if (Begins(bytes, Signature))
            return bytes.Length < FixedLength ? Inspection.NeedMore : Binary(bytes, out header, out taken);
        if (Begins(bytes, "PROXY "u8))
            return bytes.Length < 6 ? Inspection.NeedMore : TextLine(bytes, out header, out taken);
        return Inspection.NotIt;
    }

    private static bool Begins(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> mark)
    {
        int length = Math.Min(bytes.Length, mark.Length);
        return bytes[..length].SequenceEqual(mark[..length]);
    }

    // PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n
    private static Inspection TextLine(ReadOnlySpan<byte> bytes, out ProxyHeader? header, out int taken)
    {
        header = null;
        taken = 0;
        ReadOnlySpan<byte> head = bytes[..Math.Min(bytes.Length, TextMax)];
        int end = head.IndexOf("\r\n"u8);
        if (end < 0)
            return head.Length < TextMax ? Inspection.NeedMore : Inspection.Found;
        taken = end + 2;
        string[] words = Encoding.Latin1.GetString(head[6..end]).Split(' ');
        if (words[0] == "UNKNOWN")
        {
            header = new ProxyHeader { Version = 1 };
            return Inspection.Found;
        }
        bool six = words[0] == "TCP6";
        if (words.Length == 5 && (six || words[0] == "TCP4") && Read(words[1], words[3], six, out Address source)
            && Read(words[2], words[4], six, out Address destination))
            header = new ProxyHeader { Version = 1, Source = source, Destination = destination };
        return Inspection.Found;
    }

    private static bool Read(string ip, string port, bool six, out Address address)
    {
        address = default;
        return port.Length is > 0 and <= 5 && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)
            && (six ? ip.Contains(':', StringComparison.Ordinal) : ip.Count(c => c == '.') == 3)
            && Address.TryParse(ip, number, out address);
    }

    // Signature 12, version and command, family and protocol, length of the rest.
    private static Inspection Binary(ReadOnlySpan<byte> bytes, out ProxyHeader? header, out int taken)
    {
        header = null;
        taken = 0;
        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (bytes[12] >> 4 != 2 || (bytes[12] & 15) > 1)
            return Inspection.Found;
        if (bytes.Length < FixedLength + length)
            return Inspection.NeedMore;
        taken = FixedLength + length;
        ReadOnlySpan<byte> rest = bytes.Slice(FixedLength, length);
        bool local = (bytes[12] & 15) == 0;
        int addresses = (bytes[13] >> 4) switch
        {
            1 => 12,
            2 => 36,
            _ => 0,
        };
        // Unix addresses and datagrams have no meaning for a listener of ours; LOCAL (health checks) has no addresses to believe.
        if (!local && (bytes[13] & 15) != 1 && bytes[13] != 0)
            return Inspection.Found;
        if (!local && (rest.Length < addresses || bytes[13] >> 4 == 3))
            return Inspection.Found;
        if (local || addresses == 0)
        {
            header = new ProxyHeader { Version = 2 };
            return Inspection.Found;
        }
        if (!TryValues(rest[addresses..], out List<(byte, byte[])> values))
            return Inspection.Found;
        (Address source, Address destination) = Addresses(rest, addresses == 36);
        header = new ProxyHeader { Version = 2, Source = source, Destination = destination, Values = values };
        return Inspection.Found;
    }

    private static (Address Source, Address Destination) Addresses(ReadOnlySpan<byte> rest, bool six) => six
        ? (Address.V6(BinaryPrimitives.ReadUInt128BigEndian(rest), BinaryPrimitives.ReadUInt16BigEndian(rest[32..])),
            Address.V6(BinaryPrimitives.ReadUInt128BigEndian(rest[16..]), BinaryPrimitives.ReadUInt16BigEndian(rest[34..])))
        : (Address.V4(BinaryPrimitives.ReadUInt32BigEndian(rest), BinaryPrimitives.ReadUInt16BigEndian(rest[8..])),
            Address.V4(BinaryPrimitives.ReadUInt32BigEndian(rest[4..]), BinaryPrimitives.ReadUInt16BigEndian(rest[10..])));

    private static bool TryValues(ReadOnlySpan<byte> bytes, out List<(byte Type, byte[] Value)> values)
    {
        values = [];
        while (bytes.Length >= 3)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[1..]);
            if (length > bytes.Length - 3)
                return false;
            values.Add((bytes[0], bytes.Slice(3, length).ToArray()));
            bytes = bytes[(3 + length)..];
        }
        return bytes.IsEmpty;
    }

    /// <summary>Writes a header for an upstream connection. Addresses of different kinds, or none, say nothing (LOCAL, UNKNOWN); the values
    /// are for version 2.</summary>
    public static byte[] Write(int version, in Address source, in Address destination, IReadOnlyList<(byte Type, byte[] Value)> values)
    {
        bool known = source.IsIp && source.Kind == destination.Kind;
        if (version == 1)
        {
            string line = known
                ? string.Create(CultureInfo.InvariantCulture,
                    $"PROXY {(source.Kind == AddressKind.V4 ? "TCP4" : "TCP6")} {source.Host} {destination.Host} {source.Port} {destination.Port}\r\n")
                : "PROXY UNKNOWN\r\n";
            return Encoding.ASCII.GetBytes(line);
        }
        int addresses = !known ? 0 : source.Kind == AddressKind.V4 ? 12 : 36;
        int length = addresses + values.Sum(v => 3 + v.Value.Length);
        // The length has 16 bits: values that do not fit stay away.
        if (length > ushort.MaxValue)
            (values, length) = ([], addresses);
        var to = new byte[FixedLength + length];
        Signature.CopyTo(to);
        to[12] = (byte)(known ? 0x21 : 0x20);
        to[13] = (byte)(!known ? 0 : source.Kind == AddressKind.V4 ? 0x11 : 0x21);
        BinaryPrimitives.WriteUInt16BigEndian(to.AsSpan(14), (ushort)length);
        if (known)
            WriteAddresses(to.AsSpan(FixedLength), source, destination);
        int at = FixedLength + addresses;
        foreach ((byte type, byte[] value) in values)
        {
            to[at] = type;
            BinaryPrimitives.WriteUInt16BigEndian(to.AsSpan(at + 1), (ushort)value.Length);
            value.CopyTo(to, at + 3);
            at += 3 + value.Length;
        }
        return to;
    }

    private static void WriteAddresses(Span<byte> to, in Address source, in Address destination)
    {
        int ports = 8;
        if (source.Kind == AddressKind.V4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(to, (uint)source.Low);
            BinaryPrimitives.WriteUInt32BigEndian(to[4..], (uint)destination.Low);
        }
        else
        {
            ports = 32;
            BinaryPrimitives.WriteUInt64BigEndian(to, source.High);
            BinaryPrimitives.WriteUInt64BigEndian(to[8..], source.Low);
            BinaryPrimitives.WriteUInt64BigEndian(to[16..], destination.High);
            BinaryPrimitives.WriteUInt64BigEndian(to[24..], destination.Low);
        }
        BinaryPrimitives.WriteUInt16BigEndian(to[ports..], source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(to[(ports + 2)..], destination.Port);
    }
}
