using Envoy.Config.Endpoint.V3;
using Envoy.Config.Route.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using ClusterMessage = Envoy.Config.Cluster.V3.Cluster;
using ListenerMessage = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Proxy.Xds;

/// <summary>Takes listeners into service and out of it, on all workers.</summary>
public abstract class ListenerHost
{
    /// <summary>Puts a listener in place of the one of its name.</summary>
    public abstract void Put(Listeners.Listener listener);

    /// <summary>Drains and removes a listener.</summary>
    public abstract void Remove(string name);
}

/// <summary>A resource as it is held.</summary>
/// <param name="Message">As it came.</param>
/// <param name="Version">Its version.</param>
/// <param name="IsStatic">Of the bootstrap.</param>
/// <param name="IsWarming">It waits for more.</param>
/// <param name="At">When it came, microseconds since 1970.</param>
internal readonly record struct HeldResource<T>(T Message, string Version, bool IsStatic, bool IsWarming, long At);

/// <summary>A resource that was refused.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Body">As it came.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When, microseconds since 1970.</param>
internal sealed record RefusedResource(string Name, string Version, Any Body, string Reason, long At);

/// <summary>Type URLs of discovery.</summary>
public static class ResourceTypes
{
    private const string Prefix = "type.googleapis.com/";

    /// <summary>CDS.</summary>
    public const string Cluster = Prefix + "envoy.config.cluster.v3.Cluster";

    /// <summary>EDS.</summary>
    public const string Endpoints = Prefix + "envoy.config.endpoint.v3.ClusterLoadAssignment";

    /// <summary>LDS.</summary>
    public const string Listener = Prefix + "envoy.config.listener.v3.Listener";

    /// <summary>RDS.</summary>
    public const string Routes = Prefix + "envoy.config.route.v3.RouteConfiguration";

    /// <summary>SDS.</summary>
    public const string Secret = Prefix + "envoy.extensions.transport_sockets.tls.v3.Secret";

    /// <summary>ECDS.</summary>
    public const string Extension = Prefix + "envoy.config.core.v3.TypedExtensionConfig";

    /// <summary>VHDS.</summary>
    public const string VirtualHost = Prefix + "envoy.config.route.v3.VirtualHost";

    /// <summary>RTDS.</summary>
    public const string Runtime = Prefix + "envoy.service.runtime.v3.Runtime";
}

/// <summary>
/// What discovery has brought, and what waits for more before it serves (warming): a cluster for its endpoints, a listener for its routes. The form that serves stays until its
/// successor is warm. Main loop only.
/// </summary>
internal sealed class DiscoveredResources : ResourceConsumer
{
    private readonly EventLoop _loop;
    private readonly Translation _translation;
    private readonly ClusterTranslator _clusters;
    private readonly ListenerTranslator _listeners;
    private readonly ListenerHost _host;
    private readonly Dictionary<string, ClusterEntry> _clusterEntries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ListenerEntry> _listenerEntries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (ByteString Bytes, EndpointSet Set)> _endpoints = new(StringComparer.Ordinal);

    public DiscoveredResources(EventLoop loop, Translation translation, ClusterTranslator clusters, ListenerTranslator listeners, ListenerHost host)
    {
        _loop = loop;
        _translation = translation;
        _clusters = clusters;
        _listeners = listeners;
        _host = host;
        Stats = new DiscoveryStats(translation.Statistics);
    }

    private sealed class ClusterEntry
    {
        public required ClusterMessage Message { get; set; }

        public required Clusters.Cluster Running { get; set; }

        public string Version { get; set; } = "";

        public bool Static { get; init; }

        public bool Warming { get; set; }

        public required long At { get; init; }

        public Impatience? Clock { get; set; }
    }

    private sealed class ListenerEntry
    {
        public required ListenerMessage Message { get; set; }

        public string Version { get; set; } = "";

        public bool Static { get; init; }

        public required long At { get; init; }

        public TranslatedListener? Warming { get; set; }

        public TranslatedListener? Active { get; set; }
    }

    /// <summary>Asks for names; null where nothing is to be asked (a bootstrap without discovery).</summary>
    public Subscriptions? Subscriptions { get; set; }

    /// <summary>Clusters as they came, with their versions.</summary>
    public IEnumerable<HeldResource<ClusterMessage>> Clusters => _clusterEntries.Values.Select(e => new HeldResource<ClusterMessage>(e.Message, e.Version, e.Static, e.Warming, e.At));

