using System.Runtime.CompilerServices;

namespace Lateen.Proxy.Http;

/// <summary>
/// The head or the trailers of a message, one form for HTTP/1 and HTTP/2: names in lower case, pseudo-headers among them (HTTP/1's Host is
/// <c>:authority</c>, its request line <c>:method</c> and <c>:path</c>, its status <c>:status</c>), order kept. Names and values lie in one
/// growing array that is reused with the map, so that a warm request allocates nothing. Spans handed out hold until the next change.
/// </summary>
public sealed partial class HeaderMap
{
    private const byte Removed = 1;

    // A map that once held a huge head gives its memory back: connections are many, huge heads are few.
    private const int BytesKeptMax = 64 * 1024;
    private const int EntriesKeptMax = 256;

    [InlineArray((int)KnownHeader.Status + 1)]
    private struct PseudoPlaces
    {
        private byte _first;
    }

    private struct Entry
    {
        public int NameAt, NameLength, ValueAt, ValueLength;
        public KnownHeader Known;
        public byte Flags;
    }

    // Which known headers are there, in place of a table of where: hundreds of requests are on their way at once, most questions are for
    // headers that are absent, and what a worker touches decides how much of it stays in its cache. The one that is there is found among
    // the few lines. The arrays come with the first line.
    private KnownHeaderSet _present;

    // Place plus one of each pseudo-header, which are asked for again and again; the last value stands for a place that does not fit.
    private PseudoPlaces _pseudo;
    private byte[] _bytes = [];
    private Entry[] _entries = [];
    private int _used, _entryCount;
    private bool _isHuge;

    /// <summary>Lines present.</summary>
    public int Count { get; private set; }

    /// <summary>The sum of the lengths of names and values, as Envoy's header limits count.</summary>
    public int ByteSize { get; private set; }

    /// <summary>The original spelling of each name, where a listener or cluster keeps it; else null.</summary>
    public HeaderCase? Case { get; set; }

    /// <summary>One past the largest index for <see cref="At"/>; removed lines leave holes.</summary>
    public int End => _entryCount;

    /// <summary>Empties it for the next message.</summary>
    public void Clear()
    {
        Case = null;
        if ((_entryCount | _used) == 0)
            return;
        _present = default;
        _pseudo = default;
        _used = _entryCount = Count = ByteSize = 0;
        if (_isHuge)
            Shrink();
    }

    private void Shrink()
    {
        if (_bytes.Length > BytesKeptMax)
            _bytes = [];
        if (_entries.Length > EntriesKeptMax)
            _entries = [];
        _isHuge = false;
    }

    // Noted where an array grows: to ask the arrays at each clearing would touch them.
    private void NoteSize() => _isHuge = _bytes.Length > BytesKeptMax || _entries.Length > EntriesKeptMax;

    /// <summary>The line at an index below <see cref="End"/>; false for a hole.</summary>
    public bool At(int index, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        ref Entry e = ref _entries[index];
        known = e.Known;
        name = NameOf(e);
        value = _bytes.AsSpan(e.ValueAt, e.ValueLength);
        return (e.Flags & Removed) == 0;
    }

    /// <summary>The line at an index below <see cref="End"/> without its name, which <see cref="NameAt"/> tells; false for a
    /// hole.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool At(int index, out KnownHeader known, out ReadOnlySpan<byte> value)
    {
        ref Entry e = ref _entries[index];
        known = e.Known;
        value = _bytes.AsSpan(e.ValueAt, e.ValueLength);
        return (e.Flags & Removed) == 0;
    }

    /// <summary>The name of the line at an index below <see cref="End"/>.</summary>
    public ReadOnlySpan<byte> NameAt(int index) => NameOf(_entries[index]);

    /// <summary>The first line of a known header.</summary>
    public bool TryGet(KnownHeader header, out ReadOnlySpan<byte> value)
    {
        int at = FirstOf(header);
        value = at < 0 ? default : _bytes.AsSpan(_entries[at].ValueAt, _entries[at].ValueLength);
        return at >= 0;
    }

    /// <summary>The first line of a known header; empty where it is absent.</summary>
    public ReadOnlySpan<byte> this[KnownHeader header] => TryGet(header, out ReadOnlySpan<byte> value) ? value : default;

    /// <summary>The value of a known header that has one line; false where it has none or several.</summary>
    public bool TryGetOnly(KnownHeader header, out ReadOnlySpan<byte> value) =>
        TryGet(header, out value) && Search(header, FirstOf(header) + 1) < 0;

    /// <summary>True where at least one line has this name.</summary>
    public bool Has(KnownHeader header) => _present.Has(header);

    /// <summary>True where at least one line has one of these names.</summary>
    public bool HasAny(in KnownHeaderSet headers) => _present.Overlaps(headers);

