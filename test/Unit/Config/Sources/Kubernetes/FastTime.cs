using System.Diagnostics;

namespace Lateen.Test.Unit.Config.Sources.Kubernetes;

/// <summary>A clock that runs a thousand times as fast: waits of a second end after a millisecond.</summary>
internal sealed class FastTime : TimeProvider
{
    private const int Factor = 1000;
    private readonly long _since = Stopwatch.GetTimestamp();

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + (Stopwatch.GetElapsedTime(_since) * Factor);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Fast(dueTime), Fast(period));

    private static TimeSpan Fast(TimeSpan span) => span < TimeSpan.Zero ? span : TimeSpan.FromMilliseconds(Math.Ceiling(span.TotalMilliseconds / Factor));
}
