using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Xds.Discovery;

/// <summary>
/// Route tables that only connections of a listener that is gone still use, and the clusters that these name: a cluster which discovery
/// takes away stays for them until their time is over. A time of zero keeps nothing, as Envoy does, where such requests find no cluster.
/// Main loop only.
/// </summary>
internal sealed class LeftBehind(EventLoop loop, ClusterDirectory clusters, long micros)
{
    private readonly Dictionary<string, long> _neededUntil = new(StringComparer.Ordinal);
    private readonly HashSet<string> _gone = new(StringComparer.Ordinal);
    private Ending? _ending;

    /// <summary>No listener names a table any more.</summary>
    public void Leave(RouteTable table)
    {
        if (micros <= 0)
            return;
        foreach (ClusterHandle cluster in table.Clusters)
            _neededUntil[cluster.Name] = loop.Now + micros;
        _ending ??= new Ending(this);
        if (!_ending.IsArmed)
            loop.Arm(_ending, micros);
    }

    /// <summary>Discovery takes a cluster away.</summary>
    public void Remove(string cluster)
    {
        if (_neededUntil.ContainsKey(cluster))
            _gone.Add(cluster);
        else
            clusters.Remove(cluster);
    }

    /// <summary>Discovery brings a cluster, again perhaps.</summary>
    public void Keep(string cluster) => _gone.Remove(cluster);

    private void End(long now)
    {
        foreach (string cluster in _neededUntil.Where(p => p.Value <= now).Select(p => p.Key).ToArray())
        {
            _neededUntil.Remove(cluster);
            if (_gone.Remove(cluster))
                clusters.Remove(cluster);
        }
        if (_neededUntil.Count > 0)
            loop.Arm(_ending!, _neededUntil.Values.Min() - now);
    }

    private sealed class Ending(LeftBehind owner) : Deadline
    {
        protected internal override void OnDue(long now) => owner.End(now);
    }
}
