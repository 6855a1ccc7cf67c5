using System.Text;
using Lateen.Api.Http;

namespace Lateen.ControlPlane.Grpc;

/// <summary>Reads header blocks (RFC 7541) into names and values. One for each connection, since blocks refer to earlier ones.</summary>
internal sealed class HeaderBlockReader
{
    private const int EntryOverhead = 32, TableBytesMax = 4096, TextBytesMax = 64 << 10;

    // The newest is the last.
    private readonly List<(string Name, string Value)> _table = [];
    private int _bytes, _limit = TableBytesMax;

    /// <summary>Reads a whole block. False: COMPRESSION_ERROR, and the connection is of no more use.</summary>
    public bool Read(ReadOnlySpan<byte> block, List<(string Name, string Value)> fields)
    {
        int left = TextBytesMax;
        while (!block.IsEmpty)
        {
            byte first = block[0];
            if ((first & 0xe0) == 0x20)
            {
                if (!Integer(ref block, 5, out int size) || size > TableBytesMax) return false;
                _limit = size;
                Evict(0);
                continue;
            }
            if (!Field(ref block, first, out (string Name, string Value) field)) return false;
            left -= field.Name.Length + field.Value.Length + EntryOverhead;
            if (left < 0) return false;
            fields.Add(field);
        }
        return true;
    }

    private bool Field(ref ReadOnlySpan<byte> block, byte first, out (string Name, string Value) field)
    {
        if ((first & 0x80) != 0) return Integer(ref block, 7, out int whole) & Find(whole, out field);
        bool remembered = (first & 0x40) != 0;
        field = default;
        if (!Integer(ref block, remembered ? 6 : 4, out int index)) return false;
        if (index > 0 ? !Find(index, out field) : !Text(ref block, out field.Name)) return false;
        if (!Text(ref block, out field.Value)) return false;
        if (remembered) Remember(field);
        return true;
    }

    private bool Find(int index, out (string Name, string Value) field)
    {
        field = default;
        if (index <= 0) return false;
        if (index <= HpackTables.Static.Length)
        {
            field = HpackTables.Static[index - 1];
            return true;
        }
        int back = index - HpackTables.Static.Length;
        if (back > _table.Count) return false;
        field = _table[^back];
        return true;
    }

    private void Remember((string Name, string Value) field)
    {
        int size = field.Name.Length + field.Value.Length + EntryOverhead;
        Evict(size);
        // An entry larger than the table empties it (RFC 7541 4.4).
        if (size > _limit) return;
        _table.Add(field);
        _bytes += size;
    }

    private void Evict(int wanted)
    {
        int gone = 0;
        while (gone < _table.Count && _bytes + wanted > _limit)
        {
            _bytes -= _table[gone].Name.Length + _table[gone].Value.Length + EntryOverhead;
            gone++;
        }
        _table.RemoveRange(0, gone);
    }

    // RFC 7541 5.1; more than 2^28 is nobody's index or length.
    private static bool Integer(ref ReadOnlySpan<byte> block, int bits, out int value)
    {
        int mask = (1 << bits) - 1;
        value = block[0] & mask;
        block = block[1..];
        if (value < mask) return true;
        for (int shift = 0; shift <= 21 && !block.IsEmpty; shift += 7)
        {
            byte next = block[0];
            block = block[1..];
            value += (next & 127) << shift;
            if (next < 128) return true;
        }
        return false;
    }

    private static bool Text(ref ReadOnlySpan<byte> block, out string text)
    {
        text = "";
        if (block.IsEmpty) return false;
        bool packed = (block[0] & 0x80) != 0;
        if (!Integer(ref block, 7, out int length) || length > block.Length) return false;
        ReadOnlySpan<byte> raw = block[..length];
        block = block[length..];
        if (!packed)
        {
            text = Encoding.Latin1.GetString(raw);
            return true;
        }
        byte[] plain = new byte[(length * 8 / 5) + 1];
        int decoded = Huffman.Decode(raw, plain);
        if (decoded < 0) return false;
        text = Encoding.Latin1.GetString(plain.AsSpan(0, decoded));
        return true;
    }
}
