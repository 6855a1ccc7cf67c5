// Upstream: a worker's connections to hosts (stations 9 and 10 from the pool's side). A WorkerCluster is one worker's share of one cluster:
// its balancer's small state, its pools, its counters. A ConnectionPool belongs to one host, one protocol and one kind of TLS; who wants a
// stream waits in it as a StreamWaiter and is told once: ready or failed. Limits that hold for the whole process (circuit breakers) are the
// cluster's; everything else here belongs to one worker and needs no lock. Never retries, never times requests: that is the router's.
// Refused: pools shared by workers (a hop and a lock a request), one queue a cluster (a request chooses its host first, as balancers
// promise).
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;

namespace Lateen.Proxy.Upstream;

/// <summary>Every worker's upstream side.</summary>
public sealed class Upstreams
{
    private readonly WorkerUpstreams[] _workers;

    /// <summary>For all workers of the process.</summary>
    public Upstreams(ClusterDirectory directory, IReadOnlyList<Worker> workers)
    {
        Directory = directory;
        _workers = [.. workers.Select(w => new WorkerUpstreams(w, directory))];
    }

    /// <summary>All clusters.</summary>
    public ClusterDirectory Directory { get; }

    /// <summary>The worker that does what one of them must do.</summary>
    public Worker First => _workers[0].Worker;

    /// <summary>One worker's side.</summary>
    public WorkerUpstreams this[Worker worker] => _workers[worker.Index];
}

/// <summary>One worker's clusters.</summary>
public sealed class WorkerUpstreams : ClusterWatcher
{
    private readonly ClusterDirectory _directory;
    private Clusters.Resolution.NameCache? _names;
    private WorkerCluster?[] _clusters = new WorkerCluster?[64];

    internal WorkerUpstreams(Worker worker, ClusterDirectory directory)
    {
        Worker = worker;
        _directory = directory;
        directory.Watch(worker.Index, worker.Loop, this);
    }

    /// <summary>The worker.</summary>
    public Worker Worker { get; }

    /// <summary>All clusters.</summary>
    public ClusterDirectory Directory => _directory;

    /// <summary>Names that requests ask for.</summary>
    public Clusters.Resolution.NameCache Names =>
        _names ??= new Clusters.Resolution.NameCache(Worker.Loop, () => _directory.Names ?? Clusters.Resolution.SystemNames.Read());

    /// <summary>Where this proxy stands, for zone aware routing; null where nobody says. Set before any cluster is used.</summary>
    public ZonePlace? Zone { get; set; }

    /// <summary>This worker's share of a cluster; null while the cluster is unknown.</summary>
    public WorkerCluster? Of(ClusterHandle handle)
    {
        ClusterView? view = handle.Current;
        if (view is null)
            return null;
        if ((uint)handle.Index >= (uint)_clusters.Length)
            Array.Resize(ref _clusters, Math.Max(_clusters.Length * 2, handle.Index + 1));
        WorkerCluster? cluster = _clusters[handle.Index];
        if (cluster is null)
        {
            _clusters[handle.Index] = cluster = new WorkerCluster(this, handle, view);
            ClusterDirectory.Use(handle, Worker.Index);
        }
        else if (!ReferenceEquals(cluster.View, view))
        {
            cluster.Adopt(view);
        }
        return cluster;
    }

    /// <inheritdoc/>
    public override void OnChanged(ClusterHandle handle)
    {
        if ((uint)handle.Index >= (uint)_clusters.Length || _clusters[handle.Index] is not { } cluster)
            return;
        if (handle.Current is { } view)
        {
            if (!ReferenceEquals(cluster.View, view))
                cluster.Adopt(view);
            return;
        }
        _clusters[handle.Index] = null;
        cluster.Retire();
    }
}

/// <summary>One worker's share of one cluster.</summary>
public sealed class WorkerCluster
{
    private DestinationHosts? _destinations;
    private ForwardHosts? _forwarded;

    internal WorkerCluster(WorkerUpstreams upstreams, ClusterHandle handle, ClusterView view)
    {
        Upstreams = upstreams;
        Handle = handle;
        View = view;
        Counters = handle.Counters[upstreams.Worker.Index];
        int worker = upstreams.Worker.Index;
        CodecOne = handle.Stats.More("http1.", Http.CodecStats.One).Of(worker);
        CodecTwo = handle.Stats.More("http2.", Http.CodecStats.TwoUpstream).Of(worker);
        TlsStats = handle.Stats.Tls;
        Balancer = new WorkerBalancer(view, upstreams.Worker.Loop.Chance, Counters, upstreams.Zone);
    }

    /// <summary>The worker's upstream side.</summary>
    public WorkerUpstreams Upstreams { get; }

    /// <summary>The cluster's stable name.</summary>
    public ClusterHandle Handle { get; }

    /// <summary>The picture in use.</summary>
    public ClusterView View { get; private set; }

    /// <summary>Configuration.</summary>
    public Cluster Cluster => View.Cluster;

    /// <summary>This worker's counters of HTTP/1 codecs.</summary>
    internal Statistics.StatCells CodecOne { get; }

    /// <summary>This worker's counters of HTTP/2 codecs.</summary>
    internal Statistics.StatCells CodecTwo { get; }

