using System.Net.Http;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>One leader among replicas, by the rules of Kubernetes' own components.</summary>
/// <remarks>
/// Clocks of others are not trusted: a lease has run out when it was not renewed for its whole time as seen from here. Who cannot renew
/// stops being the leader well before another may take over. Among revisions that share a lock the default one outranks the others, as in
/// Istio: it takes the lead from a living leader, who sees that with its next renewal.
/// </remarks>
public sealed class LeaseElection : IAsyncDisposable
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RenewWithin = TimeSpan.FromSeconds(15);
    private const int LeaseSeconds = 30;

    private readonly ApiClient _client;
    private readonly ElectionLock _lock;
    private readonly string _identity;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly Func<ElectionRecord, bool> _yields;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private (string Holder, string Renewed) _seen;
    private DateTimeOffset _seenAt;
    private DateTimeOffset _renewedAt = DateTimeOffset.MinValue;
    private volatile bool _holds;

    /// <summary>Takes part in an election.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="about">The object that has the record.</param>
    /// <param name="identity">Who this is; no two replicas may have the same.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    /// <param name="yields">Whether a leader, although it is alive, makes way for this replica; nobody does when null.</param>
    public LeaseElection(ApiClient client, ElectionLock about, string identity, TimeProvider time, Action<string> say,
        Func<ElectionRecord, bool>? yields = null)
    {
        (_client, _lock, _identity, _time, _say, _yields) = (client, about, identity, time, say, yields ?? (_ => false));
        _running = RunAsync(_stop.Token);
    }

    /// <summary>Raised when this became the leader; by any thread.</summary>
    public event Action? Won;

    /// <summary>Whether this leads now.</summary>
    public bool IsLeader => _holds && _time.GetUtcNow() - _renewedAt < RenewWithin;

    /// <summary>Leaves, and lets go of the lease so that another can lead at once.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (IsLeader) await ReleaseAsync();
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken cancel)
    {
        while (true)
        {
            bool led = _holds;
            bool? took = await TryAsync(cancel);
            if (took == true) _renewedAt = _time.GetUtcNow();
            _holds = took ?? (_holds && _time.GetUtcNow() - _renewedAt < RenewWithin);
            if (led != _holds) _say(_holds
                ? $"info\tleader\t{_identity} leads {_lock.Name}" : $"warn\tleader\tleader election lock lost: {_lock.Name}");
            if (!led && _holds) Won?.Invoke();
            await Task.Delay(RetryEvery, _time, cancel);
        }
    }

    // True when the lead is ours from now on, false when it is another's, null when that could not be learned.
    private async Task<bool?> TryAsync(CancellationToken cancel)
    {
        ApiResult<JsonDocument> read = await _client.GetAsync(_lock.Path, cancel);
        if (read.Failure is { } failure)
            return failure.IsAbsent && await WriteAsync(HttpMethod.Post, _lock.Collection, _lock.Made(Record(null, 0)), cancel)
                ? true : null;
        using JsonDocument document = read.Value!;
        JsonObject present = JsonObject.Create(document.RootElement.Clone())!;
        ElectionRecord now = _lock.Read(present);
        if ((now.Holder, now.Renewed) != _seen) (_seen, _seenAt) = ((now.Holder, now.Renewed), _time.GetUtcNow());
        bool isOurs = now.Holder == _identity;
        var lasts = TimeSpan.FromSeconds(now.Seconds > 0 ? now.Seconds : LeaseSeconds);
        if (!isOurs && now.Holder.Length > 0 && _time.GetUtcNow() - _seenAt < lasts && !_yields(now)) return false;
        _lock.Put(present, Record(isOurs ? now.Acquired : null, now.Transitions + (isOurs ? 0 : 1)));
        return await WriteAsync(HttpMethod.Put, _lock.Path, present, cancel) ? true : null;
    }

    private async Task<bool> WriteAsync(HttpMethod method, string path, JsonObject written, CancellationToken cancel)
    {
        ApiResult<JsonDocument> answer = await _client.SendAsync(method, path, written.ToJsonString(), ApiClient.Json, cancel);
        answer.Value?.Dispose();
        return answer.Value is not null;
    }

    private ElectionRecord Record(string? acquired, int transitions)
    {
        string now = _lock.Time(_time.GetUtcNow());
        return new(_identity, acquired is { Length: > 0 } ? acquired : now, now, LeaseSeconds, transitions);
    }

    private async Task ReleaseAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            JsonObject released = _lock.Members(new ElectionRecord("", "", "", 1, 0));
            (await _client.SendAsync(HttpMethod.Patch, _lock.Path, released.ToJsonString(), ApiClient.MergePatch,
                patience.Token)).Value?.Dispose();
        }
        catch (OperationCanceledException)
        {
            // The next leader waits until the lease has run out.
        }
    }
}
