using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Api.Names;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>
/// DestinationRules for one host. Those of one namespace, one audience and the same workloads are merged, oldest first: their subsets add
/// up, but the first of a name counts, and the first traffic policy. Of those of several namespaces a client takes one.
/// </summary>
internal static class RivalRules
{
    private const string Policy = "spec.trafficPolicy";
    private const string Nearest =
        "a client takes the rule of its own namespace, else that of the service's namespace, else that of the root namespace";

    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<DestinationRule>> ordered, string domain) =>
        ordered.GroupBy(rule => (rule.Namespace, Host(rule, domain), Audience(rule.Spec), rule.Spec.WorkloadSelector))
            .Where(group => group.Count() > 1).SelectMany(Merged)
            .Concat(ordered.GroupBy(rule => Host(rule, domain))
                .SelectMany(group => Elsewhere(group.Key,
                    [.. group.Where(rule => IsSeenElsewhere(rule.Spec)).DistinctBy(rule => rule.Namespace)])));

    private static IEnumerable<Rivalry> Merged(IEnumerable<Resource<DestinationRule>> merged)
    {
        Resource<DestinationRule>? owner = null;
        var subsets = new Dictionary<string, Claim>();
        foreach (Resource<DestinationRule> rule in merged)
        {
            if (rule.Spec.TrafficPolicy is not null && owner is not null)
                yield return Rivalry.Of(OperatorCodes.RuleTaken, new Claim(owner, Policy), new Claim(rule, Policy),
                    "the traffic policy of this host");
            if (rule.Spec.TrafficPolicy is not null) owner ??= rule;
            for (int i = 0; i < rule.Spec.Subsets.Count; i++)
            {
                string name = rule.Spec.Subsets[i].Name;
                var claim = new Claim(rule, $"spec.subsets[{i}]");
                if (subsets.TryAdd(name, claim) || ReferenceEquals(subsets[name].Resource, rule)) continue;
                yield return Rivalry.Of(OperatorCodes.RuleTaken, subsets[name], claim, $"the subset \"{name}\" of this host");
            }
        }
    }

    // Neither loses for good: which of the two counts depends on who asks. Both hear of it.
    private static IEnumerable<Rivalry> Elsewhere(string host, IReadOnlyList<Resource<DestinationRule>> rules)
    {
        for (int i = 1; i < rules.Count; i++)
        {
            (var first, var other) = (new Claim(rules[0], "spec.host"), new Claim(rules[i], "spec.host"));
            yield return new Rivalry(OperatorCodes.RuleTaken, first, $"{other} is for {host}, too: {Nearest}", other,
                $"{first} is for {host}, too: {Nearest}") { Level = DiagnosticLevel.Info };
        }
    }

    private static bool IsSeenElsewhere(DestinationRule rule) =>
        rule.WorkloadSelector is null && !(rule.ExportTo.Count == 1 && rule.ExportTo[0] is ".");

    private static string Host(Resource<DestinationRule> rule, string domain) => HostNames.Resolve(rule.Spec.Host, rule.Namespace, domain);

    private static string Audience(DestinationRule rule) => string.Join(',', rule.ExportTo.Order(StringComparer.Ordinal));
}
