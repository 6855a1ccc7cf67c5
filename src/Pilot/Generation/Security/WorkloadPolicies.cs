using System.Collections.Immutable;
using Istio.Security.V1Beta1;
using Istio.Type.V1Beta1;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Security;

/// <summary>What a policy may attach to: a workload, the Gateway that it serves, the service in front of it.</summary>
/// <param name="Namespace">Namespace of the workload.</param>
/// <param name="Labels">Its labels.</param>
/// <param name="IsWaypoint">It is a waypoint: selectors mean other workloads and are not looked at.</param>
/// <param name="Service">Service that a waypoint's chain is for, or null.</param>
/// <param name="GatewayClass">Class of the Gateway, empty when it is none.</param>
public sealed record PolicyTarget(string Namespace, IReadOnlyDictionary<string, string> Labels, bool IsWaypoint = false,
    Service? Service = null, string GatewayClass = "")
{
    private const string GatewayLabel = "gateway.networking.k8s.io/gateway-name";

    /// <summary>Selectors also choose instances of Gateways; off where only references may.</summary>
    public bool SelectorsReachGateways { get; init; } = true;

    /// <summary>Name of the Gateway that the workload is an instance of; empty when it is none.</summary>
    public string GatewayName => Labels.GetValueOrDefault(GatewayLabel, "");

    /// <summary>Further services of the chain.</summary>
    public IReadOnlyList<Service> Services => Service is null ? [] : [Service];
}

/// <summary>Chooses the policies that apply to a workload.</summary>
public static class WorkloadPolicies
{
    /// <summary>PeerAuthentications of the root namespace and the workload's own that select it.</summary>
    public static IEnumerable<Meant<PeerAuthentication>> PeerAuthentications(
        PolicyIndex index, string ns, string rootNamespace, IReadOnlyDictionary<string, string> labels)
    {
        ArgumentNullException.ThrowIfNull(index);
        return InScope(index.PeerAuthentications, ns, rootNamespace)
            .Where(p => p.Spec.Selector is null || LabelSelection.IsSubset(p.Spec.Selector.MatchLabels, labels));
    }

    /// <summary>RequestAuthentications that attach to the target.</summary>
    public static IEnumerable<Meant<RequestAuthentication>> RequestAuthentications(PolicyIndex index, PolicyTarget target,
        string rootNamespace)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(target);
        return InScope(index.RequestAuthentications, target.Namespace, rootNamespace, target)
            .Where(p => Attaches(target, p.Origin, p.Spec.Selector, Refs(p.Spec.TargetRef, p.Spec.TargetRefs), rootNamespace));
    }

    /// <summary>AuthorizationPolicies that attach to the target, root namespace first.</summary>
    public static IEnumerable<Meant<AuthorizationPolicy>> AuthorizationPolicies(PolicyIndex index, PolicyTarget target,
        string rootNamespace)
    {
        ArgumentNullException.ThrowIfNull(index);
        ArgumentNullException.ThrowIfNull(target);
        return InScope(index.AuthorizationPolicies, target.Namespace, rootNamespace, target)
            .Where(p => Attaches(target, p.Origin, p.Spec.Selector, Refs(p.Spec.TargetRef, p.Spec.TargetRefs), rootNamespace));
    }

    /// <summary>The references of a policy: the list, or the older single one.</summary>
    public static IReadOnlyList<PolicyTargetReference> Refs(PolicyTargetReference? single, IReadOnlyList<PolicyTargetReference> many) =>
        many is { Count: > 0 } ? many : single is null ? [] : [single];

    /// <summary>Whether a policy with this selector or these references attaches to the target.</summary>
    public static bool Attaches(PolicyTarget target, Origin policy, WorkloadSelector? selector, IReadOnlyList<PolicyTargetReference> refs,
        string rootNamespace)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(refs);
        if (refs.Count > 0) return refs.Any(r => IsTarget(target, policy, r, rootNamespace));
        // A waypoint serves what the policy selects, but is not selected itself.
        if (target.IsWaypoint) return false;
        if (!target.SelectorsReachGateways && target.GatewayName.Length > 0) return false;
        return selector is null || LabelSelection.IsSubset(selector.MatchLabels, target.Labels);
    }

    private static bool IsTarget(PolicyTarget target, Origin policy, PolicyTargetReference reference, string rootNamespace)
    {
        if (reference.Namespace.Length > 0 && reference.Namespace != policy.Namespace) return false;
        switch (reference.Kind)
        {
            case "Gateway" when reference.Group == "gateway.networking.k8s.io":
                return policy.Namespace == target.Namespace && target.GatewayName.Length > 0 && target.GatewayName == reference.Name;
            case "GatewayClass" when reference.Group == "gateway.networking.k8s.io":
                return policy.Namespace == rootNamespace && target.GatewayName.Length > 0
                    && reference.Name == (target.GatewayClass.Length > 0 ? target.GatewayClass : target.IsWaypoint
                        ? "istio-waypoint" : "istio");
            case "Service" when reference.Group is "" or "core":
                return target.IsWaypoint
                    && target.Services.Any(s => s.Source == ServiceSource.Kubernetes && s.Name == reference.Name
                        && s.Namespace == policy.Namespace);
            case "ServiceEntry" when reference.Group == "networking.istio.io":
                return target.IsWaypoint
                    && target.Services.Any(s => s.Source == ServiceSource.ServiceEntry
                        && s.Declaration.EndsWith("/" + reference.Name, StringComparison.Ordinal) && s.Namespace == policy.Namespace);
            default:
                return false;
        }
    }

    private static IEnumerable<Meant<T>> InScope<T>(
        System.Collections.Frozen.FrozenDictionary<string, ImmutableArray<Meant<T>>> byNamespace, string ns, string rootNamespace,
        PolicyTarget? target = null)
        where T : class
    {
        var namespaces = new List<string> { rootNamespace, ns };
        if (target is not null) namespaces.AddRange(target.Services.Select(static s => s.Namespace));
        return namespaces.Where(static n => n.Length > 0).Distinct()
            .SelectMany(n => byNamespace.TryGetValue(n, out var found) ? found : []);
    }
}
