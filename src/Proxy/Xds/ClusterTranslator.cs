using Envoy.Config.Cluster.V3;
using Envoy.Extensions.Upstreams.Http.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Http;
using Core = Envoy.Config.Core.V3;
using ForwardProxyConfig = Envoy.Extensions.Clusters.DynamicForwardProxy.V3.ClusterConfig;
using Message = Envoy.Config.Cluster.V3.Cluster;

namespace Lateen.Proxy.Xds;

/// <summary>Clusters (CDS and static ones) to running configuration, and with them the endpoints that they carry themselves.</summary>
internal sealed class ClusterTranslator(SecurityTranslator security, Lateen.Proxy.Filters.Istio.PeerCodec? peers = null)
{
    private const string HttpOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

    private static readonly HashSet<string> ProtocolOptions = [HttpOptionsKey, "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions",
        "envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions"];

    /// <summary>The running cluster; what must not be accepted is in <paramref name="rejections"/>.</summary>
    public Clusters.Cluster Cluster(Message cluster, Rejections rejections)
    {
        (ClusterType type, IReadOnlyList<string> members) = TypeOf(cluster, rejections);
        using Rejections.Scope scope = rejections.In($"cluster {cluster.Name}");
        if (cluster.Name.Length == 0)
            rejections.Add("a cluster needs a name");
        return new Clusters.Cluster
        {
            Name = cluster.Name,
            // istiod ends alternative names with ';' so that its tag expressions find the end.
            StatName = cluster.AltStatName.Length > 0 ? cluster.AltStatName : cluster.Name,
            Type = type,
            ServiceName = cluster.EdsClusterConfig?.ServiceName is { Length: > 0 } service ? service : cluster.Name,
            Balancer = BalancerTranslator.Balancer(cluster, rejections),
            ConnectTimeoutMicros = ValueTranslator.Micros(cluster.ConnectTimeout, 5_000_000),
            BufferLimit = (int)Math.Min(cluster.PerConnectionBufferLimitBytes ?? 1024 * 1024, int.MaxValue),
            DefaultLimits = Limits(cluster.CircuitBreakers, Core.RoutingPriority.Default),
            HighLimits = Limits(cluster.CircuitBreakers, Core.RoutingPriority.High),
            Outlier = Outlier(cluster.OutlierDetection),
            HealthChecks = [.. cluster.HealthChecks.Select(h => HealthCheckTranslator.Check(h, rejections)).OfType<HealthCheckOptions>()],
            IgnoreHealthOnHostRemoval = cluster.IgnoreHealthOnHostRemoval,
            Protocol = Protocol(cluster, rejections),
            Security = security.Upstream(cluster.TransportSocket, rejections),
            SecurityMatches = [.. cluster.TransportSocketMatches.Select(m => Match(m, rejections))],
            Bind = Bind(cluster, rejections),
            Metadata = ValueTranslator.Metadata(cluster.Metadata),
            Dns = Dns(cluster, rejections),
            OriginalDestination = OriginalDestination(cluster.OriginalDstLbConfig),
            Members = members,
            RedisLogin = Network.RedisTranslator.Login(cluster, rejections),
            Names = type == ClusterType.DynamicForwardProxy ? Names(cluster, rejections) : null,
            CleanupIntervalMicros = ValueTranslator.Micros(cluster.CleanupInterval, 5_000_000),
            MergeMicros = ValueTranslator.Micros(cluster.CommonLbConfig?.UpdateMergeWindow, 1_000_000),
            CloseConnectionsOnHostSetChange = cluster.CommonLbConfig?.CloseConnectionsOnHostSetChange ?? false,
            CloseConnectionsOnHealthFailure = cluster.CloseConnectionsOnHostHealthFailure,
            PreconnectRatio = Preconnect(cluster.PreconnectPolicy, rejections),
            TrackTimeoutBudgets = cluster.TrackClusterStats?.TimeoutBudgets ?? false,
            PoolPerDownstreamConnection = cluster.ConnectionPoolPerDownstreamConnection,
            ProxyHeader = security.ProxyHeader(cluster.TransportSocket, rejections),
            WaitForWarmOnInit = cluster.WaitForWarmOnInit ?? true,
            NetworkFilters = [.. cluster.Filters.Select(f => NetworkFilter(f, rejections)).OfType<object>()],
        };
    }

