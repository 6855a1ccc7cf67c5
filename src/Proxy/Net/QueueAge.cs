namespace Lateen.Proxy.Net;

/// <summary>
/// How long what is ready on a loop waits for its turn, and what gives way when that lasts. A loop that is offered more than it can serve
/// falls behind without end: every answer comes too late for who asked, though it works all the time. While the age is above half of the
/// limit, listeners take as many connections as a tenth of the time allows: the rest waits in the kernel, at no cost. While it has been
/// above the limit for as long as the limit, a share of new requests is refused; it grows with the age, and is no more than a tenth of the
/// time allows, for who refuses everybody serves nobody.
/// A single long turn (a pause of the machine) refuses nothing. Written by the loop's thread; its figures may be read by others.
/// </summary>
public sealed class QueueAge
{
    /// <summary>The age from which requests are refused, unless it is configured.</summary>
    public const long DefaultLimitMicros = 400_000;

    private const int Whole = 10_000, ShareLeast = Whole / 20;

    // What a refusal and an accepted connection take, roughly, on today's machines; a tenth of the time may go into them.
    private const long RefusalMicros = 10, AcceptMicros = 15, PartOfTime = 10;
    private const int AcceptsUsual = 64, AcceptsMost = 1024;

    private long _limit = DefaultLimitMicros;
    private long _age, _since, _worked, _requestMicros;
    private int _begun, _refused, _share;

    /// <summary>The age from which requests are refused, in microseconds; 0 for never. Any thread.</summary>
    public long LimitMicros
    {
        get => Volatile.Read(ref _limit);
        set => Volatile.Write(ref _limit, value);
    }

    /// <summary>The age when it was last looked at, in microseconds. Any thread.</summary>
    public long Micros => Volatile.Read(ref _age);

    /// <summary>How many connections a listener should take in a turn.</summary>
    public int AcceptsMax { get; private set; } = AcceptsUsual;

    /// <summary>True while what is served has waited for more than half of the limit.</summary>
    public bool IsLate { get; private set; }

    /// <summary>A request has come: true where it is to be refused.</summary>
    public bool Refuses(Chance chance)
    {
        if (_share == 0 || chance.NextULong() % Whole >= (ulong)_share)
        {
            _begun++;
            return false;
        }
        _refused++;
        return true;
    }

    /// <summary>The age as it is now.</summary>
    /// <param name="now">The loop's clock.</param>
    /// <param name="worked">How long the turn before worked, in microseconds.</param>
    /// <param name="age">How long what is served now has waited.</param>
    internal void Sample(long now, long worked, long age)
    {
        Volatile.Write(ref _age, age);
        long limit = _limit;
        IsLate = limit > 0 && age > limit / 2;
        AcceptsMax = (int)Math.Clamp(worked / (AcceptMicros * PartOfTime), IsLate ? 1 : AcceptsUsual, AcceptsMost);
        Learn(worked);
        if (limit == 0 || age <= limit)
        {
            (_since, _share) = (0, 0);
            return;
        }
        if (_since == 0)
            _since = now;
        _share = now - _since < limit ? 0 : (int)Math.Clamp((age - limit) * Whole / limit, ShareLeast, Math.Max(ShareLeast, ShareMost));
    }

    // What a request takes, by what turns took: a request may be served over several.
    private void Learn(long worked)
    {
        _worked += worked;
        if (_begun == 0)
            return;
        long micros = Math.Max(1, (_worked - (_refused * RefusalMicros)) / _begun);
        _requestMicros = _requestMicros == 0 ? micros : ((_requestMicros * 7) + micros) / 8;
        (_worked, _begun, _refused) = (0, 0, 0);
    }

    // So many refusals for each that is served take a tenth of the time: as a share of all.
    private long ShareMost => Whole * _requestMicros / (_requestMicros + (RefusalMicros * PartOfTime));
}
