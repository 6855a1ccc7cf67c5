using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.InternalUpstream.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;
using Envoy.Type.Metadata.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Meaning;
using HttpProtocolOptions = Envoy.Extensions.Upstreams.Http.V3.HttpProtocolOptions;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Clusters through which HBONE tunnels are opened.</summary>
internal static class TunnelClusters
{
    private const uint HbonePort = 15008;

    /// <summary>Opens a tunnel to the address that the endpoint's metadata names.</summary>
    public static Cluster ConnectOriginate(MeshSettings settings)
    {
        var cluster = Originate("connect_originate", settings, []);
        cluster.OriginalDstLbConfig.MetadataKey = WaypointAddress();
        ClusterDraft.SetHttp(cluster, Tunneled(settings, null));
        return cluster;
    }

    /// <summary>The same of a waypoint, whose peers are workloads of its own namespace, too.</summary>
    public static Cluster ConnectOriginateOfWaypoint(MeshSettings settings, string ns)
    {
        var cluster = Originate("connect_originate", settings, [$"spiffe://{settings.TrustDomain}/ns/{ns}/sa/"]);
        cluster.OriginalDstLbConfig.MetadataKey = WaypointAddress();
        ClusterDraft.SetHttp(cluster, Tunneled(settings, null));
        return cluster;
    }

    /// <summary>The outer tunnel to the gateway of another network.</summary>
    public static Cluster OuterConnectOriginate(MeshSettings settings)
    {
        var cluster = Originate("outer_connect_originate", settings, []);
        ClusterDraft.SetHttp(cluster, Tunneled(settings, 1));
        return cluster;
    }

    /// <summary>The inner tunnel to a workload of another network, through the outer one.</summary>
    public static Cluster InnerConnectOriginate(MeshSettings settings)
    {
        var cluster = FixedClusters.Internal("inner_connect_originate", "outer_connect_originate", settings);
        cluster.TransportSocket = new TransportSocket
        {
            Name = "internal_upstream_with_tls",
            TypedConfig = WireAny.Pack(new InternalUpstreamTransport { TransportSocket = MeshTls(settings, []) }),
        };
        ClusterDraft.SetHttp(cluster, Tunneled(settings, 1));
        return cluster;
    }

    private static MetadataKey WaypointAddress() =>
        new() { Key = "envoy.filters.listener.original_dst", Path = { new MetadataKey.Types.PathSegment { Key = "waypoint" } } };

    private static Cluster Originate(string name, MeshSettings settings, IEnumerable<string> identityPrefixes)
    {
        var cluster = new Cluster
        {
            Name = name,
            AltStatName = StatNames.Delimited(name),
            Type = Cluster.Types.DiscoveryType.OriginalDst,
            LbPolicy = Cluster.Types.LbPolicy.ClusterProvided,
            CleanupInterval = new Duration { Seconds = 60 },
            OriginalDstLbConfig = new() { UpstreamPortOverride = HbonePort },
            TransportSocket = MeshTls(settings, identityPrefixes),
        };
        ConnectionPools.Apply(new ClusterDraft { Cluster = cluster }, settings.Mesh, null, null);
        return cluster;
    }

    private static HttpProtocolOptions Tunneled(MeshSettings settings, uint? requestsMax) => new()
    {
        CommonHttpProtocolOptions = new() { IdleTimeout = settings.Mesh.HboneIdleTimeout, MaxRequestsPerConnection = requestsMax },
        ExplicitHttpConfig = new() { Http2ProtocolOptions = new() { AllowConnect = true } },
    };

    private static TransportSocket MeshTls(MeshSettings settings, IEnumerable<string> identityPrefixes)
    {
        var context = new UpstreamTlsContext
        {
            CommonTlsContext = new CommonTlsContext
            {
                AlpnProtocols = { "h2" },
                TlsCertificateSdsSecretConfigs = { UpstreamTls.AgentSecret("default") },
                TlsParams = new TlsParameters
                {
                    TlsMinimumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv13,
                    TlsMaximumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv13,
                },
                CombinedValidationContext = new()
                {
                    DefaultValidationContext = new CertificateValidationContext
                    {
                        MatchTypedSubjectAltNames =
                        {
                            TrustDomains(settings).Select(static domain => $"spiffe://{domain}/").Concat(identityPrefixes)
                                .Select(static prefix => new SubjectAltNameMatcher
                                {
                                    SanType = SubjectAltNameMatcher.Types.SanType.Uri,
                                    Matcher = new StringMatcher { Prefix = prefix },
                                }),
                        },
                    },
                    ValidationContextSdsSecretConfig = UpstreamTls.AgentSecret("ROOTCA"),
                },
            },
        };
        return new TransportSocket { Name = "tls", TypedConfig = WireAny.Pack(context) };
    }

    private static IEnumerable<string> TrustDomains(MeshSettings settings) =>
        settings.Mesh.TrustDomainAliases.Append(settings.TrustDomain).Distinct().Order(StringComparer.Ordinal);
}
