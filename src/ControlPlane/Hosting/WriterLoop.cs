// Hosting: the control loop on a real machine. Everything that has to do with sockets, threads and the clock is here and in Ads; the loop
// itself (ControlLoop) is a value that is told what happened and what time it is, and a test or a scenario can hold it without this folder.
using System.Threading.Channels;

namespace Lateen.ControlPlane.Hosting;

/// <summary>The one writer of a <see cref="ControlLoop"/>: runs what it is asked and told in order, and advances time when something is
/// due.</summary>
/// <remarks>
/// One at a time, but on no thread of its own: who asks while nobody else is served is served at once and on the spot. A thread of its
/// own would be woken for each question, and the one who asks once more for the answer, which costs more than most answers. What comes
/// meanwhile waits in a queue; it is bounded, and whoever posts into a full one waits, which is how a storm of requests slows its
/// senders and not the mesh.
/// </remarks>
public sealed class WriterLoop : IAsyncDisposable, IThreadPoolWorkItem
{
    private const int WaitingMax = 4096;

    // After so many requests the loop looks at the time, however many are waiting.
    private const int BatchMax = 256;
    private readonly Channel<Action> _mailbox =
        Channel.CreateBounded<Action>(new BoundedChannelOptions(WaitingMax) { SingleReader = true });
    private readonly ControlLoop _loop;
    private readonly TimeProvider _time;
    private readonly ITimer _alarm;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DateTimeOffset? _alarmAt;

    // Held by whoever runs something on the loop; after the end for ever.
    private int _isHeld;
    private volatile bool _isPoked, _hasRung;

    /// <summary>Starts to run <paramref name="loop"/>; from here on nobody else touches it.</summary>
    public WriterLoop(ControlLoop loop, TimeProvider time)
    {
        _loop = loop;
        _time = time;
        _alarm = time.CreateTimer(_ => Ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Poke();
    }

    /// <summary>Completes when the loop has ended; faults with the broken invariant that ended it.</summary>
    public Task Completion => _ended.Task;

    /// <summary>Runs <paramref name="work"/> on the loop and gives its result. Not to be asked while a lock is held.</summary>
    public ValueTask<T> AskAsync<T>(Func<ControlLoop, DateTimeOffset, T> work, CancellationToken cancel = default)
    {
        // Who waits longer goes first.
        if (cancel.IsCancellationRequested || _mailbox.Reader.Count > 0 || !TryHold()) return QueuedAsync(work, cancel);
        (T? answer, Exception? fault) = Contained(work);
        if (Advance(fault)) Release();
        return fault is null ? new(answer!) : ValueTask.FromException<T>(fault);
    }

    /// <summary>Runs <paramref name="work"/> on the loop, some time soon.</summary>
    public async ValueTask PostAsync(Action<ControlLoop, DateTimeOffset> work, CancellationToken cancel = default)
    {
        await _mailbox.Writer.WriteAsync(() => Contained(work), cancel);
        Kick();
    }

    /// <summary>Lets the loop look whether something changed; from any thread, never waits.</summary>
    public void Poke()
    {
        _isPoked = true;
        Kick();
    }

    /// <summary>Lets what was posted run, then ends the loop.</summary>
    public async ValueTask DisposeAsync()
    {
        _mailbox.Writer.TryComplete();
        Kick();
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _alarm.DisposeAsync();
    }

    /// <summary>Runs what waits. The thread pool's to call.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        try
        {
            for (int i = 0; i < BatchMax && _mailbox.Reader.TryRead(out Action? work); i++) work();
        }
        catch (Exception fault)
        {
            End(fault);
            return;
        }
        if (Advance()) Release();
    }

    private (T? Answer, Exception? Fault) Contained<T>(Func<ControlLoop, DateTimeOffset, T> work)
    {
        try
        {
            return (work(_loop, _time.GetUtcNow()), null);
        }
        catch (Exception fault)
        {
            return (default, fault);
        }
    }

    private async ValueTask<T> QueuedAsync<T>(Func<ControlLoop, DateTimeOffset, T> work, CancellationToken cancel)
    {
        // Continuations run elsewhere: a reader that takes its time must not hold the writer.
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _mailbox.Writer.WriteAsync(() => Answer(answer, work), cancel);
        Kick();
        return await answer.Task.WaitAsync(cancel);
    }

    private void Answer<T>(TaskCompletionSource<T> answer, Func<ControlLoop, DateTimeOffset, T> work)
    {
        try
        {
            answer.SetResult(work(_loop, _time.GetUtcNow()));
        }
        catch (Exception fault)
        {
            answer.SetException(fault);
            _loop.Faulted("a request", fault);
        }
    }

    // A fault of ours in one request ends that request. The loop goes on: a debug page that stumbles must not cost a thousand proxies their
    // control plane.
    private void Contained(Action<ControlLoop, DateTimeOffset> work)
    {
        try
        {
            work(_loop, _time.GetUtcNow());
        }
        catch (Exception fault)
        {
            _loop.Faulted("a stream", fault);
        }
    }

    // ---- one at a time

    private bool TryHold() => Interlocked.CompareExchange(ref _isHeld, 1, 0) == 0;

    // Whoever comes while it is held leaves a trace, in the queue or as a poke, and goes; whoever holds it looks for that afterwards.
    private void Kick()
    {
        if (TryHold()) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private void Release()
    {
        if (_mailbox.Reader.Completion.IsCompleted)
        {
            _ended.TrySetResult();
            return;
        }
        Interlocked.Exchange(ref _isHeld, 0);
        if (_isPoked || _mailbox.Reader.Count > 0 || _mailbox.Reader.Completion.IsCompleted) Kick();
    }

    // ---- time

    // False when that was the end: the loop stays held.
    private bool Advance(Exception? fault = null)
    {
        _isPoked = false;
        try
        {
            if (fault is not null) _loop.Faulted("a request", fault);
            SetAlarm(_loop.Tick(_time.GetUtcNow()));
            return true;
        }
        catch (Exception broken)
        {
            End(broken);
            return false;
        }
    }

    private void End(Exception broken)
    {
        _mailbox.Writer.TryComplete(broken);
        _ended.TrySetException(broken);
    }

    private void Ring()
    {
        _hasRung = true;
        Poke();
    }

    // An alarm that comes too early finds nothing to do and is set anew, which is cheaper than to move it with each change.
    private void SetAlarm(DateTimeOffset? due)
    {
        if (_hasRung) (_hasRung, _alarmAt) = (false, null);
        if (due is not { } at || _alarmAt <= at) return;
        DateTimeOffset now = _time.GetUtcNow();
        _alarmAt = at;
        _alarm.Change(at > now ? at - now : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
