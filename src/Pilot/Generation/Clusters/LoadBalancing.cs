using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using Envoy.Config.Common.Matcher.V3;
using Envoy.Type.Matcher.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Percent = Envoy.Type.V3.Percent;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Load-balancing policy, consistent hashing, warm-up, outlier detection.</summary>
internal static class LoadBalancing
{
    /// <summary>Outlier detection: only what the user asks for is enforced; success rate never is.</summary>
    public static void ApplyOutlierDetection(ClusterDraft draft, Istio.Networking.V1Alpha3.OutlierDetection? outlier, bool sendsUnhealthy)
    {
        if (outlier is null) return;
        var cluster = draft.Cluster;
        var made = new Envoy.Config.Cluster.V3.OutlierDetection { EnforcingSuccessRate = 0 };
        if (outlier.Consecutive5XxErrors is { } errors)
        {
            made.Consecutive5Xx = errors;
            made.EnforcingConsecutive5Xx = errors > 0 ? 100u : 0;
        }
        if (outlier.ConsecutiveGatewayErrors is { } gatewayErrors)
        {
            made.ConsecutiveGatewayFailure = gatewayErrors;
            made.EnforcingConsecutiveGatewayFailure = gatewayErrors > 0 ? 100u : 0;
        }
        if (outlier.Interval is not null) made.Interval = outlier.Interval;
        if (outlier.BaseEjectionTime is not null) made.BaseEjectionTime = outlier.BaseEjectionTime;
        if (outlier.MaxEjectionPercent > 0) made.MaxEjectionPercent = (uint)outlier.MaxEjectionPercent;
        if (outlier.SplitExternalLocalOriginErrors)
        {
            made.SplitExternalLocalOriginErrors = true;
            if (outlier.ConsecutiveLocalOriginFailures > 0)
            {
                made.ConsecutiveLocalOriginFailure = outlier.ConsecutiveLocalOriginFailures;
                made.EnforcingConsecutiveLocalOriginFailure = 100;
            }
            made.EnforcingLocalOriginSuccessRate = 0;
        }
        cluster.OutlierDetection = made;
        // Panic would send traffic to pods that are not ready; with those among the endpoints it must stay off.
        cluster.CommonLbConfig.HealthyPanicThreshold = new Percent { Value = sendsUnhealthy ? 0 : outlier.MinHealthPercent };
        ErrorCodes(draft, outlier);
    }

    /// <summary>The policy itself.</summary>
    public static void Apply(ClusterDraft draft, LoadBalancerSettings? settings, Protocol protocol, bool redisFilter)
    {
        var cluster = draft.Cluster;
        if (draft.IsOriginalDestination)
        {
            cluster.LbPolicy = Cluster.Types.LbPolicy.ClusterProvided;
            return;
        }
        if (redisFilter && protocol == Protocol.Redis)
        {
            cluster.LbPolicy = Cluster.Types.LbPolicy.Maglev;
            return;
        }
        var simple = settings?.LbPolicyCase == LoadBalancerSettings.LbPolicyOneofCase.Simple
            ? settings.Simple : LoadBalancerSettings.Types.SimpleLB.Unspecified;
        switch (simple)
        {
            case LoadBalancerSettings.Types.SimpleLB.Random:
                cluster.LbPolicy = Cluster.Types.LbPolicy.Random;
                break;
            case LoadBalancerSettings.Types.SimpleLB.RoundRobin:
                cluster.LbPolicy = Cluster.Types.LbPolicy.RoundRobin;
                if (SlowStart(settings) is { } slow) cluster.RoundRobinLbConfig = new() { SlowStartConfig = slow };
                break;
            case LoadBalancerSettings.Types.SimpleLB.Passthrough:
                cluster.LbPolicy = Cluster.Types.LbPolicy.ClusterProvided;
                cluster.Type = Cluster.Types.DiscoveryType.OriginalDst;
                cluster.LoadAssignment = null;
                break;
            default:
                cluster.LbPolicy = Cluster.Types.LbPolicy.LeastRequest;
                if (SlowStart(settings) is { } start) cluster.LeastRequestLbConfig = new() { SlowStartConfig = start };
                break;
        }
        if (settings?.ConsistentHash is { } hash) ConsistentHash(cluster, hash);
    }

