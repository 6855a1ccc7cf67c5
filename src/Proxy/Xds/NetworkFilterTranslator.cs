using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Tcp;
using Chain = Envoy.Config.Listener.V3.FilterChain;
using Message = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Proxy.Xds;

/// <summary>Network filters: TCP and what stands in front of it or of HTTP.</summary>
internal sealed class NetworkFilterTranslator(Func<Translation> translation) : NetworkTranslator
{
    private static readonly HashSet<string> WithoutEffect = ["envoy.tcp.metadataexchange.config.MetadataExchange", "stats.PluginConfig", "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy"];

    /// <inheritdoc/>
    public override ChainHandler? Chain(Chain chain, Message listener, Rejections rejections)
    {
        Translation t = translation();
        Filter? last = chain.Filters.LastOrDefault();
        if (last?.TypedConfig is { } config && ValueTranslator.TypeName(config) == "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy")
        {
            List<NetworkFilterFactory> before = Filters(chain.Filters.Take(chain.Filters.Count - 1), rejections);
            return Options(ValueTranslator.Unpack(config, TcpProxy.Parser, rejections), rejections) is { } options
                ? new TcpChainHandler(t.Upstreams, options, before, t.Workers)
                : null;
        }
        List<NetworkFilterFactory> all = Filters(chain.Filters, rejections);
        return rejections.None ? new TcpChainHandler(all, null, new TcpOptions { StatPrefix = "", Targets = [] }, t.Workers) : null;
    }

    /// <inheritdoc/>
    public override ChainHandler? Before(Chain chain, Message listener, ChainHandler http, Rejections rejections)
    {
        List<NetworkFilterFactory> filters = Filters(chain.Filters.Take(chain.Filters.Count - 1), rejections);
        return filters.Count == 0 ? http : new TcpChainHandler(filters, http, new TcpOptions { StatPrefix = "", Targets = [] }, translation().Workers);
    }

    /// <inheritdoc/>
    public override ConnectionRecorder? Recorder(Message listener, Rejections rejections)
    {
        List<Telemetry.AccessLog> logs = [.. listener.AccessLog.Select(l => translation().Logs.Log(l, rejections)).OfType<Telemetry.AccessLog>()];
        return logs.Count == 0 ? null : new ListenerLog(logs);
    }

    private TcpOptions? Options(TcpProxy? tcp, Rejections rejections)
    {
        if (tcp is null)
            return null;
        Translation t = translation();
        if (tcp.TunnelingConfig is not null)
            rejections.Add("tunneling_config is not served");
        if (tcp.OnDemand is not null)
            rejections.Add("on_demand is not served");
        SubsetCriteria? subset = ForwardTranslator.Subset(tcp.MetadataMatch);
        List<TcpTarget> targets = tcp.ClusterSpecifierCase == TcpProxy.ClusterSpecifierOneofCase.Cluster
            ? [new TcpTarget(t.Clusters.Handle(tcp.Cluster), 1, subset)]
            : [.. tcp.WeightedClusters?.Clusters.Select(c => new TcpTarget(t.Clusters.Handle(c.Name), c.Weight, ForwardTranslator.Subset(c.MetadataMatch, subset))) ?? []];
        if (targets.Count == 0)
            rejections.Add("tcp_proxy names no cluster");
#pragma warning disable CS0612 // the older places of the log options
        return new TcpOptions
        {
            StatPrefix = tcp.StatPrefix,
            Targets = targets,
            IdleMicros = ValueTranslator.Micros(tcp.IdleTimeout, 3_600_000_000),
            MaxDurationMicros = ValueTranslator.Micros(tcp.MaxDownstreamConnectionDuration),
            MaxConnectAttempts = (int)(tcp.MaxConnectAttempts ?? 1),
            HashSource = tcp.HashPolicy.Any(h => h.SourceIp is not null),
            Logs = [.. tcp.AccessLog.Select(l => t.Logs.Log(l, rejections)).OfType<Telemetry.AccessLog>()],
            LogWhenConnected = tcp.AccessLogOptions?.FlushAccessLogOnConnected ?? tcp.FlushAccessLogOnConnected,
            LogIntervalMicros = ValueTranslator.Micros(tcp.AccessLogOptions?.AccessLogFlushInterval ?? tcp.AccessLogFlushInterval),
            Counters = new TcpCounters(t.Workers),
        };
#pragma warning restore CS0612
    }

    private static List<NetworkFilterFactory> Filters(IEnumerable<Filter> filters, Rejections rejections) => [.. filters.Select(f => One(f, rejections)).OfType<NetworkFilterFactory>()];

    private static NetworkFilterFactory? One(Filter filter, Rejections rejections)
    {
        Any config = filter.TypedConfig is null ? new Any() : FilterRegistry.Unwrap(filter.TypedConfig, out _, rejections);
        string type = ValueTranslator.TypeName(config);
        switch (type)
        {
            case "envoy.extensions.filters.network.direct_response.v3.Config":
                return new DirectResponseFilter(ValueTranslator.Data(ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Network.DirectResponse.V3.Config.Parser, rejections)?.Response, rejections) ?? []);
            case "envoy.extensions.filters.network.echo.v3.Echo":
                return new EchoFilter();
            case "envoy.extensions.filters.network.sni_cluster.v3.SniCluster":
                return new SniClusterFilter();
            case "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit":
                var limit = ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Network.ConnectionLimit.V3.ConnectionLimit.Parser, rejections);
                return limit is null ? null : new ConnectionLimitFilter((long)(limit.MaxConnections ?? ulong.MaxValue), ValueTranslator.Micros(limit.Delay));
            case "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit":
                var rate = ValueTranslator.Unpack(config, Envoy.Extensions.Filters.Network.LocalRatelimit.V3.LocalRateLimit.Parser, rejections);
                return rate?.TokenBucket is { } bucket ? new ConnectionRateFilter(bucket.MaxTokens, bucket.TokensPerFill ?? 1, ValueTranslator.Micros(bucket.FillInterval)) : null;
            default:
                if (WithoutEffect.Contains(type))
                    rejections.Note($"network filter {filter.Name} has no effect");
                else
                    rejections.Add($"Didn't find a registered implementation for '{filter.Name}' with type URL: '{type}'");
                return null;
        }
    }
}
