using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Type.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Connection pools, circuit breakers, keepalive, HTTP/2 upgrade.</summary>
internal static class ConnectionPools
{
    private static readonly ConnectionPoolSettings Nothing = new();

    /// <summary>Whether traffic is sent as HTTP/2 although the port does not say so.</summary>
    public static bool UpgradesToHttp2(Protocol protocol, MeshConfig mesh, ConnectionPoolSettings? pool)
    {
        if (pool?.Http is { } http)
        {
            if (http.UseClientProtocol) return false;
            // Explicitly on a destination it holds for any port: the user knows that it is HTTP.
            if (http.H2UpgradePolicy == ConnectionPoolSettings.Types.HTTPSettings.Types.H2UpgradePolicy.Upgrade) return true;
            if (http.H2UpgradePolicy == ConnectionPoolSettings.Types.HTTPSettings.Types.H2UpgradePolicy.DoNotUpgrade) return false;
        }
        return protocol.IsHttp() && mesh.H2UpgradePolicy == MeshConfig.Types.H2UpgradePolicy.Upgrade;
    }

    /// <summary>Applies the settings; nothing given means the defaults.</summary>
    public static void Apply(ClusterDraft draft, MeshConfig mesh, ConnectionPoolSettings? settings, TrafficPolicy.Types.RetryBudget? budget)
    {
        settings ??= Nothing;
        var threshold = Thresholds(settings, budget);
        var cluster = draft.Cluster;
        cluster.ConnectTimeout = settings.Tcp?.ConnectTimeout ?? mesh.ConnectTimeout;
        cluster.CircuitBreakers = new CircuitBreakers { Thresholds = { threshold } };
        Keepalive(cluster, mesh, settings.Tcp);
        Http(draft, settings);
        if (settings.Http?.UseClientProtocol == true) draft.UseDownstreamProtocol();
    }

    private static CircuitBreakers.Types.Thresholds Thresholds(ConnectionPoolSettings settings, TrafficPolicy.Types.RetryBudget? budget)
    {
        var thresholds = new CircuitBreakers.Types.Thresholds
        {
            MaxRetries = uint.MaxValue,
            MaxRequests = uint.MaxValue,
            MaxConnections = uint.MaxValue,
            MaxPendingRequests = uint.MaxValue,
        };
        if (settings.Http is { } http)
        {
            if (http.Http2MaxRequests > 0) thresholds.MaxRequests = (uint)http.Http2MaxRequests;
            if (http.Http1MaxPendingRequests > 0) thresholds.MaxPendingRequests = (uint)http.Http1MaxPendingRequests;
            if (http.MaxRetries > 0) thresholds.MaxRetries = (uint)http.MaxRetries;
        }
        if (settings.Tcp?.MaxConnections > 0) thresholds.MaxConnections = (uint)settings.Tcp.MaxConnections;
        if (budget is not null)
        {
            thresholds.RetryBudget = new()
            {
                BudgetPercent = new Envoy.Type.V3.Percent { Value = budget.Percent ?? 20 },
                MinRetryConcurrency = budget.MinRetryConcurrency > 0 ? budget.MinRetryConcurrency : 3,
                BudgetInterval = budget.BudgetInterval,
            };
        }
        return thresholds;
    }

    private static void Keepalive(Cluster cluster, MeshConfig mesh, ConnectionPoolSettings.Types.TCPSettings? tcp)
    {
        if (mesh.TcpKeepalive is null && tcp?.TcpKeepalive is null) return;
        var keepalive = new TcpKeepalive();
        Overlay(keepalive, mesh.TcpKeepalive);
        Overlay(keepalive, tcp?.TcpKeepalive);
        cluster.UpstreamConnectionOptions = new UpstreamConnectionOptions { TcpKeepalive = keepalive };
    }

    private static void Overlay(TcpKeepalive keepalive, ConnectionPoolSettings.Types.TCPSettings.Types.TcpKeepalive? settings)
    {
        if (settings is null) return;
        if (settings.Probes > 0) keepalive.KeepaliveProbes = settings.Probes;
        if (settings.Time is not null) keepalive.KeepaliveTime = (uint)settings.Time.Seconds;
        if (settings.Interval is not null) keepalive.KeepaliveInterval = (uint)settings.Interval.Seconds;
    }

    private static void Http(ClusterDraft draft, ConnectionPoolSettings settings)
    {
        var idle = settings.Http?.IdleTimeout ?? settings.Tcp?.IdleTimeout;
        var requestsPerConnection = settings.Http?.MaxRequestsPerConnection ?? 0;
        var streams = settings.Http?.MaxConcurrentStreams ?? 0;
        var duration = settings.Tcp?.MaxConnectionDuration;
        if (idle is not null || requestsPerConnection > 0 || streams > 0 || duration is not null)
        {
            var common = draft.HttpOptions.CommonHttpProtocolOptions ??= new HttpProtocolOptions();
            if (idle is not null) common.IdleTimeout = idle;
            if (requestsPerConnection > 0) common.MaxRequestsPerConnection = (uint)requestsPerConnection;
            if (duration is not null) common.MaxConnectionDuration = duration;
        }
        if (draft.Http?.ExplicitHttpConfig?.Http2ProtocolOptions is not { } http2) return;
        if (streams > 0) http2.MaxConcurrentStreams = (uint)streams;
        if (settings.Http?.Http2KeepAlive is { } ping)
        {
            http2.ConnectionKeepalive = new KeepaliveSettings { Interval = ping.Interval, Timeout = ping.Timeout };
        }
    }
}