    private static double Preconnect(Message.Types.PreconnectPolicy? policy, Rejections rejections)
    {
        if (policy?.PredictivePreconnectRatio is > 1.0)
            rejections.Note("preconnect_policy.predictive_preconnect_ratio has no effect");
        return Math.Clamp(policy?.PerUpstreamPreconnectRatio ?? 1.0, 1.0, 3.0);
    }

    private static Clusters.Resolution.NameCacheOptions? Names(Message cluster, Rejections rejections)
    {
        if (ValueTranslator.Unpack(cluster.ClusterType.TypedConfig, ForwardProxyConfig.Parser, rejections) is not { } config)
            return null;
        if (!config.AllowInsecureClusterOptions && HttpOptionsOf(cluster, rejections)?.UpstreamHttpProtocolOptions is { } options
            && (!options.AutoSni || !options.AutoSanValidation))
            rejections.Add("dynamic_forward_proxy cluster must have auto_sni and auto_san_validation true unless "
                + "allow_insecure_cluster_options is set.");
        return Network.NameCacheTranslator.Options(config.DnsCacheConfig, rejections);
    }

    private object? NetworkFilter(Envoy.Config.Cluster.V3.Filter filter, Rejections rejections)
    {
        string type = "";
        Google.Protobuf.WellKnownTypes.Any body = filter.TypedConfig is null
            ? new() : FilterRegistry.Unwrap(filter.TypedConfig, out type, rejections);
        if (type == Filters.PeerExchangeTranslator.Type && peers is not null)
            return Filters.PeerExchangeTranslator.Translate(body, peers, rejections);
        rejections.Note($"upstream network filter {filter.Name} ({type}) has no effect");
        return null;
    }

    private static (ClusterType Type, IReadOnlyList<string> Members) TypeOf(Message cluster, Rejections rejections)
    {
        if (cluster.ClusterType is null)
        {
            return (cluster.Type switch
            {
                Message.Types.DiscoveryType.StrictDns => ClusterType.StrictDns,
                Message.Types.DiscoveryType.LogicalDns => ClusterType.LogicalDns,
                Message.Types.DiscoveryType.Eds => ClusterType.Eds,
                Message.Types.DiscoveryType.OriginalDst => ClusterType.OriginalDestination,
                _ => ClusterType.Static,
            }, []);
        }
        Any config = cluster.ClusterType.TypedConfig ?? new Any();
        switch (ValueTranslator.TypeName(config))
        {
            case "envoy.extensions.clusters.aggregate.v3.ClusterConfig":
                return (ClusterType.Aggregate,
                    [.. ValueTranslator.Unpack(config, Envoy.Extensions.Clusters.Aggregate.V3.ClusterConfig.Parser, rejections)?.Clusters
                        ?? []]);
            case "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig":
                return (ClusterType.DynamicForwardProxy, []);
            default:
                rejections.Add($"Didn't find a registered cluster factory implementation for name: '{cluster.ClusterType.Name}'");
                return (ClusterType.Static, []);
        }
    }

    private static BreakerLimits Limits(CircuitBreakers? breakers, Core.RoutingPriority priority)
    {
        CircuitBreakers.Types.Thresholds? t = breakers?.Thresholds.FirstOrDefault(b => b.Priority == priority);
        CircuitBreakers.Types.Thresholds? perHost = breakers?.PerHostThresholds.FirstOrDefault(b => b.Priority == priority);
        return new BreakerLimits
        {
            MaxConnections = t?.MaxConnections ?? 1024,
            MaxPending = t?.MaxPendingRequests ?? 1024,
            MaxRequests = t?.MaxRequests ?? 1024,
            MaxRetries = t?.MaxRetries ?? 3,
            MaxPools = t?.MaxConnectionPools ?? uint.MaxValue,
            TrackRemaining = t?.TrackRemaining ?? false,
            Budget = t?.RetryBudget is { } b ? new RetryBudget(b.BudgetPercent?.Value ?? 20, b.MinRetryConcurrency ?? 3) : null,
            MaxConnectionsPerHost = perHost?.MaxConnections ?? uint.MaxValue,
        };
    }

