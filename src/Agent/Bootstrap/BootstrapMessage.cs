using Envoy.Config.Bootstrap.V3;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Http.Router.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using BootstrapConfig = Envoy.Config.Bootstrap.V3.Bootstrap;
using UpstreamHttp = Envoy.Extensions.Upstreams.Http.V3.HttpProtocolOptions;

namespace Lateen.Agent.Bootstrap;

/// <summary>
/// The bootstrap as a message, the same as <see cref="BootstrapText"/>. The proxy of this process is given this one: reading the text
/// would bring the descriptors of all of Envoy's messages into memory, 25 MB and 0.3 s that a sidecar does not have.
/// </summary>
public static class BootstrapMessage
{
    private const string Types = "type.googleapis.com/";
    private static readonly Duration Quick = new() { Nanos = 250_000_000 }, OneSecond = new() { Seconds = 1 };

    /// <summary>Composes it.</summary>
    public static BootstrapConfig Compose(AgentOptions options) => new()
    {
        Node = new Node { Id = options.NodeId, Cluster = BootstrapText.ClusterOf(options), Locality = new Locality(), Metadata = StructText.Of(BootstrapText.MetadataOf(options)) },
        LayeredRuntime = Runtime(),
        Admin = new Envoy.Config.Bootstrap.V3.Admin { Address = Socket(options.LocalAddress, options.AdminPort) },
        DynamicResources = new BootstrapConfig.Types.DynamicResources
        {
            LdsConfig = Ads(),
            CdsConfig = Ads(),
            AdsConfig = new ApiConfigSource
            {
                ApiType = ApiConfigSource.Types.ApiType.DeltaGrpc,
                SetNodeOnFirstMessageOnly = true,
                TransportApiVersion = ApiVersion.V3,
                GrpcServices = { new GrpcService { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = "xds-grpc" } } },
            },
        },
        StaticResources = new BootstrapConfig.Types.StaticResources
        {
            Clusters =
            {
                Static("prometheus_stats", Quick, Socket(options.LocalAddress, options.AdminPort)),
                Static("agent", Quick, Socket(options.LocalAddress, options.AgentPort)),
                Http2(Static("sds-grpc", OneSecond, Pipe("./var/run/secrets/workload-spiffe-uds/socket"))),
                Xds(),
            },
            Listeners =
            {
                Listener(options.Bind ?? "0.0.0.0", options.MetricsPort, "stats", "/stats/prometheus", "prometheus_stats"),
                Listener(options.Bind ?? "0.0.0.0", options.StatusPort, "agent", "/healthz/ready", "agent"),
            },
        },
    };

    private static LayeredRuntime Runtime() => new()
    {
        Layers =
        {
            new RuntimeLayer
            {
                Name = "global config",
                StaticLayer = new Struct
                {
                    Fields =
                    {
                        ["envoy.deprecated_features:envoy.config.listener.v3.Listener.hidden_envoy_deprecated_use_original_dst"] = Value.ForBool(true),
                        ["envoy.reloadable_features.http_reject_path_with_fragment"] = Value.ForBool(false),
                        ["re2.max_program_size.error_level"] = Value.ForString("32768"),
                    },
                },
            },
            new RuntimeLayer { Name = "admin", AdminLayer = new RuntimeLayer.Types.AdminLayer() },
        },
    };

    private static ConfigSource Ads() => new() { Ads = new AggregatedConfigSource(), InitialFetchTimeout = new Duration(), ResourceApiVersion = ApiVersion.V3 };

    private static Cluster Xds()
    {
        Cluster cluster = Http2(Static("xds-grpc", OneSecond, Pipe(BootstrapText.XdsSocket)));
        cluster.CircuitBreakers = new CircuitBreakers { Thresholds = { Wide(RoutingPriority.Default), Wide(RoutingPriority.High) } };
        cluster.UpstreamConnectionOptions = new UpstreamConnectionOptions { TcpKeepalive = new TcpKeepalive { KeepaliveTime = 300 } };
        return cluster;
    }

    private static CircuitBreakers.Types.Thresholds Wide(RoutingPriority priority) =>
        new() { Priority = priority, MaxConnections = 100_000, MaxPendingRequests = 100_000, MaxRequests = 100_000 };

    private static Cluster Http2(Cluster cluster)
    {
        var options = new UpstreamHttp
        {
            ExplicitHttpConfig = new UpstreamHttp.Types.ExplicitHttpConfig { Http2ProtocolOptions = new Http2ProtocolOptions() },
        };
        cluster.TypedExtensionProtocolOptions["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"] = Packed("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", options);
        return cluster;
    }

    private static Cluster Static(string name, Duration timeout, Address address) => new()
    {
        Name = name,
        AltStatName = name + ";",
        Type = Cluster.Types.DiscoveryType.Static,
        ConnectTimeout = timeout,
        LbPolicy = Cluster.Types.LbPolicy.RoundRobin,
        LoadAssignment = new ClusterLoadAssignment
        {
            ClusterName = name,
            Endpoints = { new LocalityLbEndpoints { LbEndpoints = { new LbEndpoint { Endpoint = new Endpoint { Address = address } } } } },
        },
    };

    private static Listener Listener(string address, int port, string statPrefix, string path, string cluster)
    {
        var manager = new HttpConnectionManager
        {
            CodecType = HttpConnectionManager.Types.CodecType.Auto,
            StatPrefix = statPrefix,
            RouteConfig = new RouteConfiguration
            {
                VirtualHosts =
                {
                    new VirtualHost
                    {
                        Name = "backend",
                        Domains = { "*" },
                        Routes = { new Route { Match = new RouteMatch { Prefix = path }, Route_ = new RouteAction { Cluster = cluster } } },
                    },
                },
            },
            HttpFilters = { new HttpFilter { Name = "envoy.filters.http.router", TypedConfig = Packed("envoy.extensions.filters.http.router.v3.Router", new Router()) } },
        };
        var filter = new Envoy.Config.Listener.V3.Filter
        {
            Name = "envoy.filters.network.http_connection_manager",
            TypedConfig = Packed("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", manager),
        };
        return new Listener
        {
            Name = $"{address}_{port}",
            Address = Socket(address, port),
            IgnoreGlobalConnLimit = true,
            BypassOverloadManager = true,
            FilterChains = { new FilterChain { Filters = { filter } } },
        };
    }

    // Any.Pack would ask the message for its descriptor.
    private static Any Packed(string type, IMessage message) => new() { TypeUrl = Types + type, Value = message.ToByteString() };

    private static Address Socket(string address, int port) =>
        new() { SocketAddress = new SocketAddress { Protocol = SocketAddress.Types.Protocol.Tcp, Address = address, PortValue = (uint)port } };

    private static Address Pipe(string path) => new() { Pipe = new Pipe { Path = path } };
}
