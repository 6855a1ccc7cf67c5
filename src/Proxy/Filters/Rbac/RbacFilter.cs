using System.Text.Json;
using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>RBAC for HTTP requests.</summary>
public sealed class RbacFilter(string name, RbacSettings settings) : HttpFilter(name)
{
    private const string Namespace = "envoy.filters.http.rbac";

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        RbacSettings s = slot.Settings as RbacSettings ?? settings;
        Exchange exchange = slot.Exchange;
        if (s.Shadow is { } shadow)
            WriteShadow(exchange, s, shadow.Allows(exchange.Facts, out RbacPolicy? policy), policy);
        if (s.Rules is not { } rules)
            return FilterVerdict.Continue;
        bool allowed = rules.Allows(exchange.Facts, out RbacPolicy? matched);
        if (rules.Action == RbacAction.Log)
        {
            exchange.SetMetadata("envoy.common", JsonSerializer.SerializeToElement(new Dictionary<string, bool> { ["access_log_hint"] = matched is not null }));
            return FilterVerdict.Continue;
        }
        if (allowed)
            return FilterVerdict.Continue;
        exchange.Reply(new LocalReply(403, matched?.DeniedDetails ?? RbacPolicies.NoneDetails) { Body = "RBAC: access denied"u8 });
        return FilterVerdict.Stop;
    }

    private static void WriteShadow(Exchange exchange, RbacSettings s, bool allowed, RbacPolicy? policy)
    {
        var values = new Dictionary<string, string> { [s.ShadowPrefix + "shadow_engine_result"] = allowed ? "allowed" : "denied" };
        if (policy is not null)
            values[s.ShadowPrefix + "shadow_effective_policy_id"] = policy.Name;
        exchange.SetMetadata(Namespace, JsonSerializer.SerializeToElement(values));
    }
}