    private static OutlierOptions? Outlier(OutlierDetection? o) => o is null ? null : new OutlierOptions
    {
        Consecutive5xx = o.Consecutive5Xx ?? 5,
        ConsecutiveGatewayFailure = o.ConsecutiveGatewayFailure ?? 5,
        ConsecutiveLocalOriginFailure = o.ConsecutiveLocalOriginFailure ?? 5,
        EnforcingConsecutive5xx = o.EnforcingConsecutive5Xx ?? 100,
        EnforcingConsecutiveGatewayFailure = o.EnforcingConsecutiveGatewayFailure ?? 0,
        EnforcingConsecutiveLocalOriginFailure = o.EnforcingConsecutiveLocalOriginFailure ?? 100,
        EnforcingSuccessRate = o.EnforcingSuccessRate ?? 100,
        EnforcingLocalOriginSuccessRate = o.EnforcingLocalOriginSuccessRate ?? 100,
        EnforcingFailurePercentage = o.EnforcingFailurePercentage ?? 0,
        EnforcingFailurePercentageLocalOrigin = o.EnforcingFailurePercentageLocalOrigin ?? 0,
        IntervalMicros = ValueTranslator.Micros(o.Interval, 10_000_000),
        BaseEjectionMicros = ValueTranslator.Micros(o.BaseEjectionTime, 30_000_000),
        MaxEjectionMicros = Math.Max(ValueTranslator.Micros(o.MaxEjectionTime, 300_000_000),
            ValueTranslator.Micros(o.BaseEjectionTime, 30_000_000)),
        MaxEjectionJitterMicros = ValueTranslator.Micros(o.MaxEjectionTimeJitter),
        MaxEjectionPercent = o.MaxEjectionPercent ?? 10,
        AlwaysEjectOneHost = o.AlwaysEjectOneHost ?? false,
        SuccessRateMinimumHosts = o.SuccessRateMinimumHosts ?? 5,
        SuccessRateRequestVolume = o.SuccessRateRequestVolume ?? 100,
        SuccessRateStdevFactor = o.SuccessRateStdevFactor ?? 1900,
        FailurePercentageThreshold = o.FailurePercentageThreshold ?? 85,
        FailurePercentageMinimumHosts = o.FailurePercentageMinimumHosts ?? 5,
        FailurePercentageRequestVolume = o.FailurePercentageRequestVolume ?? 50,
        SplitLocalOrigin = o.SplitExternalLocalOriginErrors,
        SuccessfulCheckUnejects = o.SuccessfulActiveHealthCheckUnejectHost ?? true,
    };

    private static HttpProtocolOptions? HttpOptionsOf(Message cluster, Rejections rejections)
    {
        Any? any = cluster.TypedExtensionProtocolOptions.Values.FirstOrDefault(a => ValueTranslator.TypeName(a) == HttpOptionsKey);
        return any is null ? null : ValueTranslator.Unpack(any, HttpProtocolOptions.Parser, rejections);
    }

