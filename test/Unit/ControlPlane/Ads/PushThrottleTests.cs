using Lateen.ControlPlane.Ads;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Ads;

public sealed class PushThrottleTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);
    private readonly HandSetTime _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void While_there_is_room_nobody_waits_and_no_timer_is_made()
    {
        var throttle = new PushThrottle(2, _time);
        PushThrottle.Place first = throttle.NewPlace(), second = throttle.NewPlace();
        for (int i = 0; i < 3; i++)
        {
            Assert.True(first.EnterAsync(Cancel).AsTask().IsCompletedSuccessfully);
            Assert.True(second.EnterAsync(Cancel).AsTask().IsCompletedSuccessfully);
            first.Leave();
            second.Leave();
        }
        Assert.Equal(0, _time.TimersMade);
    }

    [Fact]
    public async Task Who_leaves_makes_room_for_the_next_in_order()
    {
        var throttle = new PushThrottle(1, _time);
        PushThrottle.Place first = throttle.NewPlace(), second = throttle.NewPlace(), third = throttle.NewPlace();
        await first.EnterAsync(Cancel);
        Task waiting = second.EnterAsync(Cancel).AsTask(), behind = third.EnterAsync(Cancel).AsTask();
        Assert.False(waiting.IsCompleted);
        first.Leave();
        await waiting.WaitAsync(Bound, Cancel);
        Assert.False(behind.IsCompleted);
        second.Leave();
        await behind.WaitAsync(Bound, Cancel);
    }

    [Fact]
    public async Task Who_reads_slowly_loses_the_place_and_leaving_it_afterwards_makes_no_room_twice()
    {
        var throttle = new PushThrottle(1, _time);
        PushThrottle.Place slow = throttle.NewPlace(), next = throttle.NewPlace(), last = throttle.NewPlace();
        await slow.EnterAsync(Cancel);
        Task waiting = next.EnterAsync(Cancel).AsTask();
        _time.Advance(PushThrottle.Patience - TimeSpan.FromMilliseconds(1));
        Assert.False(waiting.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await waiting.WaitAsync(Bound, Cancel);
        Task behind = last.EnterAsync(Cancel).AsTask();
        slow.Leave();
        Assert.False(behind.IsCompleted);
        next.Leave();
        await behind.WaitAsync(Bound, Cancel);
    }

    [Fact]
    public async Task Who_comes_when_a_place_was_kept_for_too_long_takes_it_at_once()
    {
        var throttle = new PushThrottle(1, _time);
        await throttle.NewPlace().EnterAsync(Cancel);
        _time.Advance(PushThrottle.Patience);
        Assert.True(throttle.NewPlace().EnterAsync(Cancel).AsTask().IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Who_is_gone_takes_no_place()
    {
        var throttle = new PushThrottle(1, _time);
        PushThrottle.Place first = throttle.NewPlace(), third = throttle.NewPlace();
        await first.EnterAsync(Cancel);
        using var left = new CancellationTokenSource();
        Task gone = throttle.NewPlace().EnterAsync(left.Token).AsTask(), waiting = third.EnterAsync(Cancel).AsTask();
        await left.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        first.Leave();
        await waiting.WaitAsync(Bound, Cancel);
    }

    /// <summary>A clock that stands until it is moved, with as many timers as were asked for.</summary>
    private sealed class HandSetTime : TimeProvider
    {
        private readonly List<Alarm> _alarms = [];
        private TimeSpan _now;

        public int TimersMade => _alarms.Count;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var made = new Alarm(this, () => callback(state));
            made.Change(dueTime, period);
            _alarms.Add(made);
            return made;
        }

        public void Advance(TimeSpan by)
        {
            _now += by;
            foreach (Alarm alarm in _alarms) alarm.RingIfDue(_now);
        }

        private sealed class Alarm(HandSetTime time, Action ring) : ITimer
        {
            private TimeSpan? _due;

            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                _due = dueTime == Timeout.InfiniteTimeSpan ? null : time._now + dueTime;
                return true;
            }

            public void RingIfDue(TimeSpan now)
            {
                if (_due is not { } due || due > now) return;
                _due = null;
                ring();
            }

            public void Dispose() => _due = null;

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