    /// <summary>Zone-aware routing, where it is asked for; Envoy keeps to it only as far as it knows its own zone's share.</summary>
    public static void ApplyZoneAware(ClusterDraft draft, LoadBalancerSettings? settings, ZoneAwareLoadBalancerSetting? zoneAware)
    {
        if (zoneAware is null || zoneAware.Enabled == false || settings?.ConsistentHash is not null || draft.IsOriginalDestination) return;
        draft.Cluster.CommonLbConfig.ZoneAwareLbConfig = new() { MinClusterSize = zoneAware.MinClusterSize ?? 6 };
    }

    /// <summary>Weights by locality count only where something is said about localities; else they would disturb the policy.</summary>
    public static void ApplyLocality(ClusterDraft draft, LocalityPreference preference)
    {
        var settings = preference.Locality;
        var failsOver = preference.ForcesFailover || draft.Cluster.OutlierDetection is not null;
        if (settings is null) return;
        if ((failsOver && (settings.Failover.Count > 0 || settings.FailoverPriority.Count > 0)) || settings.Distribute.Count > 0)
        {
            draft.Cluster.CommonLbConfig.LocalityWeightedLbConfig = new();
        }
    }

    private static Cluster.Types.SlowStartConfig? SlowStart(LoadBalancerSettings? settings)
    {
        if (settings?.Warmup is { } warmup)
        {
            return new()
            {
                SlowStartWindow = warmup.Duration,
                Aggression = new RuntimeDouble { DefaultValue = warmup.Aggression ?? 1, RuntimeKey = "(" },
                MinWeightPercent = new Percent { Value = warmup.MinimumPercent ?? 10 },
            };
        }
        return settings?.WarmupDurationSecs is { } window ? new() { SlowStartWindow = window } : null;
    }

    /// <summary>Hashing of requests to endpoints.</summary>
    public static void ConsistentHash(Cluster cluster, LoadBalancerSettings.Types.ConsistentHashLB hash)
    {
        switch (hash.HashAlgorithmCase)
        {
            case LoadBalancerSettings.Types.ConsistentHashLB.HashAlgorithmOneofCase.Maglev:
                cluster.LbPolicy = Cluster.Types.LbPolicy.Maglev;
                if (hash.Maglev.TableSize != 0) cluster.MaglevLbConfig = new() { TableSize = hash.Maglev.TableSize };
                break;
            case LoadBalancerSettings.Types.ConsistentHashLB.HashAlgorithmOneofCase.RingHash:
                cluster.LbPolicy = Cluster.Types.LbPolicy.RingHash;
                if (hash.RingHash.MinimumRingSize != 0)
                    cluster.RingHashLbConfig = new() { MinimumRingSize = hash.RingHash.MinimumRingSize };
                break;
            default:
                cluster.LbPolicy = Cluster.Types.LbPolicy.RingHash;
                cluster.RingHashLbConfig = new() { MinimumRingSize = hash.MinimumRingSize != 0 ? hash.MinimumRingSize : 1024 };
                break;
        }
    }

    private static void ErrorCodes(ClusterDraft draft, Istio.Networking.V1Alpha3.OutlierDetection outlier)
    {
        if (outlier.OutlierDetectionHttpErrorCodes.Count == 0) return;
        var rules = outlier.OutlierDetectionHttpErrorCodes.Select(code => new MatchPredicate
        {
            HttpResponseHeadersMatch = new HttpHeadersMatch
            {
                Headers =
                {
                    new Envoy.Config.Route.V3.HeaderMatcher
                    {
                        Name = ":status",
                        StringMatch = new StringMatcher { Exact = code.ToString(System.Globalization.CultureInfo.InvariantCulture) },
                    },
                },
            },
        }).ToList();
        var matcher = rules.Count == 1 ? rules[0] : new MatchPredicate { OrMatch = new() { Rules = { rules } } };
        draft.HttpOptions.OutlierDetection = new() { ErrorMatcher = matcher };
    }
}
