using Envoy.Config.Cluster.V3;
using Envoy.Extensions.Clusters.DynamicForwardProxy.V3;
using Envoy.Extensions.Common.DynamicForwardProxy.V3;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Clusters whose target is the name in the request, resolved when it comes.</summary>
internal static class DynamicDnsClusters
{
    /// <summary>One cluster; none for protocols that don't name the host in a way that is read.</summary>
    public static List<Cluster> Build(OutboundClusterInputs inputs)
    {
        if (!NamesHost(inputs.Port.Protocol, inputs.Settings.Features)) return [];
        var name = ClusterNames.Outbound(inputs.Port.Number, "", inputs.Service.Hostname);
        var forward = new ClusterConfig
        {
            DnsCacheConfig = new DnsCacheConfig
            {
                Name = inputs.Service.Hostname + "_dfp_dns_cache",
                DnsLookupFamily = OutboundClusters.LookupFamily(inputs.Client, inputs.Settings.Features),
            },
        };
        var policy = TrafficPolicies.WithDefaults(
            TrafficPolicies.ForPort(inputs.Rule?.Rule.Spec.TrafficPolicy, inputs.Port.Number), inputs.Settings.Mesh.DefaultTrafficPolicy);
        var draft = new ClusterDraft
        {
            Cluster = new Cluster
            {
                Name = name,
                AltStatName = StatNames.Delimited(name),
                LbPolicy = Cluster.Types.LbPolicy.ClusterProvided,
            },
        };
        if (inputs.Port.Protocol.IsHttp2()) draft.UseHttp2();
        if (ConnectionPools.UpgradesToHttp2(inputs.Port.Protocol, inputs.Settings.Mesh, policy?.ConnectionPool)) draft.UseHttp2();
        ConnectionPools.Apply(draft, inputs.Settings.Mesh, policy?.ConnectionPool, policy?.RetryBudget);
        draft.Cluster.CommonLbConfig = new();
        LoadBalancing.ApplyOutlierDetection(draft, policy?.OutlierDetection, sendsUnhealthy: false);
        if (policy?.OutlierDetection is null) draft.Cluster.CommonLbConfig = null;
        if (policy?.Tls is not null)
        {
            UpstreamTls.Apply(draft, inputs, policy.Tls, MtlsMode.Unknown, "", inputs.Rule?.Selector is not null);
            forward.AllowInsecureClusterOptions = policy.Tls.InsecureSkipVerify == true;
        }
        if (inputs.Settings.Features.MetadataExchange) draft.Cluster.Filters.Add(FixedClusters.MetadataExchange());
        ClusterMetadata.External(draft.Cluster);
        if (inputs.Rule is not null) ClusterMetadata.Config(draft.Cluster, inputs.Rule.Rule.Origin);
        draft.Cluster.ClusterType = Type(forward);
        return [draft.Finish()];
    }

    /// <summary>Outbound traffic to hosts that nobody declared, under ALLOW_ANY_DYNAMIC_DNS.</summary>
    public static Cluster AllowAny(MeshSettings settings, ClusterClient client)
    {
        var cluster = FixedClusters.Passthrough(settings);
        cluster.Name = ClusterNames.AllowAnyDynamicDns;
        cluster.AltStatName = StatNames.Delimited(cluster.Name);
        cluster.ClearClusterDiscoveryType();
        cluster.ClusterType = Type(new ClusterConfig
        {
            AllowInsecureClusterOptions = true,
            DnsCacheConfig = new DnsCacheConfig
            {
                Name = "allow_any_dfp_dns_cache",
                MaxHosts = settings.Features.DynamicDnsHostsMax,
                DnsLookupFamily = OutboundClusters.LookupFamily(client, settings.Features),
            },
        });
        return cluster;
    }

    private static bool NamesHost(Protocol protocol, Features features) =>
        protocol.IsHttp() || (protocol == Protocol.Tls && features.WildcardTlsEntries);

    private static Cluster.Types.CustomClusterType Type(ClusterConfig config) =>
        new() { Name = "envoy.clusters.dynamic_forward_proxy", TypedConfig = WireAny.Pack(config) };
}
