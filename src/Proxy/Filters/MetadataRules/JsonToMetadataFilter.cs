using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.MetadataRules;

/// <summary>How a value of the body becomes a value of metadata.</summary>
public enum JsonValueKindWanted : byte
{
    AsIs,
    Text,
    Number,
}

/// <summary>What to set.</summary>
/// <param name="Namespace">Where.</param>
/// <param name="Key">Under which key.</param>
/// <param name="Value">A fixed value; null takes the body's.</param>
/// <param name="Kind">What it becomes.</param>
/// <param name="KeepExisting">What is there already stays.</param>
public sealed record JsonTarget(string Namespace, string Key, JsonElement? Value, JsonValueKindWanted Kind, bool KeepExisting);

/// <summary>One rule: a path of keys, and what to set where there is a value, none, or no JSON.</summary>
/// <param name="Path">Keys from the outermost in.</param>
/// <param name="Present">Null for nothing.</param>
/// <param name="Missing">Null for nothing.</param>
/// <param name="Error">Null for nothing.</param>
public sealed record JsonRule(string[] Path, JsonTarget? Present, JsonTarget? Missing, JsonTarget? Error);

/// <summary>Rules of one direction and the bodies that they look at.</summary>
public sealed record JsonRules
{
    /// <summary>In order.</summary>
    public required JsonRule[] Rules { get; init; }

    /// <summary>Types that are read.</summary>
    public required IReadOnlyList<byte[]> Types { get; init; }

    /// <summary>Further types, by expression; null for none.</summary>
    public StringMatch? TypePattern { get; init; }

    /// <summary>A body without a type is read, too.</summary>
    public bool AllowsNoType { get; init; }

    internal bool Reads(HeaderMap head)
    {
        ReadOnlySpan<byte> type = head[KnownHeader.ContentType];
        if (type.IsEmpty)
            return AllowsNoType;
        foreach (byte[] one in Types)
        {
            if (type.SequenceEqual(one))
                return true;
        }
        return TypePattern?.Matches(type) ?? false;
    }
}

/// <summary>Both directions.</summary>
/// <param name="Request">Null where requests are let pass.</param>
/// <param name="Response">Null where responses are let pass.</param>
public sealed record JsonToMetadataSettings(JsonRules? Request, JsonRules? Response);

