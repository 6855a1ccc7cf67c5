using Envoy.Extensions.Filters.Http.Router.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Router;
using Lateen.Proxy.Xds.Filters.Transforms;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>All HTTP filters, one line each.</summary>
internal static class FilterCatalogue
{
    /// <summary>The registry of a proxy.</summary>
    public static FilterRegistry Make(Func<Translation> translation)
    {
        var rateLimits = new RateLimitTranslator(() => translation().Node.Cluster);
        return new FilterRegistry(Translators(rateLimits), translation) { RateLimitTranslator = rateLimits.Rules };
    }

    private static FilterTranslator[] Translators(RateLimitTranslator rateLimits) =>
    [
        new RouterTranslator(),
        new PeerMetadataTranslator(),
        new AlpnTranslator(),
        new IstioStatsTranslator(),
        new FaultTranslator(),
        new CorsTranslator(),
        new GrpcStatsTranslator(),
        new RbacTranslator(),
        new JwtTranslator(),
        new ExtAuthzTranslator(),
        new ExtProcTranslator(),
        new LocalRateLimitTranslator(rateLimits),
        new AdmissionControlTranslator(),
        new AdaptiveConcurrencyTranslator(),
        new BufferTranslator(),
        new HeaderMutationTranslator(),
        rateLimits,
        new LuaTranslator(),
        new HeaderToMetadataTranslator(),
        new JsonToMetadataTranslator(),
        new SetMetadataTranslator(),
        new SetFilterStateTranslator(),
        new CompressorTranslator(),
        new DecompressorTranslator(),
        new CustomResponseTranslator(),
        new CsrfTranslator(),
        new HealthCheckFilterTranslator(),
        new IpTaggingTranslator(),
        new CredentialInjectorTranslator(),
        new StatefulSessionTranslator(),
        new GrpcWebTranslator(),
        new OnDemandTranslator(),
        new ForwardProxyTranslator(),
    ];
}

/// <summary>envoy.filters.http.router.</summary>
internal sealed class RouterTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.router.v3.Router"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        Router? router = ValueTranslator.Unpack(config, Router.Parser, rejections);
        if (router is null)
            return null;
        foreach (string header in router.StrictCheckHeaders)
        {
            if (!header.StartsWith("x-envoy-", StringComparison.OrdinalIgnoreCase))
                rejections.Add($"strict_check_headers: {header} is not among the headers that can be checked");
        }
        if (router.UpstreamHttpFilters.Count > 0)
            rejections.Note("upstream_http_filters have no effect");
        if (router.UpstreamLogOptions is { } log && (log.FlushUpstreamLogOnUpstreamStream || log.UpstreamLogFlushInterval is not null))
            rejections.Note("upstream_log_options have no effect");
        if (router.SuppressGrpcRequestFailureCodeStats)
            rejections.Note("suppress_grpc_request_failure_code_stats has no effect");
        return new RouterFilter(name, new RouterOptions
        {
            SuppressEnvoyHeaders = router.SuppressEnvoyHeaders,
            RespectExpectedTimeout = router.RespectExpectedRqTimeout,
#pragma warning disable CS0612 // deprecated, and still sent
            StartChildSpan = router.StartChildSpan,
#pragma warning restore CS0612
            StrictCheckHeaders = [.. router.StrictCheckHeaders.Select(h => h.ToLowerInvariant())],
            UpstreamRecorders = [.. router.UpstreamLog.Select(l => translation.Logs.Log(l, rejections)).OfType<ExchangeRecorder>()],
        }, translation.Upstreams) { DisabledByDefault = disabled };
    }
}
