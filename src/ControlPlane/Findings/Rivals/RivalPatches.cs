using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Operation = Istio.Networking.V1Alpha3.EnvoyFilter.Types.Patch.Types.Operation;
using Patch = Istio.Networking.V1Alpha3.EnvoyFilter.Types.EnvoyConfigObjectPatch;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>Patches of EnvoyFilters for the same part of the same configuration, of which one undoes what another did.</summary>
internal static class RivalPatches
{
    private const string Order = "patches run by priority, of one priority those of the root namespace first, then by age";

    private readonly record struct Row(Resource<EnvoyFilter> Filter, int At, Patch Patch)
    {
        public Claim Claim => new(Filter, $"spec.configPatches[{At}]");
    }

    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<EnvoyFilter>> ordered, string rootNamespace)
    {
        var rows = ordered.OrderBy(filter => filter.Spec.Priority).ThenBy(filter => filter.Namespace != rootNamespace)
            .SelectMany(filter => filter.Spec.ConfigPatches.Select((patch, i) => new Row(filter, i, patch)));
        foreach (var same in rows.GroupBy(
            row => (row.Patch.ApplyTo, Match: row.Patch.Match ?? new EnvoyFilter.Types.EnvoyConfigObjectMatch()))
            .Where(group => group.Count() > 1))
        {
            Row[] all = [.. same];
            for (int later = 1; later < all.Length; later++)
            {
                foreach (Row earlier in all.Take(later)
                    .Where(row => row.Filter != all[later].Filter && Meet(row.Filter, all[later].Filter, rootNamespace)))
                {
                    if (Between(earlier, all[later]) is { } rivalry) yield return rivalry;
                }
            }
        }
    }

    private static Rivalry? Between(Row earlier, Row later) => (Does(earlier), Does(later)) switch
    {
        (Operation.Merge or Operation.Replace, Operation.Replace) => Told(later, earlier, "replaces what this patch made"),
        (Operation.Merge or Operation.Replace, Operation.Remove) => Told(later, earlier, "removes what this patch made"),
        (Operation.Remove, Operation.Merge or Operation.Replace or Operation.Remove) =>
            Told(earlier, later, "removed before what this patch is for"),
        _ => null,
    };

    private static Rivalry Told(Row winner, Row loser, string what) =>
        new(OperatorCodes.PatchTaken, winner.Claim, $"undoes {loser.Claim}: {Order}", loser.Claim,
            $"has no effect, since {winner.Claim} {what}: {Order}");

    private static Operation Does(Row row) => row.Patch.Patch?.Operation ?? Operation.Invalid;

    // Patches for one workload meet; those of two namespaces only in the root's.
    private static bool Meet(Resource<EnvoyFilter> one, Resource<EnvoyFilter> other, string rootNamespace)
    {
        if (one.Namespace != other.Namespace && one.Namespace != rootNamespace && other.Namespace != rootNamespace) return false;
        if (one.Spec.TargetRefs.Count > 0 || other.Spec.TargetRefs.Count > 0)
            return one.Spec.TargetRefs.Any(other.Spec.TargetRefs.Contains);
        var (first, second) = (one.Spec.WorkloadSelector?.Labels ?? [], other.Spec.WorkloadSelector?.Labels ?? []);
        return LabelSets.IsSubset(first, second) || LabelSets.IsSubset(second, first);
    }
}
