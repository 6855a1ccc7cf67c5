namespace Lateen.Proxy.Filters.AdmissionControl;

/// <summary>
/// Requests and successes of the last seconds as one worker saw them. A slice begins with the first answer at least a second after the
/// slice before began, and leaves as a whole once it is as old as the window, as in Envoy. Owned by its worker; the ring grows to the
/// number of slices that the traffic needs and then stays.
/// </summary>
/// <param name="windowSeconds">Length of the window, at least 1.</param>
public sealed class SuccessWindow(long windowSeconds)
{
    private const long SecondMicros = 1_000_000;

    private Slice[] _ring = new Slice[8];
    private int _first, _count;

    private struct Slice
    {
        public long Begin, Requests, Successes;
    }

    /// <summary>Answers within the window, as of the last call with a time.</summary>
    public long Requests { get; private set; }

    /// <summary>Those of them that were successes.</summary>
    public long Successes { get; private set; }

    /// <summary>Requests a second over the whole window, whole ones.</summary>
    public long RequestsPerSecond => Requests / windowSeconds;

    /// <summary>Forgets what is older than the window.</summary>
    public void Advance(long now)
    {
        while (_count > 0 && now - _ring[_first].Begin >= windowSeconds * SecondMicros)
        {
            Requests -= _ring[_first].Requests;
            Successes -= _ring[_first].Successes;
            _first = (_first + 1) % _ring.Length;
            _count--;
        }
    }

    /// <summary>One more answer.</summary>
    public void Record(long now, bool success)
    {
        Advance(now);
        if (_count == 0 || now - Newest.Begin >= SecondMicros)
            Begin(now);
        ref Slice newest = ref Newest;
        newest.Requests++;
        Requests++;
        if (!success)
            return;
        newest.Successes++;
        Successes++;
    }

    private ref Slice Newest => ref _ring[(_first + _count - 1) % _ring.Length];

    private void Begin(long now)
    {
        if (_count == _ring.Length)
            Grow();
        _count++;
        Newest = new Slice { Begin = now };
    }

    private void Grow()
    {
        var larger = new Slice[_ring.Length * 2];
        for (int i = 0; i < _count; i++)
            larger[i] = _ring[(_first + i) % _ring.Length];
        (_ring, _first) = (larger, 0);
    }
}
