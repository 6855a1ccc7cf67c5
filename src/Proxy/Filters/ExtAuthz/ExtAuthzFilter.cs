using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>envoy.filters.http.ext_authz.</summary>
/// <param name="name">Its name in the chain.</param>
/// <param name="settings">Settings.</param>
/// <param name="stats">Its counters.</param>
public sealed class ExtAuthzFilter(string name, ExtAuthzSettings settings, AuthzStats stats) : HttpFilter(name)
{
    internal const string Namespace = "envoy.filters.http.ext_authz";

    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new AuthzSlot(settings, stats);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) => ((AuthzSlot)slot).OnHead(end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        ((AuthzSlot)slot).OnBody(body, end);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) => ((AuthzSlot)slot).OnTrailers();

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        ((AuthzSlot)slot).OnResponse();
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot) => ((AuthzSlot)slot).Cancel();
}
