using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lateen.Api.Http;

namespace Lateen.Proxy.Http.Two.Blocks;

/// <summary>
/// Encodes header blocks. A field enters the dynamic table when it is met for the second time: what differs with each request (paths, ids,
/// dates) then never pushes out what repeats. Fields found in a table cost one or two bytes; others go as plain literals, Huffman-coded
/// only on their way into the table, where the work is paid once. Secrets are never indexed (RFC 7541 7.1.3).
/// </summary>
public sealed class HpackEncoder
{
    private const int Sets = 64, Ways = 4, MetCount = 256;

    private static readonly byte[] StaticName = MakeStaticNames();

    private readonly HpackTable _table = new();

    // By hash of a field: the number of its insertion, in sets of four so that two fields of each request don't push each other out; and
    // the hashes met once.
    private readonly (uint Hash, int Insertion)[] _slots = new (uint, int)[Sets * Ways];
    private readonly uint[] _met = new uint[MetCount];

    // By known name: the number of the insertion that was sent last. Most names say the same thing again, and a comparison is cheaper than
    // a hash.
    private readonly int[] _latest = new int[KnownHeaders.Count];
    private readonly int _sizeMax;
    private int _announce = -1, _announceLeast = int.MaxValue;
    private byte[] _bytes = new byte[1024];
    private int _used;

    /// <summary>An encoder that never uses a larger table than this.</summary>
    public HpackEncoder(int sizeMax)
    {
        _sizeMax = sizeMax;
        if (sizeMax < 4096)
            SetPeerMax(4096);
    }

    /// <summary>The table, for tests.</summary>
    public HpackTable Table => _table;

    /// <summary>The block written since <see cref="Begin"/>.</summary>
    public ReadOnlySpan<byte> Block => _bytes.AsSpan(0, _used);

    /// <summary>The peer's SETTINGS_HEADER_TABLE_SIZE; told to its decoder at the start of the next block (RFC 7541 4.2).</summary>
    public void SetPeerMax(uint peerMax)
    {
        int size = (int)Math.Min(peerMax, (uint)_sizeMax);
        if (size == _table.SizeMax && _announce < 0)
            return;
        _announce = size;
        _announceLeast = Math.Min(_announceLeast, size);
        _table.Resize(size);
    }

    /// <summary>Begins a block.</summary>
    public void Begin()
    {
        _used = 0;
        if (_bytes.Length > 64 * 1024)
            _bytes = new byte[1024];
        if (_announce < 0)
            return;
        Reserve(12);
        if (_announceLeast < _announce)
            PutInteger(0x20, 5, _announceLeast);
        PutInteger(0x20, 5, _announce);
        (_announce, _announceLeast) = (-1, int.MaxValue);
    }

    /// <summary>Adds a field with a known name.</summary>
    public void Add(KnownHeader known, ReadOnlySpan<byte> value)
    {
        int index = _table.Inserted - _latest[(int)known];
        if ((uint)index < (uint)_table.Count && _table.ValueAt(index).SequenceEqual(value))
        {
            PutIndex(HpackTables.Static.Length + 1 + index);
            return;
        }
        if (known <= KnownHeader.Status && StaticField(known, value) is > 0 and int fixedIndex)
        {
            PutIndex(fixedIndex);
            return;
        }
        switch (known)
        {
            // A length differs with each answer, an id with each request: neither is worth a place. A secret must not have one.
            case KnownHeader.ContentLength or KnownHeader.XRequestId:
                PutLiteral(0, 4, StaticName[(int)known], KnownHeaders.Name(known), value);
                break;
            case KnownHeader.Authorization:
                PutLiteral(0x10, 4, StaticName[(int)known], default, value);
                break;
            default:
                AddHashed(known, KnownHeaders.Name(known), value);
                break;
        }
    }

    /// <summary>Adds a field.</summary>
    public void Add(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (known == KnownHeader.None)
            AddHashed(known, name, value);
        else
            Add(known, value);
    }

    private void AddHashed(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int nameIndex = StaticName[(int)known];
        if (_table.SizeMax == 0 || value.Length > 1024)
        {
            PutLiteral(0, 4, nameIndex, name, value);
            return;
        }
        uint hash = Hash(known, name, value);
        if (IsInserted(hash, name, value, out int index))
        {
            _latest[(int)known] = _table.Inserted - index;
            PutIndex(HpackTables.Static.Length + 1 + index);
            return;
        }
        ref uint met = ref _met[(hash >> 8) % MetCount];
        if (met != hash)
        {
            met = hash;
            PutLiteral(0, 4, nameIndex, name, value);
            return;
        }
        PutLiteral(0x40, 6, nameIndex, name, value, huffman: true);
        _table.Insert(known, name, value);
        _latest[(int)known] = _table.Inserted;
        Remember(hash);
    }

