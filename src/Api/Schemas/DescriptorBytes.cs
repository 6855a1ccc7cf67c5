using System.Text;

namespace Lateen.Api.Schemas;

/// <summary>A part of the descriptor set, and the wire format as far as descriptors use it: varints and length-delimited fields.</summary>
/// <remarks>The bytes are those of the assembly's image, which is mapped for as long as the process runs; the build made them, so they are
/// not doubted.</remarks>
internal unsafe readonly struct DescriptorBytes(byte* start, int length)
{
    private readonly byte* _start = start;

    public int Length => length;

    public static DescriptorBytes OfSchema()
    {
        var stream = (UnmanagedMemoryStream?)typeof(Envoy.Config.Core.V3.Address).Assembly.GetManifestResourceStream("descriptors.pb")
            ?? throw new InvalidOperationException("Lateen.Schema was built without its descriptors");
        return new DescriptorBytes(stream.PositionPointer, (int)stream.Length);
    }

    public DescriptorBytes Slice(int from, int count) => new(_start + from, count);

    /// <summary>Reads the field at <paramref name="at"/> and moves behind it.</summary>
    /// <param name="number">Its number.</param>
    /// <param name="value">A varint's value, or where a length-delimited field begins.</param>
    /// <param name="count">The length of a length-delimited field; 0 for others.</param>
    public bool Next(ref int at, out int number, out long value, out int count)
    {
        (number, value, count) = (0, 0, 0);
        if (at >= length)
            return false;
        long tag = Varint(ref at);
        number = (int)(tag >> 3);
        switch (tag & 7)
        {
            case 0:
                value = Varint(ref at);
                break;
            case 2:
                count = (int)Varint(ref at);
                value = at;
                at += count;
                break;
            case var fixedSize:
                at += fixedSize == 1 ? 8 : 4;
                break;
        }
        return true;
    }

    /// <summary>The number of protoc-gen-validate's extensions of options.</summary>
    public const int ValidateExtension = 1071;

    /// <summary>The bytes of a length-delimited field; false where it is not there.</summary>
    public bool Find(int wanted, out ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (Next(ref at, out int number, out long from, out int count))
        {
            if (number != wanted)
                continue;
            bytes = new ReadOnlySpan<byte>(_start + from, count);
            return true;
        }
        bytes = default;
        return false;
    }

    public string Text(long from, int count) => Encoding.UTF8.GetString(_start + from, count);

    private long Varint(ref int at)
    {
        long value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte b = _start[at++];
            value |= (long)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
        }
    }
}
