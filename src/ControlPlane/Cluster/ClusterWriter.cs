using System.Threading.Channels;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Writes wishes into the cluster, one object after another: each only while it differs from what is there, and at a bounded
/// rate.</summary>
/// <remarks>
/// A new wish for an object replaces the one that waits. An object that somebody else writes against us is written less and less often;
/// nothing is lost by that, since the last wish stays.
/// </remarks>
public sealed class ClusterWriter : IAsyncDisposable
{
    // Twenty objects a second, half a second at once: a thousand routes have their status in a minute, and the API server does not notice.
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan QuarrelWindow = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan QuarrelWaitMax = TimeSpan.FromMinutes(5);
    private const int QuarrelWrites = 5;

    private sealed record Writes(int Count, DateTimeOffset Since, DateTimeOffset NotBefore);

    private readonly ClusterObjects _objects;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly Lock _waiting = new();
    private readonly Dictionary<ResourceKey, ClusterWish> _wishes = [];
    private readonly Dictionary<ResourceKey, Writes> _writes = [];
    private readonly Channel<bool> _wake =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private readonly Func<bool> _mayWrite;

    /// <summary>Begins to write.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="mayWrite">Whether this replica leads.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    public ClusterWriter(ApiClient client, Func<bool> mayWrite, TimeProvider time, Action<string> say)
    {
        (_objects, _mayWrite, _time, _say) = (new ClusterObjects(client, time), mayWrite, time, say);
        _running = RunAsync(_stop.Token);
    }

    /// <summary>Writes since the start.</summary>
    public int WriteCount { get; private set; }

    /// <summary>Takes wishes; never waits.</summary>
    public void Wish(IEnumerable<ClusterWish> wished)
    {
        lock (_waiting)
        {
            foreach (ClusterWish wish in wished) _wishes[wish.Key] = wish;
        }
        _wake.Writer.TryWrite(true);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancel)
    {
        while (await _wake.Reader.WaitToReadAsync(cancel))
        {
            _wake.Reader.TryRead(out _);
            while (_mayWrite())
            {
                if (Take(out TimeSpan until) is not { } wish)
                {
                    if (until > TimeSpan.Zero) _ = WakeLaterAsync(until, cancel);
                    break;
                }
                ApiFailure? failure = await WriteAsync(wish, cancel);
                if (failure is not null) await PutBackAsync(wish, failure, cancel);
                await Task.Delay(Between, _time, cancel);
            }
        }
    }

    private async Task WakeLaterAsync(TimeSpan span, CancellationToken cancel)
    {
        await Task.Delay(span, _time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _wake.Writer.TryWrite(true);
    }

    // The next wish that may be written; else how long until one may.
    private ClusterWish? Take(out TimeSpan until)
    {
        DateTimeOffset now = _time.GetUtcNow(), first = DateTimeOffset.MaxValue;
        lock (_waiting)
        {
            foreach ((ResourceKey key, ClusterWish wish) in _wishes)
            {
                DateTimeOffset notBefore = _writes.TryGetValue(key, out Writes? known) ? known.NotBefore : default;
                if (notBefore <= now)
                {
                    until = TimeSpan.Zero;
                    _wishes.Remove(key);
                    return wish;
                }
                if (notBefore < first) first = notBefore;
            }
        }
        until = first == DateTimeOffset.MaxValue ? TimeSpan.Zero : first - now;
        return null;
    }

    private async Task<ApiFailure?> WriteAsync(ClusterWish wish, CancellationToken cancel)
    {
        WishEnd end = await wish.FulfilAsync(_objects, cancel);
        if (end.HasWritten) Count(wish);
        return end.Failure;
    }

    private void Count(ClusterWish wish)
    {
        ResourceKey key = wish.Key;
        WriteCount++;
        DateTimeOffset now = _time.GetUtcNow();
        lock (_waiting)
        {
            Writes last = _writes.TryGetValue(key, out Writes? known) && now - known.Since < QuarrelWindow + (known.NotBefore - known.Since)
                ? known : new Writes(0, now, default);
            int count = last.Count + 1;
            if (count == QuarrelWrites + 1)
                _say($"warn\tcluster\tsomebody else writes {wish.Subject}, too: it is written less often from now on");
            TimeSpan wait = count <= QuarrelWrites ? TimeSpan.Zero
                : TimeSpan.FromSeconds(Math.Min(QuarrelWaitMax.TotalSeconds, Math.Pow(2, Math.Min(count - QuarrelWrites, 20))));
            _writes[key] = new Writes(count, last.Since, now + wait);
        }
    }

    private async Task PutBackAsync(ClusterWish wish, ApiFailure failure, CancellationToken cancel)
    {
        lock (_waiting) _wishes.TryAdd(wish.Key, wish);
        if (failure.IsConflict) return;
        _say($"warn\tcluster\t{wish.Subject} cannot be written: {failure}");
        if (failure.Status is >= 400 and < 500 && failure.Status != 429)
        {
            // Refused for what it says: it would be refused again.
            lock (_waiting) _wishes.Remove(wish.Key);
            return;
        }
        await Task.Delay(failure.RetryAfter ?? TimeSpan.FromSeconds(5), _time, cancel);
    }
}
