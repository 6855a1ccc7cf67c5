using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Resolution;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.ForwardProxy;

/// <summary>What a route asks of the forward proxy.</summary>
/// <param name="Host">Replaces the authority; empty for none.</param>
/// <param name="HostHeader">A header whose value replaces the authority, in lower case; empty for none.</param>
public sealed record ForwardSettings(byte[] Host, byte[] HostHeader);

/// <summary>Resolves the name that a request is meant for, where its route leads to a dynamic forward proxy cluster.</summary>
public sealed class DynamicForwardFilter(string name, NameCacheOptions cache, Upstreams upstreams) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new Slot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        if (exchange.Decision.Cluster?.Current?.Cluster is not { Type: ClusterType.DynamicForwardProxy } cluster)
            return FilterVerdict.Continue;
        if (slot.Settings is ForwardSettings settings)
            Rewrite(exchange.RequestHead, settings);
        (string target, _) = ForwardTarget.Of(exchange, cluster.Security is not null);
        if (target.Length == 0)
            return FilterVerdict.Continue;
        CachedName found = upstreams[exchange.Worker].Names.Load(cache, target, ((Slot)slot).Waiter);
        switch (found.State)
        {
            case NameState.Pending:
                return FilterVerdict.Stop;
            case NameState.Known:
                return FilterVerdict.Continue;
            default:
                Replies.NameUnknown(exchange, found.State, found.Failure);
                return FilterVerdict.Stop;
        }
    }

    private static void Rewrite(HeaderMap head, ForwardSettings settings)
    {
        if (settings.Host.Length > 0)
            head.Set(KnownHeader.Authority, settings.Host);
        else if (settings.HostHeader.Length > 0 && head.TryGet(settings.HostHeader, out ReadOnlySpan<byte> value) && !value.IsEmpty)
            head.Set(KnownHeader.Authority, value.ToArray());
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((Slot)slot).Waiter.Cancel();

    private sealed class Slot : FilterSlot
    {
        public Slot() => Waiter = new Waiting(this);

        public NameWaiter Waiter { get; }
    }

    private sealed class Waiting(Slot slot) : NameWaiter
    {
        public override void OnResolved(CachedName name)
        {
            if (name.State == NameState.Known)
                slot.ResumeRequest();
            else
                Replies.NameUnknown(slot.Exchange, name.State, name.Failure);
        }
    }
}
