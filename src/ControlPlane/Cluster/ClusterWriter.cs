using System.Net.Http;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>Writes wishes into the cluster, one object after another: each only while it differs from what is there, and at a bounded rate.</summary>
/// <remarks>
/// A new wish for an object replaces the one that waits. An object that somebody else writes against us is written less and less often; nothing
/// is lost by that, since the last wish stays.
/// </remarks>
public sealed class StatusWriter : IAsyncDisposable
{
    // Twenty objects a second, half a second at once: a thousand routes have their status in a minute, and the API server does not notice.
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan QuarrelWindow = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan QuarrelWaitMax = TimeSpan.FromMinutes(5);
    private const int QuarrelWrites = 5;

    private sealed record Writes(int Count, DateTimeOffset Since, DateTimeOffset NotBefore);

    private readonly ApiClient client;
    private readonly ApiResources resources;
    private readonly TimeProvider time;
    private readonly Action<string> say;
    private readonly Lock waiting = new();
    private readonly Dictionary<ResourceKey, StatusWish> wishes = [];
    private readonly Dictionary<ResourceKey, Writes> writes = [];
    private readonly Channel<bool> wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;
    private readonly Func<bool> mayWrite;

    /// <summary>Begins to write.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="mayWrite">Whether this replica leads.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    public StatusWriter(ApiClient client, Func<bool> mayWrite, TimeProvider time, Action<string> say)
    {
        (this.client, this.mayWrite, this.time, this.say) = (client, mayWrite, time, say);
        resources = new ApiResources(client, time);
        running = RunAsync(stop.Token);
    }

    /// <summary>Objects whose status was written, since the start.</summary>
    public int WriteCount { get; private set; }

    /// <summary>Takes wishes; never waits.</summary>
    public void Wish(IEnumerable<StatusWish> wished)
    {
        lock (waiting)
        {
            foreach (StatusWish wish in wished) wishes[wish.Key] = wish;
        }
        wake.Writer.TryWrite(true);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancel)
    {
        while (await wake.Reader.WaitToReadAsync(cancel))
        {
            wake.Reader.TryRead(out _);
            while (mayWrite() && Take(out TimeSpan pause) is { } wish)
            {
                ApiFailure? failure = await WriteAsync(wish, cancel);
                if (failure is not null) await PutBackAsync(wish, failure, cancel);
                await Task.Delay(Between, time, cancel);
            }
            if (mayWrite() && Take(out TimeSpan until) is null && until > TimeSpan.Zero) _ = WakeLaterAsync(until, cancel);
        }
    }

    private async Task WakeLaterAsync(TimeSpan span, CancellationToken cancel)
    {
        await Task.Delay(span, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        wake.Writer.TryWrite(true);
    }

    // The next wish that may be written; else how long until one may.
    private StatusWish? Take(out TimeSpan until)
    {
        DateTimeOffset now = time.GetUtcNow(), first = DateTimeOffset.MaxValue;
        lock (waiting)
        {
            foreach ((ResourceKey key, StatusWish wish) in wishes)
            {
                DateTimeOffset notBefore = writes.TryGetValue(key, out Writes? known) ? known.NotBefore : default;
                if (notBefore <= now)
                {
                    until = TimeSpan.Zero;
                    wishes.Remove(key);
                    return wish;
                }
                if (notBefore < first) first = notBefore;
            }
        }
        until = first == DateTimeOffset.MaxValue ? TimeSpan.Zero : first - now;
        return null;
    }

    private async Task<ApiFailure?> WriteAsync(StatusWish wish, CancellationToken cancel)
    {
        ApiResult<ServedKind> served = await resources.FindAsync(wish.Key.Kind, cancel);
        if (served.Value is not { } kind) return served.Failure;
        string path = kind.PathOf(wish.Key.Namespace, wish.Key.Name);
        ApiResult<JsonDocument> read = await client.GetAsync(path, cancel);
        if (read.Failure is { } unread) return unread.IsAbsent ? null : unread;
        using JsonDocument document = read.Value!;
        JsonObject present = JsonObject.Create(document.RootElement.Clone())!;
        JsonObject status = present["status"] as JsonObject ?? [];
        if (wish.IsSaid(StatusForm.Complete(status.DeepClone().AsObject()))) return null;
        JsonObject next = wish.Status.DeepClone().AsObject();
        StatusForm.SetTimes(next, status, time.GetUtcNow());
        // The version makes it fail when somebody wrote meanwhile: then it is read again.
        var patch = new JsonObject { ["metadata"] = new JsonObject { ["resourceVersion"] = present["metadata"]!["resourceVersion"]!.DeepClone() }, ["status"] = next };
        ApiResult<JsonDocument> written = await client.SendAsync(HttpMethod.Patch, path + "/status", patch.ToJsonString(), ApiClient.MergePatch, cancel);
        written.Value?.Dispose();
        if (written.Value is not null) Count(wish.Key);
        return written.Failure is { IsAbsent: true } ? null : written.Failure;
    }

    private void Count(ResourceKey key)
    {
        WriteCount++;
        DateTimeOffset now = time.GetUtcNow();
        lock (waiting)
        {
            Writes last = writes.TryGetValue(key, out Writes? known) && now - known.Since < QuarrelWindow + (known.NotBefore - known.Since) ? known : new Writes(0, now, default);
            int count = last.Count + 1;
            if (count == QuarrelWrites + 1) say($"warn\tstatus\tsomebody else writes the status of {key}, too: it is written less often from now on");
            TimeSpan wait = count <= QuarrelWrites ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(QuarrelWaitMax.TotalSeconds, Math.Pow(2, Math.Min(count - QuarrelWrites, 20))));
            writes[key] = new Writes(count, last.Since, now + wait);
        }
    }

    private async Task PutBackAsync(StatusWish wish, ApiFailure failure, CancellationToken cancel)
    {
        lock (waiting) wishes.TryAdd(wish.Key, wish);
        if (failure.IsConflict) return;
        say($"warn\tstatus\tthe status of {wish.Key} cannot be written: {failure}");
        if (failure.Status is >= 400 and < 500 && failure.Status != 429)
        {
            // Refused for what it says: it would be refused again.
            lock (waiting) wishes.Remove(wish.Key);
            return;
        }
        await Task.Delay(failure.RetryAfter ?? TimeSpan.FromSeconds(5), time, cancel);
    }
}
