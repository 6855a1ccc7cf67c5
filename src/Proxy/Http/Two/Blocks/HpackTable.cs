namespace Lateen.Proxy.Http.Two.Blocks;

/// <summary>
/// The dynamic table of one direction (RFC 7541 2.3.2): newest first, bounded by the sum of names, values and 32 for each. Entries lie
/// behind one another in one array that starts small and is compacted when it is full; entry numbers count insertions, so that an encoder
/// can remember where it put something.
/// </summary>
public sealed class HpackTable
{
    private const int Overhead = 32;

    private struct Entry
    {
        public long At;
        public int NameLength, ValueLength;
        public KnownHeader Known;
        public bool Sound;
    }

    private Entry[] _entries = new Entry[8];
    private byte[] _bytes = [], _spare = [];

    // Positions count bytes since the beginning; _base is that of _bytes[0].
    private long _base, _end;
    private int _inserted;

    /// <summary>The bound in force.</summary>
    public int SizeMax { get; private set; } = 4096;

    /// <summary>What is used of it.</summary>
    public int Size { get; private set; }

    /// <summary>Entries present.</summary>
    public int Count { get; private set; }

    /// <summary>Entries ever inserted; the number of the newest.</summary>
    public int Inserted => _inserted;

    /// <summary>Changes the bound; what does not fit leaves.</summary>
    public void Resize(int sizeMax)
    {
        SizeMax = sizeMax;
        while (Size > SizeMax)
            Evict();
    }

    /// <summary>The entry at an index, 0 for the newest. The spans hold until the next insertion. True where it was found sound when it was
    /// inserted.</summary>
    public bool Get(int index, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        ref Entry e = ref _entries[(_inserted - 1 - index) & (_entries.Length - 1)];
        known = e.Known;
        int at = (int)(e.At - _base);
        name = _bytes.AsSpan(at, e.NameLength);
        value = _bytes.AsSpan(at + e.NameLength, e.ValueLength);
        return e.Sound;
    }

    /// <summary>The value at an index; it holds until the next insertion.</summary>
    public ReadOnlySpan<byte> ValueAt(int index)
    {
        ref Entry e = ref _entries[(_inserted - 1 - index) & (_entries.Length - 1)];
        return _bytes.AsSpan((int)(e.At - _base) + e.NameLength, e.ValueLength);
    }

    /// <summary>Inserts, with what is remembered of its soundness; the texts may lie in this table. An entry larger than the bound empties
    /// it (RFC 7541 4.4).</summary>
    public void Insert(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool sound = false)
    {
        int bytes = name.Length + value.Length, size = bytes + Overhead;
        while (Count > 0 && Size + size > SizeMax)
            Evict();
        if (size > SizeMax)
            return;
        if (Count == _entries.Length)
            GrowEntries();
        Reserve(bytes);

        // The texts may be in the array that was left: it stays as it is until the next compaction.
        int at = (int)(_end - _base);
        name.CopyTo(_bytes.AsSpan(at));
        value.CopyTo(_bytes.AsSpan(at + name.Length));
        _entries[_inserted & (_entries.Length - 1)] = new Entry
        {
            At = _end,
            NameLength = name.Length,
            ValueLength = value.Length,
            Known = known,
            Sound = sound,
        };
        _end += bytes;
        _inserted++;
        Count++;
        Size += size;
    }

    private void Reserve(int bytes)
    {
        if ((int)(_end - _base) + bytes <= _bytes.Length)
            return;
        long start = Count > 0 ? _entries[(_inserted - Count) & (_entries.Length - 1)].At : _end;
        int live = (int)(_end - start);

        // Twice what lives plus what comes: a compaction is paid by as many bytes inserted since the last one. Two arrays take turns.
        int need = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(256, (live + bytes) * 2));
        byte[] next = _spare.Length >= need ? _spare : new byte[Math.Max(need, _bytes.Length)];
        _bytes.AsSpan((int)(start - _base), live).CopyTo(next);
        _spare = _bytes;
        _bytes = next;
        _base = start;
    }

    private void GrowEntries()
    {
        Entry[] larger = new Entry[_entries.Length * 2];
        for (int i = _inserted - Count; i != _inserted; i++)
            larger[i & (larger.Length - 1)] = _entries[i & (_entries.Length - 1)];
        _entries = larger;
    }

    private void Evict()
    {
        ref Entry oldest = ref _entries[(_inserted - Count) & (_entries.Length - 1)];
        Size -= oldest.NameLength + oldest.ValueLength + Overhead;
        Count--;
    }
}
