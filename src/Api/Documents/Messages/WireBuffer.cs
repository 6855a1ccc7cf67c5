using System.Buffers.Binary;
using System.Text;

namespace Lateen.Api.Documents;

/// <summary>Protobuf's wire format as it grows, in canonical form: fields in the order of their numbers, entries of maps in the order of
/// their keys, whatever the order in which they were written.</summary>
/// <remarks>Messages nest by marks: what is written between <see cref="OpenMessage"/> and <see cref="CloseMessage"/> are the fields of one
/// message. https://protobuf.dev/programming-guides/encoding/</remarks>
internal sealed class WireBuffer
{
    private readonly record struct Part(int Number, int Start, int End, string? Key, long KeyNumber);

    /// <summary>Where a message begins, and its first field among all that are open.</summary>
    public readonly record struct Mark(int Start, int Parts);

    private readonly List<Part> _parts = [];
    private byte[] _bytes = new byte[1024];
    private byte[] _scratch = [];
    private int _length;

    public int Length => _length;

    /// <summary>It has not grown much, so that keeping it costs little.</summary>
    public bool IsSmall => _bytes.Length + _scratch.Length <= 64 << 10 && _parts.Capacity <= 1 << 10;

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    public MemoryStream ToStream() => new(_bytes, 0, _length, writable: false);

    public Mark OpenMessage() => new(_length, _parts.Count);

    /// <summary>Puts the fields of the message in their order.</summary>
    public void CloseMessage(Mark mark)
    {
        if (!IsOrdered(mark.Parts))
            Reorder(mark);
        _parts.RemoveRange(mark.Parts, _parts.Count - mark.Parts);
    }

    /// <summary>Notes that all since <paramref name="start"/> is one field, or one entry of a map.</summary>
    public void EndField(int number, int start, string? key = null, long keyNumber = 0) =>
        _parts.Add(new Part(number, start, _length, key, keyNumber));

    /// <summary>Drops all since then.</summary>
    public void Rewind(int length) => _length = length;

    /// <summary>Makes all since <paramref name="start"/> a length-delimited value by putting its length before it.</summary>
    public void PrefixLength(int start)
    {
        int count = _length - start;
        int size = VarintSize((ulong)count);
        Reserve(size);
        _bytes.AsSpan(start, count).CopyTo(_bytes.AsSpan(start + size));
        _length = start;
        Varint((ulong)count);
        _length = start + size + count;
    }

    public void Tag(int number, int wireType) => Varint(((ulong)number << 3) | (uint)wireType);

    public void Varint(ulong value)
    {
        Reserve(10);
        while (value >= 0x80)
        {
            _bytes[_length++] = (byte)(value | 0x80);
            value >>= 7;
        }
        _bytes[_length++] = (byte)value;
    }

    public void Fixed32(uint value)
    {
        Reserve(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(_length), value);
        _length += 4;
    }

    public void Fixed64(ulong value)
    {
        Reserve(8);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(_length), value);
        _length += 8;
    }

    /// <summary>A text with its length.</summary>
    public void Text(string value)
    {
        int count = Encoding.UTF8.GetByteCount(value);
        Varint((ulong)count);
        Reserve(count);
        Encoding.UTF8.GetBytes(value, _bytes.AsSpan(_length));
        _length += count;
    }

    /// <summary>Bytes with their length.</summary>
    public void Bytes(ReadOnlySpan<byte> value)
    {
        Varint((ulong)value.Length);
        Reserve(value.Length);
        value.CopyTo(_bytes.AsSpan(_length));
        _length += value.Length;
    }

    private static int VarintSize(ulong value)
    {
        int size = 1;
        for (; value >= 0x80; value >>= 7)
            size++;
        return size;
    }

    private static int Compare(Part a, Part b)
    {
        int order = a.Number.CompareTo(b.Number);
        if (order == 0)
            order = a.KeyNumber.CompareTo(b.KeyNumber);
        if (order == 0)
            order = string.CompareOrdinal(a.Key, b.Key);
        return order != 0 ? order : a.Start.CompareTo(b.Start);
    }

    private bool IsOrdered(int from)
    {
        for (int i = from + 1; i < _parts.Count; i++)
        {
            if (Compare(_parts[i - 1], _parts[i]) > 0)
                return false;
        }
        return true;
    }

    private void Reorder(Mark mark)
    {
        _parts.Sort(mark.Parts, _parts.Count - mark.Parts, Comparer<Part>.Create(Compare));
        if (_scratch.Length < _length - mark.Start)
            _scratch = new byte[_bytes.Length];
        int at = 0;
        for (int i = mark.Parts; i < _parts.Count; i++)
        {
            ReadOnlySpan<byte> part = _bytes.AsSpan(_parts[i].Start, _parts[i].End - _parts[i].Start);
            part.CopyTo(_scratch.AsSpan(at));
            at += part.Length;
        }
        _scratch.AsSpan(0, at).CopyTo(_bytes.AsSpan(mark.Start));
    }

    private void Reserve(int count)
    {
        if (_bytes.Length - _length < count)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + count));
    }
}