/// <summary>Sets dynamic metadata from JSON bodies, which it holds until they are whole
/// (envoy.extensions.filters.http.json_to_metadata.v3).</summary>
public sealed class JsonToMetadataFilter(string name, JsonToMetadataSettings settings) : HttpFilter(name)
{
    private const int ValueBytesMax = 8 * 1024;

    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead
            | FilterPhases.ResponseBody | FilterPhases.ResponseTrailers;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new BodySlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end) =>
        OnHead(slot, Of(slot).Request, slot.Exchange.RequestHead, end, response: false);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end) =>
        OnHead(slot, Of(slot).Response, slot.Exchange.ResponseHead, end, response: true);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        OnBody(slot, Of(slot).Request, slot.HeldRequest, body, end, response: false);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end) =>
        OnBody(slot, Of(slot).Response, slot.HeldResponse, body, end, response: true);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot) =>
        OnBody(slot, Of(slot).Request, slot.HeldRequest, default, true, response: false);

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot) =>
        OnBody(slot, Of(slot).Response, slot.HeldResponse, default, true, response: true);

    private JsonToMetadataSettings Of(FilterSlot slot) => slot.Settings as JsonToMetadataSettings ?? settings;

    private static FilterVerdict OnHead(FilterSlot slot, JsonRules? rules, HeaderMap head, bool end, bool response)
    {
        ((BodySlot)slot).Reads(response) = false;
        if (rules is null)
            return FilterVerdict.Continue;
        if (!rules.Reads(head))
            SetAll(slot.Exchange, rules, static r => r.Error, response);
        else if (end)
            SetAll(slot.Exchange, rules, static r => r.Missing, response);
        else
            ((BodySlot)slot).Reads(response) = true;
        return ((BodySlot)slot).Reads(response) ? FilterVerdict.Buffer : FilterVerdict.Continue;
    }

    private static FilterVerdict OnBody(FilterSlot slot, JsonRules? rules, ReadOnlySpan<byte> held, ReadOnlySpan<byte> body, bool end,
        bool response)
    {
        ref bool reads = ref ((BodySlot)slot).Reads(response);
        if (!reads || rules is null)
            return FilterVerdict.Continue;
        if (held.Length + body.Length > slot.Exchange.BufferLimit)
        {
            // Too large to be read: the request goes on as it is.
            reads = false;
            SetAll(slot.Exchange, rules, static r => r.Error, response);
            return FilterVerdict.Continue;
        }
        if (!end)
            return FilterVerdict.Buffer;
        reads = false;
        if (held.Length + body.Length == 0)
            SetAll(slot.Exchange, rules, static r => r.Missing, response);
        else
            Read(slot.Exchange, rules, held.IsEmpty ? body.ToArray() : [.. held, .. body], response);
        return FilterVerdict.Continue;
    }

    private static void SetAll(Exchange exchange, JsonRules rules, Func<JsonRule, JsonTarget?> which, bool response)
    {
        var draft = new MetadataDraft();
        foreach (JsonRule rule in rules.Rules)
        {
            if (which(rule) is { Value: { } value } target)
                Set(exchange, draft, target, value);
        }
        Finish(exchange, draft, response);
    }

    private static void Read(Exchange exchange, JsonRules rules, byte[] body, bool response)
    {
        if (!PeerJson.TryParse(body, out JsonElement root) || root.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array))
        {
            SetAll(exchange, rules, static r => r.Error, response);
            return;
        }
        var draft = new MetadataDraft();
        foreach (JsonRule rule in rules.Rules)
            Apply(exchange, draft, rule, root);
        Finish(exchange, draft, response);
    }

    private static void Apply(Exchange exchange, MetadataDraft draft, JsonRule rule, JsonElement node)
    {
        bool found = true;
        foreach (string key in rule.Path)
            found = found && node.ValueKind == JsonValueKind.Object && node.TryGetProperty(key, out node);
        if (!found || (rule.Present is { Value: null } present && !TrySet(exchange, draft, present, node)))
        {
            if (rule.Missing is { Value: { } missing })
                Set(exchange, draft, rule.Missing, missing);
        }
        else if (rule.Present is { Value: { } fix })
        {
            Set(exchange, draft, rule.Present, fix);
        }
    }

    // Objects, lists and null are no values here.
    private static bool TrySet(Exchange exchange, MetadataDraft draft, JsonTarget target, JsonElement value)
    {
        if (value.ValueKind is not (JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False))
            return false;
        switch (target.Kind)
        {
            case JsonValueKindWanted.Text:
                string text = Text(value);
                if (text.Length > ValueBytesMax)
                    return false;
                if (text.Length > 0)
                    Set(exchange, draft, target, JsonSerializer.SerializeToElement(text));
                return true;
            case JsonValueKindWanted.Number:
                if (!TryNumber(value, out double number))
                    return false;
                Set(exchange, draft, target, JsonSerializer.SerializeToElement(number));
                return true;
            default:
                if (value.ValueKind == JsonValueKind.String && value.GetString()!.Length > ValueBytesMax)
                    return false;
                Set(exchange, draft, target, value.Clone());
                return true;
        }
    }

    // As C++ prints them: true is 1, a fraction has six digits.
    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.True => "1",
        JsonValueKind.False => "0",
        _ => value.TryGetInt64(out long whole) ? whole.ToString(System.Globalization.CultureInfo.InvariantCulture)
            : value.GetDouble().ToString("F6", System.Globalization.CultureInfo.InvariantCulture),
    };

    private static bool TryNumber(JsonElement value, out double number)
    {
        number = value.ValueKind == JsonValueKind.True ? 1 : 0;
        return value.ValueKind switch
        {
            JsonValueKind.Number => value.TryGetDouble(out number),
            JsonValueKind.String => double.TryParse(value.GetString()!.AsSpan().Trim(), System.Globalization.CultureInfo.InvariantCulture,
                out number),
            _ => true,
        };
    }

    private static void Set(Exchange exchange, MetadataDraft draft, JsonTarget target, JsonElement value)
    {
        if (!target.KeepExisting || exchange.DynamicMetadata?.TryGet(target.Namespace, [target.Key], out _) != true)
            draft.Set(target.Namespace, target.Key, value);
    }

    private static void Finish(Exchange exchange, MetadataDraft draft, bool response)
    {
        if (draft.IsEmpty)
            return;
        draft.ApplyTo(exchange);
        if (!response)
            exchange.SelectRoute();
    }

    private sealed class BodySlot : FilterSlot
    {
        private bool _request, _response;

        public ref bool Reads(bool response)
        {
            if (response)
                return ref _response;
            return ref _request;
        }
    }
}
