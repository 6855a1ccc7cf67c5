using Istio.Security;
using Lateen.Registry;
using NodeAction = Istio.Security.Action;
using NodeScope = Istio.Security.Scope;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>Policies that let waypoints in to what they stand in front of, where others are there that would keep them out
/// (PILOT_AUTO_ALLOW_WAYPOINT_POLICY).</summary>
internal static class WaypointPolicies
{
    /// <summary>The policy of a waypoint; null while nobody runs it.</summary>
    public static Authorization? Of(Waypoint waypoint, string trustDomain)
    {
        if (waypoint.ServiceAccounts.IsEmpty) return null;
        var principals = waypoint.ServiceAccounts.Select(
            account => new StringMatch { Exact = Identities.Of(trustDomain, waypoint.Namespace, account)[Identities.Scheme.Length..] });
        return new Authorization
        {
            Name = NameOf(waypoint),
            Namespace = waypoint.Namespace,
            Scope = NodeScope.WorkloadSelector,
            Action = NodeAction.Allow,
            Groups = { new Group { Rules = { new Rules { Matches = { new Match { Principals = { principals } } } } } } },
        };
    }

    /// <summary>Names of the policies of the waypoints (<c>namespace/name</c>) in front of a workload and its services.</summary>
    public static IEnumerable<string> NamesFor(AmbientWorld world, IEnumerable<string> waypoints) => waypoints.Distinct()
        .Select(world.Waypoints.GetValueOrDefault).OfType<Waypoint>().Where(static waypoint => !waypoint.ServiceAccounts.IsEmpty)
        .Select(static waypoint => $"{waypoint.Namespace}/{NameOf(waypoint)}");

    private static string NameOf(Waypoint waypoint) => $"istio_allow_waypoint_{waypoint.Namespace}_{waypoint.Name}";
}
