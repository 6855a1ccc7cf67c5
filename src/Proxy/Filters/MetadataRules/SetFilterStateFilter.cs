using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Filters.MetadataRules;

/// <summary>One object of filter state.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Format">Its text.</param>
/// <param name="Make">The object from its text; null where the text is no such object.</param>
/// <param name="SkipIfEmpty">An empty text sets nothing.</param>
public sealed record FilterStateRule(string Key, ReplyBody Format, Func<string, object?> Make, bool SkipIfEmpty);

/// <summary>All of them, in order.</summary>
/// <param name="Rules">The rules.</param>
public sealed record SetFilterStateSettings(IReadOnlyList<FilterStateRule> Rules);

/// <summary>Sets filter state from formats at the request's head (envoy.extensions.filters.http.set_filter_state.v3). A route's rules come
/// behind the filter's.</summary>
public sealed class SetFilterStateFilter(string name, SetFilterStateSettings settings) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Apply(settings, slot.Exchange);
        if (slot.Settings is SetFilterStateSettings own)
            Apply(own, slot.Exchange);
        return FilterVerdict.Continue;
    }

    private static void Apply(SetFilterStateSettings settings, Exchange exchange)
    {
        var text = new ByteBuffer();
        foreach (FilterStateRule rule in settings.Rules)
        {
            text.Clear();
            rule.Format.Write(exchange.Facts, text);
            if (text.Length == 0 && rule.SkipIfEmpty)
                continue;
            if (rule.Make(System.Text.Encoding.UTF8.GetString(text.Written)) is { } made)
                exchange.SetFilterState(rule.Key, made);
        }
    }
}
