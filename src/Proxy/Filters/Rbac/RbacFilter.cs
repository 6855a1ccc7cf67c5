using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Filters.Rbac;

/// <summary>What an RBAC filter decided so far.</summary>
public enum RbacCounter : byte
{
    Allowed,
    Denied,
    ShadowAllowed,
    ShadowDenied,
    Logged,
    NotLogged,
}

/// <summary>RBAC for HTTP requests.</summary>
/// <param name="name">Its name in the chain.</param>
/// <param name="settings">Policies where the route has none of its own.</param>
/// <param name="workers">Number of workers.</param>
public sealed class RbacFilter(string name, RbacSettings settings, int workers) : HttpFilter(name)
{
    private static readonly MetadataFragment Hint = HintOf(true), NoHint = HintOf(false);

    private readonly WorkerCounts _counts = new(workers);

    /// <summary>Its own settings.</summary>
    public RbacSettings Configured => settings;

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <summary>A number over all workers.</summary>
    public long Count(RbacCounter counter) => _counts.Sum((int)counter);

    private void Count(Exchange exchange, RbacCounter counter) => _counts.Count(exchange.Worker.Index, (int)counter);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        RbacSettings s = slot.Settings as RbacSettings ?? settings;
        Exchange exchange = slot.Exchange;
        if (s.Shadow is { } shadow)
        {
            bool would = shadow.Allows(exchange.Facts, out RbacPolicy? policy);
            Count(exchange, would ? RbacCounter.ShadowAllowed : RbacCounter.ShadowDenied);
            exchange.SetMetadata(s.ShadowTraces!.Of(would, policy));
        }
        if (s.Rules is not { } rules)
            return FilterVerdict.Continue;
        bool allowed = rules.Allows(exchange.Facts, out RbacPolicy? matched);
        if (rules.Action == RbacAction.Log)
        {
            Count(exchange, matched is not null ? RbacCounter.Logged : RbacCounter.NotLogged);
            exchange.SetMetadata(matched is not null ? Hint : NoHint);
        }
        exchange.SetMetadata(s.RuleTraces!.Of(allowed, matched));
        Count(exchange, allowed ? RbacCounter.Allowed : RbacCounter.Denied);
        if (allowed)
            return FilterVerdict.Continue;
        exchange.Reply(new LocalReply(403, matched?.DeniedDetails ?? RbacPolicies.NoneDetails) { Body = "RBAC: access denied"u8 });
        return FilterVerdict.Stop;
    }

    private static MetadataFragment HintOf(bool hint) =>
        new("envoy.common", JsonSerializer.SerializeToElement(new Dictionary<string, bool> { ["access_log_hint"] = hint }));
}
