using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.AdaptiveConcurrency;
using Message = Envoy.Extensions.Filters.Http.AdaptiveConcurrency.V3.AdaptiveConcurrency;
using Wire = Envoy.Extensions.Filters.Http.AdaptiveConcurrency.V3.GradientControllerConfig;

namespace Lateen.Proxy.Xds.Filters.Transforms;

/// <summary>envoy.filters.http.adaptive_concurrency.</summary>
internal sealed class AdaptiveConcurrencyTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } m)
            return null;
        if (Settings(m.GradientControllerConfig, rejections) is not { } settings)
            return null;
        int status = m.ConcurrencyLimitExceededStatus is { } code && (int)code.Code >= 400 ? (int)code.Code : 503;
        bool enabled = CompressorTranslator.Flag(m.Enabled, true);
        string key = m.Enabled?.RuntimeKey ?? "";
        RuntimeValues runtime = translation.Runtime;
        return new AdaptiveConcurrencyFilter(name, settings, translation.Workers, status, () => runtime.Flag(key, enabled),
            translation.Statistics.Group($"{translation.HttpStatPrefix}adaptive_concurrency.gradient_controller.",
                GradientController.Schema)) { DisabledByDefault = disabled };
    }

    private static GradientSettings? Settings(Wire? c, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("gradient_controller_config");
        if (c?.ConcurrencyLimitParams?.ConcurrencyUpdateInterval is null || c.MinRttCalcParams?.Interval is null)
        {
            rejections.Add("concurrency_limit_params.concurrency_update_interval and min_rtt_calc_params.interval are required");
            return null;
        }
        var defaults = new GradientSettings();
        return new GradientSettings
        {
            Quantile = (c.SampleAggregatePercentile?.Value ?? 50) / 100,
            LimitMax = (int)(c.ConcurrencyLimitParams.MaxConcurrencyLimit ?? 1000),
            UpdateMicros = Math.Max(1000, ValueTranslator.Micros(c.ConcurrencyLimitParams.ConcurrencyUpdateInterval)),
            BestMicros = Math.Max(1000, ValueTranslator.Micros(c.MinRttCalcParams.Interval)),
            BestSamples = (int)Math.Clamp(c.MinRttCalcParams.RequestCount ?? 50, 1, 1024),
            Jitter = (c.MinRttCalcParams.Jitter?.Value ?? 15) / 100,
            LimitMin = (int)(c.MinRttCalcParams.MinConcurrency ?? 3),
            Buffer = (c.MinRttCalcParams.Buffer?.Value ?? (defaults.Buffer * 100)) / 100,
        };
    }
}
