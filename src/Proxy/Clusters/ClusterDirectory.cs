using System.Collections.Concurrent;
using System.Text.Json;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters;

/// <summary>Hears on a worker that a cluster which it uses has another picture.</summary>
public abstract class ClusterWatcher
{
    /// <summary>On the worker's turn, after the new picture is there.</summary>
    public abstract void OnChanged(ClusterHandle handle);
}

/// <summary>
/// All clusters of the process by name. Handles may be asked for by any thread; publishing is the main loop's alone. Hosts are kept over
/// publications by their address (and name), so that a new answer of discovery costs no connection.
/// </summary>
public sealed class ClusterDirectory
{
    private readonly ConcurrentDictionary<string, ClusterHandle> _handles = new(StringComparer.Ordinal);
    private readonly List<ClusterHandle> _order = [];
    private readonly (EventLoop Loop, ClusterWatcher Watcher)?[] _watchers;
    private readonly EventLoop _main;
    private readonly Statistics.StatStore? _statistics;
    private readonly Resolution.DnsClusters _dns;
    private readonly Health.HealthChecker _checks;

    /// <summary>An empty directory whose health is decided on <paramref name="main"/>.</summary>
    public ClusterDirectory(EventLoop main, int workers, Statistics.StatStore? statistics = null)
    {
        _main = main;
        _statistics = statistics;
        Workers = workers;
        Outliers = new Health.OutlierDetector(this, main);
        _checks = new Health.HealthChecker(this, main);
        _dns = new Resolution.DnsClusters(this, main, () => Names ?? Resolution.SystemNames.Read());
        _watchers = new (EventLoop, ClusterWatcher)?[workers];
    }

    /// <summary>Number of workers.</summary>
    public int Workers { get; }

    /// <summary>What is known of names without asking; null reads the system's files when a name is first needed.</summary>
    public Resolution.SystemNames? Names { get; set; }

    /// <summary>Outlier detection of these clusters.</summary>
    public Health.OutlierDetector Outliers { get; }

    /// <summary>Main loop: a cluster has another picture (outlier detection, checks and resolvers follow it).</summary>
    public Action<ClusterHandle, ClusterView?, ClusterView?>? Published { get; set; }

    /// <summary>Every known name, also of clusters that are gone.</summary>
    public IEnumerable<ClusterHandle> All
    {
        get
        {
            lock (_order)
                return [.. _order];
        }
    }

    /// <summary>The handle of a name, for life.</summary>
    public ClusterHandle Handle(string name)
    {
        if (_handles.TryGetValue(name, out ClusterHandle? handle))
            return handle;
        lock (_order)
        {
            if (_handles.TryGetValue(name, out handle))
                return handle;
            handle = new ClusterHandle(name, _order.Count, Workers);
            _order.Add(handle);
            _handles[name] = handle;
            return handle;
        }
    }

    /// <summary>The handle of a name, where a route or a publication has mentioned it: what a request says makes no new one.</summary>
    public ClusterHandle? Find(string name) => _handles.GetValueOrDefault(name);

