using Lateen.Api.Http;

namespace Lateen.Proxy.Http.Two;

/// <summary>Decodes header blocks (RFC 7541 3). One a connection; what it hands to the <see cref="HeadBuilder"/> holds for that call.</summary>
public sealed class HpackDecoder(int tableMax)
{
    private static readonly KnownHeader[] StaticKnown =
        [KnownHeader.None, .. HpackTables.Static.Select(e => KnownHeaders.Find(System.Text.Encoding.ASCII.GetBytes(e.Name)))];

    private static readonly byte[][] StaticNames = [[], .. HpackTables.Static.Select(e => System.Text.Encoding.ASCII.GetBytes(e.Name))];
    private static readonly byte[][] StaticValues = [[], .. HpackTables.Static.Select(e => System.Text.Encoding.ASCII.GetBytes(e.Value))];

    private readonly HpackTable _table = new();
    private byte[] _scratch = new byte[256];
    private int _scratchUsed;

    /// <summary>The table, for tests.</summary>
    public HpackTable Table => _table;

    /// <summary>Decodes a whole block into the builder, which may refuse fields but sees all of them: the table must stay in step. False: COMPRESSION_ERROR.</summary>
    public bool Decode(ReadOnlySpan<byte> block, HeadBuilder builder)
    {
        bool first = true;
        while (!block.IsEmpty)
        {
            _scratchUsed = 0;
            byte b = block[0];
            if ((b & 0xe0) == 0x20)
            {
                // RFC 7541 4.2: size updates come first in a block.
                if (!first || !ReadInteger(ref block, 5, out int size) || size > tableMax)
                    return false;
                _table.Resize(size);
                continue;
            }
            first = false;
            bool done = (b & 0x80) != 0 ? Indexed(ref block, builder) : Literal(ref block, b, builder);
            if (!done)
                return false;
        }
        return true;
    }

    private bool Indexed(ref ReadOnlySpan<byte> block, HeadBuilder builder)
    {
        if (!ReadInteger(ref block, 7, out int index) || !Find(index, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
            return false;
        builder.Add(known, name, value);
        return true;
    }

    private bool Literal(ref ReadOnlySpan<byte> block, byte b, HeadBuilder builder)
    {
        bool insert = (b & 0x40) != 0;
        if (!ReadInteger(ref block, insert ? 6 : 4, out int index))
            return false;
        KnownHeader known;
        ReadOnlySpan<byte> name;
        if (index > 0)
        {
            if (!Find(index, out known, out name, out _))
                return false;
        }
        else
        {
            if (!ReadText(ref block, out name))
                return false;
            known = KnownHeaders.Find(name);
        }
        if (!ReadText(ref block, out ReadOnlySpan<byte> value))
            return false;
        builder.Add(known, name, value);
        if (insert)
            _table.Insert(known, name, value);
        return true;
    }

    private bool Find(int index, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        known = KnownHeader.None;
        name = value = default;
        if (index <= 0)
            return false;
        if (index < StaticNames.Length)
        {
            known = StaticKnown[index];
            name = StaticNames[index];
            value = StaticValues[index];
            return true;
        }
        index -= StaticNames.Length;
        if (index >= _table.Count)
            return false;
        _table.Get(index, out known, out name, out value);
        return true;
    }

    // RFC 7541 5.1; more than 2^28 is nobody's index or length.
    private static bool ReadInteger(scoped ref ReadOnlySpan<byte> block, int bits, out int value)
    {
        int mask = (1 << bits) - 1;
        value = block[0] & mask;
        block = block[1..];
        if (value < mask)
            return true;
        for (int shift = 0; shift <= 21 && !block.IsEmpty; shift += 7)
        {
            byte b = block[0];
            block = block[1..];
            value += (b & 0x7f) << shift;
            if ((b & 0x80) == 0)
                return true;
        }
        return false;
    }

    private bool ReadText(scoped ref ReadOnlySpan<byte> block, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (block.IsEmpty)
            return false;
        bool huffman = (block[0] & 0x80) != 0;
        if (!ReadInteger(ref block, 7, out int length) || length > block.Length)
            return false;
        ReadOnlySpan<byte> raw = block[..length];
        block = block[length..];
        if (!huffman)
        {
            text = raw;
            return true;
        }
        int need = (length * 8 / 5) + 1;
        if (_scratch.Length - _scratchUsed < need)
        {
            // A name decoded before keeps its span on the array that is left.
            _scratch = new byte[Math.Max(_scratch.Length * 2, need)];
            _scratchUsed = 0;
        }
        int decoded = Huffman.Decode(raw, _scratch.AsSpan(_scratchUsed));
        if (decoded < 0)
            return false;
        text = _scratch.AsSpan(_scratchUsed, decoded);
        _scratchUsed += decoded;
        return true;
    }
}
