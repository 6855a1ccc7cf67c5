using Google.Protobuf.Reflection;

namespace Lateen.Api.Documents;

/// <summary>The value of a field that is no message, as it goes on the wire.</summary>
/// <param name="Bits">A number: a varint's bits, or those of a float or double.</param>
/// <param name="Text">A text; null for others.</param>
/// <param name="Bytes">Bytes; null for others.</param>
internal readonly record struct ScalarValue(ulong Bits, string? Text = null, ReadOnlyMemory<byte>? Bytes = null)
{
    /// <summary>Whether a field without presence leaves it out.</summary>
    public bool IsDefault => Text is not null ? Text.Length == 0 : Bytes is { } bytes ? bytes.Length == 0 : Bits == 0;

    /// <summary>Writes a field: its tag and the value.</summary>
    public void WriteField(WireBuffer to, int number, FieldType type)
    {
        to.Tag(number, WireType(type));
        Write(to, type);
    }

    /// <summary>Writes the bare value, as in a packed list.</summary>
    public void Write(WireBuffer to, FieldType type)
    {
        if (Text is not null)
            to.Text(Text);
        else if (Bytes is { } bytes)
            to.Bytes(bytes.Span);
        else if (WireType(type) == 1)
            to.Fixed64(Bits);
        else if (WireType(type) == 5)
            to.Fixed32((uint)Bits);
        else if (type is FieldType.SInt32 or FieldType.SInt64)
            to.Varint(((ulong)((long)Bits >> 63)) ^ (Bits << 1));
        else
            to.Varint(Bits);
    }

    private static int WireType(FieldType type) => type switch
    {
        FieldType.Double or FieldType.Fixed64 or FieldType.SFixed64 => 1,
        FieldType.String or FieldType.Bytes => 2,
        FieldType.Float or FieldType.Fixed32 or FieldType.SFixed32 => 5,
        _ => 0,
    };
}