    /// <summary>The handle of a name given as bytes by a request; null where no such cluster was ever mentioned.</summary>
    public ClusterHandle? Find(ReadOnlySpan<byte> name)
    {
        if (name.Length > 512)
            return null;
        Span<char> text = stackalloc char[name.Length];
        for (int i = 0; i < name.Length; i++)
            text[i] = (char)name[i];
        return _handles.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out ClusterHandle? handle) ? handle : null;
    }

    /// <summary>A worker wants to hear of changes of the clusters that it uses.</summary>
    public void Watch(int worker, EventLoop loop, ClusterWatcher watcher) => _watchers[worker] = (loop, watcher);

    /// <summary>A worker begins to use a cluster.</summary>
    public static void Use(ClusterHandle handle, int worker) => handle.UsedBy[worker] = true;

    /// <summary>Publishes configuration, with endpoints or (null) with those that are known already. Main loop.</summary>
    public void Publish(Cluster cluster, EndpointSet? endpoints = null)
    {
        ClusterHandle handle = Handle(cluster.Name);
        ClusterView? before = handle.Current;
        EndpointSet set = _dns.Follow(handle, cluster, endpoints);
        Put(handle, cluster, set, HostsOf(cluster, set, before));
    }

    /// <summary>Publishes endpoints of a known cluster; ignored for an unknown one. Main loop.</summary>
    public void PublishEndpoints(string cluster, EndpointSet endpoints)
    {
        if (Find(cluster) is not { Current: { } view } handle)
            return;
        // What waited is in this picture, too.
        if (handle.Merging is not null)
            _main.Disarm(handle.Merging);
        Put(handle, view.Cluster, endpoints, HostsOf(view.Cluster, endpoints, view));
    }

    /// <summary>Names were resolved. Main loop.</summary>
    internal void PublishResolved(ClusterHandle handle, EndpointSet endpoints)
    {
        if (handle.Current is { } view)
            Put(handle, view.Cluster, endpoints, HostsOf(view.Cluster, endpoints, view));
    }

    /// <summary>The cluster is gone: its requests fail from now on, running ones end in peace. Main loop.</summary>
    public void Remove(string cluster)
    {
        if (Find(cluster) is not { Current: { } before } handle)
            return;
        handle.Current = null;
        _statistics?.Remove("cluster:" + cluster);
        _dns.Forget(handle);
        Outliers.Follow(handle, null);
        _checks.Follow(handle, null);
        Published?.Invoke(handle, before, null);
        Tell(handle);
    }

    /// <summary>Health of some hosts changed: the picture is drawn again from the same hosts, at once or (soon after another change) with
    /// those that follow. Main loop.</summary>
    public void Redraw(ClusterHandle handle)
    {
        if (handle.Current is not { } view)
            return;
        long window = view.Cluster.MergeMicros;
        if (window > 0 && handle.DrawnAt != 0 && _main.Now - handle.DrawnAt <= window)
        {
            handle.Merging ??= new Merged(this, handle);
            if (!handle.Merging.IsArmed)
                _main.Arm(handle.Merging, window);
            return;
        }
        Draw(handle, view);
    }

    private sealed class Merged(ClusterDirectory directory, ClusterHandle handle) : Deadline
    {
        protected internal override void OnDue(long now)
        {
            if (handle.Current is { } view)
                directory.Draw(handle, view);
        }
    }

    private void Draw(ClusterHandle handle, ClusterView view)
    {
        handle.DrawnAt = Math.Max(1, _main.Now);
        var places = new List<(LocalityEndpoints, Host[])>();
        foreach (PriorityHosts p in view.Hosts.Priorities)
        {
            foreach (LocalityHosts l in p.Localities)
                places.Add((new LocalityEndpoints(l.Locality, p.Priority, l.Weight, [], Metadata.Empty), l.All));
        }
        Put(handle, view.Cluster, view.Endpoints, places);
    }

    /// <summary>A host says in an answer that it is not to be used any more; good checks take that back. Any thread.</summary>
    public void FailAtOnce(ClusterHandle handle, Host host) => _main.Post(new Failed(this, handle, host));

    private sealed class Failed(ClusterDirectory directory, ClusterHandle handle, Host host) : Letter
    {
        protected internal override void Deliver() => directory._checks.OnSaidUnfit(handle, host);
    }

    /// <summary>A host that discovery let go has failed its checks, too: it leaves. Main loop.</summary>
    internal void Forget(ClusterHandle handle, Host host)
    {
        if (handle.Current is not { } view)
            return;
        var places = new List<(LocalityEndpoints, Host[])>();
        foreach (PriorityHosts p in view.Hosts.Priorities)
        {
            foreach (LocalityHosts l in p.Localities)
                places.Add((new LocalityEndpoints(l.Locality, p.Priority, l.Weight, [], Metadata.Empty),
                    Array.FindAll(l.All, h => !ReferenceEquals(h, host))));
        }
        Put(handle, view.Cluster, view.Endpoints, places);
    }

    private void Put(ClusterHandle handle, Cluster cluster, EndpointSet endpoints, List<(LocalityEndpoints Place, Host[] Hosts)> places)
    {
        ClusterView? before = handle.Current;
        HostSet hosts = HostSet.Of(places, endpoints, cluster.Balancer);
        Balancing.HashTable.Prepare(hosts, cluster.Balancer);
        SubsetIndex? subsets = cluster.Balancer.Subsets is null ? null : new SubsetIndex(hosts, cluster.Balancer);
        var view = new ClusterView(cluster, endpoints, hosts, subsets, [.. cluster.Members.Select(Handle)], (before?.Generation ?? 0) + 1);
        handle.Current = view;
        Tell(handle, before, view);
        Outliers.Follow(handle, view);
        _checks.Follow(handle, view);
        Published?.Invoke(handle, before, view);
        Tell(handle);
    }

    private void Tell(ClusterHandle handle, ClusterView? before, ClusterView view)
    {
        handle.Stats.Follow(view);
        if (before is null || before.Cluster.StatName != view.Cluster.StatName || !ReferenceEquals(before.Cluster, view.Cluster))
            _statistics?.Add("cluster:" + handle.Name, handle.Stats);
        if (before is null ? view.Hosts.All.Length > 0 : !view.Hosts.All.AsSpan().SequenceEqual(before.Hosts.All))
            handle.MainCounters.Count(ClusterCounter.MembershipChange);
    }

    private void Tell(ClusterHandle handle)
    {
        for (int i = 0; i < Workers; i++)
        {
            if (Volatile.Read(ref handle.UsedBy[i]) && _watchers[i] is { } watch)
                watch.Loop.Post(new Changed(watch.Watcher, handle));
        }
    }

    private List<(LocalityEndpoints, Host[])> HostsOf(Cluster cluster, EndpointSet endpoints, ClusterView? before)
    {
        var known = new Dictionary<(Address, string), Host>();
        foreach (Host h in before?.Hosts.All ?? [])
            known.TryAdd((h.Address, h.Endpoint.Hostname), h);
        var places = new List<(LocalityEndpoints, Host[])>();
        var seen = new HashSet<(Address, string)>();
        foreach (LocalityEndpoints place in endpoints.Localities)
        {
            var hosts = new List<Host>();
            foreach (Endpoint endpoint in place.Endpoints)
            {
                // A name that no resolver has answered yet is no host; the same address twice in a cluster is one.
                if (endpoint.Address.Kind != AddressKind.None && seen.Add((endpoint.Address, endpoint.Hostname)))
                    hosts.Add(HostOf(cluster, place, endpoint, known));
            }
            places.Add((place, [.. hosts]));
        }
        if (cluster.HealthChecks.Count > 0 && !cluster.IgnoreHealthOnHostRemoval)
            KeepChecked(known, seen, places);
        return places;
    }

    // An endpoint that left discovery but passes its active checks stays until it fails them: discovery may be wrong, the check is not.
    private static void KeepChecked(Dictionary<(Address, string), Host> known, HashSet<(Address, string)> seen,
        List<(LocalityEndpoints Place, Host[] Hosts)> places)
    {
        foreach ((var key, Host host) in known)
        {
            if (seen.Contains(key) || (host.Flags & (HostFlags.FailedActiveCheck | HostFlags.PendingActiveCheck)) != 0)
                continue;
            host.SetFlag(HostFlags.PendingDynamicRemoval, true);
            int at = places.FindIndex(p => p.Place.Priority == host.Priority && p.Place.Locality == host.Locality);
            if (at < 0)
                places.Add((LocalityEndpoints.Of([], host.Priority, 0, host.Locality), [host]));
            else
                places[at] = (places[at].Place, [.. places[at].Hosts, host]);
        }
    }

    private Host HostOf(Cluster cluster, LocalityEndpoints place, Endpoint endpoint, Dictionary<(Address, string), Host> known)
    {
        if (!known.TryGetValue((endpoint.Address, endpoint.Hostname), out Host? host))
        {
            host = new Host(endpoint, place.Locality, place.Priority, Workers, _main.Now);
            Handle(cluster.Name).Stats.CountSecurity(MatchOf(cluster, endpoint, place));
            if (cluster.HealthChecks.Count > 0 && !endpoint.NoHealthCheck)
                host.SetFlag(HostFlags.FailedActiveCheck | HostFlags.PendingActiveCheck, true);
        }
        host.Endpoint = endpoint;
        host.Locality = place.Locality;
        host.Priority = place.Priority;
        host.IsCanary = endpoint.Metadata.TryGet("envoy.lb", ["canary"], out JsonElement canary) && canary.ValueKind == JsonValueKind.True;
        host.Security = SecurityOf(cluster, endpoint, place);
        host.SetFlag(HostFlags.PendingDynamicRemoval, false);
        host.SetFlag(HostFlags.FailedDiscovery,
            endpoint.Health is EndpointHealth.Unhealthy or EndpointHealth.Draining or EndpointHealth.Timeout);
        host.SetFlag(HostFlags.DiscoveryDraining, endpoint.Health == EndpointHealth.Draining);
        host.SetFlag(HostFlags.DegradedDiscovery, endpoint.Health == EndpointHealth.Degraded);
        if (cluster.HealthChecks.Count == 0)
            host.SetFlag(HostFlags.FailedActiveCheck | HostFlags.PendingActiveCheck, false);
        host.Outlier = cluster.Outlier is null ? null : host.Outlier ?? new OutlierRecord();
        if (cluster.Outlier is null)
            host.SetFlag(HostFlags.FailedOutlierCheck, false);
        return host;
    }

    /// <summary>The TLS context for an endpoint: the first match by its metadata, then by its place's, else the cluster's own.</summary>
    public static UpstreamSecurity? SecurityOf(Cluster cluster, Endpoint endpoint, LocalityEndpoints? place)
    {
        foreach (SecurityMatch match in cluster.SecurityMatches)
        {
            if (Satisfies(endpoint.Metadata, match) || (place is not null && !place.Metadata.IsEmpty && Satisfies(place.Metadata, match)))
                return match.Security;
        }
        return cluster.Security;
    }

    private static string MatchOf(Cluster cluster, Endpoint endpoint, LocalityEndpoints place) =>
        cluster.SecurityMatches.FirstOrDefault(
            m => Satisfies(endpoint.Metadata, m) || (!place.Metadata.IsEmpty && Satisfies(place.Metadata, m)))?.Name ?? "default";

    private static bool Satisfies(Metadata metadata, SecurityMatch match)
    {
        foreach ((string key, JsonElement wanted) in match.Match)
        {
            if (!metadata.TryGet("envoy.transport_socket_match", [key], out JsonElement has) || !JsonElement.DeepEquals(has, wanted))
                return false;
        }
        return true;
    }

    private sealed class Changed(ClusterWatcher watcher, ClusterHandle handle) : Letter
    {
        protected internal override void Deliver() => watcher.OnChanged(handle);
    }
}
