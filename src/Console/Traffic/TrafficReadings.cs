using System.Text.Json.Nodes;
using Lateen.Console.Remote;

namespace Lateen.Console.Traffic;

/// <summary>One arrow of the graph.</summary>
/// <param name="From">Calling workload.</param>
/// <param name="To">Called workload.</param>
/// <param name="Total">Requests since the proxies started.</param>
/// <param name="PerSecond">Requests a second since the last reading; null with one reading only.</param>
/// <param name="FailedShare">Share of requests since the last reading (or ever) that failed: 5xx, or no answer.</param>
/// <param name="Secured">Whether it is mutual TLS.</param>
public sealed record TrafficEdge(string From, string To, double Total, double? PerSecond, double FailedShare, bool Secured);

/// <summary>Reads the proxies' counters and tells the difference to the reading before.</summary>
public sealed class TrafficReadings(MeshApi mesh, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private sealed record Count(double All, double Failed, bool Secured);

    private sealed record Reading(DateTimeOffset At, Dictionary<(string From, string To), Count> Counts);

    private readonly SemaphoreSlim _single = new(1);
    private Reading? _last;
    private Reading? _before;

    /// <summary>The arrows as of now; a reading younger than a second serves all who look.</summary>
    public async Task<IReadOnlyList<TrafficEdge>> EdgesAsync(CancellationToken cancel)
    {
        await _single.WaitAsync(cancel);
        try
        {
            if (_last is null || time.GetUtcNow() - _last.At > Fresh)
            {
                Reading now = await ReadAsync(cancel);
                (_before, _last) = (_last, now);
            }
            return [.. _last!.Counts.Select(pair => Edge(pair.Key, pair.Value)).OrderBy(edge => edge.From, StringComparer.Ordinal)
                .ThenBy(edge => edge.To, StringComparer.Ordinal)];
        }
        finally
        {
            _single.Release();
        }
    }

    /// <inheritdoc />
    public void Dispose() => _single.Dispose();

    private TrafficEdge Edge((string From, string To) key, Count count)
    {
        Count? earlier = _before?.Counts.GetValueOrDefault(key);
        // A counter that fell began anew: its proxy was restarted.
        if (earlier is null || earlier.All > count.All)
            return new(key.From, key.To, count.All, null, Share(count.Failed, count.All), count.Secured);
        double seconds = (_last!.At - _before!.At).TotalSeconds;
        double requests = count.All - earlier.All;
        return new(key.From, key.To, count.All, seconds > 0 ? requests / seconds : null, Share(count.Failed - earlier.Failed, requests),
            count.Secured);
    }

    private async Task<Reading> ReadAsync(CancellationToken cancel)
    {
        Told proxies = await mesh.GetAsync("proxies", cancel);
        string[] names = proxies["items"] is JsonArray items
            ? [.. items.Where(item => item?["admin"] is not null).Select(item => item!["name"]!.ToString())] : [];
        Told[] pages = await Task.WhenAll(
            names.Select(name => mesh.GetAsync($"proxies/{Uri.EscapeDataString(name)}/admin/stats/prometheus", cancel)));
        var bySource = new Dictionary<(string From, string To), Count>();
        var byDestination = new Dictionary<(string From, string To), Count>();
        foreach (MetricLine line in pages.SelectMany(page => MetricLines.Of(page.Text, "istio_requests_total")))
        {
            var reported = line["reporter"] == "source" ? bySource : byDestination;
            var key = (Workload(line, "source"), Workload(line, "destination"));
            Count known = reported.GetValueOrDefault(key, new Count(0, 0, false));
            reported[key] = new Count(known.All + line.Value, known.Failed + (IsFailure(line["response_code"]) ? line.Value : 0),
                known.Secured || line["connection_security_policy"] == "mutual_tls");
        }
        // Both ends count the same requests. The caller's count has those that never arrived; the called one knows whether it was mutual
        // TLS.
        foreach ((var key, Count count) in byDestination)
            bySource[key] = bySource.TryGetValue(key, out Count? known) ? known with { Secured = count.Secured } : count;
        return new Reading(time.GetUtcNow(), bySource);
    }

    private static string Workload(MetricLine line, string side) =>
        line[side + "_workload"] is { Length: > 0 } name && name != "unknown" ? name
        : side == "destination" && line["destination_service_name"] is { Length: > 0 } service && service != "unknown"
        ? service : "unknown";

    private static bool IsFailure(string code) => code is "" or "0" || code.StartsWith('5');

    private static double Share(double part, double whole) => whole <= 0 ? 0 : part / whole;
}
