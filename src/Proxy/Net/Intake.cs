namespace Lateen.Proxy.Net;

/// <summary>
/// How many connections a loop lets in. Who waits in front costs nothing, who is in and has given up costs a read and a close, and who is
/// in and served late is work for nobody: so a loop that is behind lets in as many as leave. The nearer the age is to its target the fewer
/// come on top; beyond the target fewer come than leave, so that a crowd which is larger than can be served becomes smaller. What may wait
/// in front is cut to those who come in within half of the target: the kernel drops what is more, at the first packet, and who comes in has
/// not given up by then.
/// While somebody waits, one in so many answers ends its connection: a crowd that keeps its connections does not lock others out.
/// </summary>
public sealed class Intake
{
    private const int Usual = 64, UsualLeast = 4, Most = 1024, WaitingLeast = 64, AnswersPerSeat = 64;

    // Fractions of a connection: a turn may serve few requests.
    private const int One = 1024;

    private int _credit, _floor = Usual, _left, _entered, _answers;
    private long _countedSince;
    private long _awaitedAt = long.MinValue / 2;

    /// <summary>How many connections may wait in a listening socket's queue while the loop is behind.</summary>
    public int WaitingMax { get; private set; } = int.MaxValue;

    /// <summary>How many connections a listening socket takes now.</summary>
    public int Take()
    {
        int count = Math.Max(_floor, _credit / One);
        _credit = 0;
        return count;
    }

    /// <summary>A connection was let in.</summary>
    public void OnEntered() => _entered++;

    /// <summary>A connection that was let in has ended.</summary>
    public void OnLeft() => _left++;

    /// <summary>A listening socket has taken what it may, and there are more.</summary>
    public void OnWaiting(long now) => _awaitedAt = now;

    /// <summary>An answer is made while the loop is behind: true where it is to end its connection, for somebody who waits.</summary>
    public bool Rotates(long now) => now - _awaitedAt < 1_000_000 && ++_answers % AnswersPerSeat == 0;

    /// <summary>A turn was served.</summary>
    /// <param name="now">The loop's clock.</param>
    /// <param name="target">The age that the loop should keep to; 0 for any.</param>
    /// <param name="age">The age.</param>
    /// <param name="begun">How many requests were begun.</param>
    /// <param name="requestMicros">What a request takes; 0 where that is unknown.</param>
    public void OnTurn(long now, long target, long age, int begun, long requestMicros)
    {
        int left = _left;
        _left = 0;
        if (age < target / 4 || target == 0)
        {
            // As many as fit, should each ask at once.
            _floor = requestMicros == 0 || target == 0 ? Usual : (int)Math.Clamp((target - age) / requestMicros, UsualLeast, Usual);
            (_credit, _entered, _countedSince) = (0, 0, now);
            return;
        }
        _floor = 1;
        if (now - _countedSince >= target / 2)
        {
            WaitingMax = (int)Math.Clamp(_entered * (target / 2) / (now - _countedSince), WaitingLeast, int.MaxValue);
            (_entered, _countedSince) = (0, now);
        }
        int room = (int)Math.Max(-One, (target - age) * One / target);
        _credit = (int)Math.Min(Most * One, _credit + (room >= 0 ? ((long)left * One) + ((long)begun * room) : (long)left * (One + room)));
    }
}
