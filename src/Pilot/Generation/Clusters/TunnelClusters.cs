using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;
using Envoy.Type.Metadata.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Meaning;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Clusters through which HBONE tunnels are opened.</summary>
internal static class TunnelClusters
{
    private const uint HbonePort = 15008;

    /// <summary>Opens a tunnel to the address that the endpoint's metadata names.</summary>
    public static Cluster ConnectOriginate(MeshSettings settings, string name = "connect_originate")
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
                            TrustDomains(settings).Select(domain => new SubjectAltNameMatcher
                            {
                                SanType = SubjectAltNameMatcher.Types.SanType.Uri,
                                Matcher = new StringMatcher { Prefix = $"spiffe://{domain}/" },
                            }),
                        },
                    },
                    ValidationContextSdsSecretConfig = UpstreamTls.AgentSecret("ROOTCA"),
                },
            },
        };
        var cluster = new Cluster
        {
            Name = name,
            AltStatName = StatNames.Delimited(name),
            Type = Cluster.Types.DiscoveryType.OriginalDst,
            LbPolicy = Cluster.Types.LbPolicy.ClusterProvided,
            ConnectTimeout = new Duration { Seconds = 2 },
            CleanupInterval = new Duration { Seconds = 60 },
            OriginalDstLbConfig = new()
            {
                UpstreamPortOverride = HbonePort,
                MetadataKey = new MetadataKey { Key = "envoy.filters.listener.original_dst", Path = { new MetadataKey.Types.PathSegment { Key = "waypoint" } } },
            },
            TransportSocket = new TransportSocket { Name = "tls", TypedConfig = WireAny.Pack(context) },
        };
        ConnectionPools.Apply(new ClusterDraft { Cluster = cluster }, settings.Mesh, null, null);
        ClusterDraft.SetHttp(cluster, new()
        {
            CommonHttpProtocolOptions = new() { IdleTimeout = settings.Mesh.HboneIdleTimeout },
            ExplicitHttpConfig = new() { Http2ProtocolOptions = new() { AllowConnect = true } },
        });
        return cluster;
    }

    private static IEnumerable<string> TrustDomains(MeshSettings settings) =>
        settings.Mesh.TrustDomainAliases.Append(settings.TrustDomain).Distinct().Order(StringComparer.Ordinal);
}
