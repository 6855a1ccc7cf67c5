using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream;

/// <summary>Hosts of an original-destination cluster, made on demand by this worker and forgotten when they were not used for the cleanup
/// interval.</summary>
internal sealed class DestinationHosts(WorkerCluster cluster)
{
    private readonly Dictionary<Address, (Host Host, long UsedAt)> _hosts = [];
    private readonly List<Address> _stale = [];
    private Sweep? _sweep;

    private EventLoop Loop => cluster.Upstreams.Worker.Loop;

    public Host Of(in Address address)
    {
        if (!_hosts.TryGetValue(address, out (Host Host, long) entry))
        {
            var endpoint = new Endpoint { Address = address };
            entry.Host = new Host(endpoint, Locality.None, 0, cluster.Handle.Counters.Length,
                Loop.Now) { Security = ClusterDirectory.SecurityOf(cluster.Cluster, endpoint, null) };
            if (cluster.Cluster.Outlier is not null)
                entry.Host.Outlier = new OutlierRecord();
        }
        _hosts[address] = (entry.Host, Loop.Now);
        _sweep ??= new Sweep(this);
        if (!_sweep.IsArmed)
            Loop.Arm(_sweep, Math.Max(1, cluster.Cluster.CleanupIntervalMicros));
        return entry.Host;
    }

    public void Retire()
    {
        if (_sweep is not null)
            Loop.Disarm(_sweep);
        foreach ((Host host, _) in _hosts.Values)
            Forget(host);
        _hosts.Clear();
    }

    private void OnSweep(long now)
    {
        long interval = cluster.Cluster.CleanupIntervalMicros;
        foreach ((Address address, (Host host, long usedAt)) in _hosts)
        {
            // A host with connections in use stays, however long they last.
            if (now - usedAt >= interval && host.ActiveRequests == 0)
                _stale.Add(address);
        }
        foreach (Address address in _stale)
        {
            Forget(_hosts[address].Host);
            _hosts.Remove(address);
        }
        _stale.Clear();
        if (_hosts.Count > 0)
            Loop.Arm(_sweep!, Math.Max(1, interval));
    }

    private void Forget(Host host)
    {
        if (host.OfWorker(cluster.Upstreams.Worker.Index) is HostPools pools)
            pools.Drain(true);
    }

    private sealed class Sweep(DestinationHosts owner) : Deadline
    {
        protected internal override void OnDue(long now) => owner.OnSweep(now);
    }
}
