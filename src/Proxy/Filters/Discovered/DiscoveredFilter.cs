// Discovered: filters whose settings come by discovery (ECDS). The place in a chain stays; what stands in it changes for new exchanges, on
// old connections, too. Published like a cluster's picture: by reference. An exchange keeps the filter that it began with.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Tcp;

namespace Lateen.Proxy.Filters.Discovered;

/// <summary>The newest form of something that is discovered; null while there is none.</summary>
public sealed class Discovered<T> where T : class
{
    private volatile T? _current;

    /// <summary>The newest form.</summary>
    public T? Current
    {
        get => _current;
        set => _current = value;
    }
}

/// <summary>An HTTP filter that comes by discovery. Without one, requests are refused: a policy that has not come must not be
/// skipped.</summary>
public sealed class DiscoveredFilter(string name, Discovered<HttpFilter> source) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead
            | FilterPhases.ResponseBody | FilterPhases.ResponseTrailers | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new Slot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        if (Inner(slot, FilterPhases.RequestHead, out FilterSlot? inner))
            return inner!.Filter.OnRequestHead(inner, end);
        if (((Slot)slot).Inside is not null)
            return FilterVerdict.Continue;
        Replies.FilterMissing(slot.Exchange);
        return FilterVerdict.Stop;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        Inner(slot, FilterPhases.RequestBody, out FilterSlot? inner)
            ? inner!.Filter.OnRequestBody(inner, ref body, end) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) =>
        Inner(slot, FilterPhases.RequestTrailers, out FilterSlot? inner) ? inner!.Filter.OnRequestTrailers(inner) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end) =>
        Inner(slot, FilterPhases.ResponseHead, out FilterSlot? inner) ? inner!.Filter.OnResponseHead(inner, end) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        Inner(slot, FilterPhases.ResponseBody, out FilterSlot? inner)
            ? inner!.Filter.OnResponseBody(inner, ref body, end) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot) =>
        Inner(slot, FilterPhases.ResponseTrailers, out FilterSlot? inner)
            ? inner!.Filter.OnResponseTrailers(inner) : FilterVerdict.Continue;

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        if (Inner(slot, FilterPhases.End, out FilterSlot? inner))
            inner!.Filter.OnEnd(inner);
    }

    private bool Inner(FilterSlot slot, FilterPhases phase, out FilterSlot? inner)
    {
        var own = (Slot)slot;
        if (!own.Entered)
            own.Enter(source.Current);
        inner = own.Inside;
        if (inner is null)
            return false;
        inner.Settings = slot.Settings;
        return (inner.Filter.Phases & phase) != 0;
    }

    /// <summary>Keeps the slot of the filter that stands there, for as long as it is the same one.</summary>
    private sealed class Slot : FilterSlot
    {
        private FilterSlot? _kept;

        public bool Entered { get; private set; }

        public FilterSlot? Inside { get; private set; }

        public void Enter(HttpFilter? filter)
        {
            Entered = true;
            if (filter is null)
                return;
            if (_kept is null || !ReferenceEquals(_kept.Filter, filter))
            {
                _kept = filter.NewSlot();
                _kept.Exchange = Exchange;
                _kept.Filter = filter;
                _kept.Index = Index;
            }
            Inside = _kept;
        }

        protected internal override void Reset()
        {
            Inside?.Reset();
            Inside = null;
            Entered = false;
        }
    }
}

/// <summary>A network filter that comes by discovery; without one, connections are closed.</summary>
public sealed class DiscoveredNetworkFilter(Discovered<NetworkFilterFactory> source) : NetworkFilterFactory
{
    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) => source.Current is { } factory ? factory.Create(session) : new Missing();

    private sealed class Missing : NetworkFilter
    {
        public override NetworkVerdict OnConnection(TcpSession session) => NetworkVerdict.Close;
    }
}
