namespace Lateen.Proxy.Http.Two.Blocks;

/// <summary>
/// The indexed fields that a block begins with, when they are the same as in the blocks before: a client that asks again sends the same few
/// bytes, which mean the same fields as long as the table is the same. What they became is copied instead of being put together and checked
/// again. Seen once is noted, seen twice is kept, from then on it is copied; a block with a literal in front is none of this one's concern.
/// One a decoder.
/// </summary>
internal sealed class RepeatedFields
{
    /// <summary>Shorter runs are as quickly decoded, longer ones are no request's.</summary>
    public const int LengthMin = 3, LengthMax = 64;

    private readonly byte[] _run = new byte[LengthMax];
    private readonly HeaderMap _fields = new();
    private HeadState _state;
    private BlockKind _kind;
    private int _length, _inserted, _count;
    private bool _kept;

    /// <summary>How many indices of one byte stand in front, between the least and the most that counts; else 0.</summary>
    public static int RunOf(ReadOnlySpan<byte> block)
    {
        int end = block.IndexOfAnyExceptInRange((byte)0x81, (byte)0xfe);
        end = end < 0 ? block.Length : end;
        return end is >= LengthMin and <= LengthMax ? end : 0;
    }

    /// <summary>True where the last block began with this run, by this table, and was of this kind; else it is noted.</summary>
    public bool IsSame(ReadOnlySpan<byte> run, HpackTable table, BlockKind kind)
    {
        // Entries come in front and go behind: how many came and how many are there tells which.
        if (_inserted == table.Inserted && _count == table.Count && _kind == kind && run.SequenceEqual(_run.AsSpan(0, _length)))
            return true;
        run.CopyTo(_run);
        (_length, _inserted, _count, _kind, _kept) = (run.Length, table.Inserted, table.Count, kind, false);
        return false;
    }

    /// <summary>Gives the builder what the run became before; false where that was not kept.</summary>
    public bool TryRepeat(HeadBuilder builder)
    {
        if (_kept)
            builder.Resume(_state, _fields);
        return _kept;
    }

    /// <summary>The run was decoded: what it became is kept, where it is a beginning like any other.</summary>
    public void Keep(HeadBuilder builder) => _kept = builder.TryShow(out _state, _fields);
}
