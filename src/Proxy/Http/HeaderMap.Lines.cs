using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Lateen.Proxy.Http;

// Chapter of HeaderMap: the lines of an HTTP/1 head. A head is taken in one piece and its lines stay where they lie, their names turned to
// lower case in place. A line that came in the form in which it goes ("name: value", CR LF) is whole until somebody changes it: whole lines
// that lie behind each other leave in one piece, too.
public sealed partial class HeaderMap
{
    private const byte Whole = 2;

    // Names are looked at in one vector, which may reach beyond what was taken.
    private const int Margin = 32;

    /// <summary>Takes a head's bytes and tells where the first of them lies: places of its lines count from there.</summary>
    internal int Load(ReadOnlySpan<byte> head)
    {
        if (_used + head.Length + Margin > _bytes.Length)
            Grow(head.Length + Margin);
        int at = _used;
        head.CopyTo(_bytes.AsSpan(at));
        _used = at + head.Length;
        return at;
    }

    /// <summary>
    /// Adds a line of the head that was taken. Its name is checked to be a token (RFC 9110 5.6.2) and turned to lower case. False, and
    /// nothing added, where it is none.
    /// </summary>
    /// <param name="nameAt">The line's first byte.</param>
    /// <param name="nameLength">Length of the name; above zero.</param>
    /// <param name="valueAt">The value, without white space around it.</param>
    /// <param name="valueLength">Length of the value.</param>
    /// <param name="whole">The line is name, colon, space, value, CR, LF and nothing else.</param>
    internal bool TryAddLine(int nameAt, int nameLength, int valueAt, int valueLength, bool whole)
    {
        KnownHeader known = LowerAndFind(nameAt, nameLength);
        if (known == KnownHeader.None)
        {
            if (!HeaderRules.IsLowerToken(_bytes.AsSpan(nameAt, nameLength)))
                return false;
        }
        else if (known <= KnownHeader.Status)
        {
            return false;
        }
        else if (_present.Has(known))
        {
            if (KnownHeaders.IsList(known))
            {
                Join(Search(known, 0), _bytes.AsSpan(valueAt, valueLength));
                return true;
            }
        }
        else
        {
            _present.Add(known);
        }
        AppendEntry(known, nameAt, nameLength, valueAt, valueLength, FlagsOf(known, whole));
        return true;
    }

    /// <summary>Adds the line of an HTTP/1 request's Host, of the head that was taken, as the authority that is absent.</summary>
    internal void AddHostLine(int nameAt, int valueAt, int valueLength, bool whole)
    {
        LowerAndFind(nameAt, "host".Length);
        _present.Add(KnownHeader.Authority);
        Place(KnownHeader.Authority, _entryCount);
        AppendEntry(KnownHeader.Authority, nameAt, KnownHeaders.NameLength(KnownHeader.Authority), valueAt, valueLength,
            FlagsOf(KnownHeader.Authority, whole));
    }

    // What speaks of one hop is never passed on unseen.
    private static byte FlagsOf(KnownHeader known, bool whole) =>
        whole && known is not (KnownHeader.Connection or KnownHeader.TransferEncoding) ? Whole : (byte)0;

    private KnownHeader LowerAndFind(int at, int length)
    {
        Span<byte> name = _bytes.AsSpan(at, length);
        if (length > Vector256<byte>.Count || at + Margin > _bytes.Length)
        {
            HeaderRules.Lower(name, name);
            return KnownHeaders.Find(name);
        }
        ref byte first = ref MemoryMarshal.GetReference(name);
        Vector256<byte> bytes = Vector256.LoadUnsafe(ref first), mask = KnownHeaders.MaskOf(length);
        Vector256<byte> upper = Vector256.LessThan(bytes - Vector256.Create((byte)'A'), Vector256.Create((byte)26)) & mask;
        if (upper != Vector256<byte>.Zero)
        {
            bytes |= upper & Vector256.Create((byte)0x20);
            bytes.StoreUnsafe(ref first);
        }
        return KnownHeaders.Find(name, bytes & mask);
    }

    /// <summary>The lines from an index below <see cref="End"/> on that lie behind each other as they go; the index moves behind them.
    /// False where the line there has to be written by itself.</summary>
    internal bool TakeWhole(ref int index, out ReadOnlySpan<byte> lines)
    {
        ReadOnlySpan<Entry> entries = _entries.AsSpan(0, _entryCount);
        int at = index, from = entries[at].NameAt, to = from;
        while (at < entries.Length && entries[at].Flags == Whole && entries[at].NameAt == to)
        {
            to = entries[at].ValueAt + entries[at].ValueLength + 2;
            at++;
        }
        lines = _bytes.AsSpan(from, to - from);
        bool any = at > index;
        index = at;
        return any;
    }

    private int Store(ReadOnlySpan<byte> text)
    {
        int at = _used;
        // The text may lie in our own array (a value copied to another name): it is read from the old array, which lives on under the span.
        if (at + text.Length > _bytes.Length)
            Grow(text.Length);
        text.To(_bytes.AsSpan(at));
        _used = at + text.Length;
        return at;
    }

    private void Grow(int more)
    {
        byte[] larger = new byte[Math.Max(Math.Max(1024, _bytes.Length * 2), _used + more)];
        _bytes.AsSpan(0, _used).CopyTo(larger);
        _bytes = larger;
        NoteSize();
    }

    private void GrowEntries()
    {
        Array.Resize(ref _entries, Math.Max(24, _entries.Length * 2));
        NoteSize();
    }

    private int Overwrite(int at, ReadOnlySpan<byte> text)
    {
        text.To(_bytes.AsSpan(at));
        return at;
    }
}
