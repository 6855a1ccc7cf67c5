using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.HeaderMutation;

/// <summary>One change: a removal, or an addition.</summary>
/// <param name="Remove">The name to remove; null for an addition.</param>
/// <param name="Add">The addition; null for a removal.</param>
public sealed record HeaderChange(byte[]? Remove, HeaderAddition? Add);

/// <summary>Changes of requests and of responses, in order.</summary>
/// <param name="Request">Of requests.</param>
/// <param name="Response">Of responses.</param>
public sealed record HeaderMutationSettings(HeaderChange[] Request, HeaderChange[] Response);

/// <summary>Changes headers one by one, each seeing what the one before did (envoy.extensions.filters.http.header_mutation.v3). A route's changes come behind the filter's.</summary>
public sealed class HeaderMutationFilter(string name, HeaderMutationSettings settings, bool mostSpecificWins) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new TextSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        Apply(settings.Request, exchange.RequestHead, (TextSlot)slot);
        if (slot.Settings is HeaderMutationSettings own)
            Apply(own.Request, exchange.RequestHead, (TextSlot)slot);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        HeaderMap head = slot.Exchange.ResponseHead;
        HeaderMutationSettings? own = slot.Settings as HeaderMutationSettings;
        if (mostSpecificWins || own is null)
            Apply(settings.Response, head, (TextSlot)slot);
        if (own is not null)
            Apply(own.Response, head, (TextSlot)slot);
        if (!mostSpecificWins && own is not null)
            Apply(settings.Response, head, (TextSlot)slot);
        return FilterVerdict.Continue;
    }

    private static void Apply(HeaderChange[] changes, HeaderMap head, TextSlot slot)
    {
        foreach (HeaderChange change in changes)
        {
            if (change.Remove is { } name)
                head.Remove(name);
            else if (change.Add is { } add)
                Add(add, head, slot);
        }
    }

    private static void Add(HeaderAddition add, HeaderMap head, TextSlot slot)
    {
        bool present = head.IndexOf(add.NameBytes, 0) >= 0;
        if ((add.Append == HeaderAppend.AddIfAbsent && present) || (add.Append == HeaderAppend.OverwriteIfExists && !present))
            return;
        slot.Text.Clear();
        add.Value.Write(slot.Exchange.Facts, slot.Text, omitEmpty: true);
        if (slot.Text.Length == 0 && !add.KeepEmpty)
            return;
        if (add.Append is HeaderAppend.OverwriteOrAdd or HeaderAppend.OverwriteIfExists || add.NameBytes[0] == ':')
            head.Set(add.NameBytes, slot.Text.Written);
        else
            head.Add(add.NameBytes, slot.Text.Written);
    }

    private sealed class TextSlot : FilterSlot
    {
        public ByteBuffer Text { get; } = new();
    }
}
