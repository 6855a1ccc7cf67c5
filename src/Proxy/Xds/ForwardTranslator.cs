using Envoy.Config.Route.V3;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Routing;
using Core = Envoy.Config.Core.V3;
using Message = Envoy.Config.Route.V3.RouteAction;

namespace Lateen.Proxy.Xds;

/// <summary>The forwarding action of a route, with its retries, mirrors and hash policies.</summary>
internal sealed class ForwardTranslator(ClusterDirectory clusters, RouteFilterTranslator filters, RuntimeValues runtime,
    Rejections rejections)
{
    private static readonly Dictionary<string, RetryOn> Conditions = new()
    {
        ["5xx"] = RetryOn.FiveXx,
        ["gateway-error"] = RetryOn.GatewayError,
        ["reset"] = RetryOn.Reset,
        ["reset-before-request"] = RetryOn.ResetBeforeRequest,
        ["connect-failure"] = RetryOn.ConnectFailure,
        ["envoy-ratelimited"] = RetryOn.EnvoyRateLimited,
        ["retriable-4xx"] = RetryOn.Retriable4xx,
        ["refused-stream"] = RetryOn.RefusedStream,
        ["retriable-status-codes"] = RetryOn.RetriableStatusCodes,
        ["retriable-headers"] = RetryOn.RetriableHeaders,
        ["http3-post-connect-failure"] = RetryOn.Http3PostConnectFailure,
        ["cancelled"] = RetryOn.GrpcCancelled,
        ["deadline-exceeded"] = RetryOn.GrpcDeadlineExceeded,
        ["internal"] = RetryOn.GrpcInternal,
        ["resource-exhausted"] = RetryOn.GrpcResourceExhausted,
        ["unavailable"] = RetryOn.GrpcUnavailable,
    };

    /// <summary>The conditions of a comma list; unknown words are ignored, as Envoy does with headers and configuration alike.</summary>
    public static RetryOn ParseConditions(string list)
    {
        RetryOn on = RetryOn.None;
        foreach (string word in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            on |= Conditions.GetValueOrDefault(word);
        return on;
    }

    /// <summary>The action.</summary>
    public ForwardAction Forward(Message action, Envoy.Config.Route.V3.VirtualHost host, List<MirrorPolicy> mirrors,
        Dictionary<string, object> settings)
    {
        (List<WeightedTarget> targets, ulong total) = Weighted(action, settings);
        if (action.ClusterSpecifierCase is Message.ClusterSpecifierOneofCase.ClusterSpecifierPlugin
            or Message.ClusterSpecifierOneofCase.InlineClusterSpecifierPlugin or Message.ClusterSpecifierOneofCase.None)
            rejections.Add($"cluster specifier {action.ClusterSpecifierCase} is not served");
        return new ForwardAction
        {
            Cluster = action.ClusterSpecifierCase == Message.ClusterSpecifierOneofCase.Cluster ? clusters.Handle(action.Cluster) : null,
            ClusterHeader = ValueTranslator.HeaderName(action.ClusterHeader),
            Weighted = targets,
            TotalWeight = total,
            WeightHeader = ValueTranslator.HeaderName(action.WeightedClusters?.HeaderName ?? ""),
            FindCluster = clusters.Find,
            ClusterNotFoundStatus = action.ClusterNotFoundResponseCode switch
            {
                Message.Types.ClusterNotFoundResponseCode.NotFound => 404,
                Message.Types.ClusterNotFoundResponseCode.InternalServerError => 500,
                _ => 503,
            },
            PrefixRewrite = action.PrefixRewrite.Length > 0 ? action.PrefixRewrite : null,
            PathRewrite = MatcherTranslator.Rewrite(action.RegexRewrite, rejections),
            TemplateRewrite = TemplateRewrite(action),
            HostRewrite = RewriteHost(action),
            AppendForwardedHost = action.AppendXForwardedHost,
            Timeouts = Timeouts(action),
            Retry = Retry(action.RetryPolicy ?? host.RetryPolicy),
            HedgeOnPerTryTimeout = (action.HedgePolicy ?? host.HedgePolicy)?.HedgeOnPerTryTimeout ?? false,
            Mirrors = action.RequestMirrorPolicies.Count > 0 ? Mirrors(action.RequestMirrorPolicies) : mirrors,
            Hash = [.. action.HashPolicy.Select(p => Network.HashPolicyTranslator.Policy(p, rejections))],
            HighPriority = action.Priority == Core.RoutingPriority.High,
            Upgrades = action.UpgradeConfigs.ToDictionary(u => u.UpgradeType.ToLowerInvariant(), u => u.Enabled ?? true),
            TerminateConnect = action.UpgradeConfigs.Any(u => u.ConnectConfig is not null),
            TerminatePost = action.UpgradeConfigs.Any(u => u.ConnectConfig?.AllowPost ?? false),
            InternalRedirect = Redirects(action.InternalRedirectPolicy),
            Subset = Subset(action.MetadataMatch),
            RateLimits = filters.RateLimits(action.RateLimits, rejections),
#pragma warning disable CS0612 // deprecated, and still written
            IncludeHostRateLimits = action.IncludeVhRateLimits ?? false,
#pragma warning restore CS0612
        };
    }

    private (List<WeightedTarget> Targets, ulong Total) Weighted(Message action, Dictionary<string, object> settings)
    {
        var targets = new List<WeightedTarget>();
        ulong sum = 0;
        foreach (WeightedCluster.Types.ClusterWeight weight in action.WeightedClusters?.Clusters ?? [])
        {
            sum += weight.Weight ?? 0;
            SubsetCriteria? subset = Subset(weight.MetadataMatch, Subset(action.MetadataMatch));
            targets.Add(new WeightedTarget
            {
                Cluster = weight.Name.Length > 0 ? clusters.Handle(weight.Name) : null,
                ClusterHeader = ValueTranslator.HeaderName(weight.ClusterHeader),
                Weight = weight.Weight ?? 0,
                RequestHeaders = RouteTranslator.Mutations(weight.RequestHeadersToAdd, weight.RequestHeadersToRemove, rejections),
                ResponseHeaders = RouteTranslator.Mutations(weight.ResponseHeadersToAdd, weight.ResponseHeadersToRemove, rejections),
                Filters = new FilterSettings(RouteTranslator.Merge(settings, filters.Settings(weight.TypedPerFilterConfig, rejections))),
                HostRewrite = System.Text.Encoding.Latin1.GetBytes(weight.HostRewriteLiteral),
                Subset = subset,
            });
        }
        if (targets.Count > 0 && sum == 0)
            rejections.Add("Sum of weights in the weighted_cluster must be greater than 0.");
        if (sum > uint.MaxValue)
            rejections.Add($"The sum of weights of all weighted clusters of route exceeds {uint.MaxValue}");
#pragma warning disable CS0612 // total_weight is deprecated; where set, weights are shares of it
        return (targets, action.WeightedClusters?.TotalWeight is { } total and > 0 ? total : sum);
#pragma warning restore CS0612
    }

    private string? TemplateRewrite(Message action)
    {
        if (action.PathRewritePolicy is null)
            return null;
        if (ValueTranslator.TypeName(
            action.PathRewritePolicy.TypedConfig) == "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig")
            return ValueTranslator.Unpack(action.PathRewritePolicy.TypedConfig,
                Envoy.Extensions.Path.Rewrite.UriTemplate.V3.UriTemplateRewriteConfig.Parser, rejections)?.PathTemplateRewrite;
        rejections.Add($"path_rewrite_policy {action.PathRewritePolicy.TypedConfig.TypeUrl} is not served");
        return null;
    }

    private HostRewrite? RewriteHost(Message action) => action.HostRewriteSpecifierCase switch
    {
        Message.HostRewriteSpecifierOneofCase.HostRewriteLiteral =>
            new HostRewrite(HostRewriteKind.Literal, System.Text.Encoding.Latin1.GetBytes(action.HostRewriteLiteral)),
        Message.HostRewriteSpecifierOneofCase.AutoHostRewrite
            when action.AutoHostRewrite == true => new HostRewrite(HostRewriteKind.Auto, []),
        Message.HostRewriteSpecifierOneofCase.HostRewriteHeader =>
            new HostRewrite(HostRewriteKind.Header, ValueTranslator.HeaderName(action.HostRewriteHeader)),
        Message.HostRewriteSpecifierOneofCase.HostRewritePathRegex =>
            new HostRewrite(HostRewriteKind.PathRegex, [], MatcherTranslator.Rewrite(action.HostRewritePathRegex, rejections)),
        _ => null,
    };

    private static TimeoutPolicy Timeouts(Message action)
    {
#pragma warning disable CS0612 // max_grpc_timeout is deprecated, and istiod sends it
        return new TimeoutPolicy
        {
            RouteMicros = ValueTranslator.Micros(action.Timeout, 15_000_000),
            IdleMicros = ValueTranslator.MicrosOrNull(action.IdleTimeout),
            ByStreamDuration = action.MaxStreamDuration is not null,
            MaxStreamMicros = ValueTranslator.MicrosOrNull(action.MaxStreamDuration?.MaxStreamDuration_),
            GrpcStreamMaxMicros = ValueTranslator.MicrosOrNull(action.MaxStreamDuration?.GrpcTimeoutHeaderMax),
            GrpcStreamOffsetMicros = ValueTranslator.Micros(action.MaxStreamDuration?.GrpcTimeoutHeaderOffset),
            GrpcMaxMicros = ValueTranslator.MicrosOrNull(action.MaxGrpcTimeout),
            GrpcOffsetMicros = ValueTranslator.Micros(action.GrpcTimeoutOffset),
        };
#pragma warning restore CS0612
    }

    private Routing.RetryPolicy? Retry(Envoy.Config.Route.V3.RetryPolicy? policy)
    {
        if (policy is null)
            return null;
        long baseMicros = ValueTranslator.Micros(policy.RetryBackOff?.BaseInterval, 25_000);
        long maxMicros = ValueTranslator.Micros(policy.RetryBackOff?.MaxInterval);
        if (maxMicros > 0 && maxMicros < baseMicros)
            rejections.Add("retry_policy.max_interval must greater than or equal to the base_interval");
        (bool previous, bool canaries, SubsetCriteria? metadata) = Predicates(policy);
        return new Routing.RetryPolicy
        {
            On = ParseConditions(policy.RetryOn),
            NumRetries = policy.NumRetries ?? 1,
            PerTryMicros = ValueTranslator.Micros(policy.PerTryTimeout),
            PerTryIdleMicros = ValueTranslator.Micros(policy.PerTryIdleTimeout),
            RetriableStatusCodes = [.. policy.RetriableStatusCodes],
            RetriableHeaders = [.. policy.RetriableHeaders.Select(h => MatcherTranslator.Header(h, rejections))],
            RetriableRequestHeaders = [.. policy.RetriableRequestHeaders.Select(h => MatcherTranslator.Header(h, rejections))],
            BaseMicros = Math.Max(1000, baseMicros),
            MaxMicros = maxMicros,
            ResetHeaders =
                [
                    .. policy.RateLimitedRetryBackOff?.ResetHeaders.Select(
                        h => (h.Name.ToLowerInvariant(),
                            h.Format == Envoy.Config.Route.V3.RetryPolicy.Types.ResetHeaderFormat.UnixTimestamp)) ?? []],
            ResetMaxMicros = ValueTranslator.Micros(policy.RateLimitedRetryBackOff?.MaxInterval, 300_000_000),
            AvoidPreviousHosts = previous,
            AvoidCanaries = canaries,
            AvoidMetadata = metadata,
            HostSelectionAttempts = Math.Max(1, (int)Math.Min(policy.HostSelectionRetryMaxAttempts, 1000)),
            PreviousPrioritiesEvery = Priorities(policy.RetryPriority),
        };
    }

    private (bool Previous, bool Canaries, SubsetCriteria? Metadata) Predicates(Envoy.Config.Route.V3.RetryPolicy policy)
    {
        bool previous = false, canaries = false;
        SubsetCriteria? metadata = null;
        foreach (Envoy.Config.Route.V3.RetryPolicy.Types.RetryHostPredicate predicate in policy.RetryHostPredicate)
        {
            switch (predicate.TypedConfig is null ? predicate.Name : ValueTranslator.TypeName(predicate.TypedConfig))
            {
                case "envoy.retry_host_predicates.previous_hosts" or "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate":
                    previous = true;
                    break;
                case "envoy.retry_host_predicates.omit_canary_hosts"
                    or "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate":
                    canaries = true;
                    break;
                case "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig":
                    metadata = Subset(ValueTranslator.Unpack(predicate.TypedConfig!,
                        Envoy.Extensions.Retry.Host.OmitHostMetadata.V3.OmitHostMetadataConfig.Parser, rejections)?.MetadataMatch);
                    break;
                default:
                    rejections.Add($"retry host predicate {predicate.Name} is not served");
                    break;
            }
        }
        return (previous, canaries, metadata);
    }

    private int Priorities(Envoy.Config.Route.V3.RetryPolicy.Types.RetryPriority? priority)
    {
        if (priority is null)
            return 0;
        if (priority.TypedConfig is null
            || ValueTranslator.TypeName(
                priority.TypedConfig) != "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig")
        {
            rejections.Add($"retry priority {priority.Name} is not served");
            return 0;
        }
        return ValueTranslator.Unpack(priority.TypedConfig,
            Envoy.Extensions.Retry.Priority.PreviousPriorities.V3.PreviousPrioritiesConfig.Parser, rejections)?.UpdateFrequency ?? 0;
    }

    /// <summary>Shadows.</summary>
    public List<MirrorPolicy> Mirrors(IEnumerable<Message.Types.RequestMirrorPolicy> policies) =>
    [
        .. policies.Select(p => new MirrorPolicy
        {
            Cluster = p.Cluster.Length > 0 ? clusters.Handle(p.Cluster) : null,
            ClusterHeader = ValueTranslator.HeaderName(p.ClusterHeader),
            Share = ValueTranslator.Share(p.RuntimeFraction, runtime),
            KeepHost = p.DisableShadowHostSuffixAppend,
            TraceSampled = p.TraceSampled,
            HostRewrite = System.Text.Encoding.Latin1.GetBytes(p.HostRewriteLiteral),
            Headers = [.. p.RequestHeadersMutations.Select(
                m => RouteTranslator.Mutations(m.Append is null ? [] : [m.Append], m.Remove.Length > 0 ? [m.Remove] : [], rejections))],
        }),
    ];

    private Routing.InternalRedirectPolicy? Redirects(Envoy.Config.Route.V3.InternalRedirectPolicy? policy)
    {
        if (policy is null)
            return null;
        bool previous = false, safe = false;
        List<string>? allowed = null;
        foreach (Core.TypedExtensionConfig predicate in policy.Predicates)
        {
            switch (ValueTranslator.TypeName(predicate.TypedConfig))
            {
                case "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig":
                    previous = true;
                    break;
                case "envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig":
                    safe = true;
                    break;
                case "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig":
                    allowed =
                        [
                            .. ValueTranslator.Unpack(predicate.TypedConfig,
                                Envoy.Extensions.InternalRedirect.AllowListedRoutes.V3.AllowListedRoutesConfig.Parser,
                                rejections)?.AllowedRouteNames ?? []];
                    break;
                default:
                    rejections.Add($"internal redirect predicate {predicate.Name} is not served");
                    break;
            }
        }
        return new Routing.InternalRedirectPolicy
        {
            RedirectsMax = policy.MaxInternalRedirects ?? 1,
            Statuses = policy.RedirectResponseCodes.Count > 0
                ? [.. policy.RedirectResponseCodes.Where(c => c is 301 or 302 or 303 or 307 or 308)] : [302],
            AllowCrossScheme = policy.AllowCrossSchemeRedirect,
            PreviousRoutes = previous,
            SafeCrossScheme = safe,
            AllowedRoutes = allowed,
            CopyHeaders = [.. policy.ResponseHeadersToCopy.Select(h => h.ToLowerInvariant())],
        };
    }

    internal static SubsetCriteria? Subset(Core.Metadata? metadata, SubsetCriteria? above = null)
    {
        if (metadata is null || !metadata.FilterMetadata.TryGetValue("envoy.lb", out Google.Protobuf.WellKnownTypes.Struct? fields))
            return above;
        var own = new SubsetCriteria(ValueTranslator.Json(fields).EnumerateObject().Select(p => KeyValuePair.Create(p.Name, p.Value)));
        return above is null ? own : above.With(own);
    }
}
