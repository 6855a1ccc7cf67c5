using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.MongoProxy.V3;
using Envoy.Extensions.Filters.Network.MysqlProxy.V3;
using Envoy.Extensions.Filters.Network.RedisProxy.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Envoy.Type.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Registry;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Network filters that forward bytes: to one cluster, to several by weight, to nowhere.</summary>
internal sealed class TcpProxies
{
    private const string BlackHole = "BlackHoleCluster";
    private const int RedisTimeoutSeconds = 5;
    private readonly ListenerParts _parts;
    private readonly ListenerClass _outboundClass;

    /// <param name="parts">Shared parts of the proxy.</param>
    /// <param name="isGuarded">Policies of the proxy apply; not where foreign mTLS is passed on.</param>
    public TcpProxies(ListenerParts parts, bool isGuarded = true)
    {
        _parts = parts;
        IsGuarded = isGuarded;
        _outboundClass = parts.OutboundClass;
    }

    private bool IsGuarded { get; }

    private ProxyInputs Inputs => _parts.Inputs;

    /// <summary>Filters for the destinations of a tls or tcp rule; none when it names no destination.</summary>
    public List<Filter> ForRoutes(IReadOnlyList<RouteDestination> routes, ServicePort port, RouteRules rules, bool exchangesPeers)
    {
        if (routes.Count == 0) return [];
        var service = Inputs.Service(routes[0].Destination?.Host ?? "");
        var policy = service is null ? null : Inputs.DestinationRule(service.Hostname);
        if (routes.Count > 1) return Weighted(routes, port, rules, policy, exchangesPeers);
        var destination = routes[0].Destination ?? new Destination();
        var cluster = DestinationClusters.Outbound(destination, service, port.Number);
        var statName = service is null
            ? cluster
            : StatNames.Outbound(Inputs.Mesh.OutboundClusterStatName, destination.Host, destination.Subset, port, 0, service, cluster);
        return Single(statName, cluster, destination.Subset, port, policy, true, exchangesPeers);
    }

    /// <summary>Filters for one cluster.</summary>
    /// <param name="statName">Name in statistics.</param>
    /// <param name="cluster">Cluster.</param>
    /// <param name="subset">Subset whose policy counts.</param>
    /// <param name="port">Port.</param>
    /// <param name="policy">DestinationRule of the destination.</param>
    /// <param name="tunnels">A tunnel that the rule asks for is used.</param>
    /// <param name="exchangesPeers">The connection begins with the peer exchange.</param>
    public List<Filter> Single(string statName, string cluster, string subset, ServicePort port, DestinationRule? policy, bool tunnels,
        bool exchangesPeers = false)
    {
        var proxy = new TcpProxy { StatPrefix = statName, Cluster = cluster };
        ApplyPolicy(proxy, policy, subset, tunnels);
        proxy.AccessLog.Add(_parts.Logs.For(LogPlace.Tcp, _outboundClass));
        return _parts.Tcp(_outboundClass, port.Number, exchangesPeers, IsGuarded, ProtocolFilters(port.Protocol, proxy, cluster));
    }

    /// <summary>Filters of an inbound chain.</summary>
    public List<Filter> Inbound(string statName, string cluster, ServicePort port, Service? policyService = null)
    {
        var own = _parts.ForService(policyService);
        var proxy = new TcpProxy { StatPrefix = statName, Cluster = cluster, IdleTimeout = Inputs.IdleTimeout };
        proxy.AccessLog.Add(own.Logs.For(LogPlace.Tcp, ListenerClass.SidecarInbound));
        return own.Tcp(ListenerClass.SidecarInbound, port.Number, true, true, ProtocolFilters(port.Protocol, proxy, cluster));
    }

    /// <summary>Filters for traffic that no service explains.</summary>
    public List<Filter> Unknown()
    {
        var proxy = new TcpProxy
        {
            StatPrefix = Inputs.Fallback.TcpCluster,
            Cluster = Inputs.Fallback.TcpCluster,
            IdleTimeout = Inputs.IdleTimeout,
        };
        proxy.AccessLog.Add(_parts.Logs.For(LogPlace.Tcp, ListenerClass.SidecarOutbound));
        return [.. _parts.Stats.Tcp(ListenerClass.SidecarOutbound), NetworkFilters.Tcp(proxy)];
    }

