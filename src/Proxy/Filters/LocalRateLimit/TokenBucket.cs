using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.LocalRateLimit;

/// <summary>
/// Tokens that come back with time, shared by all workers without a lock: the state is the virtual time at which the bucket is empty (the generic cell rate algorithm), moved by
/// compare-and-swap. Full at the start.
/// </summary>
public sealed class TokenBucket(uint tokensMax, uint tokensPerFill, long fillMicros)
{
    private long _emptyAt = long.MinValue;

    /// <summary>The most that it holds.</summary>
    public uint TokensMax => tokensMax;

    /// <summary>Takes one where there is one; <paramref name="left"/> is what remains.</summary>
    public bool TryTake(long now, out uint left)
    {
        double perToken = (double)fillMicros / Math.Max(1, tokensPerFill);
        while (true)
        {
            long emptyAt = Volatile.Read(ref _emptyAt), full = now - (long)(perToken * tokensMax);

            // Older than full counts as full.
            long from = Math.Max(emptyAt, full);
            double tokens = Math.Floor((now - from) / perToken + 1e-9);
            if (tokens < 1 || tokensMax == 0)
            {
                left = 0;
                return false;
            }
            if (Interlocked.CompareExchange(ref _emptyAt, from + (long)Math.Ceiling(perToken), emptyAt) == emptyAt)
            {
                left = (uint)tokens - 1;
                return true;
            }
        }
    }

    /// <summary>Until it is full again, in seconds.</summary>
    public long SecondsToFill => Math.Max(1, fillMicros / 1_000_000);
}

/// <summary>Settings of the local rate limit.</summary>
public sealed record LocalRateLimitSettings
{
    /// <summary>The bucket; null limits nothing.</summary>
    public TokenBucket? Bucket { get; init; }

    /// <summary>One bucket for each client connection, made by this.</summary>
    public Func<TokenBucket>? PerConnection { get; init; }

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

/// <summary>Limits requests by buckets of this process (envoy.extensions.filters.http.local_ratelimit.v3). Nothing is limited unless enabled and enforced say so.</summary>
public sealed class LocalRateLimitFilter(string name, LocalRateLimitSettings settings) : HttpFilter(name)
{
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
        TokenBucket? bucket = s.PerConnection is null ? s.Bucket : BucketOf(exchange, s);
        if (bucket is null || !s.Enabled.Includes(loop.Chance.NextULong()))
            return FilterVerdict.Continue;
        var own = (LimitSlot)slot;
        own.Bucket = s.TellLimits ? bucket : null;
        if (bucket.TryTake(loop.Now, out own.Left))
            return FilterVerdict.Continue;
        if (!s.Enforced.Includes(loop.Chance.NextULong()))
        {
            Exchanges.Heads.RouteHeaders.Apply(s.NotEnforcedHeaders, exchange.RequestHead, exchange);
            return FilterVerdict.Continue;
        }
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
        return FilterVerdict.Stop;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var own = (LimitSlot)slot;
        if (own.Bucket is not { } bucket)
            return FilterVerdict.Continue;
        HeaderMap head = slot.Exchange.ResponseHead;
        SetNumber(head, "x-ratelimit-limit"u8, bucket.TokensMax);
        SetNumber(head, "x-ratelimit-remaining"u8, own.Left);
        SetNumber(head, "x-ratelimit-reset"u8, bucket.SecondsToFill);
        return FilterVerdict.Continue;
    }

    private TokenBucket BucketOf(Exchange exchange, LocalRateLimitSettings s)
    {
        Dictionary<string, object> state = exchange.Connection.Context.FilterState;
        if (state.TryGetValue(Name, out object? bucket))
            return (TokenBucket)bucket;
        TokenBucket made = s.PerConnection!();
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
        public uint Left;

        protected internal override void Reset() => Bucket = null;
    }
}
