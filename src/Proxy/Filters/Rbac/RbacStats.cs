using System.Collections.Concurrent;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>What RBAC filters count: <c>allowed</c> and <c>denied</c> of the rules, <c>shadow_allowed</c> and <c>shadow_denied</c> of what
/// would have been.</summary>
public sealed class RbacStats
{
    private static readonly StatSchema Enforced = StatSchema.Counters("allowed", "denied"),
        Tried = StatSchema.Counters("shadow_allowed", "shadow_denied");

    private readonly StatGroup _rules, _shadow;
    private readonly ConcurrentDictionary<(string Policy, bool Allowed, bool Shadow), Counter> _policies = new();
    private readonly StatStore? _store;

    private RbacStats(StatStore? store, StatGroup rules, StatGroup shadow) => (_store, _rules, _shadow) = (store, rules, shadow);

    /// <summary>Counters that nobody reads.</summary>
    public static RbacStats Unread(int workers) => new(null, StatGroup.Unread(Enforced, workers), StatGroup.Unread(Tried, workers));

    /// <summary>Counters under a prefix.</summary>
    /// <param name="store">All that is counted.</param>
    /// <param name="prefix">With its dot: <c>http.NAME.</c>, <c>tcp.</c>.</param>
    /// <param name="rules">Further prefix of the rules' counters; empty for none.</param>
    /// <param name="shadow">Further prefix of the shadow rules' counters; empty for none.</param>
    public static RbacStats In(StatStore store, string prefix, string rules, string shadow) =>
        new(store, store.Group($"{prefix}rbac.{Dotted(rules)}", Enforced), store.Group($"{prefix}rbac.{Dotted(shadow)}", Tried));

    private static string Dotted(string prefix) => prefix.Length == 0 || prefix.EndsWith('.') ? prefix : prefix + ".";

    /// <summary>The rules decided, on a worker.</summary>
    public void Count(int worker, bool allowed) => _rules.Of(worker).Count(allowed ? 0 : 1);

    /// <summary>The shadow rules decided, on a worker.</summary>
    public void CountShadow(int worker, bool allowed) => _shadow.Of(worker).Count(allowed ? 0 : 1);

    /// <summary>A policy decided, on a worker: <c>policy.NAME.allowed</c> and the like, once they are more than nothing.</summary>
    public void CountPolicy(Worker worker, string policy, bool allowed, bool shadow)
    {
        if (_store is null)
            return;
        if (!_policies.TryGetValue((policy, allowed, shadow), out Counter? counter))
        {
            string word = allowed ? "allowed" : "denied";
            counter = _policies.GetOrAdd((policy, allowed, shadow),
                _store.Counter($"{(shadow ? _shadow : _rules).Prefix}policy.{policy}.{(shadow ? "shadow_" : "")}{word}"));
        }
        counter.Count(worker);
    }

    /// <summary>What the rules denied.</summary>
    public long Denied => _rules.Sum(1);

    /// <summary>What the rules allowed.</summary>
    public long Allowed => _rules.Sum(0);
}
