using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lateen.Agent.Dns;

/// <summary>The question of a query (RFC 1035, 4.1).</summary>
/// <param name="Name">Without its last dot.</param>
/// <param name="Type">1 for A, 28 for AAAA.</param>
/// <param name="EndsAt">Where the question ends in the query.</param>
public readonly record struct DnsQuestion(string Name, ushort Type, int EndsAt);

/// <summary>Reads queries and writes answers.</summary>
public static class DnsMessage
{
    /// <summary>Record types.</summary>
    public const ushort A = 1, Aaaa = 28;

    /// <summary>Response codes.</summary>
    public const byte NoError = 0, ServerFailure = 2;

    private const int HeaderBytes = 12, TimeToLiveSeconds = 30;
    private const byte IsResponse = 0x80, OpcodeMask = 0x78, RecursionDesired = 0x01, RecursionAvailable = 0x80, Truncated = 0x02;

    /// <summary>Reads the one question of a standard query; false for anything else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> query, out DnsQuestion question)
    {
        question = default;
        if (query.Length < HeaderBytes + 5 || (query[2] & (IsResponse | OpcodeMask)) != 0
            || BinaryPrimitives.ReadUInt16BigEndian(query[4..]) != 1) return false;
        var name = new StringBuilder();
        int at = HeaderBytes;
        while (at < query.Length && query[at] is not 0 and var length)
        {
            // A question's name comes first in a message: there is nothing before it that a pointer could mean.
            if (length > 63 || at + 1 + length > query.Length || name.Length > 253) return false;
            if (name.Length > 0) name.Append('.');
            name.Append(Encoding.Latin1.GetString(query.Slice(at + 1, length)));
            at += 1 + length;
        }
        if (at + 5 > query.Length) return false;
        question = new DnsQuestion(name.ToString(), BinaryPrimitives.ReadUInt16BigEndian(query[(at + 1)..]), at + 5);
        return true;
    }

    /// <summary>Writes an answer with those of <paramref name="addresses"/> that are of the question's type.</summary>
    /// <param name="query">The query.</param>
    /// <param name="question">Its question.</param>
    /// <param name="code">The response code.</param>
    /// <param name="addresses">The name's addresses.</param>
    /// <param name="bytesMax">The room for the answer; what does not fit is left out and the answer says so.</param>
    /// <param name="into">Where the answer goes.</param>
    /// <returns>Its length.</returns>
    public static int Answer(ReadOnlySpan<byte> query, DnsQuestion question, byte code, ReadOnlySpan<IPAddress> addresses, int bytesMax,
        Span<byte> into)
    {
        query[..question.EndsAt].CopyTo(into);
        into[2] = (byte)(IsResponse | (query[2] & RecursionDesired));
        into[3] = (byte)(RecursionAvailable | code);
        into[6..HeaderBytes].Clear();
        int at = question.EndsAt, count = 0;
        foreach (IPAddress address in addresses)
        {
            if ((address.AddressFamily == AddressFamily.InterNetwork ? A : Aaaa) != question.Type) continue;
            int length = question.Type == A ? 4 : 16;
            if (at + 12 + length > Math.Min(bytesMax, into.Length))
            {
                into[2] |= Truncated;
                break;
            }
            // The name again as a pointer to the question's, class IN.
            BinaryPrimitives.WriteUInt16BigEndian(into[at..], 0xC000 | HeaderBytes);
            BinaryPrimitives.WriteUInt16BigEndian(into[(at + 2)..], question.Type);
            BinaryPrimitives.WriteUInt16BigEndian(into[(at + 4)..], 1);
            BinaryPrimitives.WriteUInt32BigEndian(into[(at + 6)..], TimeToLiveSeconds);
            BinaryPrimitives.WriteUInt16BigEndian(into[(at + 10)..], (ushort)length);
            address.TryWriteBytes(into[(at + 12)..], out _);
            at += 12 + length;
            count++;
        }
        BinaryPrimitives.WriteUInt16BigEndian(into[6..], (ushort)count);
        return at;
    }
}
