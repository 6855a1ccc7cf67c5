using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.ControlPlane.Certificates;

/// <summary>Who runs beside whom: a node proxy asks for certificates of the workloads on its own node.</summary>
public static class NodeNeighbours
{
    /// <summary>Whether a workload of the second identity runs on a node where one of the first does.</summary>
    public static bool AreNeighbours(MeshSnapshot? snapshot, string own, string other)
    {
        if (snapshot is null || Identities.Parse(own) is not { } node || Identities.Parse(other) is not { } workload) return false;
        HashSet<string> nodes = [.. NodesOf(snapshot, node)];
        return NodesOf(snapshot, workload).Any(nodes.Contains);
    }

    private static IEnumerable<string> NodesOf(MeshSnapshot snapshot, Identity identity) =>
        from workloads in snapshot.Registry.WorkloadsByAddress.Values
        from workload in workloads
        where workload.Namespace == identity.Namespace && workload.ServiceAccount == identity.ServiceAccount && workload.NodeName.Length > 0
            && !workload.IsEntry
        select workload.NodeName;
}
