using Envoy.Config.Cluster.V3;
using Google.Protobuf;
using Lateen.Proxy.Clusters;
using Core = Envoy.Config.Core.V3;
using Common = Envoy.Extensions.LoadBalancingPolicies.Common.V3;
using Message = Envoy.Config.Cluster.V3.Cluster;
using Policies = Envoy.Extensions.LoadBalancingPolicies;

namespace Lateen.Proxy.Xds;

/// <summary>Load balancing in its two spellings: lb_policy with its lb_config, and the extensible load_balancing_policy, which
/// wins.</summary>
internal static class BalancerTranslator
{
    /// <summary>The cluster's balancing.</summary>
    public static BalancerOptions Balancer(Message cluster, Rejections rejections)
    {
        Message.Types.CommonLbConfig? shared = cluster.CommonLbConfig;
        var options = new BalancerOptions
        {
            PanicThreshold = shared?.HealthyPanicThreshold?.Value ?? 50,
            FailTrafficOnPanic = shared?.ZoneAwareLbConfig?.FailTrafficOnPanic ?? false,
            LocalityWeighted = shared?.LocalityWeightedLbConfig is not null,
            ZoneAware = shared?.ZoneAwareLbConfig is { } z
                ? new ZoneAwareOptions(z.RoutingEnabled?.Value ?? 100, (long)(z.MinClusterSize ?? 6), z.FailTrafficOnPanic) : null,
            HashByHostname = shared?.ConsistentHashingLbConfig?.UseHostnameForHashing ?? false,
            HashBalanceFactor = (int)(shared?.ConsistentHashingLbConfig?.HashBalanceFactor ?? 0),
            Subsets = Subsets(cluster.LbSubsetConfig),
        };
        if (shared?.OverrideHostStatus is { } statuses)
            options = options with { OverrideStatuses =
                statuses.Statuses.Aggregate(OverrideStatuses.None, (s, status) => s | (OverrideStatuses)(1 << (int)status)) };
        if (cluster.LoadBalancingPolicy is { Policies.Count: > 0 } list)
            return FromList(options, list, rejections);
        return cluster.LbPolicy switch
        {
            Message.Types.LbPolicy.RoundRobin =>
                options with { Kind = BalancerKind.RoundRobin, SlowStart = SlowStart(cluster.RoundRobinLbConfig?.SlowStartConfig) },
            Message.Types.LbPolicy.LeastRequest => options with
            {
                Kind = BalancerKind.LeastRequest,
                ChoiceCount = (int)(cluster.LeastRequestLbConfig?.ChoiceCount ?? 2),
                ActiveRequestBias = cluster.LeastRequestLbConfig?.ActiveRequestBias?.DefaultValue ?? 1.0,
                SlowStart = SlowStart(cluster.LeastRequestLbConfig?.SlowStartConfig),
            },
            Message.Types.LbPolicy.Random => options with { Kind = BalancerKind.Random },
            Message.Types.LbPolicy.RingHash => Ring(options, cluster.RingHashLbConfig, rejections),
            Message.Types.LbPolicy.Maglev =>
                options with { Kind = BalancerKind.Maglev, TableSize = TableSize(cluster.MaglevLbConfig?.TableSize, rejections) },
            Message.Types.LbPolicy.ClusterProvided => options with { Kind = BalancerKind.ClusterProvided },
            _ => options,
        };
    }

    private static int TableSize(ulong? size, Rejections rejections)
    {
        ulong entries = size ?? 65537;
        bool prime = entries >= 2;
        for (ulong d = 2; prime && d * d <= entries; d++)
            prime = entries % d != 0;
        if (entries > 5_000_011)
            rejections.Add($"maglev table_size {entries} is above 5000011");
        else if (!prime)
            rejections.Add("The table size of maglev must be prime number");
        return (int)Math.Min(entries, 5_000_011);
    }

    private static BalancerOptions Ring(BalancerOptions options, Message.Types.RingHashLbConfig? ring, Rejections rejections)
    {
        long min = (long)(ring?.MinimumRingSize ?? 1024), max = (long)(ring?.MaximumRingSize ?? 8 * 1024 * 1024);
        if (min > max)
            rejections.Add($"ring hash: minimum_ring_size ({min}) > maximum_ring_size ({max})");
        return options with
        {
            Kind = BalancerKind.RingHash,
            MinimumRingSize = min,
            MaximumRingSize = max,
            Murmur2 = ring?.HashFunction == Message.Types.RingHashLbConfig.Types.HashFunction.MurmurHash2,
        };
    }

    // The first policy that is known is taken (envoy.config.cluster.v3.LoadBalancingPolicy).
    private static BalancerOptions FromList(BalancerOptions options, LoadBalancingPolicy list, Rejections rejections)
    {
        foreach (LoadBalancingPolicy.Types.Policy policy in list.Policies)
        {
            if (FromPolicy(options, policy.TypedExtensionConfig, rejections) is { } known)
                return known;
        }
        rejections.Add($"Didn't find a registered load balancer factory for the "
            + $"policies {string.Join(", ", list.Policies.Select(p => p.TypedExtensionConfig?.Name))}");
        return options;
    }