    private static UpstreamProtocol Protocol(Message cluster, Rejections rejections)
    {
        HttpProtocolOptions? options = HttpOptionsOf(cluster, rejections);
        foreach ((string key, Any any) in cluster.TypedExtensionProtocolOptions)
        {
            if (!ProtocolOptions.Contains(ValueTranslator.TypeName(any)))
                rejections.Add($"typed_extension_protocol_options {key} ({any.TypeUrl}) are not served");
        }
#pragma warning disable CS0612 // the deprecated fields are how older control planes and hand-written bootstraps say it
        options ??= new HttpProtocolOptions
        {
            CommonHttpProtocolOptions = cluster.CommonHttpProtocolOptions,
            UpstreamHttpProtocolOptions = cluster.UpstreamHttpProtocolOptions,
            ExplicitHttpConfig = cluster.ProtocolSelection == Message.Types.ClusterProtocolSelection.UseDownstreamProtocol
                ? null : cluster.Http2ProtocolOptions is null
                    ? new() { HttpProtocolOptions = cluster.HttpProtocolOptions ?? new() }
                    : new() { Http2ProtocolOptions = cluster.Http2ProtocolOptions },
            UseDownstreamProtocolConfig = cluster.ProtocolSelection == Message.Types.ClusterProtocolSelection.UseDownstreamProtocol
                ? new() { HttpProtocolOptions = cluster.HttpProtocolOptions, Http2ProtocolOptions = cluster.Http2ProtocolOptions }
                : null,
        };
        uint maxRequests = options.CommonHttpProtocolOptions?.MaxRequestsPerConnection ?? cluster.MaxRequestsPerConnection ?? 0;
#pragma warning restore CS0612
        if (options.ExplicitHttpConfig?.Http3ProtocolOptions is not null)
            rejections.Add("HTTP/3 to upstreams is not served");
        (ProtocolChoice choice, Core.Http1ProtocolOptions? h1, Core.Http2ProtocolOptions? h2) = Choice(options);
        Core.HttpProtocolOptions? shared = options.CommonHttpProtocolOptions;
        // Where the request says where it goes, its name is also whom TLS must meet.
        bool forwards = cluster.ClusterType?.TypedConfig is { } kind
            && ValueTranslator.TypeName(kind) == "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
        return new UpstreamProtocol
        {
            Choice = choice,
            IdleTimeoutMicros = ValueTranslator.Micros(shared?.IdleTimeout, 3_600_000_000),
            MaxDurationMicros = ValueTranslator.Micros(shared?.MaxConnectionDuration),
            MaxStreamDurationMicros = ValueTranslator.Micros(shared?.MaxStreamDuration),
            MaxRequestsPerConnection = maxRequests,
            Codec = UpstreamProtocol.Http1Default.Codec with
            {
                HeadBytesMax = shared?.MaxResponseHeadersKb is { } kb ? (int)kb * 1024 : UpstreamProtocol.Http1Default.Codec.HeadBytesMax,
                HeaderCountMax = (int)(shared?.MaxHeadersCount ?? 100),
                BufferLimit = (int)Math.Min(cluster.PerConnectionBufferLimitBytes ?? 1024 * 1024, int.MaxValue),
                Underscores = (UnderscoreAction)(shared?.HeadersWithUnderscoresAction ?? 0),
                StreamErrorOnInvalidMessage = (choice == ProtocolChoice.Http2
                    ? h2?.OverrideStreamErrorOnInvalidHttpMessage : h1?.OverrideStreamErrorOnInvalidHttpMessage) ?? false,
                One = CodecTranslator.Http1(h1, rejections),
                Two = CodecTranslator.Http2(h2, rejections) with { HeadBytesMax = (int)(shared?.MaxResponseHeadersKb ?? 60) * 1024 },
            },
            AutoSni = options.UpstreamHttpProtocolOptions?.AutoSni ?? forwards,
            AutoSniHeader = options.UpstreamHttpProtocolOptions?.OverrideAutoSniHeader.ToLowerInvariant() ?? "",
            AutoSanValidation = options.UpstreamHttpProtocolOptions?.AutoSanValidation ?? forwards,
        };
    }

    private static (ProtocolChoice, Core.Http1ProtocolOptions?, Core.Http2ProtocolOptions?) Choice(HttpProtocolOptions options) =>
        options.UpstreamProtocolOptionsCase switch
        {
            HttpProtocolOptions.UpstreamProtocolOptionsOneofCase.UseDownstreamProtocolConfig =>
                (ProtocolChoice.Downstream, options.UseDownstreamProtocolConfig.HttpProtocolOptions,
                    options.UseDownstreamProtocolConfig.Http2ProtocolOptions),
            HttpProtocolOptions.UpstreamProtocolOptionsOneofCase.AutoConfig =>
                (ProtocolChoice.Auto, options.AutoConfig.HttpProtocolOptions, options.AutoConfig.Http2ProtocolOptions),
            _ when options.ExplicitHttpConfig?.Http2ProtocolOptions is { } h2 => (ProtocolChoice.Http2, null, h2),
            _ => (ProtocolChoice.Http1, options.ExplicitHttpConfig?.HttpProtocolOptions, null),
        };

    private SecurityMatch Match(Message.Types.TransportSocketMatch match, Rejections rejections) => new(
        match.Name,
        match.Match is null ? new Dictionary<string, System.Text.Json.JsonElement>()
            : ValueTranslator.Json(match.Match).EnumerateObject().ToDictionary(p => p.Name, p => p.Value),
        security.Upstream(match.TransportSocket, rejections));