    /// <summary>Listeners as they came, with their versions.</summary>
    public IEnumerable<HeldResource<ListenerMessage>> Listeners => _listenerEntries.Values.Select(e => new HeldResource<ListenerMessage>(e.Message, e.Version, e.Static, e.Warming is not null, e.At));

    /// <summary>What was refused last of each name, until it is accepted.</summary>
    public IEnumerable<RefusedResource> Refused(string type) => _refused.Where(r => r.Key.Type == type).Select(r => r.Value);

    /// <summary>The version of a type's last answer.</summary>
    public string VersionOf(string type) => _versions.GetValueOrDefault(type) ?? "";

    private readonly Dictionary<(string Type, string Name), RefusedResource> _refused = [];
    private readonly Dictionary<string, string> _versions = new(StringComparer.Ordinal);

    private void Remember(string type, IReadOnlyList<IncomingResource> resources, IReadOnlyList<(string Name, string Reason)> refused)
    {
        foreach (IncomingResource resource in resources)
        {
            string? reason = refused.FirstOrDefault(r => r.Name == resource.Name).Reason;
            if (reason is null)
                _refused.Remove((type, resource.Name));
            else
                _refused[(type, resource.Name)] = new RefusedResource(resource.Name, resource.Version, resource.Body, reason, _loop.WallClock);
        }
        if (refused.Count == 0 && resources.Count > 0)
            _versions[type] = resources[0].Version;
    }

    /// <summary>Route configurations as they came, by name.</summary>
    public SortedDictionary<string, (RouteConfiguration Message, string Version)> Routes { get; } = new(StringComparer.Ordinal);

    /// <summary>The first answer of a type came (or its time was over): a proxy is live when clusters and listeners have it.</summary>
    public HashSet<string> Answered { get; } = [];

    /// <summary>Hears, once each, of settings that are accepted without effect.</summary>
    public Action<string>? Noted { get; set; }

    private readonly HashSet<string> _noted = new(StringComparer.Ordinal);

    // The same setting stands in many listeners: what is said is the setting, not each place of it.
    private void SayNotes(Rejections rejections)
    {
        foreach (string note in rejections.Notes)
        {
            if (_noted.Count < 1000 && _noted.Add(note[(note.IndexOf(": ", StringComparison.Ordinal) + 1)..].Trim()))
                Noted?.Invoke(note);
        }
    }

    /// <summary>Called when something of a type was answered.</summary>
    public Action? Progress { get; set; }

