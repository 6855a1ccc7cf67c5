using Lateen.Api.Names;

namespace Lateen.Registry;

/// <summary>Labels that tell where a workload runs; added to its own so that subsets and priorities can name them.</summary>
public static class TopologyLabels
{
    private const string Region = "topology.kubernetes.io/region";
    private const string Zone = "topology.kubernetes.io/zone";
    private const string Subzone = "topology.istio.io/subzone";
    private const string Cluster = "topology.istio.io/cluster";
    private const string Hostname = "kubernetes.io/hostname";

    /// <summary>The labels with those of the place added; labels that are there already win.</summary>
    public static LabelSet Add(
        IReadOnlyDictionary<string, string> labels, string cluster, Locality locality, string node, string network)
    {
        // Of equal keys the last one counts.
        var all = new List<KeyValuePair<string, string>>(labels.Count + 6);
        all.AddRange(labels);
        Set(all, Region, locality.Region);
        Set(all, Zone, locality.Zone);
        Set(all, Subzone, locality.Subzone);
        Set(all, Cluster, cluster);
        Set(all, Hostname, node);
        // Which network is asked of the label; the one that was found out is as good.
        if (!labels.ContainsKey(Networks.Label)) Set(all, Networks.Label, network);
        return LabelPool.Shared(LabelSet.Of(all));
    }

    /// <summary>Locality by the node's labels.</summary>
    public static Locality OfNode(IReadOnlyDictionary<string, string> labels)
    {
        var region = Value(labels, Region, "failure-domain.beta.kubernetes.io/region");
        var zone = Value(labels, Zone, "failure-domain.beta.kubernetes.io/zone");
        var subzone = Value(labels, Subzone, Subzone);
        return region.Length + zone.Length + subzone.Length == 0
            ? default : new Locality(region, zone, subzone) { Text = $"{region}/{zone}/{subzone}" };
    }

    /// <summary>Locality by a workload's own label, in which dots stand for slashes; null when it has none.</summary>
    public static Locality? OfWorkload(IReadOnlyDictionary<string, string> labels)
    {
        foreach (var name in new[] { "topology.istio.io/locality", "istio-locality" })
        {
            if (labels.TryGetValue(name, out var text) && text.Length > 0) return Locality.Parse(Sanitize(text));
        }
        return null;
    }

    /// <summary>Slashes are not allowed in label values, so dots stand for them, unless there is a slash all the same.</summary>
    public static string Sanitize(string text) => text.Contains('/', StringComparison.Ordinal) ? text : text.Replace('.', '/');

    private static void Set(List<KeyValuePair<string, string>> labels, string key, string? value)
    {
        if (!string.IsNullOrEmpty(value)) labels.Add(new(key, value));
    }

    private static string Value(IReadOnlyDictionary<string, string> labels, string key, string older) =>
        labels.TryGetValue(key, out var value) || labels.TryGetValue(older, out value) ? value : "";
}
