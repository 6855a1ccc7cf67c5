namespace Lateen.Proxy.Net.Epoll;

/// <summary>
/// Measures <see cref="QueueAge"/> of an epoll loop. The kernel's list of ready descriptors is first in, first out: an eventfd that is
/// written now comes back when all that was ready before it was served. It is sent only behind a wait that brought as many events as fit,
/// so a loop that keeps up pays nothing; where the list was emptied, the age is the time that the turn took.
/// Refused: time stamps of the kernel's (a control message with each read), and counting connections (a hundred heavy requests are more
/// than ten thousand light ones).
/// </summary>
internal sealed unsafe class ReadyMark : IEpollSource
{
    private readonly EpollLoop _loop;
    private long _sentAt, _age;
    private bool _returned;

    public ReadyMark(EpollLoop loop)
    {
        _loop = loop;
        loop.Register(this, Sys.EventFd(0, Sys.NonBlock | Sys.CloseOnExec));
    }

    /// <inheritdoc/>
    public int Descriptor { get; set; } = -1;

    /// <inheritdoc/>
    public bool IsReady { get; set; }

    /// <summary>A turn's events were served.</summary>
    /// <param name="worked">How long the turn before worked, in microseconds.</param>
    /// <param name="isFull">There may be more.</param>
    public void OnTurn(long worked, bool isFull)
    {
        // While a mark is under way, what the last one told holds, and it grows with this one's time.
        if (_sentAt != 0)
            _age = Math.Max(_age, _loop.Now - _sentAt);
        else if (!_returned)
            _age = worked;
        _returned = false;
        _loop.Age.Sample(_loop.Now, worked, _age);
        if (_sentAt != 0 || !isFull)
            return;
        _sentAt = _loop.Now;
        ulong one = 1;
        // The counter is never read: it would take centuries to fill.
        Sys.Write(Descriptor, &one, sizeof(ulong));
    }

    /// <summary>It came back: the set is edge-triggered, each write is one event.</summary>
    public void OnEvents(uint events)
    {
        if (_sentAt == 0)
            return;
        (_age, _returned, _sentAt) = (_loop.Now - _sentAt, true, 0);
    }

    /// <inheritdoc/>
    public void OnReady()
    {
    }

    /// <inheritdoc/>
    public void Abandon()
    {
    }
}