    /// <summary>Filters that close whatever comes.</summary>
    public List<Filter> Closed(ListenerClass listenerClass) =>
        [.. _parts.Stats.Tcp(listenerClass), NetworkFilters.Tcp(new TcpProxy { StatPrefix = BlackHole, Cluster = BlackHole })];

    private List<Filter> Weighted(IReadOnlyList<RouteDestination> routes, ServicePort port, RouteRules rules, DestinationRule? policy,
        bool exchangesPeers)
    {
        var proxy = new TcpProxy
        {
            StatPrefix = $"{rules.Name}.{rules.Namespace}",
            WeightedClusters = new TcpProxy.Types.WeightedCluster(),
        };
        foreach (var route in routes.Where(static r => r.Weight > 0))
        {
            proxy.WeightedClusters.Clusters.Add(new TcpProxy.Types.WeightedCluster.Types.ClusterWeight
            {
                Name = DestinationClusters.Outbound(route.Destination, Inputs.Service(route.Destination?.Host ?? ""), port.Number),
                Weight = (uint)route.Weight,
            });
        }
        ApplyPolicy(proxy, policy, "", true);
        proxy.AccessLog.Add(_parts.Logs.For(LogPlace.Tcp, _outboundClass));
        var first = proxy.WeightedClusters.Clusters.Count > 0 ? proxy.WeightedClusters.Clusters[0].Name : BlackHole;
        return _parts.Tcp(_outboundClass, port.Number, exchangesPeers, IsGuarded, ProtocolFilters(port.Protocol, proxy, first));
    }

    // ---- what a DestinationRule says about a TCP proxy

    private void ApplyPolicy(TcpProxy proxy, DestinationRule? policy, string subset, bool tunnels)
    {
        var pool = policy?.TrafficPolicy?.ConnectionPool?.Tcp;
        proxy.IdleTimeout = pool?.IdleTimeout ?? Inputs.IdleTimeout;
        proxy.MaxDownstreamConnectionDuration = pool?.MaxConnectionDuration;
        if (policy is null) return;
        var ofSubset = policy.Subsets.FirstOrDefault(s => s.Name == subset)?.TrafficPolicy;
        if (HashesBySource(policy, ofSubset)) proxy.HashPolicy.Add(new HashPolicy { SourceIp = new HashPolicy.Types.SourceIp() });
        var tunnel = tunnels ? ofSubset?.Tunnel ?? policy.TrafficPolicy?.Tunnel : null;
        if (tunnel is null) return;
        proxy.TunnelingConfig = new TcpProxy.Types.TunnelingConfig
        {
            Hostname = Wire.HostPort(tunnel.TargetHost, (int)tunnel.TargetPort),
            UsePost = tunnel.Protocol == "POST",
        };
    }

    private static bool HashesBySource(DestinationRule policy, TrafficPolicy? ofSubset) => ofSubset?.LoadBalancer is { } own
        ? own.ConsistentHash?.UseSourceIp == true
        : policy.TrafficPolicy?.LoadBalancer?.ConsistentHash?.UseSourceIp == true;

    // ---- protocols that have filters of their own

    private IEnumerable<Filter> ProtocolFilters(Protocol protocol, TcpProxy proxy, string cluster)
    {
        var features = Inputs.Features;
        var tcp = NetworkFilters.Tcp(proxy);
        return protocol switch
        {
            Protocol.Mongo when features.MongoFilter =>
                [NetworkFilters.Named("envoy.filters.network.mongo_proxy", new MongoProxy { StatPrefix = proxy.StatPrefix }), tcp],
            Protocol.Redis when features.RedisFilter => [Redis(proxy.StatPrefix, cluster)],
            Protocol.MySql when features.MySqlFilter =>
                [NetworkFilters.Named("envoy.filters.network.mysql_proxy", new MySQLProxy { StatPrefix = proxy.StatPrefix }), tcp],
            _ => [tcp],
        };
    }

    private static Filter Redis(string statPrefix, string cluster) =>
        NetworkFilters.Named("envoy.filters.network.redis_proxy", new RedisProxy
        {
            LatencyInMicros = true,
            StatPrefix = statPrefix,
            Settings = new RedisProxy.Types.ConnPoolSettings { OpTimeout = Wire.Seconds(RedisTimeoutSeconds) },
            PrefixRoutes = new RedisProxy.Types.PrefixRoutes { CatchAllRoute =
                new RedisProxy.Types.PrefixRoutes.Types.Route { Cluster = cluster } },
        });

}
