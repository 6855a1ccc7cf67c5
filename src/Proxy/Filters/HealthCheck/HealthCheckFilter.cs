// HealthCheck: answers those who ask for the proxy's health (envoy.extensions.filters.http.health_check.v3): by itself, by the state of
// clusters, or by passing the question on and keeping the answer for a while. While the operator has declared the proxy failed, it says so,
// also in answers to other requests. The kept answer is the filter's one piece of state, shared by the workers as one reference. Never
// opens a connection itself.
using System.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.HealthCheck;

/// <summary>Which requests are questions, and how they are answered.</summary>
public sealed record HealthCheckOptions
{
    /// <summary>Questions go on to the upstream.</summary>
    public bool PassThrough { get; init; }

    /// <summary>How long an upstream's answer is given again; 0 for never.</summary>
    public long CacheMicros { get; init; }

    /// <summary>Clusters and the percentage of their hosts that must be healthy.</summary>
    public IReadOnlyList<(ClusterHandle Cluster, double Percent)> Clusters { get; init; } = [];

    /// <summary>Requests with all of these headers are questions.</summary>
    public IReadOnlyList<HeaderMatch> Headers { get; init; } = [];

    /// <summary>True while the proxy was declared failed.</summary>
    public Func<bool> Failing { get; init; } = static () => false;

    /// <summary>Our own cluster's name, told in answers.</summary>
    public string OwnCluster { get; init; } = "";
}

/// <summary>The filter.</summary>
public sealed class HealthCheckFilter(string name, HealthCheckOptions options) : HttpFilter(name)
{
    private readonly byte[] _cluster = Encoding.Latin1.GetBytes(options.OwnCluster);
    private Kept? _kept;

    private sealed record Kept(int Status, bool Degraded, long Until);

    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new QuestionSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        var own = (QuestionSlot)slot;
        own.IsQuestion = IsQuestion(slot.Exchange.RequestHead);
        own.Answers = false;
        if (!own.IsQuestion)
            return FilterVerdict.Continue;
        slot.Exchange.IsHealthCheck = true;
        own.Answers = !options.PassThrough || options.Failing() || KeptAt(slot.Exchange.Worker.Loop.Now) is not null;
        if (!own.Answers)
            return FilterVerdict.Continue;
        if (end)
            Answer(slot.Exchange);
        return FilterVerdict.Buffer;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        if (!((QuestionSlot)slot).Answers)
            return FilterVerdict.Continue;
        body = default;
        if (end)
            Answer(slot.Exchange);
        return FilterVerdict.Buffer;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot)
    {
        if (!((QuestionSlot)slot).Answers)
            return FilterVerdict.Continue;
        Answer(slot.Exchange);
        return FilterVerdict.Stop;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        HeaderMap head = slot.Exchange.ResponseHead;
        if (!((QuestionSlot)slot).IsQuestion)
        {
            if (options.Failing())
                head.Set("x-envoy-immediate-health-check-fail"u8, "true"u8);
            return FilterVerdict.Continue;
        }
        if (options.CacheMicros > 0 && !((QuestionSlot)slot).Answers)
            Volatile.Write(ref _kept,
                new Kept(slot.Exchange.Status, head.TryGet("x-envoy-degraded"u8, out _),
                    slot.Exchange.Worker.Loop.Now + options.CacheMicros));
        head.Set("x-envoy-upstream-healthchecked-cluster"u8, _cluster);
        if (options.Failing())
            head.Set("x-envoy-immediate-health-check-fail"u8, "true"u8);
        return FilterVerdict.Continue;
    }

    private bool IsQuestion(HeaderMap head)
    {
        foreach (HeaderMatch match in options.Headers)
        {
            if (!match.Matches(head))
                return false;
        }
        return true;
    }

    private Kept? KeptAt(long now) => Volatile.Read(ref _kept) is { } kept && now < kept.Until ? kept : null;

    private void Answer(Exchange exchange)
    {
        if (options.Failing())
        {
            Reply(exchange, 503, "health_check_failed", degraded: false);
            return;
        }
        if (KeptAt(exchange.Worker.Loop.Now) is { } kept)
        {
            Reply(exchange, kept.Status, "health_check_cached", kept.Degraded);
            return;
        }
        string details = "health_check_ok";
        foreach ((ClusterHandle handle, double percent) in options.Clusters)
        {
            details = Judge(handle, percent);
            if (details != "health_check_ok_cluster_healthy")
                break;
        }
        Reply(exchange, details.StartsWith("health_check_ok", StringComparison.Ordinal) ? 200 : 503, details, degraded: false);
    }

    private static string Judge(ClusterHandle handle, double percent)
    {
        if (handle.Current is not { } view)
            return "health_check_failed_cluster_not_found";
        (int total, int healthy) = (0, 0);
        foreach (PriorityHosts priority in view.Hosts.Priorities)
        {
            total += priority.All.Length;
            healthy += priority.Healthy.Length;
        }
        if (total == 0)
            return percent == 0 ? "health_check_ok_cluster_healthy" : "health_check_failed_cluster_empty";
        return healthy < total * percent / 100 ? "health_check_failed_cluster_unhealthy" : "health_check_ok_cluster_healthy";
    }

    private static void Reply(Exchange exchange, int status, string details, bool degraded)
    {
        HeaderMap? more = null;
        if (degraded)
            (more = new HeaderMap()).Add("x-envoy-degraded"u8, default);
        exchange.Reply(new LocalReply(status, details)
        {
            Headers = more,
            Flags = status is >= 200 and < 300 ? ResponseFlags.None : ResponseFlags.FailedLocalHealthCheck,
        });
    }

    private sealed class QuestionSlot : FilterSlot
    {
        public bool IsQuestion { get; set; }

        public bool Answers { get; set; }
    }
}
