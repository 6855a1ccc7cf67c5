using Istio.Networking.V1Alpha3;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.ControlPlane.Findings;

/// <summary>
/// DestinationRules of which a part is not used: rules of one namespace for one host, one audience and the same workloads are merged, oldest first. Their subsets add up, but the
/// first of a name counts, and the first traffic policy. Istio says nothing; we say it on both.
/// </summary>
public sealed class RuleConflicts(string domain)
{
    private const string Policy = "spec.trafficPolicy";

    private IReadOnlyList<Resource<DestinationRule>>? of;
    private Dictionary<ResourceKey, List<Diagnostic>> found = [];

    /// <summary>What is to be said about a resource of this view.</summary>
    public IEnumerable<Diagnostic> About(Resource resource, ResourceView view)
    {
        // A view has the list of the one before as long as no DestinationRule changed.
        IReadOnlyList<Resource<DestinationRule>> rules = view.All(Kinds.DestinationRule);
        if (!ReferenceEquals(of, rules)) (of, found) = (rules, Find(rules));
        return found.GetValueOrDefault(resource.Key) ?? [];
    }

    private Dictionary<ResourceKey, List<Diagnostic>> Find(IReadOnlyList<Resource<DestinationRule>> rules)
    {
        var said = new Dictionary<ResourceKey, List<Diagnostic>>();
        foreach (var merged in rules.GroupBy(rule => (rule.Namespace, Host(rule), Audience(rule.Spec), rule.Spec.WorkloadSelector)).Where(group => group.Count() > 1))
        {
            Resource<DestinationRule>? owner = null;
            var subsets = new Dictionary<string, (Resource<DestinationRule> Rule, int At)>();
            foreach (Resource<DestinationRule> rule in merged)
            {
                if (rule.Spec.TrafficPolicy is not null && owner is not null) Tell(said, (owner, Policy), (rule, Policy), "traffic policy");
                if (rule.Spec.TrafficPolicy is not null) owner ??= rule;
                for (int i = 0; i < rule.Spec.Subsets.Count; i++)
                {
                    string name = rule.Spec.Subsets[i].Name;
                    if (subsets.TryAdd(name, (rule, i)) || ReferenceEquals(subsets[name].Rule, rule)) continue;
                    Tell(said, (subsets[name].Rule, $"spec.subsets[{subsets[name].At}]"), (rule, $"spec.subsets[{i}]"), $"subset \"{name}\"");
                }
            }
        }
        return said;
    }

    private static void Tell(Dictionary<ResourceKey, List<Diagnostic>> said, (Resource Rule, string Path) winner, (Resource Rule, string Path) loser, string what)
    {
        Say(said, loser.Rule, loser.Path, DiagnosticLevel.Warning, $"this {what} is not used, since that of the older {winner.Rule.Key}{Place(winner.Rule)} for the same host counts");
        Say(said, winner.Rule, winner.Path, DiagnosticLevel.Info, $"the {what} of the younger {loser.Rule.Key}{Place(loser.Rule)} for the same host is not used, since this one counts");
    }

    private static void Say(Dictionary<ResourceKey, List<Diagnostic>> said, Resource about, string path, DiagnosticLevel level, string text)
    {
        if (!said.TryGetValue(about.Key, out List<Diagnostic>? list)) said.Add(about.Key, list = []);
        DiagnosticCode code = OperatorCodes.RuleTaken;
        list.Add(new Diagnostic { Code = code, Level = level, Text = text, Path = path, Position = about.PositionOf(path), Resource = about.Key.ToString(), Remedy = code.Remedy });
    }

    private string Host(Resource<DestinationRule> rule) => rule.Spec.Host.Contains('.') || rule.Spec.Host == "*" ? rule.Spec.Host : $"{rule.Spec.Host}.{rule.Namespace}.svc.{domain}";

    private static string Audience(DestinationRule rule) => string.Join(',', rule.ExportTo.Order(StringComparer.Ordinal));

    private static string Place(Resource resource) => resource.Origin.Position is { File.Length: > 0 } place ? $" ({place.File}:{place.Line})" : "";
}
