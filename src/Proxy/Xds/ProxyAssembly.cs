using Envoy.Config.Bootstrap.V3;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Net;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Server;
using Lateen.Proxy.Server.Pressure;
using Lateen.Proxy.Xds.Filters;
using ClusterMessage = Envoy.Config.Cluster.V3.Cluster;
using ListenerMessage = Envoy.Config.Listener.V3.Listener;

namespace Lateen.Proxy.Xds;

/// <summary>The configuration side of a proxy: translators, sources and what they brought. Made on the caller's thread, then used on the
/// main loop only.</summary>
internal sealed class ProxyAssembly
{
    // A connection that was told to end may bring requests for so long yet (drain_timeout of its manager).
    private const long LastGraceMicros = 5_000_000;

    private readonly Bootstrap _bootstrap;
    private readonly ProxyServer _server;
    private readonly ProxyInputs _inputs;

    /// <exception cref="BootstrapException">The bootstrap can't be served.</exception>
    public ProxyAssembly(ProxyServer server, ProxyInputs inputs)
    {
        _server = server;
        _inputs = inputs;
        _bootstrap = BootstrapReader.Read(inputs);
        var statistics = new Rejections();
        server.Statistics.Rules = StatsTranslator.Rules(_bootstrap, statistics);
        if (!statistics.None)
            throw new BootstrapException($"stats_config: {statistics}");
        StatsSinks = StatsTranslator.Sinks(_bootstrap, server.Statistics, statistics);
        if (!statistics.None)
            throw new BootstrapException(statistics.ToString());
        foreach (string note in statistics.Notes)
            inputs.Say(note);
        var overload = new Rejections();
        RuntimeValues runtime = BootstrapReader.Runtime(_bootstrap);
        Overload = MemoryGuard.Add(OverloadTranslator.Plan(_bootstrap.OverloadManager, server, runtime, overload),
            OverloadTranslator.Room(runtime, inputs.Memory));
        foreach (Worker worker in server.Workers)
            worker.Loop.Age.LimitMicros = OverloadTranslator.QueueAgeMicros(runtime);
        if (!overload.None)
            throw new BootstrapException(overload.ToString());
        foreach (string note in overload.Notes)
            inputs.Say(note);
        var tls = new TlsTranslator((source, name) => Sources!.Subscribe(source, ResourceTypes.Secret, name));
        FilterRegistry filters = FilterCatalogue.Make(() => Translation!);
        Tls = tls;
        Translation = new Translation
        {
            Node = _bootstrap.Node,
            OwnAddress = server.OwnAddress,
            Failing = () => !server.IsHealthy,
            Statistics = server.Statistics,
            Overload = server.Overload,
            Workers = server.Workers.Count,
            Clusters = server.Clusters,
            Upstreams = server.Upstreams,
            Security = tls,
            Logs = new AccessLogTranslator(server.SinkOf, server.Workers.Count, runtime),
            Filters = filters,
            Routes = new RouteTranslator(server.Clusters, filters) { Statistics = server.Statistics, Runtime = runtime },
            Peers = new PeerHeaders(_bootstrap.Node.Id, _bootstrap.Node.Metadata),
            Decisions = server.Decisions,
            Metrics = new IstioMetrics(server.Workers.Count),
            Runtime = runtime,
            Say = inputs.Say,
            RuntimeSources = new Discovery.RuntimeSources(_bootstrap, runtime),
        };
        Translation.Logs.Translation = Translation;
        server.Statistics.Add("istio", Translation.Metrics);
        Resources = new DiscoveredResources(server.Main, Translation, new ClusterTranslator(tls, Translation.Peers),
            new ListenerTranslator(Translation, new NetworkFilterTranslator(Translation)), server.Listeners,
            inputs.HandsOver ? inputs.DrainPace.Micros + LastGraceMicros : 0);
        Sources = new ConfigSources(server.Main, _bootstrap.Node, server.Clusters, () => Resources, inputs.Say,
            new WorkerFence(server.Main, server.Workers).Then) { UnknownDynamic = inputs.UnknownDynamic };
        Translation.Routes.KnowsCluster = Resources.HasCluster;
        Resources.UnknownDynamic = inputs.UnknownDynamic;
        Resources.Subscriptions = Translation.Extensions.Subscriptions = Sources;
        tls.Watch = Sources.Watch;
        Resources.Noted = inputs.Say;
        Resources.Progress = () => Progress?.Invoke();
        TakePlace();
        var rejections = new Rejections();
        AdminAddress = _bootstrap.Admin?.Address is { } admin ? ValueTranslator.Address(admin, rejections) : default;
        if (!rejections.None)
            throw new BootstrapException($"admin: {rejections}");
    }