    /// <summary>The first line of a lower-case name.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        int at = IndexOf(name, 0);
        value = at < 0 ? default : _bytes.AsSpan(_entries[at].ValueAt, _entries[at].ValueLength);
        return at >= 0;
    }

    /// <summary>The index of the first line of a lower-case name at or behind <paramref name="from"/>; -1 for none.</summary>
    public int IndexOf(ReadOnlySpan<byte> name, int from)
    {
        KnownHeader known = KnownHeaders.Find(name);
        if (known != KnownHeader.None)
            return IndexOf(known, from);
        for (int i = from; i < _entryCount; i++)
        {
            ref Entry e = ref _entries[i];
            if (e.Known == KnownHeader.None && e.NameLength == name.Length && (e.Flags & Removed) == 0 && NameOf(e).SequenceEqual(name))
                return i;
        }
        return -1;
    }

    /// <summary>The index of the first line of a known header at or behind <paramref name="from"/>; -1 for none.</summary>
    public int IndexOf(KnownHeader known, int from) => _present.Has(known) ? Search(known, from) : -1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int FirstOf(KnownHeader header)
    {
        if (header > KnownHeader.Status)
            return IndexOf(header, 0);
        int place = _pseudo[(int)header];
        return place < byte.MaxValue ? place - 1 : Search(header, 0);
    }

    // After a line of it came or went.
    private void Place(KnownHeader known, int first)
    {
        if (known <= KnownHeader.Status)
            _pseudo[(int)known] = (byte)Math.Min(first + 1, byte.MaxValue);
    }

    private int Search(KnownHeader known, int from)
    {
        ReadOnlySpan<Entry> entries = _entries.AsSpan(0, _entryCount);
        for (int i = from; i < entries.Length; i++)
        {
            if (entries[i].Known == known && (entries[i].Flags & Removed) == 0)
                return i;
        }
        return -1;
    }

    /// <summary>Adds a line; the name must be in lower case.</summary>
    public void Add(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => Append(KnownHeaders.Find(name), name, value);

    /// <summary>Adds a line whose lower-case name is none of the known ones.</summary>
    public void AddOther(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int nameAt = Store(name);
        AppendEntry(KnownHeader.None, nameAt, name.Length, Store(value), value.Length);
    }

    /// <summary>Adds a line of a known header.</summary>
    public void Add(KnownHeader header, ReadOnlySpan<byte> value)
    {
        if (_present.Has(header) && KnownHeaders.IsList(header))
        {
            Join(Search(header, 0), value);
            return;
        }
        if (!_present.Has(header))
        {
            _present.Add(header);
            Place(header, _entryCount);
        }
        AppendEntry(header, 0, KnownHeaders.NameLength(header), Store(value), value.Length);
    }

    /// <summary>Adds a line whose name comes from an HTTP/1 peer: it is checked to be a token (RFC 9110 5.6.2) and turned to lower case.
    /// False, and nothing added, where it is none.</summary>
    public bool TryAddToken(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (name.IsEmpty)
            return false;
        if (_used + name.Length + value.Length > _bytes.Length)
            Grow(name.Length + value.Length);

        // The lower-case form is written where the name would be kept; a known name leaves the place to its value, and is a token without a
        // further look.
        Span<byte> place = _bytes.AsSpan(_used, name.Length);
        HeaderRules.Lower(name, place);
        KnownHeader known = KnownHeaders.Find(place);
        if (known != KnownHeader.None)
        {
            if (place[0] == ':')
                return false;
            Add(known, value);
            return true;
        }
        if (!HeaderRules.IsLowerToken(place))
            return false;
        int at = _used;
        _used += name.Length;
        AppendEntry(KnownHeader.None, at, name.Length, Store(value), value.Length);
        return true;
    }

    /// <summary>Makes this the only line of the header; it keeps the place of the first.</summary>
    public void Set(KnownHeader header, ReadOnlySpan<byte> value)
    {
        int at = FirstOf(header);
        if (at < 0)
            Add(header, value);
        else
            Replace(at, value);
    }

    /// <summary>Makes this the only line of a lower-case name; it keeps the place of the first.</summary>
    public void Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int at = IndexOf(name, 0);
        if (at < 0)
            Add(name, value);
        else
            Replace(at, value);
    }

    /// <summary>Gives the line at an index another value, and leaves further lines of its name alone.</summary>
    public void SetAt(int index, ReadOnlySpan<byte> value)
    {
        int before = _entries[index].ValueLength;
        ByteSize += value.Length - before;
        if (value.Length != before)
            _entries[index].Flags &= unchecked((byte)~Whole);
        int at = value.Length <= before ? Overwrite(_entries[index].ValueAt, value) : Store(value);
        _entries[index].ValueAt = at;
        _entries[index].ValueLength = value.Length;
    }

    /// <summary>Removes every line of a known header; true where there was one.</summary>
    public bool Remove(KnownHeader header)
    {
        if (!_present.Has(header))
            return false;
        for (int at = Search(header, 0); at >= 0; at = Search(header, at + 1))
            Drop(at);
        _present.Remove(header);
        Place(header, -1);
        return true;
    }

    /// <summary>Removes every line of some known headers.</summary>
    public void Remove(in KnownHeaderSet headers)
    {
        if (!_present.Overlaps(headers))
            return;
        KnownHeaderSet found = _present.And(headers);
        for (KnownHeader header = found.Take(); header != KnownHeader.None; header = found.Take())
            Remove(header);
    }

    /// <summary>Removes every line of a lower-case name; true where there was one.</summary>
    public bool Remove(ReadOnlySpan<byte> name)
    {
        KnownHeader known = KnownHeaders.Find(name);
        if (known != KnownHeader.None)
            return Remove(known);
        bool any = false;
        for (int at = IndexOf(name, 0); at >= 0; at = IndexOf(name, at + 1), any = true)
            Drop(at);
        return any;
    }

    /// <summary>Removes the line at an index.</summary>
    public void RemoveAt(int index)
    {
        KnownHeader known = _entries[index].Known;
        Drop(index);
        if (known == KnownHeader.None)
            return;
        int first = Search(known, 0);
        if (first < 0)
            _present.Remove(known);
        Place(known, first);
    }

    /// <summary>Becomes a copy of another map, holes included, with room for more or without.</summary>
    internal void Become(HeaderMap other, bool roomy)
    {
        if (_bytes.Length < other._used)
            _bytes = new byte[Math.Max(roomy ? 1024 : 0, other._used)];
        if (_entries.Length < other._entryCount)
            _entries = new Entry[Math.Max(roomy ? 24 : 0, other._entryCount)];
        NoteSize();
        other._bytes.AsSpan(0, other._used).CopyTo(_bytes);
        other._entries.AsSpan(0, other._entryCount).CopyTo(_entries);
        (_present, _pseudo, _used, _entryCount) = (other._present, other._pseudo, other._used, other._entryCount);
        (Count, ByteSize, Case) = (other.Count, other.ByteSize, other.Case);
    }

    /// <summary>Adds all lines of another map.</summary>
    public void AddAll(HeaderMap other)
    {
        for (int i = 0; i < other.End; i++)
        {
            if (other.At(i, out KnownHeader known, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                Append(known, name, value);
        }
        Case = other.Case;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ReadOnlySpan<byte> NameOf(in Entry e) =>
        e.Known != KnownHeader.None ? KnownHeaders.Name(e.Known) : _bytes.AsSpan(e.NameAt, e.NameLength);

    private void Append(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (known != KnownHeader.None)
            Add(known, value);
        else
            AddOther(name, value);
    }

    // A further line of a list goes on with the first (RFC 9110 5.3): who reads such a header reads one line. As in Envoy, no space behind
    // the comma.
    private void Join(int at, ReadOnlySpan<byte> value)
    {
        ref Entry e = ref _entries[at];
        int length = e.ValueLength + 1 + value.Length;
        if (_used + length > _bytes.Length)
            Grow(length);
        Span<byte> place = _bytes.AsSpan(_used, length);
        _bytes.AsSpan(e.ValueAt, e.ValueLength).CopyTo(place);
        place[e.ValueLength] = (byte)',';
        value.CopyTo(place[(e.ValueLength + 1)..]);
        ByteSize += 1 + value.Length;
        e.Flags &= unchecked((byte)~Whole);
        e.ValueAt = _used;
        e.ValueLength = length;
        _used += length;
    }

    private void AppendEntry(KnownHeader known, int nameAt, int nameLength, int valueAt, int valueLength, byte flags = 0)
    {
        if (_entryCount == _entries.Length)
            GrowEntries();
        ref Entry e = ref _entries[_entryCount++];
        e.Known = known;
        e.Flags = flags;
        e.NameAt = nameAt;
        e.NameLength = nameLength;
        e.ValueAt = valueAt;
        e.ValueLength = valueLength;
        Count++;
        ByteSize += nameLength + valueLength;
    }

    private void Replace(int at, ReadOnlySpan<byte> value)
    {
        SetAt(at, value);
        KnownHeader known = _entries[at].Known;
        if (known != KnownHeader.None)
        {
            // A list has one line always.
            if (KnownHeaders.IsList(known))
                return;
            for (int i = IndexOf(known, at + 1); i >= 0; i = IndexOf(known, i + 1))
                Drop(i);
            return;
        }
        for (int i = at + 1; i < _entryCount; i++)
        {
            if (SameName(_entries[at], _entries[i]))
                Drop(i);
        }
    }

    private bool SameName(in Entry a, in Entry b) =>
        (b.Flags & Removed) == 0 && b.Known == KnownHeader.None && NameOf(a).SequenceEqual(NameOf(b));

    private void Drop(int index)
    {
        ref Entry e = ref _entries[index];
        if ((e.Flags & Removed) != 0)
            return;
        e.Flags |= Removed;
        Count--;
        ByteSize -= e.NameLength + e.ValueLength;
    }
}
