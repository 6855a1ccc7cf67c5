using Istio.Networking.V1Alpha3;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>Priorities and weights of localities, seen from the client.</summary>
internal static class LocalityPriorities
{
    public static List<LocalityGroup> Apply(List<LocalityGroup> groups, EndpointClient client, LocalityPreference preference,
        bool hasOutlierDetection)
    {
        if (preference.ZoneAware is { } zoneAware)
        {
            if (!hasOutlierDetection && !preference.ForcesFailover) return groups;
            if (zoneAware.FailoverPriority.Count > 0) groups = ByLabels(groups, client, zoneAware.FailoverPriority);
            ByRegion(groups, client.Locality, zoneAware.Failover.Select(entry => (entry.From, entry.To)));
            return groups;
        }
        if (preference.Locality is not { } settings) return groups;
        if (settings.Distribute.Count > 0)
        {
            Distribute(groups, client.Locality, settings.Distribute);
            return groups;
        }
        if (!hasOutlierDetection && !preference.ForcesFailover) return groups;
        var failover = settings.Failover.Select(entry => (entry.From, entry.To));
        if (settings.FailoverPriority.Count > 0)
        {
            groups = ByLabels(groups, client, settings.FailoverPriority);
            if (settings.Failover.Count > 0) ByLocality(groups, client.Locality, failover);
        }
        else
        {
            ByLocality(groups, client.Locality, failover);
        }
        return groups;
    }

    /// <summary>Labels whose values priorities compare; the client's value, or the one that is written after <c>=</c>.</summary>
    public static string ValuesOf(IEnumerable<string> priorities, IReadOnlyDictionary<string, string> labels) =>
        string.Join('\n',
            priorities.Select(entry => Split(entry) is var (label, wanted) ? wanted ?? labels.GetValueOrDefault(label, "") : ""));

    private static (string Label, string? Wanted) Split(string entry)
    {
        var equals = entry.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (entry, null) : (entry[..equals], entry[(equals + 1)..]);
    }

    // Same locality first, then same zone, same region, the rest; last of all regions that are not the chosen failover target.
    private static void ByLocality(List<LocalityGroup> groups, Locality client, IEnumerable<(string From, string To)> failover)
    {
        var target = failover.FirstOrDefault(entry => entry.From == client.Region);
        foreach (var group in groups)
        {
            var distance = Distance(client, group.Locality);
            if (distance == 3 && target.To is not null && group.Locality.Region != target.To) distance = 4;
            group.Priority = (group.Priority * 5) + (uint)distance;
        }
        CloseGaps(groups);
    }

    // Within a region Envoy balances by zone itself, so that a region is one priority.
    private static void ByRegion(List<LocalityGroup> groups, Locality client, IEnumerable<(string From, string To)> failover)
    {
        var target = failover.FirstOrDefault(entry => entry.From == client.Region);
        foreach (var group in groups)
        {
            var distance = group.Locality.Region == client.Region ? 0u : 1u;
            if (distance == 1 && target.To is not null && group.Locality.Region != target.To) distance = 2;
            group.Priority = (group.Priority * 3) + distance;
        }
        CloseGaps(groups);
    }

    private static int Distance(Locality client, Locality other)
    {
        if (client.Region != other.Region) return 3;
        if (client.Zone != other.Zone) return 2;
        return client.Subzone != other.Subzone ? 1 : 0;
    }

    // The number of leading labels that agree decides; each locality falls apart into one group for each such number.
    private static List<LocalityGroup> ByLabels(List<LocalityGroup> groups, EndpointClient client, IReadOnlyList<string> priorities)
    {
        if (client.PriorityLabels is null) return groups;
        var values = client.PriorityLabels.Split('\n');
        var split = new List<LocalityGroup>();
        foreach (var group in groups)
        {
            var byPriority = new SortedDictionary<uint, LocalityGroup>();
            foreach (var member in group.Members)
            {
                uint priority = 0;
                for (var i = 0; i < priorities.Count; i++)
                {
                    if (member.Source.Labels.GetValueOrDefault(Split(priorities[i]).Label, "") == values[i]) continue;
                    priority = (uint)(priorities.Count - i);
                    break;
                }
                if (!byPriority.TryGetValue(priority, out var own))
                {
                    byPriority.Add(priority, own = new LocalityGroup(group.Locality) { Priority = priority });
                }
                own.Members.Add(member);
            }
            foreach (var own in byPriority.Values)
            {
                own.SumWeights();
                split.Add(own);
            }
        }
        CloseGaps(split);
        return split;
    }

    private static void CloseGaps(List<LocalityGroup> groups)
    {
        var ranks = groups.Select(group => group.Priority).Distinct().Order().ToList();
        foreach (var group in groups) group.Priority = (uint)ranks.IndexOf(group.Priority);
    }

    private static void Distribute(List<LocalityGroup> groups, Locality client,
        IEnumerable<LocalityLoadBalancerSetting.Types.Distribute> entries)
    {
        var entry = entries.FirstOrDefault(candidate => Matches(client, candidate.From));
        if (entry is null) return;
        var unmatched = groups.ToList();
        // Specific targets take their localities before wildcards do.
        foreach (var (pattern, share) in entry.To.OrderByDescending(target => target.Key.TrimEnd('*').Length)
            .ThenBy(target => target.Key, StringComparer.Ordinal))
        {
            var matched = unmatched.Where(group => Matches(group.Locality, pattern)).ToList();
            unmatched.RemoveAll(matched.Contains);
            var total = matched.Sum(group => (double)(group.Weight ?? 1));
            foreach (var group in matched)
            {
                var weight = (group.Weight ?? 1) * (double)share / total;
                if (weight > 0) group.Weight = (uint)Math.Ceiling(weight);
            }
        }
        foreach (var group in unmatched) group.Members.Clear();
    }

    internal static bool Matches(Locality locality, string pattern)
    {
        if (pattern == "*") return true;
        var parts = pattern.Split('/');
        if (parts[0] != "*" && parts[0] != locality.Region) return false;
        if (parts.Length < 2 || parts[1] == "*") return true;
        if (parts[1] != locality.Zone) return false;
        return parts.Length < 3 || parts[2] == "*" || parts[2] == locality.Subzone;
    }
}
