using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.ConnectionLimit.V3;
using Envoy.Extensions.Filters.Network.LocalRatelimit.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Envoy.Config.Rbac.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Filters.Discovered;
using Lateen.Proxy.Filters.ForwardProxy;
using Lateen.Proxy.Filters.Rbac;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Tcp.Tunnel;
using Lateen.Proxy.Xds.Filters;
using Lateen.Proxy.Xds.Network;
using Chain = Envoy.Config.Listener.V3.FilterChain;
using DirectResponse = Envoy.Extensions.Filters.Network.DirectResponse.V3.Config;
using Message = Envoy.Config.Listener.V3.Listener;
using RbacMessage = Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;

namespace Lateen.Proxy.Xds;

/// <summary>Makes the running form of one kind of network filter.</summary>
internal delegate NetworkFilterFactory? NetworkFilterMaker(Any config, Rejections rejections);

/// <summary>Network filters: TCP and what stands in front of it or of HTTP. A kind that is not known here refuses its listener: a policy
/// must not vanish in silence.</summary>
internal sealed class NetworkFilterTranslator : NetworkTranslator
{
    private const string Prefix = "envoy.extensions.filters.network.";

    private readonly Translation _translation;
    private readonly Dictionary<string, NetworkFilterMaker> _makers = new(StringComparer.Ordinal);
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, ConnectionBucket> _buckets = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TcpCounters> _counters = new(StringComparer.Ordinal);

    public NetworkFilterTranslator(Translation translation)
    {
        _translation = translation;
        Add(Prefix + "sni_cluster.v3.SniCluster", static (_, _) => new SniClusterFilter());
        Add(Prefix + "direct_response.v3.Config", static (any, r) => new DirectResponseFilter(Text(any, r)));
        Add(Prefix + "echo.v3.Echo", static (_, _) => new EchoFilter());
        Add(Prefix + "connection_limit.v3.ConnectionLimit", ConnectionLimits);
        Add(Prefix + "local_ratelimit.v3.LocalRateLimit", ConnectionRates);
        Add(Prefix + "set_filter_state.v3.Config", FilterStateTranslator.Filter);
        Add(Prefix + "sni_dynamic_forward_proxy.v3.FilterConfig", SniForward);
        Add(Prefix + "mongo_proxy.v3.MongoProxy", (any, r) => WatchTranslators.Mongo(any, translation, r));
        Add(Prefix + "mysql_proxy.v3.MySQLProxy", (any, r) => WatchTranslators.MySql(any, translation, r));
        Add(Prefix + "zookeeper_proxy.v3.ZooKeeperProxy", (any, r) => WatchTranslators.ZooKeeper(any, translation, r));
        Add(Prefix + "redis_proxy.v3.RedisProxy", (any, r) => RedisTranslator.Filter(any, translation, r));
        Add(Prefix + "rbac.v3.RBAC", (any, r) => Rbac(any, translation, r));
        Add(ExtAuthzTranslator.NetworkType, (any, r) => ExtAuthzTranslator.Network(any, translation, r));
        Add(IstioStatsTranslator.Type, (any, r) => IstioStatsTranslator.Network(any, translation, r));
        Add(PeerExchangeTranslator.Type,
            (any, r) => PeerExchangeTranslator.Translate(any, translation.Peers, r) is { } exchange
                ? new PeerExchangeFilter(exchange) : null);
    }

    private ConnectionLimitFilter? ConnectionLimits(Any any, Rejections rejections) =>
        ValueTranslator.Unpack(any, ConnectionLimit.Parser, rejections) is not { } c ? null
            : new ConnectionLimitFilter((long)(c.MaxConnections ?? 1), ValueTranslator.Micros(c.Delay),
                _translation.Statistics.Group($"connection_limit.{c.StatPrefix}.", ConnectionLimitFilter.Schema))
            {
                Enabled = Flag(c.RuntimeEnabled),
            };

