using Envoy.Extensions.Filters.Http.Fault.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Fault;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.fault.</summary>
internal sealed class FaultTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.fault.v3.HTTPFault"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, translation, rejections) is { } settings
            ? new FaultFilter(name, settings, translation.Statistics.Group($"{translation.HttpStatPrefix}fault.", FaultFilter.Counted),
                translation.Statistics) { DisabledByDefault = disabled } : null;

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) => Read(config, translation, rejections);

    private static FaultSettings? Read(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, HTTPFault.Parser, rejections) is not { } fault)
            return null;
        Fraction none = new(0, 100);
        return new FaultSettings
        {
            DelayMicros = ValueTranslator.Micros(fault.Delay?.FixedDelay),
            DelayByHeader = fault.Delay?.HeaderDelay is not null,
            DelayShare = fault.Delay is null ? none : ValueTranslator.Fraction(fault.Delay.Percentage, none),
            AbortStatus = fault.Abort is { ErrorTypeCase: FaultAbort.ErrorTypeOneofCase.HttpStatus } ? (int)fault.Abort.HttpStatus : 0,
            AbortGrpcStatus = fault.Abort is { ErrorTypeCase: FaultAbort.ErrorTypeOneofCase.GrpcStatus }
                ? (int)fault.Abort.GrpcStatus : null,
            AbortByHeader = fault.Abort?.HeaderAbort is not null,
            AbortShare = fault.Abort is null ? none : ValueTranslator.Fraction(fault.Abort.Percentage, none),
            RateKilobytes = (long)Math.Min(fault.ResponseRateLimit?.FixedLimit?.LimitKbps ?? 0, int.MaxValue),
            RateByHeader = fault.ResponseRateLimit?.HeaderLimit is not null,
            RateShare = fault.ResponseRateLimit is null ? none : ValueTranslator.Fraction(fault.ResponseRateLimit.Percentage, none),
            Traces = fault.FilterMetadata is { Fields.Count: > 0 } told
                ? new MetadataFragment("envoy.filters.http.fault", ValueTranslator.Json(told)) : null,
            Cluster = fault.UpstreamCluster,
            Headers = [.. fault.Headers.Select(h => MatcherTranslator.Header(h, rejections))],
            Nodes = [.. fault.DownstreamNodes],
            ActiveMax = fault.MaxActiveFaults,
            NoCallerStats = fault.DisableDownstreamClusterStats,
            Keys = Keys(fault, new FaultKeys(translation.Runtime)),
        };
    }

    private static FaultKeys Keys(HTTPFault fault, FaultKeys named)
    {
        static string Or(string key, string otherwise) => key.Length > 0 ? key : otherwise;
        return named with
        {
            DelayPercent = Or(fault.DelayPercentRuntime, named.DelayPercent),
            DelayMillis = Or(fault.DelayDurationRuntime, named.DelayMillis),
            AbortPercent = Or(fault.AbortPercentRuntime, named.AbortPercent),
            AbortStatus = Or(fault.AbortHttpStatusRuntime, named.AbortStatus),
            AbortGrpcStatus = Or(fault.AbortGrpcStatusRuntime, named.AbortGrpcStatus),
            RatePercent = Or(fault.ResponseRateLimitPercentRuntime, named.RatePercent),
            ActiveMax = Or(fault.MaxActiveFaultsRuntime, named.ActiveMax),
        };
    }
}
