using Istio.Security.V1Beta1;
using Action = Istio.Security.V1Beta1.AuthorizationPolicy.Types.Action;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>What node proxies can't enforce of an AuthorizationPolicy: they see connections, not requests.</summary>
/// <param name="Unsupported">Names of the attributes that they can't check, in the order of their appearance.</param>
/// <param name="HasRules">Whether something is left that they enforce.</param>
internal sealed record NodePolicyLimits(IReadOnlyList<string> Unsupported, bool HasRules)
{
    private const string Reason = "UnsupportedValue";

    private static readonly string[] ConnectionKeys =
        ["source.ip", "source.namespace", "source.principal", "source.serviceAccount", "source.trustDomain", "destination.ip",
            "destination.port"];

    /// <summary>Goes through the rules of a policy.</summary>
    public static NodePolicyLimits Of(AuthorizationPolicy policy)
    {
        var names = new List<string>();
        var kept = 0;
        foreach (var rule in policy.Rules)
        {
            var before = names.Count;
            // Each part must hold. One that had conditions and lost them all would hold always, so that the rule goes instead.
            var isWhole = Part(rule.From.Select(static f => f.Source ?? new Source()), OfSource, names)
                & Part(rule.To.Select(static t => t.Operation ?? new Operation()), OfOperation, names)
                & Part(rule.When, OfCondition, names);
            // A rule that lets in would let in more than was asked for.
            if (isWhole && (policy.Action != Action.Allow || names.Count == before)) kept++;
        }
        return new NodePolicyLimits([.. names.Distinct()], kept > 0);
    }

    /// <summary>What is to be said on the policy; null where all of it is enforced, or by another proxy.</summary>
    public static BindingProblem? ProblemOf(AuthorizationPolicy policy)
    {
        if (policy.TargetRef is not null || policy.TargetRefs.Count > 0) return null;
        if (policy.Action is Action.Custom or Action.Audit)
            return new BindingProblem(Reason, $"ztunnel does not support the {policy.Action.ToString().ToUpperInvariant()} action");
        var limits = Of(policy);
        if (limits.Unsupported.Count == 0) return null;
        var effect = policy.Action == Action.Allow
            ? "Within an ALLOW policy, rules matching HTTP attributes are omitted. This will be more restrictive than requested."
            : limits.HasRules
                ? "DENY policy with HTTP attributes is enforced without the HTTP rules. This will be more restrictive than requested."
                : "After omitting unsupported HTTP attributes, this DENY policy has no enforceable rules at ztunnel and will have no "
                    + "effect. Deploy a waypoint proxy and use a targetRef to enforce this policy.";
        return new BindingProblem(
            Reason,
            $"ztunnel does not support HTTP attributes (found: {string.Join(", ", limits.Unsupported)}). In ambient mode you must use "
            + $"a waypoint proxy to enforce HTTP rules. {effect}");
    }

    private static bool Part<T>(IEnumerable<T> entries, Func<T, (IEnumerable<string> OfRequests, bool OfConnections)> read,
        List<string> names)
    {
        var (count, left) = (0, 0);
        foreach (var entry in entries)
        {
            var (requests, connections) = read(entry);
            var found = requests.ToList();
            names.AddRange(found);
            count++;
            if (connections || found.Count == 0) left++;
        }
        return count == 0 || left > 0;
    }

    private static (IEnumerable<string>, bool) OfSource(Source source) => (
        Named(("remoteIpBlocks", source.RemoteIpBlocks), ("notRemoteIpBlocks", source.NotRemoteIpBlocks),
            ("requestPrincipals", source.RequestPrincipals), ("notRequestPrincipals", source.NotRequestPrincipals)),
        source.Principals.Count + source.NotPrincipals.Count + source.Namespaces.Count + source.NotNamespaces.Count
            + source.ServiceAccounts.Count + source.NotServiceAccounts.Count
            + source.IpBlocks.Count + source.NotIpBlocks.Count + source.TrustDomains.Count + source.NotTrustDomains.Count > 0);

    private static (IEnumerable<string>, bool) OfOperation(Operation operation) => (
        Named(
            ("hosts", operation.Hosts), ("notHosts", operation.NotHosts), ("methods", operation.Methods),
            ("notMethods", operation.NotMethods), ("paths", operation.Paths),
            ("notPaths", operation.NotPaths)),
        operation.Ports.Count + operation.NotPorts.Count > 0);

    private static (IEnumerable<string>, bool) OfCondition(Condition condition) =>
        ConnectionKeys.Contains(condition.Key) ? ([], true) : ([condition.Key], false);

    private static IEnumerable<string> Named(params (string Name, IReadOnlyCollection<string> Values)[] fields) =>
        fields.Where(static f => f.Values.Count > 0).Select(static f => f.Name);
}
