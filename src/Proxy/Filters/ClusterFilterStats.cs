using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters;

/// <summary>What a filter counts of the cluster that a request was going to: <c>cluster.NAME.FILTER.</c>. Groups are made when a cluster is
/// first met.</summary>
/// <param name="store">All that is counted.</param>
/// <param name="filter">The filter's part of the name, with its dot.</param>
/// <param name="schema">The counters.</param>
/// <param name="workers">Number of workers.</param>
public sealed class ClusterFilterStats(StatStore store, string filter, StatSchema schema, int workers)
{
    private readonly Dictionary<ClusterHandle, StatGroup>[] _groups = [.. Enumerable.Range(0, workers)
        .Select(static _ => new Dictionary<ClusterHandle, StatGroup>())];

    /// <summary>One more; nothing where the request has no known cluster.</summary>
    public void Count(Exchange exchange, int counter)
    {
        if (exchange.Decision.Cluster is not { Current: { } view } handle)
            return;
        Dictionary<ClusterHandle, StatGroup> own = _groups[exchange.Worker.Index];
        if (!own.TryGetValue(handle, out StatGroup? group))
            own[handle] = group = store.Group(
                $"cluster.{(view.Cluster.StatName.Length > 0 ? view.Cluster.StatName : handle.Name)}.{filter}", schema);
        group.Of(exchange.Worker.Index).Count(counter);
    }

    /// <summary>The proxy answered in the cluster's place: its answers count that, too.</summary>
    public static void CountAnswer(Exchange exchange, int status) =>
        exchange.Decision.Cluster?.Counters[exchange.Worker.Index].CountCode(status);
}
