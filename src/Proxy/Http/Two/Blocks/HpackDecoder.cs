using Lateen.Api.Http;

namespace Lateen.Proxy.Http.Two.Blocks;

/// <summary>Decodes header blocks (RFC 7541 3). One a connection; what it hands to the <see cref="HeadBuilder"/> holds for that
/// call.</summary>
public sealed class HpackDecoder(int tableMax)
{
    private readonly record struct Field(KnownHeader Known, byte[] Name, byte[] Value, bool Sound);

    private static readonly Field[] Static = [default,
        .. HpackTables.Static.Select(
            e => FieldOf(System.Text.Encoding.ASCII.GetBytes(e.Name), System.Text.Encoding.ASCII.GetBytes(e.Value)))];

    private readonly HpackTable _table = new();
    private RepeatedFields? _repeated;
    private byte[] _scratch = new byte[256];
    private int _scratchUsed;

    /// <summary>The table, for tests.</summary>
    public HpackTable Table => _table;

    private static Field FieldOf(byte[] name, byte[] value)
    {
        KnownHeader known = KnownHeaders.Find(name);
        return new Field(known, name, value, HeadBuilder.IsSound(known, name, value));
    }

    /// <summary>Decodes a whole block into the builder, which may refuse fields but sees all of them: the table must stay in step. False:
    /// COMPRESSION_ERROR.</summary>
    public bool Decode(ReadOnlySpan<byte> block, HeadBuilder builder)
    {
        int at = 0;
        // RFC 7541 4.2: size updates come first in a block.
        while (at < block.Length && (block[at] & 0xe0) == 0x20)
        {
            if (!ReadInteger(block, ref at, 5, out int size) || size > tableMax)
                return false;
            _table.Resize(size);
        }
        return (RepeatedFields.RunOf(block[at..]) is not (> 0 and int run) || !builder.MayRepeat || DecodeRun(block, ref at, run, builder))
            && DecodeRest(block, at, builder);
    }

    // What a block begins with, as it did the last times.
    private bool DecodeRun(ReadOnlySpan<byte> block, ref int at, int run, HeadBuilder builder)
    {
        RepeatedFields repeated = _repeated ??= new RepeatedFields();
        bool same = repeated.IsSame(block.Slice(at, run), _table, builder.Kind);
        int end = at + run;
        if (!same || !repeated.TryRepeat(builder))
        {
            if (!DecodeRest(block[..end], at, builder))
                return false;
            if (same)
                repeated.Keep(builder);
        }
        at = end;
        return true;
    }

    private bool DecodeRest(ReadOnlySpan<byte> block, int at, HeadBuilder builder)
    {
        while (at < block.Length)
        {
            byte b = block[at];
            bool done;
            if (b > 0x80 && b < 0xff)
            {
                // Nearly every field of a connection that has been in use for a while.
                at++;
                done = Indexed(b & 0x7f, builder);
            }
            else if ((b & 0x80) != 0)
                done = ReadInteger(block, ref at, 7, out int index) && Indexed(index, builder);
            else
                done = (b & 0xe0) != 0x20 && Literal(block, ref at, b, builder);
            if (!done)
                return false;
        }
        return true;
    }

    private bool Indexed(int index, HeadBuilder builder)
    {
        int own = index - Static.Length;
        if (own >= 0)
        {
            if (own >= _table.Count)
                return false;
            bool isSound = _table.Get(own, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value);
            builder.Add(known, name, value, isSound);
            return true;
        }
        if (index == 0)
            return false;
        ref readonly Field field = ref Static[index];
        builder.Add(field.Known, field.Name, field.Value, field.Sound);
        return true;
    }

    private bool Literal(ReadOnlySpan<byte> block, scoped ref int at, byte b, HeadBuilder builder)
    {
        _scratchUsed = 0;
        bool insert = (b & 0x40) != 0;
        if (!ReadInteger(block, ref at, insert ? 6 : 4, out int index))
            return false;
        KnownHeader known;
        ReadOnlySpan<byte> name;
        if (index > 0)
        {
            if (!FindName(index, out known, out name))
                return false;
        }
        else
        {
            if (!ReadText(block, ref at, out name))
                return false;
            known = KnownHeaders.Find(name);
        }
        if (!ReadText(block, ref at, out ReadOnlySpan<byte> value))
            return false;
        bool sound = HeadBuilder.IsSound(known, name, value);
        builder.Add(known, name, value, sound);
        if (insert)
            _table.Insert(known, name, value, sound);
        return true;
    }

    private bool FindName(int index, out KnownHeader known, out ReadOnlySpan<byte> name)
    {
        int own = index - Static.Length;
        if (own >= _table.Count)
        {
            known = KnownHeader.None;
            name = default;
            return false;
        }
        if (own >= 0)
        {
            _table.Get(own, out known, out name, out _);
            return true;
        }
        known = Static[index].Known;
        name = Static[index].Name;
        return true;
    }

    // RFC 7541 5.1; more than 2^28 is nobody's index or length.
    private static bool ReadInteger(ReadOnlySpan<byte> block, ref int at, int bits, out int value)
    {
        int mask = (1 << bits) - 1;
        value = block[at++] & mask;
        if (value < mask)
            return true;
        for (int shift = 0; shift <= 21 && at < block.Length; shift += 7)
        {
            byte b = block[at++];
            value += (b & 0x7f) << shift;
            if ((b & 0x80) == 0)
                return true;
        }
        return false;
    }

    private bool ReadText(ReadOnlySpan<byte> block, scoped ref int at, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (at >= block.Length)
            return false;
        bool huffman = (block[at] & 0x80) != 0;
        if (!ReadInteger(block, ref at, 7, out int length) || length > block.Length - at)
            return false;
        ReadOnlySpan<byte> raw = block.Slice(at, length);
        at += length;
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