    private ConnectionRateFilter? ConnectionRates(Any any, Rejections rejections)
    {
        if (ValueTranslator.Unpack(any, LocalRateLimit.Parser, rejections) is not { } limit)
            return null;
        if (limit.TokenBucket is not { } b)
        {
            rejections.Add("token_bucket is required");
            return null;
        }
        var tokens = (Max: b.MaxTokens, Fill: b.TokensPerFill ?? 1, Step: Math.Max(1, ValueTranslator.Micros(b.FillInterval)));
        ConnectionBucket New() => new(tokens.Max, tokens.Fill, tokens.Step);
        // The same key with another bucket is another bucket.
        ConnectionBucket bucket = limit.ShareKey.Length == 0 ? New() : _buckets.GetOrAdd($"{limit.ShareKey}/{tokens}", _ => New());
        return new ConnectionRateFilter(bucket,
            _translation.Statistics.Group($"local_rate_limit.{limit.StatPrefix}.",
                ConnectionRateFilter.Schema)) { Enabled = Flag(limit.RuntimeEnabled) };
    }

    private Func<bool> Flag(Envoy.Config.Core.V3.RuntimeFeatureFlag? flag)
    {
        bool otherwise = flag?.DefaultValue ?? true;
        string key = flag?.RuntimeKey ?? "";
        RuntimeValues runtime = _translation.Runtime;
        return () => runtime.Flag(key, otherwise);
    }

    private SniForwardFilter? SniForward(Any any, Rejections rejections) =>
        ValueTranslator.Unpack(any, Envoy.Extensions.Filters.Network.SniDynamicForwardProxy.V3.FilterConfig.Parser,
            rejections) is { } config
        && NameCacheTranslator.Options(config.DnsCacheConfig, rejections) is { } cache
            ? new SniForwardFilter(cache, config.PortValue == 0 ? 443 : (int)config.PortValue, _translation.Upstreams) : null;

