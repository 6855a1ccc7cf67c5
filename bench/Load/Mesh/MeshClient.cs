using System.Collections.Concurrent;
using System.Net;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Bench.Load.Mesh;

/// <summary>
/// One proxy as the control plane sees it: asks for clusters, their endpoints, listeners, their routes, in Envoy's order, and accepts
/// everything. One of ours gets virtual hosts one by one.
/// </summary>
internal sealed class MeshClient(int number, MeshWorld world, Awaited awaited, bool isOurs) : IDisposable
{
    public const string Clusters = Prefix + "config.cluster.v3.Cluster", Endpoints = Prefix + "config.endpoint.v3.ClusterLoadAssignment",
        Listeners = Prefix + "config.listener.v3.Listener", Routes = Prefix + "config.route.v3.RouteConfiguration",
        VirtualHosts = Prefix + "config.route.v3.VirtualHost";
    private const string Prefix = "type.googleapis.com/envoy.",
        Path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

    // What a resource refers to, by its version, which is a hash of its bytes: looked into once for all clients.
    private static readonly ConcurrentDictionary<(string, string, string), string[]> References = new();
    private static readonly ConcurrentDictionary<string, string> Texts = new();
    private readonly Dictionary<string, Dictionary<string, string>> _held = new()
    {
        [Clusters] = [],
        [Endpoints] = [],
        [Listeners] = [],
        [Routes] = [],
        [VirtualHosts] = [],
    };
    private readonly Dictionary<string, HashSet<string>> _wanted = new() { [Endpoints] = [], [Routes] = [], [VirtualHosts] = [] };
    private readonly HashSet<string> _asked = [];
    private HttpTwoStream? _stream;
    private TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Messages and bytes that came, over all connections.</summary>
    public long Messages { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>Why the stream ended, if it did by itself.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Everything that was asked for is there.</summary>
    public Task Complete => _complete.Task;

    /// <summary>Resources held of each type.</summary>
    public IReadOnlyDictionary<string, Dictionary<string, string>> Held => _held;

    /// <summary>Connects; what an earlier stream brought is told.</summary>
    public async Task ConnectAsync(IPEndPoint server)
    {
        _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked.Clear();
        _stream = new HttpTwoStream();
        await _stream.OpenAsync(server, Path);
        Ask(Clusters, [], NodeOf());
        if (_held[Clusters].Count > 0)
        {
            Ask(Endpoints, _wanted[Endpoints]);
            Ask(Listeners, []);
            Ask(Routes, _wanted[Routes]);
            if (isOurs)
                Ask(VirtualHosts, _wanted[VirtualHosts]);
        }
        await _stream.FlushAsync();
        _ = RunAsync(_stream);
    }

    /// <inheritdoc/>
    public void Dispose() => Disconnect();

    /// <summary>Hangs up; it may connect again.</summary>
    public void Disconnect()
    {
        HttpTwoStream? stream = _stream;
        _stream = null;
        stream?.Dispose();
    }

    private async Task RunAsync(HttpTwoStream stream)
    {
        try
        {
            while (await stream.ReceiveAsync(Take))
                await stream.FlushAsync();
            if (_stream == stream)
                Trouble = "the control plane ended the stream";
        }
        catch (Exception e) when (_stream != stream || e is System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            if (_stream == stream)
                Trouble = e.Message;
        }
    }

    private void Take(ReadOnlyMemory<byte> bytes)
    {
        DeltaMessage message = DeltaMessage.Read(bytes);
        (Messages, Bytes) = (Messages + 1, Bytes + bytes.Length);
        Dictionary<string, string> held = _held[message.TypeUrl];
        var added = new List<string>();
        foreach (DeltaResource resource in message.Resources)
        {
            string name = Texts.GetOrAdd(resource.Name, resource.Name);
            held[name] = Texts.GetOrAdd(resource.Version, resource.Version);
            foreach (string wanted in ReferencesOf(message.TypeUrl, resource))
            {
                if (_wanted[Referred(message.TypeUrl)].Add(wanted))
                    added.Add(wanted);
            }
            awaited.Note(number, message.TypeUrl, resource);
        }
        var dropped = new List<string>();
        foreach (string name in message.Removed)
        {
            held.Remove(name);
            if (message.TypeUrl == Clusters && _wanted[Endpoints].Remove(name))
                dropped.Add(name);
        }
        _stream?.Add(new DeltaDiscoveryRequest { TypeUrl = message.TypeUrl, ResponseNonce = message.Nonce });
        Follow(message.TypeUrl, added, dropped);
    }

    private void Follow(string type, List<string> added, List<string> dropped)
    {
        if (type is Clusters or Listeners or Routes && (added.Count > 0 || dropped.Count > 0))
            Ask(Referred(type), added, null, dropped);
        if (type == Endpoints && !_asked.Contains(Listeners) && _held[Endpoints].Count >= _wanted[Endpoints].Count)
            Ask(Listeners, []);
        if (_asked.Contains(Routes) && _held[Routes].Count >= _wanted[Routes].Count && _held[Endpoints].Count >= _wanted[Endpoints].Count
            && _held[Listeners].Count > 0 && (!isOurs || _held[VirtualHosts].Count > 0))
            _complete.TrySetResult();
    }

    private void Ask(string type, IEnumerable<string> names, Node? node = null, IEnumerable<string>? dropped = null)
    {
        var request = new DeltaDiscoveryRequest { TypeUrl = type, Node = node };
        request.ResourceNamesSubscribe.Add(names);
        request.ResourceNamesUnsubscribe.Add(dropped ?? []);
        if (_asked.Add(type))
            request.InitialResourceVersions.Add(_held[type]);
        _stream?.Add(request);
    }

    private static string Referred(string type) => type switch { Clusters => Endpoints, Listeners => Routes, _ => VirtualHosts };

    private static string[] ReferencesOf(string type, DeltaResource resource) => type is not (Clusters or Listeners or Routes) ? []
        : References.GetOrAdd((type, resource.Name, resource.Version),
            static (key, body) => key.Item1 switch { Clusters => OfCluster(body), Listeners => OfListener(body), _ => OfRoutes(body) },
            resource.Body);

    private static string[] OfRoutes(ReadOnlyMemory<byte> body)
    {
        RouteConfiguration routes = RouteConfiguration.Parser.ParseFrom(body.Span);
        return routes.Vhds is null ? [] : [routes.Name];
    }

    private static string[] OfCluster(ReadOnlyMemory<byte> body)
    {
        Cluster cluster = Cluster.Parser.ParseFrom(body.Span);
        return cluster.Type == Cluster.Types.DiscoveryType.Eds
            ? [cluster.EdsClusterConfig.ServiceName is { Length: > 0 } name ? name : cluster.Name] : [];
    }

    private static string[] OfListener(ReadOnlyMemory<byte> body)
    {
        Listener listener = Listener.Parser.ParseFrom(body.Span);
        return [.. listener.FilterChains.Append(listener.DefaultFilterChain ?? new FilterChain()).SelectMany(chain => chain.Filters)
            .Where(filter => filter.TypedConfig?.Is(HttpConnectionManager.Descriptor) == true)
            .Select(filter => filter.TypedConfig.Unpack<HttpConnectionManager>().Rds?.RouteConfigName ?? "").Where(name => name.Length > 0)
            .Distinct()];
    }

    private Node NodeOf()
    {
        int service = number % world.Services, endpoint = number / world.Services % world.Endpoints;
        string ns = world.NamespaceOf(service), pod = $"svc-{service}-{endpoint}", address = world.AddressOf(service, endpoint);
        Struct metadata = Struct.Parser.ParseJson($$"""
            { "CLUSTER_ID": "Kubernetes", "NAMESPACE": "{{ns}}", "NAME": "{{pod}}", "WORKLOAD_NAME": "svc-{{service}}", "SERVICE_ACCOUNT": "svc-{{service}}", "INSTANCE_IPS": "{{address}}",
              "ISTIO_VERSION": "1.29.0", "INTERCEPTION_MODE": "REDIRECT", "MESH_ID": "cluster.local", "NODE_NAME": "node-1", "APP_CONTAINERS": "app", "PILOT_SAN": ["istiod.istio-system.svc"],
              "LABELS": { "app": "svc-{{service}}", "version": "v{{(endpoint % 2) + 1}}", "security.istio.io/tlsMode": "istio", "service.istio.io/canonical-name": "svc-{{service}}" },
              "PROXY_CONFIG": { "discoveryAddress": "istiod.istio-system.svc:15012", "serviceCluster": "istio-proxy", "drainDuration": "45s", "concurrency": 2, "statNameLength": 189, "proxyAdminPort": 15000, "controlPlaneAuthPolicy": "MUTUAL_TLS", "binaryPath": "/usr/local/bin/envoy", "configPath": "./etc/istio/proxy" } }
            """);
        if (isOurs)
            metadata.Fields["LATEEN_VIRTUAL_HOSTS"] = Value.ForString("true");
        return new Node
        {
            Id = $"sidecar~{address}~{pod}.{ns}~{ns}.svc.cluster.local",
            Cluster = $"svc-{service}.{ns}",
            Metadata = metadata,
        };
    }
}
