using Envoy.Extensions.Filters.Http.Ratelimit.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters;
using Lateen.Proxy.Filters.RateLimit;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using Message = Envoy.Extensions.Filters.Http.Ratelimit.V3.RateLimit;
using RouteLimit = Envoy.Config.Route.V3.RateLimit;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.ratelimit, and the rate_limits of routes and virtual hosts.</summary>
/// <param name="source">The name of our own cluster, for source_cluster.</param>
internal sealed class RateLimitTranslator(Func<string> source) : FilterTranslator
{
    private const string Path = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
    private const long TimeoutMicros = 20_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.ratelimit.v3.RateLimit", "envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Message.Parser, rejections) is not { } m)
            return null;
        if (m.RateLimitService?.GrpcService is not { } service)
        {
            rejections.Add("rate_limit_service is required");
            return null;
        }
        if (SideTranslator.Grpc(service, Path, TimeoutMicros, translation, rejections) is not { } method)
            return null;
        // The filter's own time counts, not the service's.
        method = method with { Side = method.Side with { TimeoutMicros = ValueTranslator.Micros(m.Timeout, TimeoutMicros) } };
        string part = m.StatPrefix.Length > 0 ? $"ratelimit.{m.StatPrefix}." : "ratelimit.";
        return new RateLimitFilter(name, Of(m, new GrpcRateLimitService(method), rejections),
            new ClusterFilterStats(translation.Statistics, part, RateLimitFilter.Schema,
                translation.Workers)) { DisabledByDefault = disabled };
    }

    private static RateLimitSettings Of(Message m, RateLimitService service, Rejections rejections) => new()
    {
        Service = service,
        Domain = m.Domain,
        Stage = m.Stage,
        Requests = m.RequestType switch
        {
            "internal" => RateLimitRequests.Internal,
            "external" => RateLimitRequests.External,
            _ => RateLimitRequests.Both,
        },
        FailureModeDeny = m.FailureModeDeny,
        StatusOnError = m.StatusOnError is { } error && (int)error.Code != 0 ? (int)error.Code : 500,
        Status = m.RateLimitedStatus is { } status && (int)status.Code >= 400 ? (int)status.Code : 429,
        ResourceExhausted = m.RateLimitedAsResourceExhausted,
        TellLimits = m.EnableXRatelimitHeaders != Message.Types.XRateLimitHeadersRFCVersion.Off,
        NoMark = m.DisableXEnvoyRatelimitedHeader,
        ResponseHeaders = new HeaderMutations([],
            [.. m.ResponseHeadersToAdd.Select(h => RouteTranslator.Addition(h, rejections)).OfType<HeaderAddition>()]),
    };

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, RateLimitPerRoute.Parser, rejections) is not { } route)
            return null;
        RateLimitRules? rules = route.RateLimits.Count == 0
            ? null : new RateLimitRules([.. route.RateLimits.Select(l => Rule(l, rejections))]);
        return new RateLimitRouteSettings((HostRules)route.VhRateLimits, rules, route.Domain);
    }

    // ---- rate_limits of routes

    /// <summary>Rules of a route or virtual host.</summary>
    public RateLimitRules Rules(IReadOnlyList<RouteLimit> limits, Rejections rejections) =>
        new([.. limits.Select(l => Rule(l, rejections))]);

    private RateLimitRule Rule(RouteLimit limit, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("rate_limits");
        Envoy.Type.Metadata.V3.MetadataKey? key = limit.Limit?.DynamicMetadata?.MetadataKey;
        return new RateLimitRule(limit.Stage ?? 0, [.. limit.Actions.Select(a => Action(a, rejections)).OfType<RateLimitAction>()],
            key?.Key ?? "", PathOf(key));
    }

    private RateLimitRule Rule(RateLimitConfig limit, Rejections rejections)
    {
        Envoy.Type.Metadata.V3.MetadataKey? key = limit.Limit?.DynamicMetadata?.MetadataKey;
        return new RateLimitRule(limit.Stage, [.. limit.Actions.Select(a => Action(a, rejections)).OfType<RateLimitAction>()],
            key?.Key ?? "", PathOf(key));
    }

    private static List<string> PathOf(Envoy.Type.Metadata.V3.MetadataKey? key) => [.. (key?.Path ?? []).Select(static p => p.Key)];

    private RateLimitAction? Action(RouteLimit.Types.Action a, Rejections rejections)
    {
        switch (a.ActionSpecifierCase)
        {
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.SourceCluster:
                return new GenericKeyAction("source_cluster", source());
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.DestinationCluster:
                return new DestinationClusterAction();
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.RequestHeaders:
                return new HeaderAction(a.RequestHeaders.HeaderName, a.RequestHeaders.DescriptorKey, a.RequestHeaders.SkipIfAbsent);
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.RemoteAddress:
                return new RemoteAddressAction(null, 0);
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.MaskedRemoteAddress:
                return new RemoteAddressAction((int)(a.MaskedRemoteAddress.V4PrefixMaskLen ?? 32),
                    (int)(a.MaskedRemoteAddress.V6PrefixMaskLen ?? 128));
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.GenericKey:
                return new GenericKeyAction(Or(a.GenericKey.DescriptorKey, "generic_key"), a.GenericKey.DescriptorValue);
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.HeaderValueMatch:
                return new HeaderMatchAction(Or(a.HeaderValueMatch.DescriptorKey, "header_match"), a.HeaderValueMatch.DescriptorValue,
                    [.. a.HeaderValueMatch.Headers.Select(h => MatcherTranslator.Header(h, rejections))], a.HeaderValueMatch.ExpectMatch
                        ?? true);
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.QueryParameterValueMatch:
                return new QueryMatchAction(Or(a.QueryParameterValueMatch.DescriptorKey, "query_match"),
                    a.QueryParameterValueMatch.DescriptorValue,
                    [.. a.QueryParameterValueMatch.QueryParameters.Select(q => MatcherTranslator.Query(q, rejections))],
                    a.QueryParameterValueMatch.ExpectMatch ?? true);
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.Metadata:
                return new MetadataAction(a.Metadata.DescriptorKey, a.Metadata.MetadataKey?.Key ?? "", PathOf(a.Metadata.MetadataKey),
                    a.Metadata.Source == RouteLimit.Types.Action.Types.MetaData.Types.Source.RouteEntry, a.Metadata.DefaultValue,
                    a.Metadata.SkipIfAbsent);
#pragma warning disable CS0612 // the older form of metadata
            case RouteLimit.Types.Action.ActionSpecifierOneofCase.DynamicMetadata:
                return new MetadataAction(a.DynamicMetadata.DescriptorKey, a.DynamicMetadata.MetadataKey?.Key ?? "",
                    PathOf(a.DynamicMetadata.MetadataKey), false, a.DynamicMetadata.DefaultValue, false);
#pragma warning restore CS0612
            default:
                rejections.Add($"rate limit action {a.ActionSpecifierCase} is not served");
                return null;
        }
    }

    private RateLimitAction? Action(RateLimitConfig.Types.Action a, Rejections rejections)
    {
        switch (a.ActionSpecifierCase)
        {
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.SourceCluster:
                return new GenericKeyAction("source_cluster", source());
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.DestinationCluster:
                return new DestinationClusterAction();
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.RequestHeaders:
                return new HeaderAction(a.RequestHeaders.HeaderName, a.RequestHeaders.DescriptorKey, a.RequestHeaders.SkipIfAbsent);
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.RemoteAddress:
                return new RemoteAddressAction(null, 0);
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.GenericKey:
                return new GenericKeyAction(Or(a.GenericKey.DescriptorKey, "generic_key"), a.GenericKey.DescriptorValue);
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.HeaderValueMatch:
                return new HeaderMatchAction("header_match", a.HeaderValueMatch.DescriptorValue,
                    [.. a.HeaderValueMatch.Headers.Select(h => MatcherTranslator.Header(h, rejections))], a.HeaderValueMatch.ExpectMatch);
            case RateLimitConfig.Types.Action.ActionSpecifierOneofCase.Metadata:
                return new MetadataAction(a.Metadata.DescriptorKey, a.Metadata.MetadataKey?.Key ?? "", PathOf(a.Metadata.MetadataKey),
                    a.Metadata.Source == RateLimitConfig.Types.Action.Types.MetaData.Types.Source.RouteEntry, a.Metadata.DefaultValue,
                    a.Metadata.SkipIfAbsent);
            default:
                rejections.Add($"rate limit action {a.ActionSpecifierCase} is not served");
                return null;
        }
    }

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;
}
