using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.LocalRateLimit;
using Lateen.Proxy.Filters.RateLimit;
using Lateen.Proxy.Routing;
using Bucket = Envoy.Type.V3.TokenBucket;
using Common = Envoy.Extensions.Common.Ratelimit.V3;
using Message = Envoy.Extensions.Filters.Http.LocalRatelimit.V3.LocalRateLimit;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.local_ratelimit.</summary>
/// <param name="rules">Makes rules of descriptors, as the global rate limit does.</param>
internal sealed class LocalRateLimitTranslator(RateLimitTranslator rules) : FilterTranslator
{
    private const uint MadeMax = 20;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, translation, rejections) is { } settings
            ? new LocalRateLimitFilter(name, settings) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, translation, rejections);

    private LocalRateLimitSettings? Read(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } limit)
            return null;
        if (limit.LocalClusterRateLimit is not null)
            rejections.Add("local_cluster_rate_limit is not served: a bucket is not shared out among proxies");
        Func<TokenBucket>? all = limit.TokenBucket is null ? null : Make(limit.TokenBucket, rejections);
        var descriptors = new List<LocalDescriptor>();
        foreach (Common.LocalRateLimitDescriptor descriptor in limit.Descriptors)
            descriptors.Add(new LocalDescriptor([.. descriptor.Entries.Select(e => (e.Key, e.Value))],
                Make(descriptor.TokenBucket ?? new Bucket(), rejections)));
        bool too = limit.AlwaysConsumeDefaultTokenBucket ?? true;
        int most = (int)(limit.MaxDynamicDescriptors ?? MadeMax);
        LocalLimiter Limiter() => new(all?.Invoke(), descriptors, too, most);
        Fraction none = new(0, 100);
        return new LocalRateLimitSettings
        {
            Limiter = Limiter(),
            PerConnection = limit.LocalRateLimitPerDownstreamConnection ? Limiter : null,
            Stats = translation.Statistics.Group($"{limit.StatPrefix}.http_local_rate_limit.", LocalRateLimitFilter.Counted),
            Rules = limit.RateLimits.Count == 0 ? null : rules.Rules(limit.RateLimits, rejections),
            Stage = limit.Stage,
            HostRules = (HostRules)limit.VhRateLimits,
            Status = limit.Status is null || (int)limit.Status.Code < 400 ? 429 : (int)limit.Status.Code,
            Enabled = limit.FilterEnabled is null ? none : ValueTranslator.Fraction(limit.FilterEnabled, none),
            Enforced = limit.FilterEnforced is null ? none : ValueTranslator.Fraction(limit.FilterEnforced, none),
            ResponseHeaders = new HeaderMutations([],
                [.. limit.ResponseHeadersToAdd.Select(h => RouteTranslator.Addition(h, rejections)).OfType<HeaderAddition>()]),
            NotEnforcedHeaders = new HeaderMutations([],
                [.. limit.RequestHeadersToAddWhenNotEnforced.Select(h => RouteTranslator.Addition(h, rejections))
                    .OfType<HeaderAddition>()]),
            TellLimits = limit.EnableXRatelimitHeaders != Common.XRateLimitHeadersRFCVersion.Off,
            ResourceExhausted = limit.RateLimitedAsResourceExhausted,
        };
    }

    private static Func<TokenBucket> Make(Bucket bucket, Rejections rejections)
    {
        long fill = ValueTranslator.Micros(bucket.FillInterval);
        if (fill < 50_000)
            rejections.Add("local rate limit token bucket fill timer must be >= 50ms");
        (uint most, uint perFill) = (bucket.MaxTokens, bucket.TokensPerFill ?? 1);
        return () => new TokenBucket(most, perFill, fill);
    }
}