    private static BalancerOptions? FromPolicy(BalancerOptions options, Core.TypedExtensionConfig? config, Rejections rejections)
    {
        if (config?.TypedConfig is not { } any)
            return null;
        switch (ValueTranslator.TypeName(any))
        {
            case "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin":
                Policies.RoundRobin.V3.RoundRobin? rr = ValueTranslator.Unpack(any, Policies.RoundRobin.V3.RoundRobin.Parser, rejections);
                return Locality(options with { Kind = BalancerKind.RoundRobin, SlowStart = SlowStart(rr?.SlowStartConfig) },
                    rr?.LocalityLbConfig);
            case "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest":
                Policies.LeastRequest.V3.LeastRequest? lr =
                    ValueTranslator.Unpack(any, Policies.LeastRequest.V3.LeastRequest.Parser, rejections);
                return Locality(options with
                {
                    Kind = BalancerKind.LeastRequest,
                    ChoiceCount = (int)(lr?.ChoiceCount ?? 2),
                    ActiveRequestBias = lr?.ActiveRequestBias?.DefaultValue ?? 1.0,
                    SlowStart = SlowStart(lr?.SlowStartConfig),
                    FullScan = lr?.SelectionMethod == Policies.LeastRequest.V3.LeastRequest.Types.SelectionMethod.FullScan,
                }, lr?.LocalityLbConfig);
            case "envoy.extensions.load_balancing_policies.random.v3.Random":
                return Locality(options with { Kind = BalancerKind.Random },
                    ValueTranslator.Unpack(any, Policies.Random.V3.Random.Parser, rejections)?.LocalityLbConfig);
            case "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash":
                Policies.RingHash.V3.RingHash? ring = ValueTranslator.Unpack(any, Policies.RingHash.V3.RingHash.Parser, rejections);
                return Hashing(options with
                {
                    Kind = BalancerKind.RingHash,
                    MinimumRingSize = (long)(ring?.MinimumRingSize ?? 1024),
                    MaximumRingSize = (long)(ring?.MaximumRingSize ?? 8 * 1024 * 1024),
                    Murmur2 = ring?.HashFunction == Policies.RingHash.V3.RingHash.Types.HashFunction.MurmurHash2,
                }, ring?.ConsistentHashingLbConfig, ring?.LocalityWeightedLbConfig is not null, rejections);
            case "envoy.extensions.load_balancing_policies.maglev.v3.Maglev":
                Policies.Maglev.V3.Maglev? maglev = ValueTranslator.Unpack(any, Policies.Maglev.V3.Maglev.Parser, rejections);
                return Hashing(options with { Kind = BalancerKind.Maglev, TableSize = TableSize(maglev?.TableSize, rejections) },
                    maglev?.ConsistentHashingLbConfig, maglev?.LocalityWeightedLbConfig is not null, rejections);
            case "envoy.extensions.load_balancing_policies.cluster_provided.v3.ClusterProvided":
                return options with { Kind = BalancerKind.ClusterProvided };
            case "envoy.extensions.load_balancing_policies.override_host.v3.OverrideHost":
                return OverrideHost(options, ValueTranslator.Unpack(any, Policies.OverrideHost.V3.OverrideHost.Parser, rejections),
                    rejections);
            case "envoy.extensions.load_balancing_policies.wrr_locality.v3.WrrLocality":
                Policies.WrrLocality.V3.WrrLocality? wrr =
                    ValueTranslator.Unpack(any, Policies.WrrLocality.V3.WrrLocality.Parser, rejections);
                return wrr?.EndpointPickingPolicy is { } inner
                    ? FromList(options with { LocalityWeighted = true }, inner, rejections) : null;
            case "envoy.extensions.load_balancing_policies.subset.v3.Subset":
                Policies.Subset.V3.Subset? subset = ValueTranslator.Unpack(any, Policies.Subset.V3.Subset.Parser, rejections);
                return subset?.SubsetLbPolicy is { } within
                    ? FromList(options with { Subsets = Subsets(subset) }, within, rejections) : null;
            case "envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin":
                rejections.Note("client_side_weighted_round_robin: endpoints' own load reports are not read, their weights count");
                return options with { Kind = BalancerKind.RoundRobin };
            default:
                return null;
        }
    }

    private static BalancerOptions OverrideHost(BalancerOptions options, Policies.OverrideHost.V3.OverrideHost? config,
        Rejections rejections)
    {
        if (config is null)
            return options;
        BalancerOptions inner = config.FallbackPolicy is { Policies.Count: > 0 } fallback
            ? FromList(options, fallback, rejections) : options;
        return inner with
        {
            OverrideSources = [.. config.OverrideHostSources.Select(
                s => new OverrideSource(s.Header.ToLowerInvariant(), s.Metadata?.Key ?? "",
                    [.. s.Metadata?.Path.Select(p => p.Key) ?? []]))],
        };
    }

