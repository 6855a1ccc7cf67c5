using Google.Protobuf;
using Istio.Type.V1Beta1;
using Lateen.Api.Names;
using Lateen.Config.Resources;
using Lateen.Config.Store;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>Kinds of which one counts at each level, mesh, namespace and workload: Sidecar, PeerAuthentication, Telemetry,
/// ProxyConfig.</summary>
internal static class RivalSettings
{
    private static readonly IReadOnlyDictionary<string, string> Everything = new Dictionary<string, string>();

    public static IEnumerable<Rivalry> Find(ResourceView view) =>
        Of(view.All(Kinds.Sidecar), sidecar => new Reach("spec.workloadSelector", sidecar.WorkloadSelector?.Labels, []))
            .Concat(Of(view.All(Kinds.PeerAuthentication), policy => new Reach("spec.selector", policy.Selector?.MatchLabels, [])))
            .Concat(Of(view.All(Kinds.Telemetry),
                telemetry => new Reach("spec.selector", telemetry.Selector?.MatchLabels, Refs(telemetry.TargetRef, telemetry.TargetRefs))))
            .Concat(Of(view.All(Kinds.ProxyConfig), config => new Reach("spec.selector", config.Selector?.MatchLabels, [])));

    private static IEnumerable<Rivalry> Of<T>(IReadOnlyList<Resource<T>> ordered, Func<T, Reach> reachOf)
        where T : class, IMessage<T>, new()
    {
        foreach (var inOne in ordered.GroupBy(resource => resource.Namespace).Where(group => group.Count() > 1))
        {
            (Resource<T> Resource, Reach Reach)[] all = [.. inOne.Select(resource => (resource, reachOf(resource.Spec)))];
            for (int i = 1; i < all.Length; i++)
            {
                // The oldest of those that a resource meets is enough: it counts before the others as well.
                if (Array.Find(all[..i], earlier => earlier.Reach.Meets(all[i].Reach)) is not { Resource: { } winner } met) continue;
                yield return Rivalry.Of(OperatorCodes.SettingTaken, new Claim(winner, met.Reach.Place),
                    new Claim(all[i].Resource, all[i].Reach.Place), $"the {winner.Kind.Name} of {all[i].Reach.Shared(met.Reach)}");
            }
        }
    }

    private static IReadOnlyList<PolicyTargetReference> Refs(PolicyTargetReference? single, IReadOnlyList<PolicyTargetReference> many) =>
        many.Count > 0 ? many : single is null ? [] : [single];

    /// <summary>The workloads that a resource is for.</summary>
    private sealed record Reach(string Path, IEnumerable<KeyValuePair<string, string>>? Selector, IReadOnlyList<PolicyTargetReference> Refs)
    {
        private readonly IReadOnlyDictionary<string, string> _labels = Selector?.ToDictionary(pair => pair.Key, pair => pair.Value)
            ?? Everything;

        /// <summary>The place that says so; the object as a whole where it is for all.</summary>
        public string Place => Refs.Count > 0 ? "spec.targetRefs" : _labels.Count > 0 ? Path : "spec";

        private bool IsForAll => Refs.Count == 0 && _labels.Count == 0;

        // One for all of a namespace and one for some of it stand on two levels: the narrower is heard beside the wider.
        public bool Meets(Reach other)
        {
            if (IsForAll || other.IsForAll) return IsForAll && other.IsForAll;
            if (Refs.Count > 0 || other.Refs.Count > 0) return Refs.Any(reference => other.Refs.Contains(reference));
            return LabelSets.IsSubset(_labels, other._labels) || LabelSets.IsSubset(other._labels, _labels);
        }

        public string Shared(Reach other) => IsForAll ? "the namespace" : Refs.Count > 0 ? "a target that both name"
            : $"workloads with {LabelSets.Format(_labels.Count > other._labels.Count ? _labels : other._labels)}";
    }
}
