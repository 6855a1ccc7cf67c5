using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Merges the DestinationRules of each namespace by host, audience and selector.</summary>
internal static class DestinationRuleCompiler
{
    private static readonly string[] OwnNamespace = ["."];

    public static DestinationRuleIndex Index(IEnumerable<Meant<DestinationRule>> rules, MeshSettings settings)
    {
        var local = new Dictionary<string, Dictionary<string, List<MergedDestinationRule>>>();
        var exported = new Dictionary<string, Dictionary<string, List<MergedDestinationRule>>>();
        var rootLocal = new Dictionary<string, List<MergedDestinationRule>>();
        foreach (var rule in rules)
        {
            var ns = rule.Origin.Namespace;
            var host = Hosts.Resolve(rule.Spec.Host, ns, settings.DomainSuffix);
            // A rule for certain workloads is for those of its own namespace.
            var written = rule.Spec.WorkloadSelector is null ? rule.Spec.ExportTo : (IEnumerable<string>)OwnNamespace;
            var export = Export.Of(written, ns, settings.Mesh.DefaultDestinationRuleExportTo);
            var isExplicitlyElsewhere = rule.Spec.WorkloadSelector is null && rule.Spec.ExportTo.Count > 0 && !export.Includes(ns);
            if (!isExplicitlyElsewhere) Merge(Of(local, ns), host, rule, export);
            if (!export.IsPrivateTo(ns)) Merge(Of(exported, ns), host, rule, export);
            else if (ns == settings.RootNamespace) Merge(rootLocal, host, rule, export);
        }
        return new DestinationRuleIndex
        {
            Local = local.ToFrozenDictionary(pair => pair.Key, pair => Freeze(pair.Value)),
            Exported = exported.ToFrozenDictionary(pair => pair.Key, pair => Freeze(pair.Value)),
            RootLocal = Freeze(rootLocal),
        };
    }

    private static Dictionary<string, List<MergedDestinationRule>> Of(
        Dictionary<string, Dictionary<string, List<MergedDestinationRule>>> all, string ns)
    {
        if (!all.TryGetValue(ns, out var found)) all.Add(ns, found = []);
        return found;
    }

    private static DestinationRuleSet Freeze(Dictionary<string, List<MergedDestinationRule>> rules) => new(
        rules.Where(pair => !pair.Key.StartsWith('*')).ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()),
        rules.Where(pair => pair.Key.StartsWith('*')).ToFrozenDictionary(pair => pair.Key, pair => pair.Value.ToImmutableArray()));

    private static void Merge(Dictionary<string, List<MergedDestinationRule>> into, string host, Meant<DestinationRule> rule, Export export)
    {
        if (!into.TryGetValue(host, out var list)) into.Add(host, list = []);
        var standsAlone = true;
        for (var i = 0; i < list.Count; i++)
        {
            var existing = list[i];
            if (!SameSelector(existing.Rule.Spec, rule.Spec)) continue;
            // Who sees the older rule must see all of this one as well; if more see this one, it also stands by itself for them.
            if (!export.IsSupersetOf(existing.Export)) continue;
            if (export.Equals(existing.Export)) standsAlone = false;
            list[i] = Combine(existing, rule);
        }
        if (standsAlone) list.Add(new MergedDestinationRule(rule, export, [rule.Origin]));
    }

    private static bool SameSelector(DestinationRule left, DestinationRule right)
    {
        if (left.WorkloadSelector is null || right.WorkloadSelector is null)
            return left.WorkloadSelector is null && right.WorkloadSelector is null;
        return left.WorkloadSelector.Equals(right.WorkloadSelector);
    }

    // Subsets add up, the first of a name counts; the first policy counts.
    private static MergedDestinationRule Combine(MergedDestinationRule existing, Meant<DestinationRule> rule)
    {
        var spec = existing.Rule.Spec.Clone();
        var names = spec.Subsets.Select(subset => subset.Name).ToHashSet();
        spec.Subsets.Add(rule.Spec.Subsets.Where(subset => names.Add(subset.Name)));
        spec.TrafficPolicy ??= rule.Spec.TrafficPolicy;
        return existing with { Rule = new Meant<DestinationRule>(existing.Rule.Origin, spec), From = existing.From.Add(rule.Origin) };
    }
}