    private static BalancerOptions Locality(BalancerOptions options, Common.LocalityLbConfig? locality) =>
        locality?.LocalityConfigSpecifierCase switch
        {
            Common.LocalityLbConfig.LocalityConfigSpecifierOneofCase.LocalityWeightedLbConfig => options with { LocalityWeighted = true },
            Common.LocalityLbConfig.LocalityConfigSpecifierOneofCase.ZoneAwareLbConfig => options with
            {
                ZoneAware = new ZoneAwareOptions(locality.ZoneAwareLbConfig.RoutingEnabled?.Value ?? 100,
                    (long)(locality.ZoneAwareLbConfig.MinClusterSize ?? 6), locality.ZoneAwareLbConfig.FailTrafficOnPanic),
                FailTrafficOnPanic = locality.ZoneAwareLbConfig.FailTrafficOnPanic,
            },
            _ => options,
        };

    private static BalancerOptions Hashing(BalancerOptions options, Common.ConsistentHashingLbConfig? hashing, bool weighted,
        Rejections rejections) => options with
        {
            HashPolicies = hashing is null
                ? [] : hashing.HashPolicy.Select(p => Network.HashPolicyTranslator.Policy(p, rejections)).ToArray(),
            HashByHostname = hashing?.UseHostnameForHashing ?? options.HashByHostname,
            HashBalanceFactor = (int)(hashing?.HashBalanceFactor ?? (uint)options.HashBalanceFactor),
            LocalityWeighted = options.LocalityWeighted || weighted,
        };

    private static SlowStartOptions? SlowStart(Message.Types.SlowStartConfig? s) =>
        s?.SlowStartWindow is null
            ? null : new SlowStartOptions(ValueTranslator.Micros(s.SlowStartWindow), s.Aggression?.DefaultValue ?? 1.0,
                s.MinWeightPercent?.Value ?? 10);

    private static SlowStartOptions? SlowStart(Common.SlowStartConfig? s) =>
        s?.SlowStartWindow is null
            ? null : new SlowStartOptions(ValueTranslator.Micros(s.SlowStartWindow), s.Aggression?.DefaultValue ?? 1.0,
                s.MinWeightPercent?.Value ?? 10);

    // The cluster's own field is the policy of the extensible list without what balances within a subset: the same fields by the same
    // numbers.
    private static SubsetOptions? Subsets(Message.Types.LbSubsetConfig? s) =>
        s is null ? null : Subsets(Policies.Subset.V3.Subset.Parser.ParseFrom(s.ToByteString()));

    private static SubsetOptions? Subsets(Policies.Subset.V3.Subset s) => s.SubsetSelectors.Count == 0 ? null : new SubsetOptions
    {
        Fallback = (SubsetFallback)s.FallbackPolicy,
        DefaultSubset = s.DefaultSubset is null ? new Dictionary<string, System.Text.Json.JsonElement>()
            : ValueTranslator.Json(s.DefaultSubset).EnumerateObject().ToDictionary(p => p.Name, p => p.Value),
        Selectors = [.. s.SubsetSelectors.Select(Selector)],
        LocalityWeightAware = s.LocalityWeightAware,
        ScaleLocalityWeight = s.ScaleLocalityWeight,
        PanicModeAny = s.PanicModeAny,
        ListAsAny = s.ListAsAny,
        MetadataFallbackList = s.MetadataFallbackPolicy
            == Policies.Subset.V3.Subset.Types.LbSubsetMetadataFallbackPolicy.FallbackList,
    };

    private static SubsetSelector Selector(Policies.Subset.V3.Subset.Types.LbSubsetSelector s) => new(
        [.. s.Keys.Order(StringComparer.Ordinal)],
        s.FallbackPolicy switch
        {
            Policies.Subset.V3.Subset.Types.LbSubsetSelector.Types.LbSubsetSelectorFallbackPolicy.NoFallback => SubsetFallback.NoFallback,
            Policies.Subset.V3.Subset.Types.LbSubsetSelector.Types.LbSubsetSelectorFallbackPolicy.AnyEndpoint =>
                SubsetFallback.AnyEndpoint,
            Policies.Subset.V3.Subset.Types.LbSubsetSelector.Types.LbSubsetSelectorFallbackPolicy.DefaultSubset =>
                SubsetFallback.DefaultSubset,
            Policies.Subset.V3.Subset.Types.LbSubsetSelector.Types.LbSubsetSelectorFallbackPolicy.KeysSubset => SubsetFallback.KeysSubset,
            _ => SubsetFallback.NotDefined,
        },
        [.. s.FallbackKeysSubset.Order(StringComparer.Ordinal)],
        s.SingleHostPerSubset);
}