    /// <summary>True while something waits for more before it serves.</summary>
    public bool IsWarming => _clusterEntries.Values.Any(e => e.Warming) || _listenerEntries.Values.Any(e => e.Warming is not null);

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, string Reason)> Take(string type, IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed, bool isWhole)
    {
        IReadOnlyList<(string, string)> refused = type switch
        {
            ResourceTypes.Cluster => TakeClusters(resources, removed, isWhole),
            ResourceTypes.Endpoints => TakeEndpoints(resources),
            ResourceTypes.Listener => TakeListeners(resources, removed, isWhole),
            ResourceTypes.Routes => TakeRoutes(resources),
            ResourceTypes.Secret => _translation.Security.TakeSecrets(resources, removed),
            ResourceTypes.Extension => _translation.Extensions.Take(resources, removed),
            ResourceTypes.VirtualHost => TakeVirtualHosts(resources, removed),
            ResourceTypes.Runtime => _translation.RuntimeSources.Take(resources, removed),
            _ => [("", $"{type} was not asked for")],
        };
        CountAnswer(type, resources, refused);
        Remember(type, resources, refused);
        if (type is ResourceTypes.Secret or ResourceTypes.Extension or ResourceTypes.VirtualHost)
            WarmAll();
        Answered.Add(type);
        Progress?.Invoke();
        return refused;
    }

    /// <summary>What came, for statistics.</summary>
    public DiscoveryStats Stats { get; }

    /// <summary>Clusters and listeners that wait.</summary>
    public int WarmingClusters => _clusterEntries.Values.Count(e => e.Warming);

    /// <summary>Listeners that wait.</summary>
    public int WarmingListeners => _listenerEntries.Values.Count(e => e.Warming is not null);

    /// <summary>Counters of clusters and listeners by their whole names.</summary>
    public IEnumerable<(string Name, Func<long> Read)> Counts =>
    [
        ("cluster_manager.cluster_added", () => Stats.ClustersAdded),
        ("cluster_manager.cluster_modified", () => Stats.ClustersModified),
        ("cluster_manager.cluster_removed", () => Stats.ClustersRemoved),
        ("cluster_manager.cluster_updated", () => 0),
        ("cluster_manager.cluster_updated_via_merge", () => 0),
        ("cluster_manager.update_merge_cancelled", () => 0),
        ("cluster_manager.update_out_of_merge_window", () => 0),
        ("listener_manager.listener_added", () => Stats.ListenersAdded),
        ("listener_manager.listener_modified", () => Stats.ListenersModified),
        ("listener_manager.listener_removed", () => Stats.ListenersRemoved),
    ];

    private void CountAnswer(string type, IReadOnlyList<IncomingResource> resources, IReadOnlyList<(string Name, string Reason)> refused)
    {
        string version = resources.Count > 0 ? resources[0].Version : "";
        switch (type)
        {
            case ResourceTypes.Cluster:
                Stats.Taken("cluster_manager.cds.", version, refused.Count == 0, _loop.WallClock);
                break;
            case ResourceTypes.Listener:
                Stats.Taken("listener_manager.lds.", version, refused.Count == 0, _loop.WallClock);
                break;
            case ResourceTypes.Routes:
                foreach (IncomingResource route in resources)
                    Stats.Taken(_translation.RoutesPrefix(route.Name), route.Version, !refused.Any(r => r.Name == route.Name), _loop.WallClock);
                break;
            case ResourceTypes.Endpoints:
                foreach (IncomingResource endpoints in resources)
                {
                    foreach (ClusterEntry entry in EntriesOf(endpoints.Name))
                    {
                        ClusterCounters counters = _translation.Clusters.Handle(entry.Running.Name).MainCounters;
                        counters.Count(ClusterCounter.UpdateAttempt);
                        counters.Count(refused.Any(r => r.Name == endpoints.Name) ? ClusterCounter.UpdateRejected : ClusterCounter.UpdateSuccess);
                    }
                }
                break;
        }
    }

    /// <inheritdoc/>
    public override void Refuse(string type)
    {
        if (type is ResourceTypes.Cluster or ResourceTypes.Listener)
            Stats.Taken(type == ResourceTypes.Cluster ? "cluster_manager.cds." : "listener_manager.lds.", "", false, _loop.WallClock);
    }

    /// <inheritdoc/>
    public override void GiveUp(string type, string name)
    {
        if (!_givenUp.Add((type, name)))
            return;
        WarmAll();
        Progress?.Invoke();
    }

    private readonly HashSet<(string Type, string Name)> _givenUp = [];
    private readonly Discovery.VirtualHostSources _virtualHosts = new();

    private List<(string, string)> TakeVirtualHosts(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed)
    {
        var refused = new List<(string, string)>();
        foreach (string name in _virtualHosts.Take(resources, removed, refused))
        {
            if (!Routes.TryGetValue(name, out (RouteConfiguration Message, string Version) known))
                continue;
            var rejections = new Rejections();
            Routing.RouteTable table = _translation.Routes.Table(_virtualHosts.Complete(known.Message), rejections, known.Version);
            if (rejections.None)
                _translation.RouteSource(name).Current = table;
            else
                refused.Add((name, rejections.ToString()));
        }
        return refused;
    }

    private void WarmAll()
    {
        foreach (ListenerEntry entry in _listenerEntries.Values.Where(e => e.Warming is not null).ToArray())
            Warm(entry);
    }

    /// <inheritdoc/>
    public override string NameOf(Any body) => body.TypeUrl switch
    {
        ResourceTypes.Cluster => ClusterMessage.Parser.ParseFrom(body.Value).Name,
        ResourceTypes.Listener => ListenerMessage.Parser.ParseFrom(body.Value).Name,
        ResourceTypes.Routes => RouteConfiguration.Parser.ParseFrom(body.Value).Name,
        ResourceTypes.Endpoints => ClusterLoadAssignment.Parser.ParseFrom(body.Value).ClusterName,
        ResourceTypes.Extension => Envoy.Config.Core.V3.TypedExtensionConfig.Parser.ParseFrom(body.Value).Name,
        ResourceTypes.VirtualHost => Envoy.Config.Route.V3.VirtualHost.Parser.ParseFrom(body.Value).Name,
        ResourceTypes.Runtime => Envoy.Service.Runtime.V3.Runtime.Parser.ParseFrom(body.Value).Name,
        ResourceTypes.Secret => Envoy.Extensions.TransportSockets.Tls.V3.Secret.Parser.ParseFrom(body.Value).Name,
        _ => "",
    };

    // ---- Clusters

    /// <summary>Takes a cluster of the bootstrap.</summary>
    public void AddStatic(ClusterMessage message, Rejections rejections) => TakeCluster(message, "", isStatic: true, rejections);

    private List<(string, string)> TakeClusters(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed, bool isWhole)
    {
        var refused = new List<(string, string)>();
        var present = new HashSet<string>(StringComparer.Ordinal);
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (!present.Add(resource.Name))
                rejections.Add($"duplicate cluster {resource.Name} found");
            else if (ValueTranslator.Unpack(resource.Body, ClusterMessage.Parser, rejections) is { } message)
                TakeCluster(message, resource.Version, isStatic: false, rejections);
            SayNotes(rejections);
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        IEnumerable<string> gone = isWhole ? _clusterEntries.Where(e => !e.Value.Static && !present.Contains(e.Key)).Select(e => e.Key) : removed;
        foreach (string name in gone.ToArray())
            RemoveCluster(name);
        return refused;
    }

    private void TakeCluster(ClusterMessage message, string version, bool isStatic, Rejections rejections)
    {
        if (_clusterEntries.TryGetValue(message.Name, out ClusterEntry? known) && known.Static != isStatic)
        {
            // A cluster of the bootstrap keeps its name for itself; Envoy ignores such an update, too.
            return;
        }
        // What has not changed keeps the version that it came with.
        if (known is not null && known.Message.Equals(message))
            return;
        Clusters.Cluster running = _clusters.Cluster(message, rejections);
        EndpointSet? own = message.LoadAssignment is null ? null
            : EndpointTranslator.Endpoints(message.LoadAssignment, running.Type is ClusterType.StrictDns or ClusterType.LogicalDns, rejections);
        if (!rejections.None)
            return;
        known?.Clock?.Stop();
        if (known is null)
            Stats.ClustersAdded++;
        else
            Stats.ClustersModified++;
        var entry = new ClusterEntry { Message = message, Running = running, Version = version, Static = isStatic, At = _loop.WallClock };
        string before = known?.Running is { Type: ClusterType.Eds } old ? old.ServiceName : "";
        _clusterEntries[message.Name] = entry;
        if (running.Type != ClusterType.Eds)
        {
            _translation.Clusters.Publish(running, own ?? EndpointSet.Empty);
        }
        else
        {
            Await(entry);
        }
        if (before.Length > 0 && before != running.ServiceName)
            ForgetEndpoints(before);
    }

    private void Await(ClusterEntry entry)
    {
        string service = entry.Running.ServiceName;
        if (_endpoints.TryGetValue(service, out (ByteString, EndpointSet Set) have))
        {
            // The endpoints are here already; Envoy would wait for them to be sent once more.
            Subscriptions?.Subscribe(entry.Message.EdsClusterConfig?.EdsConfig, ResourceTypes.Endpoints, service);
            _translation.Clusters.Publish(entry.Running, have.Set);
            return;
        }
        entry.Warming = true;
        long patience = ValueTranslator.Micros(entry.Message.EdsClusterConfig?.EdsConfig?.InitialFetchTimeout, 15_000_000);
        if (patience > 0)
        {
            entry.Clock = new Impatience(_loop, () => EndWaiting(entry, EndpointSet.Empty));
            _loop.Arm(entry.Clock, patience);
        }
        Subscriptions?.Subscribe(entry.Message.EdsClusterConfig?.EdsConfig, ResourceTypes.Endpoints, service);
    }

    private void EndWaiting(ClusterEntry entry, EndpointSet endpoints)
    {
        entry.Clock?.Stop();
        entry.Clock = null;
        entry.Warming = false;
        _translation.Clusters.Publish(entry.Running, endpoints);
        Progress?.Invoke();
    }

    private void RemoveCluster(string name)
    {
        if (!_clusterEntries.TryGetValue(name, out ClusterEntry? entry) || entry.Static)
            return;
        entry.Clock?.Stop();
        Stats.ClustersRemoved++;
        _clusterEntries.Remove(name);
        _translation.Clusters.Remove(name);
        if (entry.Running.Type == ClusterType.Eds)
            ForgetEndpoints(entry.Running.ServiceName);
    }

    private void ForgetEndpoints(string service)
    {
        if (_clusterEntries.Values.Any(e => e.Running.Type == ClusterType.Eds && e.Running.ServiceName == service))
            return;
        _endpoints.Remove(service);
        Subscriptions?.Unsubscribe(ResourceTypes.Endpoints, service);
    }

    // ---- Endpoints

    private List<(string, string)> TakeEndpoints(IReadOnlyList<IncomingResource> resources)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, ClusterLoadAssignment.Parser, rejections) is not { } message)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            bool same = _endpoints.TryGetValue(message.ClusterName, out (ByteString Bytes, EndpointSet Set) known) && known.Bytes.Equals(resource.Body.Value);
            EndpointSet set = same ? known.Set : EndpointTranslator.Endpoints(message, names: false, rejections);
            if (!rejections.None)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            _endpoints[message.ClusterName] = (resource.Body.Value, set);
            PublishEndpoints(message.ClusterName, set, same);
        }
        return refused;
    }

    private void PublishEndpoints(string service, EndpointSet set, bool same)
    {
        foreach (ClusterEntry entry in EntriesOf(service))
        {
            if (entry.Warming)
                EndWaiting(entry, set);
            else if (!same)
                _translation.Clusters.PublishEndpoints(entry.Running.Name, set);
        }
    }

    // Nearly always the cluster of that name; a service name of its own is looked for among all.
    private IEnumerable<ClusterEntry> EntriesOf(string service)
    {
        if (_clusterEntries.TryGetValue(service, out ClusterEntry? entry) && entry.Running.Type == ClusterType.Eds && entry.Running.ServiceName == service)
            return [entry];
        return _clusterEntries.Values.Where(e => e.Running.Type == ClusterType.Eds && e.Running.ServiceName == service);
    }

    // ---- Listeners

    /// <summary>Takes a listener of the bootstrap.</summary>
    public void AddStatic(ListenerMessage message, Rejections rejections) => TakeListener(message, "", isStatic: true, rejections);

    private List<(string, string)> TakeListeners(IReadOnlyList<IncomingResource> resources, IReadOnlyList<string> removed, bool isWhole)
    {
        var refused = new List<(string, string)>();
        HashSet<string> wanted = [.. resources.Select(r => r.Name)], taken = new(StringComparer.Ordinal);
        IEnumerable<string> gone = isWhole ? _listenerEntries.Where(e => !e.Value.Static && !wanted.Contains(e.Key)).Select(e => e.Key) : removed;
        // What goes makes room first: a new listener may have its address.
        foreach (string name in gone.ToArray())
            RemoveListener(name);
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (!taken.Add(resource.Name))
                rejections.Add($"duplicate listener {resource.Name} found");
            else if (ValueTranslator.Unpack(resource.Body, ListenerMessage.Parser, rejections) is { } message)
                TakeListener(message, resource.Version, isStatic: false, rejections);
            SayNotes(rejections);
            if (!rejections.None)
                refused.Add((resource.Name, rejections.ToString()));
        }
        DropRoutes();
        return refused;
    }

    private void TakeListener(ListenerMessage message, string version, bool isStatic, Rejections rejections)
    {
        string name = message.Name.Length > 0 ? message.Name : message.Address?.ToString() ?? "";
        if (_listenerEntries.TryGetValue(name, out ListenerEntry? known) && (known.Static != isStatic || known.Message.Equals(message)))
            return;
        RefuseTaken(name, message, rejections);
        TranslatedListener? translated = _listeners.Translate(message, rejections);
        if (translated is null || !rejections.None)
            return;
        if (known is null)
            Stats.ListenersAdded++;
        else
            Stats.ListenersModified++;
        var entry = new ListenerEntry { Message = message, Version = version, Static = isStatic, At = _loop.WallClock, Active = known?.Active, Warming = translated };
        _listenerEntries[name] = entry;
        foreach (RouteReference routes in translated.Routes)
        {
            Subscriptions?.Subscribe(routes.Source, ResourceTypes.Routes, routes.Name);
            if (_translation.RouteSource(routes.Name).Current is null)
                Await(ResourceTypes.Routes, routes.Name, ValueTranslator.Micros(routes.Source?.InitialFetchTimeout, 15_000_000));
        }
        foreach (string extension in translated.Extensions.Where(e => !_translation.Extensions.IsSettled(e)))
            Await(ResourceTypes.Extension, extension, _translation.Extensions.PatienceOf(extension));
        foreach ((string secret, long patience) in translated.Secrets)
        {
            // An agent that is not there yet keeps nobody from what needs no secret: the chains that do fail until it comes.
            if (Subscriptions?.CanBring(ResourceTypes.Secret, secret) ?? false)
                Await(ResourceTypes.Secret, secret, patience);
            else
                _givenUp.Add((ResourceTypes.Secret, secret));
        }
        Warm(entry);
    }

    // Two listeners on one address would share its connections by chance.
    private void RefuseTaken(string name, ListenerMessage message, Rejections rejections)
    {
        if (message.Address is null || !(message.BindToPort ?? true) || message.Address.SocketAddress is { PortValue: 0 })
            return;
        foreach ((string other, ListenerEntry entry) in _listenerEntries)
        {
            if (other != name && message.Address.Equals(entry.Message.Address) && (entry.Message.BindToPort ?? true))
                rejections.Add($"error adding listener: '{name}' has duplicate address '{ValueTranslator.Address(message.Address, rejections)}' as existing listener '{other}'");
        }
    }

    // What does not come in its time is not waited for any longer (initial_fetch_timeout).
    private void Await(string type, string name, long patience)
    {
        if (patience <= 0)
            return;
        _loop.Arm(new Impatience(_loop, () =>
        {
            if (type == ResourceTypes.Extension)
                _translation.Extensions.GiveUp(name);
            GiveUp(type, name);
        }), patience);
    }

    private void Warm(ListenerEntry entry)
    {
        if (entry.Warming is not { } warming
            || warming.Routes.Any(r => _translation.RouteSource(r.Name).Current is null && !_givenUp.Contains((ResourceTypes.Routes, r.Name)))
            || warming.Extensions.Any(e => !_translation.Extensions.IsSettled(e))
            || warming.Secrets.Any(s => !_translation.Security.HasSecret(s.Name) && !_givenUp.Contains((ResourceTypes.Secret, s.Name))))
        {
            return;
        }
        entry.Active = warming;
        entry.Warming = null;
        _host.Put(warming.Listener);
    }

    private void RemoveListener(string name)
    {
        if (!_listenerEntries.TryGetValue(name, out ListenerEntry? entry) || entry.Static)
            return;
        Stats.ListenersRemoved++;
        _listenerEntries.Remove(name);
        if (entry.Active is not null)
            _host.Remove(entry.Active.Listener.Name);
    }

    // ---- Routes

    private List<(string, string)> TakeRoutes(IReadOnlyList<IncomingResource> resources)
    {
        var refused = new List<(string, string)>();
        foreach (IncomingResource resource in resources)
        {
            var rejections = new Rejections();
            if (ValueTranslator.Unpack(resource.Body, RouteConfiguration.Parser, rejections) is not { } message)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            if (Routes.TryGetValue(message.Name, out (RouteConfiguration Message, string Version) known) && known.Message.Equals(message))
                continue;
            if (message.Vhds is not null)
                Subscriptions?.Subscribe(message.Vhds.ConfigSource, ResourceTypes.VirtualHost, message.Name);
            Routing.RouteTable table = _translation.Routes.Table(_virtualHosts.Complete(message), rejections, resource.Version);
            SayNotes(rejections);
            if (!rejections.None)
            {
                refused.Add((resource.Name, rejections.ToString()));
                continue;
            }
            Routes[message.Name] = (message, resource.Version);
            _translation.RouteSource(message.Name).Current = table;
        }
        foreach (ListenerEntry entry in _listenerEntries.Values.Where(e => e.Warming is not null))
            Warm(entry);
        return refused;
    }

    // Route configurations that no listener names any more are forgotten.
    private void DropRoutes()
    {
        HashSet<string> used = [.. _listenerEntries.Values.SelectMany(e => (e.Warming?.Routes ?? []).Concat(e.Active?.Routes ?? []).Select(r => r.Name))];
        foreach (string name in Routes.Keys.Where(n => !used.Contains(n)).ToArray())
        {
            Routes.Remove(name);
            _translation.RouteSource(name).Current = null;
            Subscriptions?.Unsubscribe(ResourceTypes.Routes, name);
        }
    }

    private sealed class Impatience(EventLoop loop, Action over) : Deadline
    {
        protected internal override void OnDue(long now) => over();

        public void Stop() => loop.Disarm(this);
    }
}

/// <summary>Asks for resources by name wherever their configuration source says.</summary>
internal abstract class Subscriptions
{
    /// <summary>Wants a resource from a source; null is the stream that carries everything.</summary>
    public abstract void Subscribe(Envoy.Config.Core.V3.ConfigSource? source, string type, string name);

    /// <summary>True where its source can be asked now.</summary>
    public abstract bool CanBring(string type, string name);

    /// <summary>Wants it no more.</summary>
    public abstract void Unsubscribe(string type, string name);
}
