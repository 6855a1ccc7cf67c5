using Envoy.Config.Cluster.V3;
using Envoy.Config.Core.V3;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>Patches of clusters of one kind of traffic; equal when they are the same patches in the same order, so that their results can
/// be shared.</summary>
public sealed class ClusterPatches : IEquatable<ClusterPatches>
{
    private readonly IReadOnlyList<Patch> _own;

    internal ClusterPatches(IReadOnlyList<Patch> patches, PatchContext context) =>
        _own = patches.Where(p => p.ApplyTo == ApplyTo.Cluster && PatchMatches.Context(p, context)).ToList();

    /// <summary>No patch is about clusters of this kind of traffic: what was made before may be shared.</summary>
    public bool IsEmpty => _own.Count == 0;

    /// <summary>Patches a cluster in place; false when it is removed.</summary>
    /// <param name="cluster">Cluster; not shared with anyone.</param>
    /// <param name="hosts">Hosts of an inbound cluster, whose name tells none.</param>
    public bool Apply(Cluster cluster, IReadOnlyCollection<string> hosts)
    {
        foreach (var patch in _own)
        {
            if (patch.Operation is not (Operation.Remove or Operation.Merge or Operation.MergeAndReplaceList)
                || !PatchMatches.Cluster(patch, cluster, hosts)) continue;
            if (patch.Operation == Operation.Remove) return false;
            var replace = patch.Operation == Operation.MergeAndReplaceList;
            if (!MergedTransportSocket(cluster, (Cluster)patch.Value!, replace)) Merging.Into(cluster, patch.Value!, replace);
        }
        return true;
    }

    /// <summary>Clusters that patches add.</summary>
    public IEnumerable<Cluster> Added() => _own.Where(static p => p.Operation == Operation.Add).Select(static p => p.Copy<Cluster>());

    /// <inheritdoc/>
    public bool Equals(ClusterPatches? other) => other is not null && _own.SequenceEqual(other._own, ReferenceEqualityComparer.Instance);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ClusterPatches);

    /// <inheritdoc/>
    public override int GetHashCode() =>
        _own.Count == 0 ? 0 : HashCode.Combine(_own.Count, System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(_own[0]));

    // Settings of sockets are packed; they are merged inside, in every alternative that has the same socket.
    private static bool MergedTransportSocket(Cluster cluster, Cluster change, bool replaceLists)
    {
        if (change.TransportSocket is not { } socket) return false;
        if (cluster.TransportSocketMatches.Count > 0)
        {
            var found = false;
            foreach (var match in cluster.TransportSocketMatches.Where(m => m.TransportSocket?.Name == socket.Name))
            {
                found = true;
                Merge(match.TransportSocket, socket, replaceLists);
            }
            if (found) return true;
        }
        if (cluster.TransportSocket?.Name != socket.Name) return false;
        Merge(cluster.TransportSocket, socket, replaceLists);
        return true;
    }

    private static void Merge(TransportSocket into, TransportSocket from, bool replaceLists)
    {
        if (into.TypedConfig is null || from.TypedConfig is null) return;
        if (Merging.Packed(into.TypedConfig, from.TypedConfig, replaceLists) is { } merged) into.TypedConfig = merged;
    }
}
