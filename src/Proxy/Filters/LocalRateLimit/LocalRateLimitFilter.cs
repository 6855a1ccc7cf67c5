// LocalRateLimit: buckets of this process limit requests (envoy.extensions.filters.http.local_ratelimit.v3); nobody is asked. A bucket is
// shared by the workers as one number that is moved by compare-and-swap. Descriptors are made by the same rules as those of the global rate
// limit, and have buckets of their own. Nothing is limited unless enabled and enforced say so.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.RateLimit;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.LocalRateLimit;

/// <summary>Settings of the local rate limit.</summary>
public sealed record LocalRateLimitSettings
{
    /// <summary>The buckets.</summary>
    public required LocalLimiter Limiter { get; init; }

    /// <summary>Makes the buckets of one client connection; null where all share <see cref="Limiter"/>.</summary>
    public Func<LocalLimiter>? PerConnection { get; init; }

    /// <summary>Its counters; null for none.</summary>
    public StatGroup? Stats { get; init; }

    /// <summary>The rules in place of the route's; null for those.</summary>
    public RateLimitRules? Rules { get; init; }

    /// <summary>Rules of this stage count.</summary>
    public uint Stage { get; init; }

    /// <summary>What becomes of the virtual host's rules.</summary>
    public HostRules HostRules { get; init; }

    /// <summary>The status of a refusal.</summary>
    public int Status { get; init; } = 429;

    /// <summary>Share of requests that are looked at.</summary>
    public Fraction Enabled { get; init; } = new(0, 100);

    /// <summary>Share of refusals that are carried out.</summary>
    public Fraction Enforced { get; init; } = new(0, 100);

    /// <summary>Headers of refusals.</summary>
    public HeaderMutations ResponseHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Headers of requests that are over the limit but go on.</summary>
    public HeaderMutations NotEnforcedHeaders { get; init; } = HeaderMutations.None;

    /// <summary>x-ratelimit-* headers in answers.</summary>
    public bool TellLimits { get; init; }

    /// <summary>A gRPC client is told RESOURCE_EXHAUSTED rather than UNAVAILABLE.</summary>
    public bool ResourceExhausted { get; init; }
}

/// <summary>The filter.</summary>
public sealed class LocalRateLimitFilter(string name, LocalRateLimitSettings settings) : HttpFilter(name)
{
    private const int Enabled = 0, Enforced = 1, Allowed = 2, Limited = 3;

    /// <summary>What it counts.</summary>
    public static readonly StatSchema Counted = StatSchema.Counters("enabled", "enforced", "ok", "rate_limited", "shadow_mode");

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new LimitSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        LocalRateLimitSettings s = slot.Settings as LocalRateLimitSettings ?? settings;
        Exchange exchange = slot.Exchange;
        EventLoop loop = exchange.Worker.Loop;
        if (!s.Enabled.Includes(loop.Chance.NextULong()))
            return FilterVerdict.Continue;
        StatCells? counts = s.Stats?.Of(exchange.Worker.Index);
        counts?.Count(Enabled);
        LocalLimiter limiter = s.PerConnection is null ? s.Limiter : LimiterOf(exchange, s);
        bool allowed = limiter.TryTake(loop.Now, limiter.HasDescriptors ? Descriptors(exchange, s) : null, out TokenBucket? bucket);
        ((LimitSlot)slot).Bucket = s.TellLimits ? bucket : null;
        counts?.Count(allowed ? Allowed : Limited);
        if (allowed)
            return FilterVerdict.Continue;
        if (!s.Enforced.Includes(loop.Chance.NextULong()))
        {
            Exchanges.Heads.RouteHeaders.Apply(s.NotEnforcedHeaders, exchange.RequestHead, exchange);
            return FilterVerdict.Continue;
        }
        counts?.Count(Enforced);
        Refuse(exchange, s);
        return FilterVerdict.Stop;
    }

    private static void Refuse(Exchange exchange, LocalRateLimitSettings s)
    {
        HeaderMap? headers = null;
        if (!s.ResponseHeaders.IsEmpty)
            Exchanges.Heads.RouteHeaders.Apply(s.ResponseHeaders, headers = new HeaderMap(), exchange);
        exchange.Reply(new LocalReply(s.Status, "local_rate_limited")
        {
            Body = "local_rate_limited"u8,
            Flags = ResponseFlags.RateLimited,
            GrpcStatus = s.ResourceExhausted ? 8 : null,
            Headers = headers,
        });
    }

    // The filter's own rules, else the route's, and the virtual host's as told.
    private static List<RateLimitDescriptor> Descriptors(Exchange exchange, LocalRateLimitSettings s)
    {
        var found = new List<RateLimitDescriptor>();
        if (s.Rules is { } own)
        {
            Describe(own, exchange, s.Stage, found);
            return found;
        }
        if (exchange.Route?.Action is not ForwardAction action)
            return found;
        var ofRoute = action.RateLimits as RateLimitRules;
        if (ofRoute is not null)
            Describe(ofRoute, exchange, s.Stage, found);
        HostRules use = action.IncludeHostRateLimits ? HostRules.Include : s.HostRules;
        if (exchange.Decision.Host?.RateLimits is RateLimitRules host
            && (use == HostRules.Include || (use == HostRules.Override && ofRoute is not { All.Count: > 0 })))
            Describe(host, exchange, s.Stage, found);
        return found;
    }

    private static void Describe(RateLimitRules rules, Exchange exchange, uint stage, List<RateLimitDescriptor> to)
    {
        foreach (RateLimitRule rule in rules.All)
        {
            if (rule.Stage == stage && rule.Describe(exchange) is { } descriptor)
                to.Add(descriptor);
        }
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        if (((LimitSlot)slot).Bucket is not { } bucket)
            return FilterVerdict.Continue;
        (uint left, long seconds) = bucket.Look(slot.Exchange.Worker.Loop.Now);
        HeaderMap head = slot.Exchange.ResponseHead;
        SetNumber(head, "x-ratelimit-limit"u8, bucket.TokensMax);
        SetNumber(head, "x-ratelimit-remaining"u8, left);
        SetNumber(head, "x-ratelimit-reset"u8, seconds);
        return FilterVerdict.Continue;
    }

    private LocalLimiter LimiterOf(Exchange exchange, LocalRateLimitSettings s)
    {
        Dictionary<string, object> state = exchange.Connection.Context.FilterState;
        if (state.TryGetValue(Name, out object? limiter))
            return (LocalLimiter)limiter;
        LocalLimiter made = s.PerConnection!();
        state[Name] = made;
        return made;
    }

    private static void SetNumber(HeaderMap head, ReadOnlySpan<byte> name, long value)
    {
        Span<byte> text = stackalloc byte[20];
        System.Buffers.Text.Utf8Formatter.TryFormat(value, text, out int n);
        head.Set(name, text[..n]);
    }

    private sealed class LimitSlot : FilterSlot
    {
        public TokenBucket? Bucket;

        protected internal override void Reset() => Bucket = null;
    }
}
