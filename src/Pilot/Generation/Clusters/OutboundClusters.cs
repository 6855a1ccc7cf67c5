using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Endpoint.V3;
using Envoy.Extensions.Network.DnsResolver.Cares.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using DiscoveryType = Envoy.Config.Cluster.V3.Cluster.Types.DiscoveryType;
using Percent = Envoy.Type.V3.Percent;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>The clusters of one service port: the whole service and its subsets.</summary>
internal static class OutboundClusters
{
    /// <summary>The main cluster first, then the subsets in the order of the rule; none when there is nobody to send to.</summary>
    public static List<Cluster> Build(OutboundClusterInputs inputs)
    {
        if (inputs.Service.Resolution == ServiceResolution.DynamicDns) return DynamicDnsClusters.Build(inputs);
        var made = new List<Cluster>();
        var rule = inputs.Rule;
        var spec = rule?.Rule.Spec;
        if (Main(inputs, spec) is { } main) made.Add(main);
        else return made;
        foreach (var subset in spec?.Subsets ?? [])
        {
            if (OfSubset(inputs, spec!, subset) is { } cluster) made.Add(cluster);
        }
        return made;
    }

    /// <summary>How a proxy finds the endpoints of a service.</summary>
    public static DiscoveryType Discovery(Service service, bool isRouter, Features features) => service.Resolution switch
    {
        ServiceResolution.Dns => DiscoveryType.StrictDns,
        ServiceResolution.DnsRoundRobin => DiscoveryType.LogicalDns,
        // Routers have no original destination to go to.
        ServiceResolution.Passthrough when isRouter || (service.IsHeadless && features.EdsForHeadless) => DiscoveryType.Eds,
        ServiceResolution.Passthrough => DiscoveryType.OriginalDst,
        _ => DiscoveryType.Eds,
    };

    private static Cluster? Main(OutboundClusterInputs inputs, DestinationRule? spec)
    {
        var draft = New(inputs, "", Discovery(inputs.Service, inputs.Client.IsRouter, inputs.Settings.Features));
        if (draft is null) return null;
        // Persistent sessions keep to draining endpoints as long as these serve.
        if (inputs.Service.PersistentSession is not null && !inputs.IsSni)
        {
            draft.Cluster.CommonLbConfig.OverrideHostStatus = new HealthStatusSet
            {
                Statuses = { HealthStatus.Healthy, HealthStatus.Draining, HealthStatus.Unknown, HealthStatus.Degraded },
            };
        }
        var policy = TrafficPolicies.ForPort(spec?.TrafficPolicy, inputs.Port.Number);
        ApplyPolicy(draft, inputs, policy, inputs.ServiceMode, "");
        if (inputs.IsVip) ClusterMetadata.Subset(draft.Cluster, inputs.VipReading);
        else if (inputs.IsAllHbone) ClusterMetadata.NoPeerExchange(draft.Cluster);
        else if (inputs.Service.MeshExternal) ClusterMetadata.External(draft.Cluster);
        if (inputs.Rule is not null)
        {
            ClusterMetadata.Config(draft.Cluster, inputs.Rule.Rule.Origin);
            ClusterMetadata.AlpnOverride(draft.Cluster, policy?.Tls?.Mode);
        }
        return draft.Finish();
    }

    private static Cluster? OfSubset(OutboundClusterInputs inputs, DestinationRule spec, Subset subset)
    {
        var discovery = Discovery(inputs.Service, inputs.Client.IsRouter, inputs.Settings.Features);
        var ofDestination = TrafficPolicies.ForPort(spec.TrafficPolicy, inputs.Port.Number);
        if (IsPassthrough(subset.TrafficPolicy) || (IsPassthrough(ofDestination) && discovery == DiscoveryType.Eds))
            discovery = DiscoveryType.OriginalDst;
        if (New(inputs, subset.Name, discovery) is not { } draft) return null;
        var policy = TrafficPolicies.ForSubset(ofDestination, subset.TrafficPolicy, inputs.Port.Number);
        ApplyPolicy(draft, inputs, policy, inputs.ServiceMode, subset.Name);
        ClusterMetadata.Config(draft.Cluster, inputs.Rule!.Rule.Origin);
        ClusterMetadata.Subset(draft.Cluster, inputs.IsVip ? $"{inputs.VipReading}/{subset.Name}" : subset.Name);
        ClusterMetadata.AlpnOverride(draft.Cluster, policy?.Tls?.Mode);
        return draft.Finish();
    }

