using Istio.Networking.V1Alpha3;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>Load balancing, and the preference for near endpoints.</summary>
internal static class LoadBalancerRules
{
    private const ulong MaglevSizeMax = 5_000_011;

    private static readonly string[] TopologyLabels = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone",
        "topology.istio.io/subzone"];

    public static void Check(Findings f, string path, LoadBalancerSettings? settings, OutlierDetection? outlier)
    {
        if (settings is null) return;
        f.WarnIf(settings is { LbPolicyCase: LoadBalancerSettings.LbPolicyOneofCase.Simple,
            Simple: LoadBalancerSettings.Types.SimpleLB.LeastConn },
            Codes.Deprecated, path + ".simple", "LEAST_CONN is deprecated, use LEAST_REQUEST");
        if (settings.ConsistentHash is { } hash) ConsistentHash(f, path + ".consistentHash", hash);
        Warmup(f, path, settings);
        f.ErrorIf(settings.LocalityLbSetting is not null && settings.ZoneAwareLbSetting is not null, Codes.Exclusive, path,
            "localityLbSetting and zoneAwareLbSetting must not be set together");
        Locality(f, path + ".localityLbSetting", settings.LocalityLbSetting, outlier);
        ZoneAware(f, path + ".zoneAwareLbSetting", settings.ZoneAwareLbSetting, outlier);
    }

    private static void ConsistentHash(Findings f, string path, LoadBalancerSettings.Types.ConsistentHashLB hash)
    {
        f.WarnIf(hash.MinimumRingSize != 0, Codes.Deprecated, path + ".minimumRingSize",
            "consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead");
        if (hash.HttpCookie is { } cookie)
        {
            f.ErrorIf(cookie.Name.Length == 0, Codes.LoadBalancer, path + ".httpCookie.name", "name required for HttpCookie");
            f.ErrorIf(cookie.Ttl is { } ttl && (ttl.Seconds < 0 || ttl.Nanos < 0), Codes.BadDuration, path + ".httpCookie.ttl",
                "must not be negative");
            var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
            foreach (var attribute in cookie.Attributes)
            {
                f.ErrorIf(attribute.Name.Length == 0, Codes.LoadBalancer, path + ".httpCookie.attributes",
                    "name required for HttpCookie attribute");
                f.ErrorIf(!names.Add(attribute.Name), Codes.Duplicate, path + ".httpCookie.attributes",
                    $"duplicate attribute {attribute.Name}");
            }
        }

        if (hash.Maglev is { } maglev)
        {
            f.ErrorIf(maglev.TableSize == 0, Codes.LoadBalancer, path + ".maglev.tableSize", "tableSize must be set");
            f.ErrorIf(maglev.TableSize >= MaglevSizeMax, Codes.LoadBalancer, path + ".maglev.tableSize",
                $"tableSize must be less than {MaglevSizeMax}");
            f.ErrorIf(maglev.TableSize is > 0 and < MaglevSizeMax && !IsPrime(maglev.TableSize), Codes.LoadBalancer,
                path + ".maglev.tableSize", "tableSize must be a prime number");
        }
    }

    private static void Warmup(Findings f, string path, LoadBalancerSettings settings)
    {
        Rules.Duration(f, path + ".warmupDurationSecs", settings.WarmupDurationSecs);
        f.WarnIf(settings.WarmupDurationSecs is not null, Codes.Deprecated, path + ".warmupDurationSecs",
            "warmupDurationSecs is deprecated, use warmup");
        if (settings.Warmup is { } warmup)
        {
            f.ErrorIf(warmup.Duration is null, Codes.Required, path + ".warmup.duration", "duration is required");
            Rules.Duration(f, path + ".warmup.duration", warmup.Duration);
            f.ErrorIf(warmup.MinimumPercent is < 0 or > 100, Codes.BadPercent, path + ".warmup.minimumPercent", "must be from 0 to 100");
            f.ErrorIf(warmup.Aggression is <= 0, Codes.OutOfRange, path + ".warmup.aggression", "must be greater than 0");
        }
    }

    public static void Locality(Findings f, string path, LocalityLoadBalancerSetting? setting, OutlierDetection? outlier)
    {
        if (setting is null) return;
        f.ErrorIf(setting.Distribute.Count > 0 && setting.Failover.Count > 0, Codes.Exclusive, path,
            "can not simultaneously specify 'distribute' and 'failover'");
        f.ErrorIf(setting.Failover.Count > 0 && setting.FailoverPriority.Count > 0, Codes.Exclusive, path,
            "can not simultaneously specify 'failoverPriority' and 'failover'");
        Localities(f, path + ".distribute", setting.Distribute.Select(d => d.From).ToArray());
        for (var i = 0; i < setting.Distribute.Count; i++)
        {
            var (targets, at) = (setting.Distribute[i].To, $"{path}.distribute[{i}]");
            Localities(f, at + ".to", targets.Keys.ToArray());
            f.ErrorIf(targets.Values.Any(w => w is 0 or > 100), Codes.Locality, at, "locality weight must be in range [1, 100]");
            var total = targets.Values.Sum(w => (long)w);
            f.ErrorIf(total != 100, Codes.Locality, at, $"total locality weight {total} != 100");
        }

        Failover(f, path, setting.Failover.Select(o => (o.From, o.To)).ToArray());
        f.WarnIf(outlier is null && (setting.Failover.Count > 0 || setting.FailoverPriority.Count > 0), Codes.LocalityNeedsOutlier, path,
            "outlier detection policy must be provided for failover");
    }

    public static void ZoneAware(Findings f, string path, ZoneAwareLoadBalancerSetting? setting, OutlierDetection? outlier)
    {
        if (setting is null) return;
        f.ErrorIf(setting.Failover.Count > 0 && setting.FailoverPriority.Count > 0, Codes.Exclusive, path,
            "can not simultaneously specify 'failoverPriority' and 'failover'");
        Failover(f, path, setting.Failover.Select(o => (o.From, o.To)).ToArray());
        foreach (var priority in setting.FailoverPriority)
        {
            f.ErrorIf(TopologyLabels.Contains(priority.Split('=')[0]), Codes.Locality, path + ".failoverPriority",
                $"{priority} is what zone awareness already does");
        }

        f.ErrorIf(setting.MinClusterSize == 0, Codes.OutOfRange, path + ".minClusterSize", "must be at least 1");
        f.WarnIf(outlier is null && (setting.Failover.Count > 0 || setting.FailoverPriority.Count > 0), Codes.LocalityNeedsOutlier, path,
            "outlier detection policy must be provided for failover");
    }

    /// <summary>Localities of one list may not lie inside each other, as a place would then have two weights.</summary>
    public static void Localities(Findings f, string path, IReadOnlyList<string> localities)
    {
        for (var i = 0; i < localities.Count; i++)
        {
            var parts = localities[i].Split('/');
            var star = localities[i].IndexOf('*', StringComparison.Ordinal);
            f.ErrorIf(parts[0].Length == 0 || parts.Length > 3, Codes.Locality, path,
                $"locality \"{localities[i]}\" is not of the form region/zone/subzone");
            f.ErrorIf(star >= 0 && star != localities[i].Length - 1, Codes.Locality, path,
                $"locality \"{localities[i]}\": the wildcard '*' must stand once and at the end");
            for (var j = 0; j < i; j++)
                f.ErrorIf(Overlap(parts, localities[j].Split('/')), Codes.Locality, path,
                    $"locality {localities[i]} overlaps with {localities[j]}");
        }
    }

    private static bool Overlap(string[] a, string[] b)
    {
        for (var i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i] == "*" || b[i] == "*") return true;
            if (a[i] != b[i]) return false;
        }

        return true;
    }

    /// <summary>Failover is between regions.</summary>
    private static void Failover(Findings f, string path, IReadOnlyList<(string From, string To)> failovers)
    {
        for (var i = 0; i < failovers.Count; i++)
        {
            var ((from, to), at) = (failovers[i], $"{path}.failover[{i}]");
            f.ErrorIf(from == to, Codes.Locality, at, $"failover: from and to region must not be the same: {from}");
            f.ErrorIf(from.Contains('*') || to.Contains('*'), Codes.Locality, at, "failover: regions must not contain '*'");
            f.ErrorIf(from.Contains('/') || to.Contains('/'), Codes.Locality, at, "failover is between regions: no zone may be given");
        }
    }

    private static bool IsPrime(ulong number)
    {
        for (var divisor = 2UL; divisor * divisor <= number; divisor++)
        {
            if (number % divisor == 0) return false;
        }

        return number > 1;
    }
}
