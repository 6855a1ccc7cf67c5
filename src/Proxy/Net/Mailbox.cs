namespace Lateen.Proxy.Net;

/// <summary>Letters of one thread in the order of their arrival, linked through the letters themselves.</summary>
internal sealed class LetterQueue
{
    private Letter _first = Letter.End;
    private Letter _last = Letter.End;

    public bool IsEmpty => _first == Letter.End;

    /// <summary>Adds at the end; nothing happens to a letter that waits already.</summary>
    public void Add(Letter letter)
    {
        if (letter.Following is null)
            Link(letter);
    }

    /// <summary>Adds at the end, whatever its link holds.</summary>
    public void Link(Letter letter)
    {
        letter.Following = Letter.End;
        if (_first == Letter.End)
            _first = letter;
        else
            _last.Following = letter;
        _last = letter;
    }

    /// <summary>Takes the whole chain, which ends with <see cref="Letter.End"/>; what is added later starts a new one.</summary>
    public Letter TakeAll()
    {
        Letter first = _first;
        _first = _last = Letter.End;
        return first;
    }

    /// <summary>Unlinks a letter of a taken chain so that it may be queued again, and returns the one behind it.</summary>
    public static Letter Detach(Letter letter) =>
        Interlocked.Exchange(ref letter.Following, null) ?? throw new InvariantException("a queued letter has no link");
}

/// <summary>The only way between threads: any thread adds, the loop's thread takes. A stack by compare-and-swap, turned round when
/// taken.</summary>
internal sealed class Mailbox
{
    private Letter _top = Letter.End;

    public bool IsEmpty => Volatile.Read(ref _top) == Letter.End;

    /// <summary>True where the letter is newly in the box.</summary>
    public bool Add(Letter letter)
    {
        // Null to End claims the letter: a second post before the delivery changes nothing.
        if (Interlocked.CompareExchange(ref letter.Following, Letter.End, null) is not null)
            return false;
        Letter top;
        do
        {
            top = Volatile.Read(ref _top);
            letter.Following = top;
        }
        while (Interlocked.CompareExchange(ref _top, letter, top) != top);
        return true;
    }

    /// <summary>Moves everything, oldest first, to the end of <paramref name="queue"/>.</summary>
    public void TakeInto(LetterQueue queue)
    {
        if (IsEmpty)
            return;
        Letter taken = Interlocked.Exchange(ref _top, Letter.End), turned = Letter.End;
        while (taken != Letter.End)
        {
            Letter following = taken.Following!;
            taken.Following = turned;
            turned = taken;
            taken = following;
        }
        while (turned != Letter.End)
        {
            Letter following = turned.Following!;
            queue.Link(turned);
            turned = following;
        }
    }
}
