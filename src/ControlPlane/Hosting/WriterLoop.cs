// Hosting: the control loop on a real machine. Everything that has to do with sockets, threads and the clock is here and in Ads; the loop
// itself (ControlLoop) is a value that is told what happened and what time it is, and a test or a scenario can hold it without this folder.
using System.Threading.Channels;

namespace Lateen.ControlPlane.Hosting;

/// <summary>The one writer of a <see cref="ControlLoop"/>: runs what is posted to it in order, and advances time when something is
/// due.</summary>
/// <remarks>The queue is bounded; whoever posts into a full one waits, which is how a storm of requests slows its senders and not the
/// mesh.</remarks>
public sealed class WriterLoop : IAsyncDisposable
{
    private const int WaitingMax = 4096;

    // After so many requests the loop looks at the time, however many are waiting.
    private const int BatchMax = 256;
    private readonly Channel<Action> _mailbox =
        Channel.CreateBounded<Action>(new BoundedChannelOptions(WaitingMax) { SingleReader = true });
    private readonly ControlLoop _loop;
    private readonly TimeProvider _time;
    private readonly ITimer _alarm;
    private readonly Task _running;

    /// <summary>Starts to run <paramref name="loop"/>; from here on nobody else touches it.</summary>
    public WriterLoop(ControlLoop loop, TimeProvider time)
    {
        _loop = loop;
        _time = time;
        _alarm = time.CreateTimer(_ => Poke(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Completes when the loop has ended; faults with the broken invariant that ended it.</summary>
    public Task Completion => _running;

    /// <summary>Runs <paramref name="work"/> on the loop and gives its result.</summary>
    public async Task<T> AskAsync<T>(Func<ControlLoop, DateTimeOffset, T> work, CancellationToken cancel = default)
    {
        // Continuations run elsewhere: a reader that takes its time must not hold the writer.
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _mailbox.Writer.WriteAsync(() => Answer(answer, work), cancel);
        return await answer.Task.WaitAsync(cancel);
    }

    /// <summary>Runs <paramref name="work"/> on the loop, some time soon.</summary>
    public ValueTask PostAsync(Action<ControlLoop, DateTimeOffset> work, CancellationToken cancel = default) =>
        _mailbox.Writer.WriteAsync(() => Contained(work), cancel);

    /// <summary>Lets the loop look whether something changed; from any thread, never waits. A full queue is about to look anyway.</summary>
    public void Poke() => _mailbox.Writer.TryWrite(static () => { });

    /// <summary>Lets what was posted run, then ends the loop.</summary>
    public async ValueTask DisposeAsync()
    {
        _mailbox.Writer.TryComplete();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _alarm.DisposeAsync();
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

    private async Task RunAsync()
    {
        try
        {
            do
            {
                for (int i = 0; i < BatchMax && _mailbox.Reader.TryRead(out Action? work); i++) work();
                SetAlarm(_loop.Tick(_time.GetUtcNow()));
            }
            while (await _mailbox.Reader.WaitToReadAsync());
        }
        catch (Exception fault)
        {
            _mailbox.Writer.TryComplete(fault);
            throw;
        }
    }

    private void SetAlarm(DateTimeOffset? due)
    {
        TimeSpan wait = due is { } at ? at - _time.GetUtcNow() : Timeout.InfiniteTimeSpan;
        _alarm.Change(due is null ? Timeout.InfiniteTimeSpan : wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