    /// <summary>A cluster with discovery, protocol, names; without policy. Null when it would have nobody to send to.</summary>
    private static ClusterDraft? New(OutboundClusterInputs inputs, string subset, DiscoveryType discovery)
    {
        var service = inputs.Service;
        var port = inputs.Port;
        var name = inputs.IsSni ? ClusterNames.Sni(port.Number, subset, service.Hostname)
            : inputs.IsVip ? ClusterNames.InboundVip(port.Number, inputs.VipReading, subset, service.Hostname)
            : ClusterNames.Outbound(port.Number, subset, service.Hostname);
        var cluster = new Cluster { Name = name, Type = discovery, CommonLbConfig = new(), AltStatName = StatNames.Delimited(name) };
        if (discovery is DiscoveryType.StrictDns or DiscoveryType.LogicalDns)
        {
            if (LoadAssignment(inputs, name, subset) is not { } assignment) return null;
            Dns(cluster, inputs);
            cluster.LoadAssignment = assignment;
        }
        else if (discovery == DiscoveryType.OriginalDst && port.TargetPort > 0 && port.TargetPort != port.Number)
        {
            cluster.OriginalDstLbConfig = new() { UpstreamPortOverride = (uint)port.TargetPort };
        }
        var draft = new ClusterDraft { Cluster = cluster };
        UpstreamProtocol(draft, port.Protocol, inputs.Client.IsSidecar, inputs.Client.PreservesHeaderCase);
        if (inputs.Settings.Features.TelemetryLabels || inputs.IsVip) ClusterMetadata.Services(cluster, [service]);
        var pattern = inputs.Settings.Mesh.OutboundClusterStatName;
        if (pattern.Length > 0 && !inputs.IsVip)
            cluster.AltStatName = StatNames.Delimited(StatNames.Expand(pattern, service, subset, port, 0));
        return draft;
    }

    /// <summary>The protocol spoken to the upstream: as declared, or as the client spoke where nothing is declared.</summary>
    public static void UpstreamProtocol(ClusterDraft draft, Protocol protocol, bool isSidecar, bool preservesHeaderCase)
    {
        if (protocol.IsHttp2())
        {
            draft.UseHttp2();
            return;
        }
        if (preservesHeaderCase && (protocol.IsHttp() || protocol.IsUnsupported())) draft.PreserveHeaderCase();
        if (isSidecar && protocol.IsUnsupported()) draft.UseDownstreamProtocol();
    }

    private static void Dns(Cluster cluster, OutboundClusterInputs inputs)
    {
        cluster.DnsLookupFamily = LookupFamily(inputs.Client, inputs.Settings.Features, inputs.Service.RacesConnections);
        cluster.TypedDnsResolverConfig = new TypedExtensionConfig
        {
            Name = "envoy.network.dns_resolver.cares",
            TypedConfig = WireAny.Pack(new CaresDnsResolverConfig { UdpMaxQueries = 100 }),
        };
        cluster.DnsJitter = new Duration { Nanos = 100_000_000 };
        cluster.DnsRefreshRate = inputs.Settings.Mesh.DnsRefreshRate;
        cluster.RespectDnsTtl = true;
    }

    /// <summary>Families of the addresses that a client asks for. It can only race for addresses that it knows: then it is all.</summary>
    public static Cluster.Types.DnsLookupFamily LookupFamily(ClusterClient client, Features features, bool races = false) =>
        (client.SupportsIPv4, client.SupportsIPv6) switch
        {
            _ when races => Cluster.Types.DnsLookupFamily.All,
            (true, true) => features.DualStack ? Cluster.Types.DnsLookupFamily.All : Cluster.Types.DnsLookupFamily.V4Only,
            (false, true) => Cluster.Types.DnsLookupFamily.V6Only,
            _ => Cluster.Types.DnsLookupFamily.V4Only,
        };

