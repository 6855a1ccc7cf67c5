using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Compile;
using Lateen.Registry;

namespace Lateen.Pilot.Scope.Gateways;

/// <summary>Which servers of Gateways leave each other no place, asked of the code that merges them for a proxy.</summary>
public static class GatewayConflicts
{
    /// <summary>Conflicts among these, each once.</summary>
    /// <param name="ordered">Gateways, oldest first.</param>
    public static IReadOnlyList<ServerConflict> Of(IReadOnlyList<Resource<Gateway>> ordered)
    {
        var gateways = ordered.Select(gateway => MeantResources<Gateway>.Of(gateway, "Gateway", "networking.istio.io")).ToList();
        var found = new Dictionary<(string, int, string, int), ServerConflict>();
        // Who meets whom is decided by workloads. A workload with the labels of one selector stands for those that this Gateway is for: it
        // also meets the Gateways with fewer labels.
        foreach (var selector in gateways.Select(gateway => gateway.Spec.Selector).Distinct())
        {
            var meeting = gateways.FindAll(gateway => LabelSelection.IsSubset(gateway.Spec.Selector, selector));
            if (meeting.Count < 2 && meeting.TrueForAll(gateway => gateway.Spec.Servers.Count < 2)) continue;
            foreach (var conflict in GatewayMerger.Conflicts(meeting))
            {
                found.TryAdd((conflict.Winner.GatewayName, conflict.Winner.Index, conflict.Loser.GatewayName, conflict.Loser.Index),
                    conflict);
            }
        }
        return [.. found.Values];
    }
}