    private static UpstreamBind Bind(Message cluster, Rejections rejections)
    {
        Core.BindConfig? bind = cluster.UpstreamBindConfig;
        KeepAliveOptions? keepAlive = cluster.UpstreamConnectionOptions?.TcpKeepalive is { } k
            ? new KeepAliveOptions((int)(k.KeepaliveTime ?? 0), (int)(k.KeepaliveInterval ?? 0), (int)(k.KeepaliveProbes ?? 0)) : null;
        if (bind is null)
            return keepAlive is null ? UpstreamBind.None : UpstreamBind.None with { KeepAlive = keepAlive };
        Net.Address v4 = default, v6 = default;
        foreach (Core.SocketAddress? address in bind.ExtraSourceAddresses.Select(e => e.Address).Prepend(bind.SourceAddress))
        {
            if (address is null || !Net.Address.TryParse(address.Address, (int)address.PortValue, out Net.Address parsed))
                continue;
            if (parsed.Kind == Net.AddressKind.V4)
                v4 = v4.Kind == Net.AddressKind.None ? parsed : v4;
            else
                v6 = v6.Kind == Net.AddressKind.None ? parsed : v6;
        }
        // SOL_SOCKET (1), SO_MARK (36): the one option of sockets that Istio sets here.
        long mark = bind.SocketOptions.FirstOrDefault(o => o.Level == 1 && o.Name == 36)?.IntValue ?? 0;
        foreach (Core.SocketOption option in bind.SocketOptions.Where(o => o.Level != 1 || o.Name != 36))
            rejections.Note($"upstream_bind_config.socket_options level {option.Level} name {option.Name} has no effect");
        return new UpstreamBind(v4, v6, (uint)mark, keepAlive);
    }

    // Resolvers of the system: ours asks the same servers.
    private static readonly HashSet<string> SystemResolvers =
        ["envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig",
            "envoy.extensions.network.dns_resolver.apple.v3.AppleDnsResolverConfig"];

    private static DnsOptions Dns(Message cluster, Rejections rejections)
    {
        var resolvers = new List<Net.Address>();
#pragma warning disable CS0612 // dns_resolvers and dns_resolution_config are deprecated, and still in use
        IEnumerable<Core.Address> given = cluster.DnsResolutionConfig?.Resolvers ?? cluster.DnsResolvers;
#pragma warning restore CS0612
        if (cluster.TypedDnsResolverConfig is { TypedConfig: { } any }
            && ValueTranslator.TypeName(any) == "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig")
            given = ValueTranslator.Unpack(any, Envoy.Extensions.Network.DnsResolver.Cares.V3.CaresDnsResolverConfig.Parser,
                rejections)?.Resolvers ?? given;
        else if (cluster.TypedDnsResolverConfig is { } other
            && !SystemResolvers.Contains(ValueTranslator.TypeName(other.TypedConfig ?? new Any())))
            rejections.Add($"Didn't find a registered implementation for '{other.Name}' with type URL: "
                + $"'{ValueTranslator.TypeName(other.TypedConfig ?? new Any())}'");
        foreach (Core.Address address in given)
            resolvers.Add(ValueTranslator.Address(address, rejections));
        return new DnsOptions
        {
            Family = (DnsFamily)cluster.DnsLookupFamily,
            RefreshMicros = ValueTranslator.Micros(cluster.DnsRefreshRate, 5_000_000),
            FailureRefreshMicros = ValueTranslator.Micros(cluster.DnsFailureRefreshRate?.BaseInterval),
            FailureRefreshMaxMicros = ValueTranslator.Micros(cluster.DnsFailureRefreshRate?.MaxInterval),
            RespectTtl = cluster.RespectDnsTtl,
            JitterMicros = ValueTranslator.Micros(cluster.DnsJitter),
            Resolvers = resolvers,
        };
    }

    private static OriginalDestinationOptions OriginalDestination(Message.Types.OriginalDstLbConfig? o) =>
        o is null ? OriginalDestinationOptions.Default : new OriginalDestinationOptions(
            o.UseHttpHeader,
            o.HttpHeaderName.Length > 0 ? o.HttpHeaderName.ToLowerInvariant() : "x-envoy-original-dst-host",
            (int)(o.UpstreamPortOverride ?? 0),
            o.MetadataKey?.Key ?? "",
            [.. o.MetadataKey?.Path.Select(p => p.Key) ?? []]);
}
