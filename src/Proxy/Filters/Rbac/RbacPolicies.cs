using Lateen.Proxy.Cel;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Matching;

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
/// <param name="Condition">What must hold besides; null for nothing.</param>
public sealed record RbacPolicy(string Name, RbacRule[] Permissions, RbacRule[] Principals, CelProgram? Condition = null)
{
    /// <summary>The name as code details write it: blanks become underscores.</summary>
    public string DetailName { get; } = Name.Replace(' ', '_');

    /// <summary>Its place among the policies of its filter.</summary>
    public int Place { get; internal set; }

    /// <summary>What its match means.</summary>
    public RbacAction Action { get; internal set; }

    /// <summary>Details of a denial by this policy.</summary>
    public string DeniedDetails { get; } = $"rbac_access_denied_matched_policy[{Name.Replace(' ', '_')}]";

    /// <summary>True where it concerns the stream.</summary>
    public bool Matches(IStreamFacts facts) =>
        Any(Permissions, facts) && Any(Principals, facts) && (Condition is null || Condition.Matches(facts));

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

/// <summary>Decides about streams: by policies, or by a tree.</summary>
public abstract class RbacJudge
{
    /// <summary>Details where no policy allowed.</summary>
    public const string NoneDetails = "rbac_access_denied_matched_policy[none]";

    /// <summary>All that can match, by their places.</summary>
    public abstract IReadOnlyList<RbacPolicy> All { get; }

    /// <summary>Where decisions are written down besides; null for nowhere.</summary>
    public AuditLog? Audit { get; init; }

    /// <summary>Some match asks for a line in the log: it is told of every stream whether its own does.</summary>
    public abstract bool Logs { get; }

    /// <summary>True where the stream is allowed; <paramref name="matched"/> is the policy that matched.</summary>
    public abstract bool Allows(IStreamFacts facts, out RbacPolicy? matched);
}

/// <summary>A tree whose leaves allow, deny or log; where it leads nowhere the stream is denied.</summary>
public sealed class RbacTree : RbacJudge
{
    private readonly MatchTree<IStreamFacts, RbacPolicy> _tree;
    private readonly RbacPolicy[] _leaves;

    /// <summary>A tree and its leaves.</summary>
    public RbacTree(MatchTree<IStreamFacts, RbacPolicy> tree, IEnumerable<RbacPolicy> leaves)
    {
        _tree = tree;
        _leaves = [.. leaves];
        for (int i = 0; i < _leaves.Length; i++)
            _leaves[i].Place = i;
        Logs = Array.Exists(_leaves, static l => l.Action == RbacAction.Log);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<RbacPolicy> All => _leaves;

    /// <inheritdoc/>
    public override bool Logs { get; }

    /// <summary>A leaf.</summary>
    public static RbacPolicy Leaf(string name, RbacAction action) => new(name, [], []) { Action = action };

    /// <inheritdoc/>
    public override bool Allows(IStreamFacts facts, out RbacPolicy? matched)
    {
        matched = _tree.Find(facts);
        return matched is not null && matched.Action != RbacAction.Deny;
    }
}

/// <summary>Policies with one action, in byte order of their names.</summary>
public sealed class RbacPolicies : RbacJudge
{
    // Fewer are judged faster one by one.
    private const int IndexedFrom = 12;

    private readonly RbacPolicy[] _policies;
    private readonly RbacIndex? _index;

    /// <summary>From policies in any order.</summary>
    public RbacPolicies(RbacAction action, IEnumerable<RbacPolicy> policies)
    {
        Action = action;
        _policies = [.. policies.OrderBy(p => p.Name, StringComparer.Ordinal)];
        for (int i = 0; i < _policies.Length; i++)
            (_policies[i].Place, _policies[i].Action) = (i, action);
        _index = _policies.Length < IndexedFrom ? null : RbacIndex.Of(_policies);
    }

    /// <summary>What a match means.</summary>
    public RbacAction Action { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<RbacPolicy> All => _policies;

    /// <inheritdoc/>
    public override bool Logs => Action == RbacAction.Log;

    /// <inheritdoc/>
    public override bool Allows(IStreamFacts facts, out RbacPolicy? matched)
    {
        matched = _index is null ? First(facts) : FirstIndexed(facts, _index);
        return Action switch
        {
            RbacAction.Allow => matched is not null,
            RbacAction.Deny => matched is null,
            _ => true,
        };
    }

    private RbacPolicy? First(IStreamFacts facts)
    {
        foreach (RbacPolicy policy in _policies)
        {
            if (policy.Matches(facts))
                return policy;
        }
        return null;
    }

    private RbacPolicy? FirstIndexed(IStreamFacts facts, RbacIndex index)
    {
        Span<ulong> candidates = stackalloc ulong[index.Words];
        index.Candidates(facts, candidates);
        for (int word = 0; word < candidates.Length; word++)
        {
            for (ulong rest = candidates[word]; rest != 0; rest &= rest - 1)
            {
                int at = (word * 64) + System.Numerics.BitOperations.TrailingZeroCount(rest);
                if (at >= _policies.Length)
                    return null;
                if (_policies[at].Matches(facts))
                    return _policies[at];
            }
        }
        return null;
    }
}

/// <summary>What policies leave in dynamic metadata: the result, and the policy that gave it. Made when they are published.</summary>
public sealed class RbacTraces
{
    private readonly MetadataFragment _allowed, _denied;
    private readonly MetadataFragment[] _byPolicy;

    /// <summary>For policies whose keys begin with <paramref name="prefix"/>.</summary>
    public RbacTraces(RbacJudge policies, string ns, string prefix, bool shadow)
    {
        string result = prefix + (shadow ? "shadow_engine_result" : "enforced_engine_result"),
            id = prefix + (shadow ? "shadow_effective_policy_id" : "enforced_effective_policy_id");
        _allowed = MetadataFragment.Of(ns, new Dictionary<string, string> { [result] = "allowed" });
        _denied = MetadataFragment.Of(ns, new Dictionary<string, string> { [result] = "denied" });
        _byPolicy = [.. policies.All.Select(
            p => MetadataFragment.Of(ns,
                new Dictionary<string, string> { [result] = p.Action == RbacAction.Deny ? "denied" : "allowed", [id] = p.Name }))];
    }

    /// <summary>The values of a decision.</summary>
    public MetadataFragment Of(bool allowed, RbacPolicy? policy) =>
        policy is not null ? _byPolicy[policy.Place] : allowed ? _allowed : _denied;
}

/// <summary>Enforced and shadow policies of a filter.</summary>
/// <param name="Rules">Enforced; null for none.</param>
/// <param name="Shadow">Only written down; null for none.</param>
/// <param name="ShadowPrefix">Of the keys in metadata and counters.</param>
/// <param name="StatPrefix">Of the keys and counters of the enforced ones.</param>
public sealed record RbacSettings(RbacJudge? Rules, RbacJudge? Shadow, string ShadowPrefix, string StatPrefix)
{
    /// <summary>What each policy decides is counted by its name.</summary>
    public bool CountsPolicies { get; init; }

    private const string Namespace = "envoy.filters.http.rbac";

    /// <summary>What enforced policies leave behind.</summary>
    public RbacTraces? RuleTraces { get; } = Rules is null ? null : new RbacTraces(Rules, Namespace, StatPrefix, shadow: false);

    /// <summary>What shadow policies leave behind.</summary>
    public RbacTraces? ShadowTraces { get; } = Shadow is null ? null : new RbacTraces(Shadow, Namespace, ShadowPrefix, shadow: true);
}
