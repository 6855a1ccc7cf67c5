using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>What a match means.</summary>
public enum RbacAction : byte
{
    Allow,
    Deny,
    Log,
}

/// <summary>A policy: one of its permissions and one of its principals must hold.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Permissions">What is done.</param>
/// <param name="Principals">Who does it.</param>
public sealed record RbacPolicy(string Name, RbacRule[] Permissions, RbacRule[] Principals)
{
    /// <summary>The name as code details write it: blanks become underscores.</summary>
    public string DetailName { get; } = Name.Replace(' ', '_');

    /// <summary>Details of a denial by this policy.</summary>
    public string DeniedDetails { get; } = $"rbac_access_denied_matched_policy[{Name.Replace(' ', '_')}]";

    /// <summary>True where it concerns the stream.</summary>
    public bool Matches(IStreamFacts facts) => Any(Permissions, facts) && Any(Principals, facts);

    private static bool Any(RbacRule[] rules, IStreamFacts facts)
    {
        foreach (RbacRule rule in rules)
        {
            if (rule.Matches(facts))
                return true;
        }
        return false;
    }
}

/// <summary>Policies with one action, in byte order of their names.</summary>
public sealed class RbacPolicies
{
    /// <summary>Details where no policy allowed.</summary>
    public const string NoneDetails = "rbac_access_denied_matched_policy[none]";

    private readonly RbacPolicy[] _policies;

    /// <summary>From policies in any order.</summary>
    public RbacPolicies(RbacAction action, IEnumerable<RbacPolicy> policies)
    {
        Action = action;
        _policies = [.. policies.OrderBy(p => p.Name, StringComparer.Ordinal)];
    }

    /// <summary>What a match means.</summary>
    public RbacAction Action { get; }

    /// <summary>The policies.</summary>
    public IReadOnlyList<RbacPolicy> All => _policies;

    /// <summary>True where the stream is allowed; <paramref name="matched"/> is the policy that matched.</summary>
    public bool Allows(IStreamFacts facts, out RbacPolicy? matched)
    {
        matched = null;
        foreach (RbacPolicy policy in _policies)
        {
            if (!policy.Matches(facts))
                continue;
            matched = policy;
            break;
        }
        return Action switch
        {
            RbacAction.Allow => matched is not null,
            RbacAction.Deny => matched is null,
            _ => true,
        };
    }
}

/// <summary>Enforced and shadow policies of a filter.</summary>
/// <param name="Rules">Enforced; null for none.</param>
/// <param name="Shadow">Only written down; null for none.</param>
/// <param name="ShadowPrefix">Of the keys in metadata and counters.</param>
/// <param name="StatPrefix">Of the counters of the enforced ones.</param>
public sealed record RbacSettings(RbacPolicies? Rules, RbacPolicies? Shadow, string ShadowPrefix, string StatPrefix);
