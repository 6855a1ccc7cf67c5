using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Tracing;

/// <summary>Protobuf's wire form, for the small messages that reporters write field by field.</summary>
internal static class WireText
{
    /// <summary>A field of bytes, a text or a message.</summary>
    public static void Bytes(int field, ReadOnlySpan<byte> bytes, ByteBuffer to)
    {
        Number((ulong)(field << 3 | 2), to);
        Number((ulong)bytes.Length, to);
        to.Append(bytes);
    }

    /// <summary>A text; nothing for an empty one.</summary>
    public static void Text(int field, ReadOnlySpan<byte> text, ByteBuffer to)
    {
        if (text.Length > 0)
            Bytes(field, text, to);
    }

    /// <summary>A field of a number that is not negative, or is told in ten bytes; nothing for 0.</summary>
    public static void Whole(int field, long value, ByteBuffer to)
    {
        if (value == 0)
            return;
        Number((ulong)(field << 3), to);
        Number((ulong)value, to);
    }

    /// <summary>A number in groups of seven bits.</summary>
    public static void Number(ulong value, ByteBuffer to)
    {
        while (value >= 0x80)
        {
            to.Append((byte)(value | 0x80));
            value >>= 7;
        }
        to.Append((byte)value);
    }

    /// <summary>How many bytes a length takes.</summary>
    public static int Size(int length)
    {
        int size = 1;
        while ((length >>= 7) != 0)
            size++;
        return size;
    }
}
