using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Net;
using Lateen.Proxy.Remote;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>All places that configuration comes from: the one stream that carries everything, streams of single types, and watched files.
/// Main loop only.</summary>
internal sealed class ConfigSources(EventLoop loop, Core.Node node, ClusterDirectory clusters, Func<ResourceConsumer> consumer,
    Action<string> say, Action<Action>? inForce = null) : Subscriptions
{
    private readonly Dictionary<(string Type, string Name), AdsStream?> _subscribed = [];
    private readonly Dictionary<(string Cluster, string Type), AdsStream> _single = [];
    private readonly Dictionary<(string Path, string Type), FileSource> _files = [];
    private readonly Dictionary<(string Path, string Type), HashSet<string>> _namesOfFile = [];
    private readonly Discovery.Lifetimes _lifetimes = new(loop, consumer);

    /// <summary>The stream that carries everything; null where the bootstrap has none.</summary>
    public AdsStream? Ads { get; private set; }

    /// <summary>What becomes of files with fields that the schema does not know.</summary>
    public UnknownFieldChoice UnknownDynamic { get; init; } = UnknownFieldChoice.Said;

    /// <summary>Connections to management servers.</summary>
    public List<ManagementServer> Servers { get; } = [];

    /// <summary>Opens the stream that carries everything.</summary>
    public void OpenAds(Core.ApiConfigSource config, Rejections rejections)
    {
        bool delta = config.ApiType is Core.ApiConfigSource.Types.ApiType.DeltaGrpc
            or Core.ApiConfigSource.Types.ApiType.AggregatedDeltaGrpc;
        Ads = Open(config, delta,
            delta ? "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
                : "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", rejections);
    }

    private AdsStream? Open(Core.ApiConfigSource config, bool delta, string path, Rejections rejections)
    {
        Core.GrpcService? service = config.GrpcServices.FirstOrDefault();
        if (service?.EnvoyGrpc is not { } grpc)
        {
            rejections.Add("a gRPC configuration source needs grpc_services with envoy_grpc");
            return null;
        }
        var stream = new AdsStream(delta, node, consumer()) { Lives = _lifetimes.Renew, InForce = inForce };
        var server = new ManagementServer(loop, clusters.Handle(grpc.ClusterName), path,
            [.. service.InitialMetadata.Select(m => KeyValuePair.Create(m.Key.ToLowerInvariant(), m.Value))], stream);
        Servers.Add(server);
        server.Start();
        return stream;
    }

    /// <inheritdoc/>
    public override bool CanBring(string type, string name) => _subscribed.TryGetValue((type, name), out AdsStream? stream)
        ? stream?.Send is not null : _namesOfFile.Any(f => f.Key.Type == type && f.Value.Contains(name));

    /// <summary>Wants all resources of a type.</summary>
    public void WatchAll(Core.ConfigSource source, string type, Rejections rejections)
    {
        if (PathOf(source) is { } path)
            File(path, type, FolderOf(source));
        else if (StreamOf(source, type, rejections) is { } stream)
            stream.WatchAll(type);
    }

    /// <inheritdoc/>
    public override void Subscribe(Core.ConfigSource? source, string type, string name)
    {
        if (source is not null && PathOf(source) is { } path)
        {
            if (!_namesOfFile.TryGetValue((path, type), out HashSet<string>? names))
                _namesOfFile[(path, type)] = names = [];
            bool more = names.Add(name) && _files.ContainsKey((path, type));
            File(path, type, FolderOf(source));
            // A file that was read for others may have it, too.
            if (more)
                Read(path, type);
            return;
        }
        var rejections = new Rejections();
        if (StreamOf(source, type, rejections) is not { } stream)
        {
            say($"{type} {name}: no source of configuration can bring it {rejections}".TrimEnd());
            return;
        }
        _subscribed[(type, name)] = stream;
        stream.Subscribe(type, name);
    }

    /// <inheritdoc/>
    public override void Unsubscribe(string type, string name)
    {
        if (_subscribed.Remove((type, name), out AdsStream? stream))
            stream?.Unsubscribe(type, name);
    }

    private static string? PathOf(Core.ConfigSource source) => source.ConfigSourceSpecifierCase switch
    {
        Core.ConfigSource.ConfigSourceSpecifierOneofCase.PathConfigSource => source.PathConfigSource.Path,
#pragma warning disable CS0612 // the older spelling
        Core.ConfigSource.ConfigSourceSpecifierOneofCase.Path => source.Path,
#pragma warning restore CS0612
        _ => null,
    };

    private AdsStream? StreamOf(Core.ConfigSource? source, string type, Rejections rejections)
    {
        if (source?.ApiConfigSource is not { } api)
            return Ads;
        string cluster = api.GrpcServices.FirstOrDefault()?.EnvoyGrpc?.ClusterName ?? "";
        if (_single.TryGetValue((cluster, type), out AdsStream? known))
            return known;
        bool delta = api.ApiType is Core.ApiConfigSource.Types.ApiType.DeltaGrpc;
        string path = type switch
        {
            ResourceTypes.Secret => $"/envoy.service.secret.v3.SecretDiscoveryService/{(delta ? "Delta" : "Stream")}Secrets",
            ResourceTypes.Cluster => $"/envoy.service.cluster.v3.ClusterDiscoveryService/{(delta ? "Delta" : "Stream")}Clusters",
            ResourceTypes.Endpoints => $"/envoy.service.endpoint.v3.EndpointDiscoveryService/{(delta ? "Delta" : "Stream")}Endpoints",
            ResourceTypes.Extension =>
                $"/envoy.service.extension.v3.ExtensionConfigDiscoveryService/{(delta ? "Delta" : "Stream")}ExtensionConfigs",
            ResourceTypes.VirtualHost => "/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts",
            ResourceTypes.Runtime => $"/envoy.service.runtime.v3.RuntimeDiscoveryService/{(delta ? "Delta" : "Stream")}Runtime",
            ResourceTypes.Listener => $"/envoy.service.listener.v3.ListenerDiscoveryService/{(delta ? "Delta" : "Stream")}Listeners",
            _ => $"/envoy.service.route.v3.RouteDiscoveryService/{(delta ? "Delta" : "Stream")}Routes",
        };
        if (Open(api, delta, path, rejections) is { } stream)
            _single[(cluster, type)] = known = stream;
        return known;
    }

    private static string FolderOf(Core.ConfigSource source) => source.PathConfigSource?.WatchedDirectory?.Path ?? "";

    /// <summary>Calls back whenever a file is replaced that something was made of (a certificate of a secret); once for each
    /// file.</summary>
    public void Watch(string path, string folder, Action changed)
    {
        if (_watched.Add(path))
            new FileSource(loop, path, changed, folder).Start(readNow: false);
    }

    private readonly HashSet<string> _watched = new(StringComparer.Ordinal);

    private void File(string path, string type, string folder)
    {
        if (_files.ContainsKey((path, type)))
            return;
        var source = new FileSource(loop, path, () => Read(path, type), folder);
        _files[(path, type)] = source;
        source.Start();
    }

    // A watched file is a discovery response of state of the world.
    private void Read(string path, string type)
    {
        string text;
        try
        {
            text = System.IO.File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            say($"{path}: can't be read: {e.Message}");
            return;
        }
        var mistakes = new DiagnosticBag();
        DiscoveryResponse response = new MessageReader(path, mistakes,
            UnknownDynamic.ForReading()).Read<DiscoveryResponse>(DocumentReader.ReadSingle(text, path, mistakes));
        foreach (Diagnostic mistake in mistakes)
            say(mistake.ToString());
        if (mistakes.HasErrors)
            return;
        ResourceConsumer taker = consumer();
        List<IncomingResource> resources =
            [.. response.Resources.Select(any => new IncomingResource(taker.NameOf(any), response.VersionInfo, any))];
        bool whole = type is ResourceTypes.Cluster or ResourceTypes.Listener;
        foreach ((string name, string reason) in taker.Take(type, resources, [], whole))
            say($"{path}: {name}: {reason}");
        foreach (string name in _namesOfFile.GetValueOrDefault((path, type)) ?? [])
        {
            if (!resources.Exists(r => r.Name == name))
                taker.GiveUp(type, name);
        }
    }
}
