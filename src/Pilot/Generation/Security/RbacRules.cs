using Envoy.Config.Rbac.V3;
using Istio.Security.V1Beta1;
using RbacAction = Envoy.Config.Rbac.V3.RBAC.Types.Action;

namespace Lateen.Pilot.Generation.Security;

/// <summary>What the translation of an authorization rule depends on besides the rule.</summary>
/// <param name="Namespace">Namespace of the policy.</param>
/// <param name="ForTcp">Bytes: conditions on HTTP can't be checked.</param>
/// <param name="Action">What happens when the rule holds.</param>
/// <param name="FromFilterState">The peer's identity is in filter state.</param>
/// <param name="TrustDomains">Own trust domain and its aliases.</param>
internal sealed record RbacRuleInputs(string Namespace, bool ForTcp, RbacAction Action, bool FromFilterState,
    IReadOnlyList<string> TrustDomains);

/// <summary>Authorization rules as RBAC policies.</summary>
internal static class RbacRules
{
    private sealed record Condition(string Key, IReadOnlyList<string> Values, IReadOnlyList<string> NotValues);

    /// <summary>The policy of a rule; null when the rule can't be said and must be left out.</summary>
    /// <remarks>
    /// A condition that can't be checked takes an ALLOW rule away altogether; in a DENY, AUDIT or CUSTOM rule only the condition goes.
    /// Either way the error is on the side of refusing.
    /// </remarks>
    public static Policy? Build(Rule rule, RbacRuleInputs inputs)
    {
        var when = rule.When.Select(static w => new Condition(w.Key, w.Values, w.NotValues)).ToList();
        var asked = when.Where(static c => RbacPermissions.Covers(c.Key)).ToList();
        var asking = when.Where(static c => !RbacPermissions.Covers(c.Key)).ToList();
        var principals = new RbacPrincipals(inputs.Namespace, inputs.FromFilterState);
        var policy = new Policy();
        foreach (var to in rule.To.Count == 0 ? [asked] : rule.To.Select(t => Of(t.Operation).Concat(asked).ToList()))
        {
            if (Permission(to, inputs) is not { } permission) return null;
            policy.Permissions.Add(permission);
        }
        foreach (var from in rule.From.Count == 0 ? [asking] : rule.From.Select(f => Of(f.Source).Concat(asking).ToList()))
        {
            if (Principal(from, principals, inputs) is not { } principal) return null;
            policy.Principals.Add(principal);
        }
        return policy;
    }

    /// <summary>A policy that never holds: what "no rules" means.</summary>
    public static Policy Never()
    {
        var policy = new Policy();
        policy.Permissions.Add(new Permission { NotRule = new Permission { Any = true } });
        policy.Principals.Add(new Principal { NotId = new Principal { Any = true } });
        return policy;
    }

    private static IEnumerable<Condition> Of(Operation? operation) => operation is null ? [] : new Condition[]
    {
        new(RbacPermissions.Hosts, operation.Hosts, operation.NotHosts),
        new(RbacPermissions.Methods, operation.Methods, operation.NotMethods),
        new(RbacPermissions.Paths, operation.Paths, operation.NotPaths),
        new(RbacPermissions.Ports, operation.Ports, operation.NotPorts),
    };

    private static IEnumerable<Condition> Of(Source? source) => source is null ? [] : new Condition[]
    {
        new(RbacPrincipals.Identities, source.Principals, source.NotPrincipals),
        new(RbacPrincipals.Subjects, source.RequestPrincipals, source.NotRequestPrincipals),
        new(RbacPrincipals.TrustDomains, source.TrustDomains, source.NotTrustDomains),
        new(RbacPrincipals.ServiceAccounts, source.ServiceAccounts, source.NotServiceAccounts),
        new(RbacPrincipals.Namespaces, source.Namespaces, source.NotNamespaces),
        new(RbacPrincipals.ClientAddresses, source.RemoteIpBlocks, source.NotRemoteIpBlocks),
        new(RbacPrincipals.Addresses, source.IpBlocks, source.NotIpBlocks),
    };

    private static Permission? Permission(IEnumerable<Condition> conditions, RbacRuleInputs inputs)
    {
        var all = new Permission.Types.Set();
        foreach (var condition in conditions)
        {
            foreach (var (values, negate) in new[] { (condition.Values, false), (condition.NotValues, true) })
            {
                if (values.Count == 0) continue;
                if (!RbacPermissions.TryBuild(condition.Key, values, inputs.ForTcp, out var any) && inputs.Action == RbacAction.Allow)
                    return null;
                if (any.Count == 0) continue;
                var either = RbacPermissions.IsWhole(condition.Key)
                    ? any[0] : new Permission { OrRules = new Permission.Types.Set { Rules = { any } } };
                all.Rules.Add(negate ? new Permission { NotRule = either } : either);
            }
        }
        if (all.Rules.Count == 0) all.Rules.Add(new Permission { Any = true });
        return new Permission { AndRules = all };
    }

    private static Principal? Principal(IEnumerable<Condition> conditions, RbacPrincipals principals, RbacRuleInputs inputs)
    {
        var all = new Principal.Types.Set();
        foreach (var condition in conditions)
        {
            foreach (var (written, negate) in new[] { (condition.Values, false), (condition.NotValues, true) })
            {
                if (written.Count == 0) continue;
                var values = condition.Key == RbacPrincipals.Identities ? TrustDomainAliases.Expand(written, inputs.TrustDomains) : written;
                if (!principals.TryBuild(condition.Key, values, inputs.ForTcp, out var any) && inputs.Action == RbacAction.Allow)
                    return null;
                if (any.Count == 0) continue;
                var either = RbacPrincipals.IsWhole(condition.Key)
                    ? any[0] : new Principal { OrIds = new Principal.Types.Set { Ids = { any } } };
                all.Ids.Add(negate ? new Principal { NotId = either } : either);
            }
        }
        if (all.Ids.Count == 0) all.Ids.Add(new Principal { Any = true });
        return new Principal { AndIds = all };
    }
}
