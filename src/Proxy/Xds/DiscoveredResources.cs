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
    /// <summary>Takes a listener's addresses before it is put: null, or in one sentence why they are not to be had.</summary>
    public abstract string? Reserve(Listeners.Listener listener);

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
/// What discovery has brought, and what waits for more before it serves (warming): a cluster for its endpoints, a listener for its routes.
/// The form that serves stays until its successor is warm. Main loop only.
/// </summary>
internal sealed partial class DiscoveredResources : ResourceConsumer
{
    private readonly EventLoop _loop;
    private readonly Translation _translation;
    private readonly ClusterTranslator _clusters;
    private readonly ListenerTranslator _listeners;
    private readonly ListenerHost _host;
    private readonly Dictionary<string, ClusterEntry> _clusterEntries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ListenerEntry> _listenerEntries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (ByteString Bytes, EndpointSet Set)> _endpoints = new(StringComparer.Ordinal);

    private readonly Discovery.LeftBehind _left;

    /// <param name="loop">The main loop.</param>
    /// <param name="translation">What translators lean on.</param>
    /// <param name="clusters">Makes clusters.</param>
    /// <param name="listeners">Makes listeners.</param>
    /// <param name="host">Takes listeners into service.</param>
    /// <param name="leavingMicros">How long connections of a listener that is gone may still need its clusters; 0 for not at all.</param>
    public DiscoveredResources(EventLoop loop, Translation translation, ClusterTranslator clusters, ListenerTranslator listeners,
        ListenerHost host, long leavingMicros)
    {
        _left = new Discovery.LeftBehind(loop, translation.Clusters, leavingMicros);
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
    public IEnumerable<HeldResource<ClusterMessage>> Clusters =>
        _clusterEntries.Values.Select(e => new HeldResource<ClusterMessage>(e.Message, e.Version, e.Static, e.Warming, e.At));

    /// <summary>Listeners as they came, with their versions.</summary>
    public IEnumerable<HeldResource<ListenerMessage>> Listeners =>
        _listenerEntries.Values.Select(e => new HeldResource<ListenerMessage>(e.Message, e.Version, e.Static, e.Warming is not null, e.At));

    /// <summary>What was refused last of each name, until it is accepted.</summary>
    public IEnumerable<RefusedResource> Refused(string type) => _refused.Where(r => r.Key.Type == type).Select(r => r.Value);

    /// <summary>The version of a type's last answer.</summary>
    public string VersionOf(string type) => _versions.GetValueOrDefault(type) ?? "";

    private readonly Dictionary<(string Type, string Name), RefusedResource> _refused = [];
    private readonly Dictionary<string, string> _versions = new(StringComparer.Ordinal);

    private void Remember(string type, IReadOnlyList<IncomingResource> resources, IReadOnlyList<(string Name, string Reason)> refused)
    {
        // What an update of listeners failed for is told until the next one.
        if (type == ResourceTypes.Listener)
            Forget(type);
        foreach (IncomingResource resource in resources)
        {
            string? reason = refused.FirstOrDefault(r => r.Name == resource.Name).Reason;
            if (reason is null)
                _refused.Remove((type, resource.Name));
            else
                _refused[(type, resource.Name)] =
                    new RefusedResource(resource.Name, resource.Version, resource.Body, reason, _loop.WallClock);
        }
        if (refused.Count == 0 && resources.Count > 0)
            _versions[type] = resources[0].Version;
    }

    private void Forget(string type)
    {
        foreach ((string, string) key in _refused.Keys.Where(k => k.Type == type).ToArray())
            _refused.Remove(key);
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

    /// <summary>What becomes of resources with fields that the schema does not know.</summary>
    public UnknownFieldChoice UnknownDynamic { get; set; } = UnknownFieldChoice.Said;

    /// <summary>Such fields met so far.</summary>
    public long UnknownFields { get; private set; }

    // What is static was judged by whoever takes the bootstrap.
    private void JudgeUnknown(Rejections rejections, bool isStatic = false)
    {
        if (isStatic)
            return;
        UnknownFields += rejections.Unknown.Count;
        rejections.JudgeUnknown(UnknownDynamic);
    }

    /// <summary>Called when something of a type was answered.</summary>
    public Action? Progress { get; set; }

    /// <summary>True while something waits for more before it serves.</summary>
    public bool IsWarming => _clusterEntries.Values.Any(e => e.Warming) || _listenerEntries.Values.Any(e => e.Warming is not null);

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, string Reason)> Take(string type, IReadOnlyList<IncomingResource> resources,
        IReadOnlyList<string> removed, bool isWhole)
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
        foreach (string name in refused.Select(r => r.Item1).Concat(removed))
            EndWaiting(type, name);
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
                    Stats.Taken(_translation.RoutesPrefix(route.Name), route.Version, !refused.Any(r => r.Name == route.Name),
                        _loop.WallClock);
                break;
            case ResourceTypes.Endpoints:
                foreach (IncomingResource endpoints in resources)
                {
                    foreach (ClusterEntry entry in EntriesOf(endpoints.Name))
                    {
                        ClusterCounters counters = _translation.Clusters.Handle(entry.Running.Name).MainCounters;
                        counters.Count(ClusterCounter.UpdateAttempt);
                        counters.Count(refused.Any(r => r.Name == endpoints.Name)
                            ? ClusterCounter.UpdateRejected : ClusterCounter.UpdateSuccess);
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
        if (type == ResourceTypes.VirtualHost && _translation.RouteSource(name).Current is null)
            PutTogether(name, []);
        WarmAll();
        Progress?.Invoke();
    }

    // The first answer about a resource ends the wait for it, also one that can't be taken, or that it does not exist (Envoy: a
    // subscription's init target is ready when its update failed): the rest of the proxy serves.
    private void EndWaiting(string type, string name)
    {
        switch (type)
        {
            case ResourceTypes.Endpoints:
                foreach (ClusterEntry entry in EntriesOf(name).Where(e => e.Warming).ToArray())
                    EndWaiting(entry, EndpointSet.Empty);
                break;
            case ResourceTypes.Extension when !_translation.Extensions.IsSettled(name):
                _translation.Extensions.GiveUp(name);
                GiveUp(type, name);
                break;
            case ResourceTypes.Routes when _translation.RouteSource(name).Current is null:
            case ResourceTypes.Secret when !_translation.Security.HasSecret(name):
                GiveUp(type, name);
                break;
        }
    }

    private readonly HashSet<(string Type, string Name)> _givenUp = [];
    private bool _serves;
    private readonly Discovery.VirtualHostSources _virtualHosts = new();

    /// <summary>A route configuration with the virtual hosts that came apart from it.</summary>
    public RouteConfiguration Whole(RouteConfiguration routes) => _virtualHosts.Complete(routes);

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
