namespace Lateen.Cli.Processes;

/// <summary>How long to wait before a program that ended is started again: at once the first time, then twice as long each time, until it
/// has stayed up.</summary>
public sealed class RestartPolicy
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200), Longest = TimeSpan.FromSeconds(30),
        StaysUp = TimeSpan.FromSeconds(10);
    private int _inRow;

    /// <summary>The wait before the next start, of a program that ran for <paramref name="ran"/>.</summary>
    public TimeSpan Next(TimeSpan ran)
    {
        if (ran >= StaysUp) _inRow = 0;
        // 0, 200 ms, 400 ms, ... 25.6 s, 30 s
        TimeSpan wait = _inRow == 0 ? TimeSpan.Zero : First * (1 << Math.Min(_inRow - 1, 10));
        _inRow++;
        return wait < Longest ? wait : Longest;
    }
}
