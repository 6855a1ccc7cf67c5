namespace Lateen.Proxy.Http.Two;

/// <summary>
/// A connection's open streams by their numbers: chains through the streams themselves, so that finding, adding and removing touch one slot
/// and the stream. Which numbers share a slot is decided by a multiplier that nobody knows, since the peer chooses the numbers.
/// </summary>
internal sealed class StreamTable
{
    // Not of a worker's chance: it shows in nothing that can be seen.
    private static readonly ulong Multiplier = BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8)) | 1;

    private Http2Stream?[] _slots = new Http2Stream?[8];
    private int _shift = 64 - 3;

    /// <summary>Open streams.</summary>
    public int Count { get; private set; }

    /// <summary>The stream of a number; null where it is not open.</summary>
    public Http2Stream? Find(uint id)
    {
        Http2Stream? stream = _slots[SlotOf(id)];
        while (stream is not null && stream.Id != id)
            stream = stream.NextInSlot;
        return stream;
    }

    /// <summary>Adds a stream that is not there.</summary>
    public void Add(Http2Stream stream)
    {
        if (Count++ == _slots.Length)
            Grow();
        Link(stream);
    }

    /// <summary>Takes a stream out; false where it is not there.</summary>
    public bool Remove(Http2Stream stream)
    {
        ref Http2Stream? at = ref _slots[SlotOf(stream.Id)];
        while (at is not null && !ReferenceEquals(at, stream))
            at = ref at.NextInSlot;
        if (at is null)
            return false;
        at = stream.NextInSlot;
        stream.NextInSlot = null;
        Count--;
        return true;
    }

    /// <summary>All that are open now in the order of their numbers, as a list of its own: who is told may close others.</summary>
    public List<Http2Stream> All()
    {
        var all = new List<Http2Stream>(Count);
        foreach (Http2Stream? first in _slots)
        {
            for (Http2Stream? stream = first; stream is not null; stream = stream.NextInSlot)
                all.Add(stream);
        }
        all.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        return all;
    }

    private int SlotOf(uint id) => (int)((id * Multiplier) >> _shift);

    private void Link(Http2Stream stream)
    {
        ref Http2Stream? slot = ref _slots[SlotOf(stream.Id)];
        stream.NextInSlot = slot;
        slot = stream;
    }

    private void Grow()
    {
        List<Http2Stream> all = All();
        _slots = new Http2Stream?[_slots.Length * 2];
        _shift--;
        foreach (Http2Stream stream in all)
            Link(stream);
    }
}
