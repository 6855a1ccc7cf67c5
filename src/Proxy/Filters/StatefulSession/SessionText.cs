using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Lateen.Proxy.Filters.StatefulSession;

/// <summary>The forms of an address on its way: base64, and inside of cookies a small message in protobuf's wire format, written by hand
/// since it is all of two fields.</summary>
internal static class SessionText
{
    private const byte AddressField = (1 << 3) | 2, EndsField = 2 << 3;

    public static byte[] Encode(ReadOnlySpan<byte> bytes)
    {
        var text = new byte[Base64.GetMaxEncodedToUtf8Length(bytes.Length)];
        Base64.EncodeToUtf8(bytes, text, out _, out _);
        return text;
    }

    /// <summary>The bytes of a base64 text; none where it is not one.</summary>
    public static byte[] Decode(ReadOnlySpan<byte> text)
    {
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        return Base64.DecodeFromUtf8(text, bytes, out _, out int written) == OperationStatus.Done ? bytes[..written] : [];
    }

    public static byte[] Message(string address, long ends)
    {
        byte[] text = Encoding.ASCII.GetBytes(address);
        var message = new List<byte> { AddressField };
        PutNumber(message, (ulong)text.Length);
        message.AddRange(text);
        if (ends > 0)
        {
            message.Add(EndsField);
            PutNumber(message, (ulong)ends);
        }
        return [.. message];
    }

    /// <summary>Reads a message; false where the bytes are none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out string address, out long ends)
    {
        (address, ends) = ("", 0);
        while (!message.IsEmpty)
        {
            byte field = message[0];
            message = message[1..];
            if (field is not (AddressField or EndsField) || !TryNumber(ref message, out ulong number))
                return false;
            if (field == EndsField)
            {
                ends = (long)number;
                continue;
            }
            if (number > (ulong)message.Length)
                return false;
            address = Encoding.Latin1.GetString(message[..(int)number]);
            message = message[(int)number..];
        }
        return true;
    }

    private static void PutNumber(List<byte> to, ulong number)
    {
        for (; number >= 0x80; number >>= 7)
            to.Add((byte)(number | 0x80));
        to.Add((byte)number);
    }

    private static bool TryNumber(ref ReadOnlySpan<byte> from, out ulong number)
    {
        number = 0;
        for (int i = 0; i < Math.Min(10, from.Length); i++)
        {
            number |= (ulong)(from[i] & 0x7f) << (7 * i);
            if ((from[i] & 0x80) == 0)
            {
                from = from[(i + 1)..];
                return true;
            }
        }
        return false;
    }
}
