// HeaderMutation: changes headers, query parameters and trailers one by one, each change seeing what the one before did
// (envoy.extensions.filters.http.header_mutation.v3). The filter's own changes come first; then those of the route's levels, from the most
// specific outwards, or the other way round where the filter says so. The route is not chosen anew.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.HeaderMutation;

/// <summary>One change of headers; one of the three is set.</summary>
/// <param name="Remove">A name to remove.</param>
/// <param name="Add">An addition.</param>
/// <param name="RemoveMatching">Names to remove.</param>
public sealed record HeaderChange(byte[]? Remove, HeaderAddition? Add, StringMatch? RemoveMatching);

/// <summary>One change of query parameters.</summary>
/// <param name="Key">The parameter.</param>
/// <param name="Value">Its value; null removes it.</param>
/// <param name="Append">Where it exists.</param>
public sealed record QueryChange(string Key, TextFormat? Value, HeaderAppend Append);

/// <summary>All changes of one level.</summary>
public sealed record HeaderMutationSettings : LayeredSettings
{
    /// <summary>Of requests' heads.</summary>
    public HeaderChange[] Request { get; init; } = [];

    /// <summary>Of responses' heads.</summary>
    public HeaderChange[] Response { get; init; } = [];

    /// <summary>Of requests' trailers.</summary>
    public HeaderChange[] RequestTrailers { get; init; } = [];

    /// <summary>Of responses' trailers.</summary>
    public HeaderChange[] ResponseTrailers { get; init; } = [];

    /// <summary>Of the path's query.</summary>
    public QueryChange[] Query { get; init; } = [];
}

/// <summary>The filter.</summary>
public sealed class HeaderMutationFilter(string name, HeaderMutationSettings settings, bool mostSpecificWins) : HttpFilter(name)
{
    private static readonly Func<HeaderMutationSettings, HeaderChange[]> RequestOf = static s => s.Request,
        ResponseOf = static s => s.Response,
        RequestTrailersOf = static s => s.RequestTrailers, ResponseTrailersOf = static s => s.ResponseTrailers;

    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestTrailers | FilterPhases.ResponseHead | FilterPhases.ResponseTrailers;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new TextSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) =>
        ApplyAll(slot, slot.Exchange.RequestHead, RequestOf, query: true);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) =>
        ApplyAll(slot, slot.Exchange.RequestTrailers, RequestTrailersOf, query: false);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end) =>
        ApplyAll(slot, slot.Exchange.ResponseHead, ResponseOf, query: false);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot) =>
        ApplyAll(slot, slot.Exchange.ResponseTrailers!, ResponseTrailersOf, query: false);

    private FilterVerdict ApplyAll(FilterSlot slot, HeaderMap map, Func<HeaderMutationSettings, HeaderChange[]> which, bool query)
    {
        Apply(settings, map, (TextSlot)slot, which, query);
        ApplyLevel(slot.Settings as HeaderMutationSettings, map, (TextSlot)slot, which, query);
        return FilterVerdict.Continue;
    }

    private void ApplyLevel(HeaderMutationSettings? level, HeaderMap map, TextSlot slot, Func<HeaderMutationSettings, HeaderChange[]> which,
        bool query)
    {
        if (level is null)
            return;
        if (mostSpecificWins)
            ApplyLevel(level.Above as HeaderMutationSettings, map, slot, which, query);
        Apply(level, map, slot, which, query);
        if (!mostSpecificWins)
            ApplyLevel(level.Above as HeaderMutationSettings, map, slot, which, query);
    }

    private static void Apply(HeaderMutationSettings level, HeaderMap map, TextSlot slot,
        Func<HeaderMutationSettings, HeaderChange[]> which, bool query)
    {
        foreach (HeaderChange change in which(level))
        {
            if (change.Remove is { } name)
                map.Remove(name);
            else if (change.RemoveMatching is { } match)
                RemoveMatching(match, map);
            else if (change.Add is { } add)
                Add(add, map, slot);
        }
        if (query && level.Query.Length > 0)
            QueryChanges.Apply(level.Query, map, slot.Exchange.Facts, slot.Text);
    }

    // Pseudo-headers are no headers to remove.
    private static void RemoveMatching(StringMatch match, HeaderMap map)
    {
        for (int i = 0; i < map.End; i++)
        {
            if (map.At(i, out _, out ReadOnlySpan<byte> name, out _) && name[0] != ':' && match.Matches(name))
                map.RemoveAt(i);
        }
    }

    private static void Add(HeaderAddition add, HeaderMap map, TextSlot slot)
    {
        bool present = map.IndexOf(add.NameBytes, 0) >= 0;
        if ((add.Append == HeaderAppend.AddIfAbsent && present) || (add.Append == HeaderAppend.OverwriteIfExists && !present))
            return;
        slot.Text.Clear();
        add.Value.Write(slot.Exchange.Facts, slot.Text, omitEmpty: true);
        if (slot.Text.Length == 0 && !add.KeepEmpty)
            return;
        if (add.Append is HeaderAppend.OverwriteOrAdd or HeaderAppend.OverwriteIfExists || add.NameBytes[0] == ':')
            map.Set(add.NameBytes, slot.Text.Written);
        else
            map.Add(add.NameBytes, slot.Text.Written);
    }

    private sealed class TextSlot : FilterSlot
    {
        public ByteBuffer Text { get; } = new();
    }
}
