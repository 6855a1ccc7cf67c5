using System.Buffers.Binary;

namespace Lateen.Proxy.Listeners;

/// <summary>What looking at the first bytes came to.</summary>
public enum Inspection : byte
{
    /// <summary>More bytes are needed.</summary>
    NeedMore,

    /// <summary>It is what was looked for.</summary>
    Found,

    /// <summary>It is something else.</summary>
    NotIt,
}

/// <summary>Reads server name and application protocols of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3, RFC 7301), over as many records
/// as it takes; never more than 64 KiB.</summary>
public static class ClientHello
{
    private const int BytesMax = 64 * 1024;

    /// <summary>Looks at the first bytes of a connection.</summary>
    public static Inspection Inspect(ReadOnlySpan<byte> bytes, out string serverName, out IReadOnlyList<string> protocols)
    {
        serverName = "";
        protocols = [];
        // Envoy's inspector says nothing before a record's head is there, whatever the first byte is: chains are chosen by the same rule.
        if (bytes.Length < 5)
            return Inspection.NeedMore;
        if (bytes[0] != 0x16 || bytes[1] != 3)
            return Inspection.NotIt;
        Span<byte> hello = bytes.Length <= 16 * 1024 ? stackalloc byte[bytes.Length] : new byte[bytes.Length];
        int length = Gather(bytes, hello);
        if (length < 0)
            return Inspection.NotIt;
        if (length < 4)
            return bytes.Length > BytesMax ? Inspection.NotIt : Inspection.NeedMore;
        if (hello[0] != 1)
            return Inspection.NotIt;
        int size = (hello[1] << 16) | (hello[2] << 8) | hello[3];
        if (size > BytesMax)
            return Inspection.NotIt;
        if (length < size + 4)
            return Inspection.NeedMore;
        return Read(hello.Slice(4, size), out serverName, out protocols) ? Inspection.Found : Inspection.NotIt;
    }

    // Takes the record heads out; -1 where a record is none of a handshake.
    private static int Gather(ReadOnlySpan<byte> bytes, Span<byte> hello)
    {
        int length = 0;
        while (bytes.Length >= 5)
        {
            if (bytes[0] != 0x16)
                return length > 0 ? length : -1;
            int size = BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]);
            if (size is 0 or > 16 * 1024 + 256)
                return -1;
            ReadOnlySpan<byte> part = bytes[5..];
            part = part[..Math.Min(size, part.Length)];
            part.CopyTo(hello[length..]);
            length += part.Length;
            bytes = bytes[(5 + part.Length)..];

            // What lies behind a whole hello is not its matter, however much of it has come.
            if (part.Length < size || IsWhole(hello[..length]))
                break;
        }
        return length;
    }

    private static bool IsWhole(ReadOnlySpan<byte> hello) =>
        hello.Length >= 4 && (hello[0] != 1 || hello.Length >= 4 + ((hello[1] << 16) | (hello[2] << 8) | hello[3]));

    private static bool Read(ReadOnlySpan<byte> hello, out string serverName, out IReadOnlyList<string> protocols)
    {
        serverName = "";
        protocols = [];
        // version 2, random 32, then session id, cipher suites, compression methods, extensions: each with its length.
        if (hello.Length < 35)
            return false;
        hello = hello[34..];
        if (!Skip(ref hello, 1) || !Skip(ref hello, 2) || !Skip(ref hello, 1))
            return false;
        if (hello.Length < 2)
            return hello.IsEmpty;
        int total = BinaryPrimitives.ReadUInt16BigEndian(hello);
        hello = hello[2..];
        if (total > hello.Length)
            return false;
        hello = hello[..total];
        while (hello.Length >= 4)
        {
            int type = BinaryPrimitives.ReadUInt16BigEndian(hello), size = BinaryPrimitives.ReadUInt16BigEndian(hello[2..]);
            if (size > hello.Length - 4)
                return false;
            ReadOnlySpan<byte> body = hello.Slice(4, size);
            if (type == 0)
                serverName = ServerName(body);
            else if (type == 16)
                protocols = Protocols(body);
            hello = hello[(4 + size)..];
        }
        return true;
    }

    private static bool Skip(ref ReadOnlySpan<byte> bytes, int lengthBytes)
    {
        if (bytes.Length < lengthBytes)
            return false;
        int size = lengthBytes == 1 ? bytes[0] : BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length < lengthBytes + size)
            return false;
        bytes = bytes[(lengthBytes + size)..];
        return true;
    }

    private static string ServerName(ReadOnlySpan<byte> body)
    {
        if (body.Length < 5 || body[2] != 0)
            return "";
        int size = BinaryPrimitives.ReadUInt16BigEndian(body[3..]);
        return size <= body.Length - 5 ? System.Text.Encoding.Latin1.GetString(body.Slice(5, size)).ToLowerInvariant() : "";
    }

    private static List<string> Protocols(ReadOnlySpan<byte> body)
    {
        var list = new List<string>();
        for (body = body.Length >= 2 ? body[2..] : default; body.Length > 1 && body[0] <= body.Length - 1; body = body[(1 + body[0])..])
            list.Add(System.Text.Encoding.Latin1.GetString(body.Slice(1, body[0])));
        return list;
    }
}
