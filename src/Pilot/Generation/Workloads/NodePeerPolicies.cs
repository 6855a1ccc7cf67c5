using Istio.Security;
using Istio.Security.V1Beta1;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using NodeAction = Istio.Security.Action;
using NodeScope = Istio.Security.Scope;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>PeerAuthentications as node proxies get them: as policies that refuse whoever has no identity.</summary>
/// <remarks>
/// A workload is under one of them at most: a common one where all of its ports demand mTLS, its own where they differ. Refusals add up, so
/// that an exception can't be a second policy beside the common one.
/// </remarks>
internal static class NodePeerPolicies
{
    // Neither is a name that Kubernetes lets anybody use.
    private const string StrictName = "istio_converted_static_strict";
    private const string Prefix = "converted_peer_authentication_";

    /// <summary>The common policy.</summary>
    public static Authorization Strict(string rootNamespace) => new()
    {
        Name = StrictName,
        Namespace = rootNamespace,
        Scope = NodeScope.WorkloadSelector,
        Action = NodeAction.Deny,
        Groups = { new Group { Rules = { Nobody() } } },
    };

    /// <summary>The policy of a workload's ports; null where it says no more than the common one, or nothing.</summary>
    /// <param name="policy">PeerAuthentication.</param>
    /// <param name="ns">Its namespace.</param>
    /// <param name="name">Its name.</param>
    /// <param name="inherited">Mode of the namespace, or of the mesh.</param>
    /// <param name="rootNamespace">Root namespace.</param>
    public static Authorization? Of(PeerAuthentication policy, string ns, string name, MtlsMode inherited, string rootNamespace)
    {
        if (ns == rootNamespace || policy.Selector is null || policy.PortLevelMtls.Count == 0) return null;
        var isStrict = IsStrict(policy, inherited);
        var made = new Authorization { Name = Prefix + name, Namespace = ns, Scope = NodeScope.WorkloadSelector, Action = NodeAction.Deny };
        var ports = policy.PortLevelMtls.OrderBy(static port => port.Key)
            .Select(static port => (Number: port.Key, Mode: PeerAuthenticationRules.Of(port.Value, MtlsMode.Unknown))).ToList();
        if (!isStrict)
        {
            made.Groups.Add(ports.Where(static port => port.Mode == MtlsMode.Strict).Select(static port =>
                new Group { Rules = { new Rules { Matches =
                    { new Match { NotPrincipals = { NodePolicies.Anybody() }, DestinationPorts = { port.Number } } } } } }));
            return made.Groups.Count > 0 ? made : null;
        }
        var open = ports.Where(static port => port.Mode is MtlsMode.Permissive or MtlsMode.Disable)
            .Select(static port => new Rules { Matches = { new Match { NotDestinationPorts = { port.Number } } } }).ToList();
        if (open.Count == 0) return null;
        var group = new Group();
        if (PeerAuthenticationRules.Of(policy.Mtls, MtlsMode.Unknown) == MtlsMode.Strict) group.Rules.Add(Nobody());
        group.Rules.Add(open);
        if (inherited == MtlsMode.Strict) group.Rules.Add(Nobody());
        made.Groups.Add(group);
        return made;
    }

    /// <summary>Names (<c>namespace/name</c>) of the policies that a workload is under.</summary>
    public static IEnumerable<string> NamesFor(PolicyIndex policies, string ns, IReadOnlyDictionary<string, string> labels)
    {
        var inherited = policies.ModeOf(ns);
        var common = $"{policies.RootNamespace}/{StrictName}";
        if (PeerAuthenticationRules.Selecting(policies, ns, labels) is not { } own) return inherited == MtlsMode.Strict ? [common] : [];
        if (Of(own.Spec, ns, own.Origin.Name, inherited, policies.RootNamespace) is { } converted) return [$"{ns}/{converted.Name}"];
        return IsStrict(own.Spec, inherited) ? [common] : [];
    }

    private static bool IsStrict(PeerAuthentication policy, MtlsMode inherited) =>
        PeerAuthenticationRules.Of(policy.Mtls, inherited) == MtlsMode.Strict;

    private static Rules Nobody() => new() { Matches = { new Match { NotPrincipals = { NodePolicies.Anybody() } } } };
}