    private bool IsInserted(uint hash, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out int index)
    {
        ReadOnlySpan<(uint Hash, int Insertion)> set = _slots.AsSpan((int)(hash % Sets) * Ways, Ways);
        foreach ((uint Hash, int Insertion) slot in set)
        {
            // Insertion number n (from 1) is at index Inserted - n now.
            index = _table.Inserted - slot.Insertion;
            if (slot.Hash != hash || (uint)index >= (uint)_table.Count)
                continue;
            _table.Get(index, out _, out ReadOnlySpan<byte> n, out ReadOnlySpan<byte> v);
            if (v.SequenceEqual(value) && n.SequenceEqual(name))
                return true;
        }
        index = 0;
        return false;
    }

    private void Remember(uint hash)
    {
        Span<(uint Hash, int Insertion)> set = _slots.AsSpan((int)(hash % Sets) * Ways, Ways);
        int oldest = 0;
        for (int i = 1; i < Ways; i++)
        {
            if (_table.Inserted - set[i].Insertion > _table.Inserted - set[oldest].Insertion)
                oldest = i;
        }
        set[oldest] = (hash, _table.Inserted);
    }

    // Zero for a field that the static table has not whole.
    private static int StaticField(KnownHeader known, ReadOnlySpan<byte> value) => known switch
    {
        KnownHeader.Method => value.SequenceEqual("GET"u8) ? 2 : value.SequenceEqual("POST"u8) ? 3 : 0,
        KnownHeader.Path => value.SequenceEqual("/"u8) ? 4 : 0,
        KnownHeader.Scheme => value.SequenceEqual("http"u8) ? 6 : value.SequenceEqual("https"u8) ? 7 : 0,
        KnownHeader.Status => StaticStatus(value),
        _ => 0,
    };

    private static int StaticStatus(ReadOnlySpan<byte> value)
    {
        if (value.Length != 3)
            return 0;
        int status = ((value[0] - (byte)'0') * 100) + ((value[1] - (byte)'0') * 10) + value[2] - (byte)'0';
        return status switch
        {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => 0,
        };
    }

    private void PutLiteral(byte pattern, int bits, int nameIndex, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool huffman = false)
    {
        // Three integers of at most six bytes each.
        Reserve(name.Length + value.Length + 18);
        PutInteger(pattern, bits, nameIndex);
        if (nameIndex == 0)
            PutText(name, huffman);
        PutText(value, huffman);
    }

    private void PutText(ReadOnlySpan<byte> text, bool huffman)
    {
        int coded = huffman ? Huffman.EncodedLength(text) : int.MaxValue;
        if (coded < text.Length)
        {
            PutInteger(0x80, 7, coded);
            _used += Huffman.Encode(text, _bytes.AsSpan(_used));
            return;
        }
        PutInteger(0, 7, text.Length);
        text.To(_bytes.AsSpan(_used));
        _used += text.Length;
    }

    // The static table and the newest of ours fit one byte.
    private void PutIndex(int index)
    {
        Reserve(6);
        if (index < 0x7f)
            _bytes[_used++] = (byte)(0x80 | index);
        else
            PutInteger(0x80, 7, index);
    }

    // The caller has reserved.
    private void PutInteger(byte pattern, int bits, int value)
    {
        int mask = (1 << bits) - 1;
        if (value < mask)
        {
            _bytes[_used++] = (byte)(pattern | value);
            return;
        }
        _bytes[_used++] = (byte)(pattern | mask);
        for (value -= mask; value >= 0x80; value >>= 7)
            _bytes[_used++] = (byte)(value | 0x80);
        _bytes[_used++] = (byte)value;
    }

    private void Reserve(int more)
    {
        if (_bytes.Length - _used < more)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + more));
    }

    // Not against attackers: a collision costs a literal, nothing else. A known name is its number.
    private static uint Hash(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        ulong hash = ((ulong)known << 32) + (uint)value.Length;
        if (known == KnownHeader.None)
            hash = Mix(hash, name);
        return (uint)(Mix(hash, value) >> 32);
    }

    // Eight bytes at a time; the last eight overlap those before, so that no text has a tail of single bytes but a short one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong hash, ReadOnlySpan<byte> text)
    {
        const ulong Multiplier = 0x9e3779b97f4a7c15;
        ref byte at = ref MemoryMarshal.GetReference(text);
        if (text.Length >= 8)
        {
            for (int i = 0; i < text.Length - 8; i += 8)
                hash = (hash ^ Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i))) * Multiplier;
            hash = (hash ^ Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, text.Length - 8))) * Multiplier;
        }
        else
        {
            for (int i = 0; i < text.Length; i++)
                hash = (hash ^ Unsafe.Add(ref at, i)) * Multiplier;
        }
        return hash ^ (hash >> 29);
    }

    private static byte[] MakeStaticNames()
    {
        byte[] index = new byte[KnownHeaders.Count];
        for (int i = HpackTables.Static.Length; i > 0; i--)
            index[(int)KnownHeaders.Find(System.Text.Encoding.ASCII.GetBytes(HpackTables.Static[i - 1].Name))] = (byte)i;
        index[0] = 0;
        return index;
    }
}
