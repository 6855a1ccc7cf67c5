using System.Globalization;
using System.Net.Http;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>One leader among replicas by a Lease of coordination.k8s.io, with the names and the rules of Kubernetes' own components, so that an istiod beside us takes part in it.</summary>
/// <remarks>
/// Clocks of others are not trusted: a lease has run out when it was not renewed for its whole time as seen from here. Who cannot renew stops
/// being the leader well before another may take over.
/// </remarks>
public sealed class LeaseElection : IAsyncDisposable
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RenewWithin = TimeSpan.FromSeconds(15);
    private const int LeaseSeconds = 30;

    private readonly ApiClient _client;
    private readonly string _path;
    private readonly string _name;
    private readonly string _identity;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private (string Holder, string Renewed) _seen;
    private DateTimeOffset _seenAt;
    private DateTimeOffset _renewedAt = DateTimeOffset.MinValue;
    private volatile bool _holds;

    /// <summary>Takes part in an election.</summary>
    /// <param name="client">The API server.</param>
    /// <param name="ns">Where the lease lies.</param>
    /// <param name="name">The lease.</param>
    /// <param name="identity">Who this is; no two replicas may have the same.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Takes a line for the log.</param>
    public LeaseElection(ApiClient client, string ns, string name, string identity, TimeProvider time, Action<string> say)
    {
        (_client, _name, _identity, _time, _say) = (client, name, identity, time, say);
        _path = $"/apis/coordination.k8s.io/v1/namespaces/{ns}/leases";
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
            bool took = await TryAsync(cancel);
            if (took) _renewedAt = _time.GetUtcNow();
            _holds = took || (_holds && _time.GetUtcNow() - _renewedAt < RenewWithin);
            if (led != _holds) _say(_holds ? $"info\tleader\t{_identity} leads {_name}" : $"warn\tleader\tleader election lock lost: {_name}");
            if (!led && _holds) Won?.Invoke();
            await Task.Delay(RetryEvery, _time, cancel);
        }
    }

    // True when the lease is ours from now on.
    private async Task<bool> TryAsync(CancellationToken cancel)
    {
        ApiResult<JsonDocument> read = await _client.GetAsync($"{_path}/{_name}", cancel);
        if (read.Failure is { } failure) return failure.IsAbsent && await CreateAsync(cancel);
        using JsonDocument document = read.Value!;
        JsonObject lease = JsonObject.Create(document.RootElement.Clone())!;
        JsonObject spec = lease["spec"] as JsonObject ?? [];
        (string Holder, string Renewed) now = ((string?)spec["holderIdentity"] ?? "", (string?)spec["renewTime"] ?? "");
        if (now != _seen) (_seen, _seenAt) = (now, _time.GetUtcNow());
        bool isOurs = now.Holder == _identity;
        var lasts = TimeSpan.FromSeconds((int?)spec["leaseDurationSeconds"] ?? LeaseSeconds);
        if (!isOurs && now.Holder.Length > 0 && _time.GetUtcNow() - _seenAt < lasts) return false;
        lease["spec"] = Spec(isOurs ? (string?)spec["acquireTime"] : null, ((int?)spec["leaseTransitions"] ?? 0) + (isOurs ? 0 : 1));
        ApiResult<JsonDocument> written = await _client.SendAsync(HttpMethod.Put, $"{_path}/{_name}", lease.ToJsonString(), ApiClient.Json, cancel);
        written.Value?.Dispose();
        return written.Value is not null;
    }

    private async Task<bool> CreateAsync(CancellationToken cancel)
    {
        var lease = new JsonObject { ["apiVersion"] = "coordination.k8s.io/v1", ["kind"] = "Lease", ["metadata"] = new JsonObject { ["name"] = _name }, ["spec"] = Spec(null, 0) };
        ApiResult<JsonDocument> written = await _client.SendAsync(HttpMethod.Post, _path, lease.ToJsonString(), ApiClient.Json, cancel);
        written.Value?.Dispose();
        return written.Value is not null;
    }

    private JsonObject Spec(string? acquired, int transitions)
    {
        string now = _time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        return new JsonObject { ["holderIdentity"] = _identity, ["leaseDurationSeconds"] = LeaseSeconds, ["acquireTime"] = acquired ?? now, ["renewTime"] = now, ["leaseTransitions"] = transitions };
    }

    private async Task ReleaseAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            string body = """{"spec":{"holderIdentity":"","leaseDurationSeconds":1}}""";
            (await _client.SendAsync(HttpMethod.Patch, $"{_path}/{_name}", body, ApiClient.MergePatch, patience.Token)).Value?.Dispose();
        }
        catch (OperationCanceledException)
        {
            // The next leader waits until the lease has run out.
        }
    }
}
