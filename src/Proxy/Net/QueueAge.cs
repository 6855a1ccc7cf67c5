namespace Lateen.Proxy.Net;

/// <summary>
/// How long what is ready on a loop waits for its turn, and what gives way when that lasts. A loop that is offered more than it can serve
/// falls behind without end: every answer comes too late for who asked, though it works all the time. Half of the limit is the target by
/// which connections are let in (<see cref="Intake"/>): the rest waits in the kernel, at no cost. Where the age has been above the limit
/// for as long as the limit, since those who are in already ask for too much, a share of new requests is refused; it grows with the age,
/// and is no more than a tenth of the time allows, for who refuses everybody serves nobody.
/// A single long turn (a pause of the machine) refuses nothing. Written by the loop's thread; its figures may be read by others.
/// </summary>
public sealed class QueueAge
{
    /// <summary>The age from which requests are refused, unless it is configured.</summary>
    public const long DefaultLimitMicros = 400_000;

    private const int Whole = 10_000, ShareLeast = Whole / 20;

    // What a refusal takes, roughly, on today's machines; a tenth of the time may go into them.
    private const long RefusalMicros = 20, PartOfTime = 10;

    // What a request takes is learnt from so many.
    private const int Lesson = 16;

    private long _limit = DefaultLimitMicros;
    private long _age, _since, _worked, _requestMicros;
    private int _begun, _learnt, _refused, _share;

    /// <summary>The age from which requests are refused, in microseconds; 0 for never. Any thread.</summary>
    public long LimitMicros
    {
        get => Volatile.Read(ref _limit);
        set => Volatile.Write(ref _limit, value);
    }

    /// <summary>The age when it was last looked at, in microseconds. Any thread.</summary>
    public long Micros => Volatile.Read(ref _age);

    /// <summary>How many connections are let in.</summary>
    public Intake Intake { get; } = new();

    /// <summary>True while what is served has waited for more than a quarter of the limit.</summary>
    public bool IsLate { get; private set; }

    /// <summary>A request is served.</summary>
    public void OnServed() => _begun++;

    /// <summary>A request has come while the loop is late: true where it is to be refused.</summary>
    public bool Refuses(Chance chance)
    {
        if (_share == 0 || chance.NextULong() % Whole >= (ulong)_share)
            return false;
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
        IsLate = limit > 0 && age > limit / 4;
        _worked += worked;
        Intake.OnTurn(now, limit / 2, age, _begun, _requestMicros);
        _learnt += _begun;
        _begun = 0;
        if (_learnt >= Lesson)
            Learn();
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
    private void Learn()
    {
        long micros = Math.Max(1, (_worked - (_refused * RefusalMicros)) / _learnt);
        _requestMicros = _requestMicros == 0 ? micros : ((_requestMicros * 7) + micros) / 8;
        (_worked, _learnt, _refused) = (0, 0, 0);
    }

    // So many refusals for each that is served take a tenth of the time: as a share of all.
    private long ShareMost => Whole * _requestMicros / (_requestMicros + (RefusalMicros * PartOfTime));
}
