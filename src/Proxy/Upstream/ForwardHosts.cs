using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Resolution;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream;

/// <summary>Hosts of a dynamic forward proxy cluster: one a name and port, made by this worker when a request names it, with the address
/// that the cache of names has at the moment.</summary>
internal sealed class ForwardHosts
{
    private readonly WorkerCluster _cluster;
    private readonly NameCacheOptions _options;
    private readonly Dictionary<(string Name, int Port), (Host Host, long UsedAt)> _hosts = [];
    private readonly Sweep _sweep;

    public ForwardHosts(WorkerCluster cluster, NameCacheOptions options)
    {
        _cluster = cluster;
        _options = options;
        _sweep = new Sweep(this);
        foreach (string early in options.Early)
            cluster.Upstreams.Names.Load(options, early, null);
    }

    private EventLoop Loop => _cluster.Upstreams.Worker.Loop;

    /// <summary>The host of a name; null while the name is unknown (a filter in front waits for it).</summary>
    public Host? Of(string name, int port)
    {
        CachedName found = _cluster.Upstreams.Names.Load(_options, name, null);
        if (found.Addresses.Count == 0)
            return null;
        Address address = found.Addresses[0].WithPort(port);
        if (!_hosts.TryGetValue((found.Name, port), out (Host Host, long) entry) || entry.Host.Address != address)
        {
            if (entry.Host is not null)
                Forget(entry.Host);
            var endpoint = new Endpoint
            {
                Address = address,
                Hostname = found.Name,
                AdditionalAddresses = Clusters.Resolution.HappyEyeballs.Order([.. found.Addresses.Select(a => a.WithPort(port))])[1..],
            };
            entry.Host = new Host(endpoint, Locality.None, 0, _cluster.Handle.Counters.Length,
                Loop.Now) { Security = ClusterDirectory.SecurityOf(_cluster.Cluster, endpoint, null) };
            if (_cluster.Cluster.Outlier is not null)
                entry.Host.Outlier = new OutlierRecord();
        }
        _hosts[(found.Name, port)] = (entry.Host, Loop.Now);
        if (!_sweep.IsArmed)
            Loop.Arm(_sweep, _options.UnusedMicros);
        return entry.Host;
    }

    public void Retire()
    {
        Loop.Disarm(_sweep);
        foreach ((Host host, _) in _hosts.Values)
            Forget(host);
        _hosts.Clear();
    }

    private void OnSweep(long now)
    {
        foreach (var stale in _hosts.Where(h => now - h.Value.UsedAt >= _options.UnusedMicros && h.Value.Host.ActiveRequests == 0)
            .ToArray())
        {
            Forget(stale.Value.Host);
            _hosts.Remove(stale.Key);
        }
        if (_hosts.Count > 0)
            Loop.Arm(_sweep, _options.UnusedMicros);
    }

    private void Forget(Host host)
    {
        if (host.OfWorker(_cluster.Upstreams.Worker.Index) is HostPools pools)
            pools.Drain(true);
    }

    private sealed class Sweep(ForwardHosts owner) : Deadline
    {
        protected internal override void OnDue(long now) => owner.OnSweep(now);
    }
}