    /// <summary>Handshakes.</summary>
    internal Tls.TlsStats TlsStats { get; }

    /// <summary>Picks hosts.</summary>
    public WorkerBalancer Balancer { get; }

    /// <summary>This worker's counters.</summary>
    public ClusterCounters Counters { get; }

    /// <summary>Limits of a priority.</summary>
    public BreakerLimits Limits(RoutePriority priority) => priority == RoutePriority.High ? Cluster.HighLimits : Cluster.DefaultLimits;

    /// <summary>Process-wide use of a priority.</summary>
    public Breakers.Use Use(RoutePriority priority) => Handle.Breakers.Of(priority);

    /// <summary>A host for a request, and the cluster whose it is (an aggregate's member has its own pools and counters); null where none
    /// may be used.</summary>
    /// <param name="inputs">What the request says.</param>
    /// <param name="destination">For original-destination clusters: where it goes.</param>
    /// <param name="owner">The host's cluster.</param>
    public Host? PickHost(PickInputs inputs, in Net.Address destination, out WorkerCluster owner)
    {
        owner = this;
        long now = Upstreams.Worker.Loop.Now;
        switch (Cluster.Type)
        {
            case ClusterType.OriginalDestination:
                return destination.Kind == Net.AddressKind.None ? null : (_destinations ??= new DestinationHosts(this)).Of(destination);
            case ClusterType.DynamicForwardProxy:
                string name = inputs.ForwardName(Cluster.Security is not null, out int port);
                return name.Length == 0 ? null : (_forwarded ??= new ForwardHosts(this, Cluster.Names!)).Of(name, port);
            case ClusterType.Aggregate:
                foreach (ClusterHandle member in View.Members)
                {
                    if (Upstreams.Of(member) is { } cluster && !cluster.View.Hosts.Load.TotalPanic
                        && cluster.PickHost(inputs, destination, out owner) is { } host)
                        return host;
                }
                owner = this;
                return null;
            default:
                return Balancer.Pick(inputs, now);
        }
    }

    /// <summary>An answer came: outlier detection and host counters hear its status.</summary>
    public void Report(Host host, int status, Http.HeaderMap head, bool grpc)
    {
        // A gRPC answer without a body carries its own verdict; the HTTP status says nothing then (observed: not in trailers).
        if (grpc && Formats.GrpcStatus.Read(head, out int code))
            status = code switch
            {
                0 => 200,
                14 => 503,
                4 => 504,
                2 or 13 or 15 or 12 => 500,
                _ => status,
            };
        host.Counters.CountOutcome(status < 500);
        if (Cluster.HealthChecks.Count > 0 && head.Has(Http.KnownHeader.XEnvoyImmediateHealthCheckFail))
            Upstreams.Directory.FailAtOnce(Handle, host);
        if (Cluster.Outlier is { } options)
            Upstreams.Directory.Outliers.OnStatus(Handle, options, host, status);
    }

    /// <summary>A request got its connection: with local failures counted apart, that is a success of that kind.</summary>
    public void ReportConnected(Host host)
    {
        if (Cluster.Outlier is { SplitLocalOrigin: true } options)
            Upstreams.Directory.Outliers.OnLocal(Handle, options, host, true, 200);
    }

    /// <summary>No answer came because of a failure of the connection or a reset.</summary>
    public void ReportFailure(Host host, Exchanges.UpstreamCause cause)
    {
        if (cause == Exchanges.UpstreamCause.Overflow)
            return;
        host.Counters.CountOutcome(false);
        if (Cluster.Outlier is { } options)
            Upstreams.Directory.Outliers.OnLocal(Handle, options, host, false, 503);
    }

    /// <summary>No answer came in time.</summary>
    public void ReportTimeout(Host host)
    {
        host.Counters.CountOutcome(false);
        if (Cluster.Outlier is { } options)
            Upstreams.Directory.Outliers.OnLocal(Handle, options, host, false, 504);
    }

    /// <summary>The pools of a host on this worker.</summary>
    internal HostPools PoolsOf(Host host)
    {
        ref object? slot = ref host.OfWorker(Upstreams.Worker.Index);
        return (HostPools)(slot ??= new HostPools(this, host));
    }

    internal void Adopt(ClusterView view)
    {
        ClusterView before = View;
        View = view;
        Balancer.Adopt(view, Upstreams.Worker.Loop.Now);
        if (ReferenceEquals(before.Hosts, view.Hosts))
            return;
        bool all = view.Cluster.CloseConnectionsOnHostSetChange && before.Hosts.All.Length != view.Hosts.All.Length;
        foreach (Host host in before.Hosts.All)
        {
            if (host.OfWorker(Upstreams.Worker.Index) is not HostPools pools)
                continue;
            bool gone = !ReferenceEquals(view.Hosts.Find(host.Address), host);
            if (gone || all || pools.NeedsDrain())
                pools.Drain(gone);
        }
    }

    internal void Retire()
    {
        _destinations?.Retire();
        _forwarded?.Retire();
        foreach (Host host in View.Hosts.All)
        {
            if (host.OfWorker(Upstreams.Worker.Index) is HostPools pools)
                pools.Drain(true);
        }
    }
}