    private static RbacNetworkFilter? Rbac(Any any, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(any, RbacMessage.Parser, rejections) is not { } rbac)
            return null;
        // A connection has no headers: such a rule could never hold, and a policy with it would say less than it seems to (Envoy refuses
        // it, too).
        if (HasHeader(rbac.Rules) || HasHeader(rbac.ShadowRules))
            rejections.Add("Found header(s) rules in RBAC network filter, not supported");
        var settings = new RbacSettings(
            RbacTranslator.Judge(rbac.Matcher, rbac.Rules, "matcher", rbac.StatPrefix, translation, rejections, ofConnections: true),
            RbacTranslator.Judge(rbac.ShadowMatcher, rbac.ShadowRules, "shadow_matcher", rbac.StatPrefix, translation, rejections,
                ofConnections: true), rbac.ShadowRulesStatPrefix, rbac.StatPrefix);
        return new RbacNetworkFilter(settings, rbac.EnforcementType == RbacMessage.Types.EnforcementType.Continuous,
            ValueTranslator.Micros(rbac.DelayDeny), RbacStats.In(translation.Statistics, rbac.StatPrefix, "", rbac.ShadowRulesStatPrefix));
    }

    private static bool HasHeader(Envoy.Config.Rbac.V3.RBAC? rules) =>
        rules is not null && rules.Policies.Values.Any(p => p.Permissions.Any(HasHeader) || p.Principals.Any(HasHeader));

    private static bool HasHeader(Permission p) =>
        p.Header is not null || (p.AndRules?.Rules.Any(HasHeader) ?? false) || (p.OrRules?.Rules.Any(HasHeader) ?? false)
            || (p.NotRule is { } not && HasHeader(not));

    private static bool HasHeader(Principal p) =>
        p.Header is not null || (p.AndIds?.Ids.Any(HasHeader) ?? false) || (p.OrIds?.Ids.Any(HasHeader) ?? false)
            || (p.NotId is { } not && HasHeader(not));

    /// <summary>TCP proxies' counters by their prefix.</summary>
    public IReadOnlyDictionary<string, TcpCounters> Counters => _counters;

    /// <summary>One more kind of filter, by the type of its configuration.</summary>
    public void Add(string type, NetworkFilterMaker maker) => _makers[type] = maker;

    /// <inheritdoc/>
    public override ChainHandler? Chain(Chain chain, Message listener, Rejections rejections)
    {
        Filter? last = chain.Filters.LastOrDefault();
        if (last?.TypedConfig is null && last?.ConfigDiscovery is null)
        {
            // Envoy takes such a chain and closes its connections.
            return new TcpChainHandler([new DirectResponseFilter([])], null, Unproxied(), _translation.Workers);
        }
        if (last.TypedConfig is null || ValueTranslator.TypeName(last.TypedConfig) != Prefix + "tcp_proxy.v3.TcpProxy")
            return Filters(chain.Filters, rejections) is { } all ? new TcpChainHandler(all, null, Unproxied(), _translation.Workers) : null;
        List<NetworkFilterFactory>? before = Filters(chain.Filters.Take(chain.Filters.Count - 1), rejections);
        using Rejections.Scope scope = rejections.In($"filters[{chain.Filters.Count - 1}]");
        TcpProxy? proxy = ValueTranslator.Unpack(last.TypedConfig, TcpProxy.Parser, rejections);
        return proxy is null || before is null || Options(proxy, rejections) is not { } options
            ? null : new TcpChainHandler(_translation.Upstreams, options, before, _translation.Workers);
    }

    /// <inheritdoc/>
    public override ChainHandler? Before(Chain chain, Message listener, ChainHandler http, Rejections rejections) =>
        Filters(chain.Filters.Take(chain.Filters.Count - 1), rejections) switch
        {
            null => null,
            [] => http,
            { } filters => new TcpChainHandler(filters, http, Unproxied(), _translation.Workers),
        };

    /// <inheritdoc/>
    public override ConnectionRecorder? Recorder(Message listener, Rejections rejections)
    {
        List<Telemetry.AccessLog> logs = [.. listener.AccessLog.Select(l => _translation.Logs.Log(l, rejections))
            .OfType<Telemetry.AccessLog>()];
        return logs.Count == 0 ? null : new ListenerLog(logs);
    }

    // HTTP has limits of time of its own.
    private TcpOptions Unproxied() =>
        new() { StatPrefix = "", Targets = [], IdleMicros = 0, Counters = new TcpCounters(_translation.Workers) };

    private List<NetworkFilterFactory>? Filters(IEnumerable<Filter> filters, Rejections rejections)
    {
        var made = new List<NetworkFilterFactory>();
        int at = 0;
        foreach (Filter filter in filters)
        {
            using Rejections.Scope scope = rejections.In($"filters[{at++}]");
            if (filter.ConfigDiscovery is { } discovery)
                made.Add(new DiscoveredNetworkFilter(
                    _translation.Extensions.Network(filter.Name, discovery, (any, r) => One(filter.Name, any, r), rejections)));
            else if (One(filter.Name, filter.TypedConfig, rejections) is { } factory)
                made.Add(factory);
        }
        return rejections.None ? made : null;
    }

    // Null for one that was refused.
    private NetworkFilterFactory? One(string name, Any? config, Rejections rejections)
    {
        string type = "";
        Any body = config is null ? new Any() : FilterRegistry.Unwrap(config, out type, rejections);
        if (_makers.TryGetValue(type, out NetworkFilterMaker? maker))
            return maker(body, rejections);
        rejections.Add($"Didn't find a registered implementation for '{name}' with type URL: '{type}'");
        return null;
    }

    private static byte[] Text(Any config, Rejections rejections) =>
        ValueTranslator.Unpack(config, DirectResponse.Parser, rejections)?.Response is { } source
            ? ValueTranslator.Data(source, rejections) ?? [] : [];

    private TcpOptions? Options(TcpProxy proxy, Rejections rejections)
    {
        TunnelOptions? tunnel = Tunnel(proxy.TunnelingConfig, rejections);
        if (proxy.OnDemand is not null)
            rejections.Note("on_demand has no effect: clusters are watched");
        List<TcpTarget> targets = Targets(proxy, rejections);
        if (!rejections.None)
            return null;
#pragma warning disable CS0612 // the older places of the log's settings
        return new TcpOptions
        {
            StatPrefix = proxy.StatPrefix,
            Targets = targets,
            IdleMicros = ValueTranslator.Micros(proxy.IdleTimeout, 3_600_000_000),
            MaxDurationMicros = ValueTranslator.Micros(proxy.MaxDownstreamConnectionDuration),
            MaxConnectAttempts = (int)(proxy.MaxConnectAttempts ?? 1),
            Tunnel = tunnel,
            Connect = proxy.UpstreamConnectMode switch
            {
                UpstreamConnectMode.OnDownstreamData => TcpConnectMode.OnData,
                UpstreamConnectMode.OnDownstreamTlsHandshake => TcpConnectMode.OnHandshake,
                _ => TcpConnectMode.AtOnce,
            },
            EarlyBytesMax = (int)(proxy.MaxEarlyDataBytes ?? 0),
            HashSource = proxy.HashPolicy.Any(p => p.SourceIp is not null),
            Logs = [.. proxy.AccessLog.Select(l => _translation.Logs.Log(l, rejections)).OfType<Telemetry.AccessLog>()],
            LogAtStart = proxy.AccessLogOptions?.FlushAccessLogOnStart ?? false,
            LogWhenConnected = proxy.AccessLogOptions?.FlushAccessLogOnConnected ?? proxy.FlushAccessLogOnConnected,
            LogIntervalMicros = ValueTranslator.Micros(proxy.AccessLogOptions?.AccessLogFlushInterval ?? proxy.AccessLogFlushInterval),
            Counters = CountersOf(proxy.StatPrefix),
        };
#pragma warning restore CS0612
    }

    private static TunnelOptions? Tunnel(TcpProxy.Types.TunnelingConfig? tunnel, Rejections rejections)
    {
        if (tunnel is null)
            return null;
        using Rejections.Scope scope = rejections.In("tunneling_config");
        if (!tunnel.UsePost && tunnel.PostPath.Length > 0)
            rejections.Add("Can't set a post path when POST method isn't used");
        try
        {
            return new TunnelOptions(
                TextFormat.Parse(tunnel.Hostname),
                tunnel.UsePost ? tunnel.PostPath.Length > 0 ? tunnel.PostPath : "/" : null,
                RouteTranslator.Mutations(tunnel.HeadersToAdd, [], rejections),
                tunnel.PropagateResponseHeaders,
                tunnel.PropagateResponseTrailers);
        }
        catch (FormatException e)
        {
            rejections.Add($"hostname: {e.Message}");
            return null;
        }
    }

    private List<TcpTarget> Targets(TcpProxy proxy, Rejections rejections)
    {
        SubsetCriteria? subset = ForwardTranslator.Subset(proxy.MetadataMatch);
        switch (proxy.ClusterSpecifierCase)
        {
            case TcpProxy.ClusterSpecifierOneofCase.Cluster:
                return [new TcpTarget(_translation.Clusters.Handle(proxy.Cluster), 1, subset)];
            case TcpProxy.ClusterSpecifierOneofCase.WeightedClusters:
                return [.. proxy.WeightedClusters.Clusters.Select(
                    c => new TcpTarget(_translation.Clusters.Handle(c.Name), c.Weight, ForwardTranslator.Subset(c.MetadataMatch, subset)))];
            default:
                rejections.Add("field: \"cluster_specifier\", reason: is required");
                return [];
        }
    }

    private TcpCounters CountersOf(string prefix)
    {
        if (!_counters.TryGetValue(prefix, out TcpCounters? counters))
            _counters[prefix] = counters = TcpCounters.In(_translation.Statistics, prefix);
        return counters;
    }
}
