using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Meaning;
using Udpa.Type.V1;
using HttpProtocolOptions = Envoy.Extensions.Upstreams.Http.V3.HttpProtocolOptions;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Clusters that every proxy of a type has.</summary>
internal static class FixedClusters
{
    private const string BindIPv4 = "127.0.0.6";
    private const string BindIPv6 = "::6";

    public static Cluster BlackHole(MeshSettings settings) => new()
    {
        Name = ClusterNames.BlackHole,
        Type = Cluster.Types.DiscoveryType.Static,
        ConnectTimeout = settings.Mesh.ConnectTimeout,
        AltStatName = StatNames.Delimited(ClusterNames.BlackHole),
    };

    public static Cluster Passthrough(MeshSettings settings)
    {
        var cluster = new Cluster
        {
            Name = ClusterNames.Passthrough,
            Type = Cluster.Types.DiscoveryType.OriginalDst,
            LbPolicy = Cluster.Types.LbPolicy.ClusterProvided,
            AltStatName = StatNames.Delimited(ClusterNames.Passthrough),
        };
        ConnectionPools.Apply(new ClusterDraft { Cluster = cluster }, settings.Mesh, settings.Mesh.DefaultTrafficPolicy?.ConnectionPool,
            null);
        ClusterDraft.SetHttp(cluster, FollowsDownstream());
        if (settings.Features.MetadataExchange) cluster.Filters.Add(MetadataExchange());
        return cluster;
    }

    public static Cluster InboundPassthrough(MeshSettings settings, bool supportsIPv4, bool supportsIPv6)
    {
        var cluster = Passthrough(settings);
        cluster.Name = ClusterNames.InboundPassthrough;
        cluster.Filters.Clear();
        cluster.UpstreamBindConfig = SourceAddress(supportsIPv4, supportsIPv6 && (settings.Features.DualStack || !supportsIPv4));
        return cluster;
    }

    /// <summary>Inbound connections come from an address that the capture rules know and leave alone; else they would come back.</summary>
    public static BindConfig SourceAddress(bool supportsIPv4, bool supportsIPv6)
    {
        var bind = new BindConfig { SourceAddress = Any(supportsIPv4 ? BindIPv4 : BindIPv6) };
        if (supportsIPv4 && supportsIPv6) bind.ExtraSourceAddresses.Add(new ExtraSourceAddress { Address = Any(BindIPv6) });
        return bind;
    }

    public static Filter MetadataExchange() => new()
    {
        Name = "istio.metadata_exchange",
        TypedConfig = WireAny.Pack(new TypedStruct
        {
            TypeUrl = TypeUrls.Prefix + "envoy.tcp.metadataexchange.config.MetadataExchange",
            Value = WireAny.Struct(("enable_discovery", Value.ForBool(true)), ("protocol", Value.ForString("istio-peer-exchange"))),
        }),
    };

    /// <summary>A listener inside the proxy as a cluster.</summary>
    public static Cluster Internal(string name, string listener, MeshSettings settings)
    {
        var cluster = new Cluster
        {
            Name = name,
            AltStatName = StatNames.Delimited(name),
            Type = Cluster.Types.DiscoveryType.Static,
            LoadAssignment = new ClusterLoadAssignment
            {
                ClusterName = name,
                Endpoints =
                {
                    new LocalityLbEndpoints
                    {
                        LbEndpoints =
                        {
                            new LbEndpoint
                            {
                                Endpoint = new() { Address =
                                    new Address { EnvoyInternalAddress = new EnvoyInternalAddress { ServerListenerName = listener } } },
                            },
                        },
                    },
                },
            },
            TransportSocket = new TransportSocket
            {
                Name = "internal_upstream",
                TypedConfig = WireAny.Pack(new Envoy.Extensions.TransportSockets.InternalUpstream.V3.InternalUpstreamTransport
                {
                    TransportSocket = UpstreamTls.RawBuffer("raw_buffer"),
                }),
            },
        };
        ConnectionPools.Apply(new ClusterDraft { Cluster = cluster }, settings.Mesh, null, null);
        cluster.ConnectTimeout = null;
        cluster.UpstreamConnectionOptions = null;
        ClusterDraft.SetHttp(cluster, FollowsDownstream());
        return cluster;
    }

    private static HttpProtocolOptions FollowsDownstream() => new()
    {
        CommonHttpProtocolOptions = new() { IdleTimeout = new Duration { Seconds = 300 } },
        UseDownstreamProtocolConfig = new() { HttpProtocolOptions = new(), Http2ProtocolOptions = new() },
    };

    private static SocketAddress Any(string address) => new() { Address = address, PortValue = 0 };
}
