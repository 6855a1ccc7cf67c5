// Resolution: names of clusters to addresses, on the main loop, by our own resolver over the loop's datagrams: the framework's asks the
// system's thread pool, knows no time to live, and cannot run under a virtual clock. What comes from the network is hostile until it
// matches a question of ours: id, source, name and type; every count and length is bounded. A failure keeps what was known. Nothing here is
// per worker: an answer is a publication like any other.
using System.Buffers.Binary;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters.Resolution;

/// <summary>What a server said.</summary>
public enum DnsOutcome : byte
{
    /// <summary>Addresses, perhaps none of this type.</summary>
    Answer,

    /// <summary>The name does not exist.</summary>
    NoName,

    /// <summary>No answer that counts.</summary>
    Failure,
}

/// <summary>DNS messages (RFC 1035, RFC 3596, RFC 6891): questions for addresses, and their answers.</summary>
public static class DnsMessage
{
    /// <summary>A record.</summary>
    public const ushort TypeA = 1;

    /// <summary>AAAA record.</summary>
    public const ushort TypeAaaa = 28;

    // More answers than this are an attack on who stores them.
    private const int AnswersMax = 256;

    /// <summary>Writes a question; the number of bytes, 0 where the name is none.</summary>
    public static int WriteQuestion(Span<byte> to, ushort id, string name, ushort type)
    {
        BinaryPrimitives.WriteUInt16BigEndian(to, id);
        BinaryPrimitives.WriteUInt16BigEndian(to[2..], 0x0100); // recursion desired
        BinaryPrimitives.WriteUInt16BigEndian(to[4..], 1);
        BinaryPrimitives.WriteUInt16BigEndian(to[6..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(to[8..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(to[10..], 1);
        int at = 12;
        foreach (string label in name.TrimEnd('.').Split('.'))
        {
            if (label.Length is 0 or > 63 || at + label.Length > 12 + 254)
                return 0;
            to[at++] = (byte)label.Length;
            at += System.Text.Encoding.Latin1.GetBytes(label, to[at..]);
        }
        to[at++] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(to[at..], type);
        BinaryPrimitives.WriteUInt16BigEndian(to[(at + 2)..], 1);
        at += 4;

        // OPT: we take datagrams of 1,232 bytes, which pass every path unfragmented.
        ReadOnlySpan<byte> opt = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
        opt.CopyTo(to[at..]);
        return at + opt.Length;
    }

    /// <summary>Reads an answer to a question of ours; false where it is not one, and is to be ignored.</summary>
    public static bool TryRead(ReadOnlySpan<byte> message, ushort id, ReadOnlySpan<byte> question, ushort type, List<Address> addresses,
        out DnsOutcome outcome, out uint ttl)
    {
        outcome = DnsOutcome.Failure;
        ttl = uint.MaxValue;
        if (message.Length < 12 || BinaryPrimitives.ReadUInt16BigEndian(message) != id || (message[2] & 0x80) == 0
            || BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1)
            return false;

        // The question stands in the answer as we asked it; case may differ.
        ReadOnlySpan<byte> asked = question[12..^11];
        if (message.Length < 12 + asked.Length
            || !System.Text.Ascii.EqualsIgnoreCase(message.Slice(12, asked.Length - 4), asked[..^4])
                && !SameBytes(message.Slice(12, asked.Length - 4), asked[..^4]))
            return false;
        int code = message[3] & 15, count = BinaryPrimitives.ReadUInt16BigEndian(message[6..]), at = 12 + asked.Length;
        outcome = code switch
        {
            0 => DnsOutcome.Answer,
            3 => DnsOutcome.NoName,
            _ => DnsOutcome.Failure,
        };
        // Records beside an error are not an answer, whatever they hold.
        for (int i = 0; outcome == DnsOutcome.Answer && i < count && i < AnswersMax; i++)
        {
            if (!SkipName(message, ref at) || at + 10 > message.Length)
                break;
            ushort kind = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
            uint life = BinaryPrimitives.ReadUInt32BigEndian(message[(at + 4)..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            at += 10;
            if (at + length > message.Length)
                break;
            Take(message.Slice(at, length), kind, type, life, addresses, ref ttl);
            at += length;
        }
        return true;
    }

    private static bool SameBytes(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => a.SequenceEqual(b);

    private static void Take(ReadOnlySpan<byte> data, ushort kind, ushort type, uint life, List<Address> addresses, ref uint ttl)
    {
        if (kind != type)
            return;
        if (type == TypeA && data.Length == 4)
            addresses.Add(Address.V4(BinaryPrimitives.ReadUInt32BigEndian(data), 0));
        else if (type == TypeAaaa && data.Length == 16)
            addresses.Add(Address.V6(BinaryPrimitives.ReadUInt128BigEndian(data), 0));
        else
            return;

        // RFC 2181 8: a time to live with the highest bit set is zero.
        ttl = Math.Min(ttl, life > int.MaxValue ? 0 : life);
    }

    private static bool SkipName(ReadOnlySpan<byte> message, ref int at)
    {
        while (at < message.Length)
        {
            int length = message[at];
            if (length == 0)
            {
                at++;
                return true;
            }
            if ((length & 0xc0) == 0xc0)
            {
                // A pointer ends the name; where it points to is of no interest.
                at += 2;
                return at <= message.Length;
            }
            if ((length & 0xc0) != 0)
                return false;
            at += length + 1;
        }
        return false;
    }
}