    // Zone aware routing: the cluster that we are of, and our place.
    private void TakePlace()
    {
        if (_bootstrap.ClusterManager?.LocalClusterName is not { Length: > 0 } name)
            return;
        Envoy.Config.Core.V3.Locality? place = _bootstrap.Node.Locality;
        var zone = new Clusters.Balancing.ZonePlace(
            _server.Clusters.Handle(name),
            place is null ? Clusters.Locality.None : new Clusters.Locality(place.Region, place.Zone, place.SubZone));
        foreach (Worker worker in _server.Workers)
            _server.Upstreams[worker].Zone = zone;
    }

    /// <summary>Where statistics are pushed to.</summary>
    public IReadOnlyList<Telemetry.StatsdSink> StatsSinks { get; }

    /// <summary>What is done under pressure; null for nothing.</summary>
    public OverloadPlan? Overload { get; }

    /// <summary>Translators and what they lean on.</summary>
    public Translation Translation { get; }

    /// <summary>TLS contexts and secrets.</summary>
    public TlsTranslator Tls { get; }

    /// <summary>What is configured.</summary>
    public DiscoveredResources Resources { get; }

    /// <summary>Where it comes from.</summary>
    public ConfigSources Sources { get; }

    /// <summary>The bootstrap.</summary>
    public Bootstrap Bootstrap => _bootstrap;

    /// <summary>Where the admin page listens; kind None for nowhere.</summary>
    public Address AdminAddress { get; }

    /// <summary>Called when configuration came.</summary>
    public Action? Progress { get; set; }

    /// <summary>True when everything that was asked for at the start has come.</summary>
    public bool IsComplete => !Resources.IsWarming
        && (_bootstrap.DynamicResources?.CdsConfig is null || Resources.Answered.Contains(ResourceTypes.Cluster))
        && (_bootstrap.DynamicResources?.LdsConfig is null || Resources.Answered.Contains(ResourceTypes.Listener));

    /// <summary>Takes the static resources up and asks for the others.</summary>
    /// <exception cref="BootstrapException">A static resource can't be served.</exception>
    public void Begin()
    {
        var reasons = new List<string>();
        foreach (Envoy.Extensions.TransportSockets.Tls.V3.Secret secret in _bootstrap.StaticResources?.Secrets ?? [])
            Check($"static secret {secret.Name}", r => Tls.Take(secret, r), reasons);
        foreach (ClusterMessage cluster in _bootstrap.StaticResources?.Clusters ?? [])
            Check($"static cluster {cluster.Name}", r => Resources.AddStatic(cluster, r), reasons);
        if (_bootstrap.DynamicResources?.AdsConfig is { } ads)
            Check("dynamic_resources.ads_config", r => Sources.OpenAds(ads, r), reasons);
        if (Sources.Ads is { } stream)
            DiscoveryStats.Tell(_server.Statistics, stream);
        if (_bootstrap.DynamicResources?.CdsConfig is not null)
            Resources.Stats.Watch("cluster_manager.cds.");
        if (_bootstrap.DynamicResources?.LdsConfig is not null)
            Resources.Stats.Watch("listener_manager.lds.");
        foreach (RuntimeLayer layer in Translation.RuntimeSources.Layers)
            Sources.Subscribe(layer.RtdsLayer.RtdsConfig, ResourceTypes.Runtime, layer.RtdsLayer.Name);
        if (_bootstrap.DynamicResources?.CdsConfig is { } cds)
            Check("dynamic_resources.cds_config", r => Sources.WatchAll(cds, ResourceTypes.Cluster, r), reasons);
        foreach (ListenerMessage listener in _bootstrap.StaticResources?.Listeners ?? [])
            Check($"static listener {listener.Name}", r => Resources.AddStatic(listener, r), reasons);
        if (_bootstrap.DynamicResources?.LdsConfig is { } lds)
            Check("dynamic_resources.lds_config", r => Sources.WatchAll(lds, ResourceTypes.Listener, r), reasons);
        if (reasons.Count > 0)
            throw new BootstrapException(string.Join('\n', reasons));
    }

    private void Check(string what, Action<Rejections> take, List<string> reasons)
    {
        var rejections = new Rejections();
        take(rejections);
        rejections.JudgeUnknown(_inputs.UnknownStatic);
        reasons.AddRange(rejections.Reasons.Select(r => $"{what}: {r}"));
        foreach (string note in rejections.Notes)
            _inputs.Say($"{what}: {note}");
    }

    /// <summary>The admin pages that tell of configuration and counters.</summary>
    public IEnumerable<(string Path, Func<AdminRequest, AdminAnswer> Page)> Pages() => new ConfigPages(_server, this).All();
}
