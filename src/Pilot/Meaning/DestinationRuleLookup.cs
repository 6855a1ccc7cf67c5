using System.Collections.Immutable;
using Lateen.Pilot.Meaning.Compile;

namespace Lateen.Pilot.Meaning;

/// <summary>Finds the rules of a service for a client: of the client's namespace, else of the service's, else of the root's; levels never
/// mix.</summary>
public static class DestinationRuleLookup
{
    /// <summary>The rules that hold, with and without selector; none when no rule is for this host.</summary>
    /// <param name="index">Rules.</param>
    /// <param name="clientNamespace">Namespace of the client.</param>
    /// <param name="hostname">Service.</param>
    /// <param name="serviceNamespace">Its namespace.</param>
    /// <param name="rootNamespace">Root namespace.</param>
    public static ImmutableArray<MergedDestinationRule> Find(
        DestinationRuleIndex index, string clientNamespace, string hostname, string serviceNamespace, string rootNamespace)
    {
        var own = clientNamespace == rootNamespace
            ? index.RootLocal : index.Local.GetValueOrDefault(clientNamespace, DestinationRuleSet.None);
        var found = Match(own, hostname);
        if (!found.IsEmpty) return found;
        found = Exported(index, serviceNamespace, hostname, clientNamespace);
        return !found.IsEmpty || serviceNamespace == rootNamespace ? found : Exported(index, rootNamespace, hostname, clientNamespace);
    }

    private static ImmutableArray<MergedDestinationRule> Exported(DestinationRuleIndex index, string ns, string hostname,
        string clientNamespace) =>
        index.Exported.TryGetValue(ns, out var rules)
            ? [.. Match(rules, hostname).Where(rule => rule.Export.Includes(clientNamespace))]
            : [];

    private static ImmutableArray<MergedDestinationRule> Match(DestinationRuleSet rules, string hostname)
    {
        if (rules.Exact.TryGetValue(hostname, out var exact)) return exact;
        if (rules.Wildcard.Count == 0) return [];
        if (hostname.StartsWith('*') && rules.Wildcard.TryGetValue(hostname, out var same)) return same;
        return Hosts.MostSpecific(hostname, rules.Wildcard.Keys) is { } best ? rules.Wildcard[best] : [];
    }
}
