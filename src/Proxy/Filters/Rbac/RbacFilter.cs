using System.Text.Json;
using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>RBAC for HTTP requests.</summary>
/// <param name="name">Its name in the chain.</param>
/// <param name="settings">Policies where the route has none of its own.</param>
/// <param name="stats">Its counters.</param>
public sealed class RbacFilter(string name, RbacSettings settings, RbacStats stats) : HttpFilter(name)
{
    internal static readonly MetadataFragment Hint = HintOf(true), NoHint = HintOf(false);

    /// <summary>Its own settings.</summary>
    public RbacSettings Configured => settings;

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        RbacSettings s = slot.Settings as RbacSettings ?? settings;
        Exchange exchange = slot.Exchange;
        if (s.Shadow is { } shadow)
        {
            bool would = shadow.Allows(exchange.Facts, out RbacPolicy? policy);
            stats.CountShadow(exchange.Worker.Index, would);
            if (s.CountsPolicies && policy is not null)
                stats.CountPolicy(exchange.Worker, policy.Name, would, shadow: true);
            exchange.SetMetadata(s.ShadowTraces!.Of(would, policy));
        }
        if (s.Rules is not { } rules)
            return FilterVerdict.Continue;
        bool allowed = rules.Allows(exchange.Facts, out RbacPolicy? matched);
        if (rules.Logs)
            exchange.SetMetadata(matched is { Action: RbacAction.Log } ? Hint : NoHint);
        exchange.SetMetadata(s.RuleTraces!.Of(allowed, matched));
        stats.Count(exchange.Worker.Index, allowed);
        rules.Audit?.Decided(exchange.Worker, exchange.Facts, matched, allowed);
        if (s.CountsPolicies && matched is not null)
            stats.CountPolicy(exchange.Worker, matched.Name, allowed, shadow: false);
        if (allowed)
            return FilterVerdict.Continue;
        exchange.Reply(new LocalReply(403, matched?.DeniedDetails ?? RbacJudge.NoneDetails) { Body = "RBAC: access denied"u8 });
        return FilterVerdict.Stop;
    }

    private static MetadataFragment HintOf(bool hint) =>
        new("envoy.common", JsonSerializer.SerializeToElement(new Dictionary<string, bool> { ["access_log_hint"] = hint }));
}
