using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>Counts what the router came to under the cluster, the virtual cluster and the route.</summary>
internal static class RouteStats
{
    /// <summary>A request is forwarded: finds its virtual cluster.</summary>
    public static void Begin(Exchange exchange)
    {
        VirtualHost host = exchange.Decision.Host!;
        exchange.Upstream.VirtualCluster = host.VirtualClusters.Count == 0 ? null : Find(host.VirtualClusters, exchange);
        Count(exchange, AnswerStat.UpstreamRqTotal);
    }

    private static VirtualCluster? Find(IReadOnlyList<VirtualCluster> clusters, Exchange exchange)
    {
        for (int i = 0; i < clusters.Count; i++)
        {
            if (clusters[i].Holds(exchange.RequestHead))
                return clusters[i];
        }
        return null;
    }

    /// <summary>Counts under the virtual cluster and the route.</summary>
    public static void Count(Exchange exchange, AnswerStat stat)
    {
        int worker = exchange.Worker.Index;
        exchange.Upstream.VirtualCluster?.Stats?.Count(worker, stat);
        exchange.Route?.Stats?.Count(worker, stat);
    }

    /// <summary>An answer went to the client.</summary>
    public static void Charge(Exchange exchange, WorkerCluster cluster, int status, bool canary)
    {
        int worker = exchange.Worker.Index;
        cluster.Handle.Stats.CountAnswer(worker, status, exchange.IsInternal, canary);
        exchange.Upstream.VirtualCluster?.Stats?.CountAnswer(worker, status);
        exchange.Route?.Stats?.CountAnswer(worker, status);
    }

    /// <summary>An answer was complete after some milliseconds.</summary>
    public static void ChargeTime(Exchange exchange, WorkerCluster cluster, long millis, bool canary)
    {
        int worker = exchange.Worker.Index;
        cluster.Counters.Record(ClusterHistogram.UpstreamRqTime, millis);
        cluster.Counters.Record(exchange.IsInternal ? ClusterHistogram.InternalUpstreamRqTime : ClusterHistogram.ExternalUpstreamRqTime,
            millis);
        if (canary)
            cluster.Counters.Record(ClusterHistogram.CanaryUpstreamRqTime, millis);
        exchange.Upstream.VirtualCluster?.Stats?.Record(worker, millis);
        exchange.Route?.Stats?.Record(worker, millis);
    }
}
