using System.Collections.Immutable;
using Istio.Security.V1Beta1;
using Lateen.Registry;
using Mode = Istio.Security.V1Beta1.PeerAuthentication.Types.MutualTLS.Types.Mode;

namespace Lateen.Pilot.Meaning;

/// <summary>Which mutual-TLS mode holds: the workload's policies over the namespace's over the mesh's; the oldest among equals.</summary>
public static class PeerAuthenticationRules
{
    /// <summary>The mode of one port of a workload.</summary>
    /// <param name="policies">Policies.</param>
    /// <param name="ns">Namespace of the workload.</param>
    /// <param name="labels">Labels of the workload.</param>
    /// <param name="port">Port of the workload.</param>
    public static MtlsMode ModeFor(PolicyIndex policies, string ns, IReadOnlyDictionary<string, string> labels, int port)
    {
        var inherited = policies.ModeOf(ns);
        if (Selecting(policies, ns, labels) is not { } own) return inherited;
        var ofWorkload = Of(own.Spec.Mtls, inherited);
        return own.Spec.PortLevelMtls.TryGetValue((uint)port, out var ofPort) ? Of(ofPort, ofWorkload) : ofWorkload;
    }

    /// <summary>The policy with a selector that holds for a workload (the oldest that matches), or null.</summary>
    public static Meant<PeerAuthentication>? Selecting(PolicyIndex policies, string ns, IReadOnlyDictionary<string, string> labels)
    {
        // In the root namespace a selector means nothing: what stands there is for the mesh or for nobody.
        if (ns == policies.RootNamespace) return null;
        foreach (var policy in policies.PeerAuthentications.GetValueOrDefault(ns, []))
        {
            if (policy.Spec.Selector is { MatchLabels.Count: > 0 } selector && Matches(selector.MatchLabels, labels)) return policy;
        }
        return null;
    }

    /// <summary>The policy that says the mode of one port of a workload; null where none does, and the default holds.</summary>
    /// <param name="policies">Policies.</param>
    /// <param name="ns">Namespace of the workload.</param>
    /// <param name="labels">Labels of the workload.</param>
    /// <param name="port">Port of the workload.</param>
    public static Meant<PeerAuthentication>? Deciding(PolicyIndex policies, string ns, IReadOnlyDictionary<string, string> labels, int port)
    {
        if (Selecting(policies, ns, labels) is { } own
            && ((own.Spec.PortLevelMtls.TryGetValue((uint)port, out var ofPort) && IsSet(ofPort)) || IsSet(own.Spec.Mtls))) return own;
        return OfAll(policies, ns) ?? OfAll(policies, policies.RootNamespace);
    }

    private static Meant<PeerAuthentication>? OfAll(PolicyIndex policies, string ns)
    {
        foreach (var policy in policies.PeerAuthentications.GetValueOrDefault(ns, []))
        {
            if (policy.Spec.Selector is null or { MatchLabels.Count: 0 }) return IsSet(policy.Spec.Mtls) ? policy : null;
        }
        return null;
    }

    private static bool IsSet(PeerAuthentication.Types.MutualTLS? setting) => setting is not null && setting.Mode != Mode.Unset;

    /// <summary>The mode that a setting means, with what it inherits where it is unset.</summary>
    public static MtlsMode Of(PeerAuthentication.Types.MutualTLS? setting, MtlsMode inherited) => setting?.Mode switch
    {
        Mode.Disable => MtlsMode.Disable,
        Mode.Permissive => MtlsMode.Permissive,
        Mode.Strict => MtlsMode.Strict,
        _ => inherited,
    };

    private static bool Matches(IDictionary<string, string> selector, IReadOnlyDictionary<string, string> labels)
    {
        foreach (var (key, value) in selector)
        {
            if (!labels.TryGetValue(key, out var actual) || actual != value) return false;
        }
        return true;
    }
}