    private static ClusterLoadAssignment? LoadAssignment(OutboundClusterInputs inputs, string name, string subset)
    {
        if (inputs.Endpoints is not { } endpoints) return null;
        endpoints = endpoints with { ClusterName = name, Subset = subset };
        var groups = EndpointAssignment.Groups(endpoints, skipNames: false);
        if (groups.Count == 0) return null;
        var policy = PolicyOf(inputs, subset);
        var preference = LocalityPreference.Of(inputs.Settings.Mesh, policy?.LoadBalancer, inputs.Service, endpoints.Client.KnowsItself);
        groups = LocalityPriorities.Apply(groups, endpoints.Client, preference, policy?.OutlierDetection is not null);
        var assignment = new ClusterLoadAssignment { ClusterName = name };
        foreach (var group in groups) assignment.Endpoints.Add(group.ToWire());
        return assignment;
    }

    private static TrafficPolicy? PolicyOf(OutboundClusterInputs inputs, string subset)
    {
        var spec = inputs.Rule?.Rule.Spec;
        return TrafficPolicies.ForSubset(spec?.TrafficPolicy, TrafficPolicies.SubsetOf(spec, subset)?.TrafficPolicy, inputs.Port.Number);
    }

    private static void ApplyPolicy(ClusterDraft draft, OutboundClusterInputs inputs, TrafficPolicy? policy, MtlsMode mode, string subset)
    {
        var settings = inputs.Settings;
        var mesh = settings.Mesh;
        policy = TrafficPolicies.WithDefaults(policy, mesh.DefaultTrafficPolicy);
        if (ConnectionPools.UpgradesToHttp2(inputs.Port.Protocol, mesh, policy?.ConnectionPool)) draft.UseHttp2();
        ConnectionPools.Apply(draft, mesh, policy?.ConnectionPool, policy?.RetryBudget);

        var sendsUnhealthy = EndpointVisibility.SendsUnhealthy(inputs.Service, settings, inputs.Rule, inputs.Port.Number, subset);
        LoadBalancing.ApplyOutlierDetection(draft, policy?.OutlierDetection, sendsUnhealthy);
        if (sendsUnhealthy) draft.Cluster.CommonLbConfig.HealthyPanicThreshold = new Percent();
        var zoneAware = LocalityPreference.Of(mesh, policy?.LoadBalancer, inputs.Service, knowsItself: true).ZoneAware;
        if (zoneAware is not null) LoadBalancing.ApplyZoneAware(draft, policy?.LoadBalancer, zoneAware);
        else LoadBalancing.ApplyLocality(draft, LocalityPreference.Of(mesh, policy?.LoadBalancer, inputs.Service, knowsItself: false));
        LoadBalancing.Apply(draft, policy?.LoadBalancer, inputs.Port.Protocol, settings.Features.RedisFilter);

        if (inputs.IsVip) UpstreamTls.ApplyVip(draft, inputs, policy?.Tls);
        else if (!inputs.IsSni)
        {
            var sni = ClusterNames.Sni(inputs.Port.Number, subset, inputs.Service.Hostname);
            UpstreamTls.Apply(draft, inputs, policy?.Tls, mode, sni, inputs.Rule?.Selector is not null);
            UpstreamTls.ApplyProxyProtocol(draft.Cluster, policy?.ProxyProtocol);
        }
        if (draft.IsOriginalDestination) draft.Cluster.LbPolicy = Cluster.Types.LbPolicy.ClusterProvided;
        if (draft.Cluster.ClusterDiscoveryTypeCase == Cluster.ClusterDiscoveryTypeOneofCase.Type && draft.Cluster.Type == DiscoveryType.Eds)
            Eds(draft.Cluster);
        if (settings.Features.MetadataExchange && !inputs.IsVip) draft.Cluster.Filters.Add(FixedClusters.MetadataExchange());
    }

    private static bool IsPassthrough(TrafficPolicy? policy) =>
        policy?.LoadBalancer is { LbPolicyCase: LoadBalancerSettings.LbPolicyOneofCase.Simple,
            Simple: LoadBalancerSettings.Types.SimpleLB.Passthrough };

    private static void Eds(Cluster cluster) => cluster.EdsClusterConfig = new()
    {
        ServiceName = cluster.Name,
        EdsConfig = new ConfigSource
        {
            Ads = new AggregatedConfigSource(),
            InitialFetchTimeout = new Duration(),
            ResourceApiVersion = ApiVersion.V3,
        },
    };
}
