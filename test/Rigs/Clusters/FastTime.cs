using System.Diagnostics;

namespace Lateen.Test.Rigs.Clusters;

/// <summary>A clock that runs many times as fast: by default waits of a second end after a millisecond.</summary>
internal sealed class FastTime(int factor = 1000, DateTimeOffset from = default) : TimeProvider
{
    private readonly long _since = Stopwatch.GetTimestamp();

    public override DateTimeOffset GetUtcNow() =>
        (from == default ? DateTimeOffset.UnixEpoch : from) + (Stopwatch.GetElapsedTime(_since) * factor);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Fast(dueTime), Fast(period));

    private TimeSpan Fast(TimeSpan span) =>
        span < TimeSpan.Zero ? span : TimeSpan.FromMilliseconds(Math.Ceiling(span.TotalMilliseconds / factor));
}
