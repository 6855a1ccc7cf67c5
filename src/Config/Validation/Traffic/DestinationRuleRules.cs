// The rules of what carries traffic: destinations and their policies, gateways, entries of services and workloads, sidecars.
//
// Pure functions over the messages. Where two kinds share a part (connection pools, TLS settings, ports) the part has one check, so that a
// DestinationRule, a Sidecar and the mesh's defaults judge it alike.
using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>DestinationRule.</summary>
internal static class DestinationRuleRules
{
    public static void Check(Findings f, DestinationRule rule, string ns)
    {
        f.ErrorIf(NameRules.WildcardDomain(rule.Host), Codes.BadHost, "spec.host");
        if (rule.TrafficPolicy is not null) TrafficPolicyRules.Check(f, "spec.trafficPolicy", rule.TrafficPolicy);
        var names = new HashSet<string>();
        for (var i = 0; i < rule.Subsets.Count; i++)
        {
            var (subset, path) = (rule.Subsets[i], $"spec.subsets[{i}]");
            f.ErrorIf(subset.Name.Length == 0, Codes.Required, path + ".name", "subset name cannot be empty");
            f.ErrorIf(subset.Name.Length > 0 && !NameRules.IsLabel(subset.Name), Codes.BadLabel, path + ".name",
                $"subset name is invalid: {subset.Name}");
            f.ErrorIf(!names.Add(subset.Name), Codes.Duplicate, path + ".name", $"duplicate subset names: {subset.Name}");
            Rules.Labels(f, path + ".labels", subset.Labels);
            if (subset.TrafficPolicy is not null) TrafficPolicyRules.Check(f, path + ".trafficPolicy", subset.TrafficPolicy);
        }

        Rules.Selector(f, "spec.workloadSelector", rule.WorkloadSelector);
        Rules.ExportTo(f, rule.ExportTo, ns, isRuleWithSelector: rule.WorkloadSelector is not null);
    }
}
