using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.MetadataRules;

/// <summary>How a header's text becomes a value.</summary>
public enum HeaderValueKind : byte
{
    Text,
    Number,

    /// <summary>A google.protobuf.Value in its wire form.</summary>
    Message,
}

/// <summary>What to set.</summary>
/// <param name="Namespace">Where.</param>
/// <param name="Key">Under which key.</param>
public sealed record HeaderValueTarget(string Namespace, string Key)
{
    /// <summary>A fixed value; empty takes the header's.</summary>
    public byte[] Value { get; init; } = [];

    /// <summary>A change of the header's text; null for none.</summary>
    public RegexRewrite? Rewrite { get; init; }

    /// <summary>What the text is.</summary>
    public HeaderValueKind Kind { get; init; }

    /// <summary>The text is base64.</summary>
    public bool IsBase64 { get; init; }
}

/// <summary>One rule: a header or a cookie, and what to set where it is there or not.</summary>
/// <param name="Header">The header's name in lower case; empty for a cookie.</param>
/// <param name="Cookie">The cookie's name.</param>
public sealed record HeaderValueRule(byte[] Header, string Cookie)
{
    /// <summary>Where it is present; null for nothing.</summary>
    public HeaderValueTarget? Present { get; init; }

    /// <summary>Where it is missing; null for nothing.</summary>
    public HeaderValueTarget? Missing { get; init; }

    /// <summary>The header is taken off.</summary>
    public bool Remove { get; init; }
}

/// <summary>Rules of requests and responses.</summary>
/// <param name="Request">Of requests.</param>
/// <param name="Response">Of responses.</param>
public sealed record HeaderToMetadataSettings(HeaderValueRule[] Request, HeaderValueRule[] Response);

/// <summary>Sets dynamic metadata from headers (envoy.extensions.filters.http.header_to_metadata.v3). The route is not chosen anew: what
/// the metadata says comes too late for it (observed).</summary>
public sealed class HeaderToMetadataFilter(string name, HeaderToMetadataSettings settings, Func<byte[], JsonElement?> readMessage)
    : HttpFilter(name)
{
    // Envoy's limit of a value.
    private const int ValueBytesMax = 8 * 1024;

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Apply((slot.Settings as HeaderToMetadataSettings ?? settings).Request, slot.Exchange, slot.Exchange.RequestHead);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        Apply((slot.Settings as HeaderToMetadataSettings ?? settings).Response, slot.Exchange, slot.Exchange.ResponseHead);
        return FilterVerdict.Continue;
    }

    private void Apply(HeaderValueRule[] rules, Exchange exchange, HeaderMap head)
    {
        if (rules.Length == 0)
            return;
        var draft = new MetadataDraft();
        foreach (HeaderValueRule rule in rules)
        {
            byte[]? value = rule.Header.Length > 0 ? HeaderText(head, rule.Header) : CookieText(head, rule.Cookie);
            if (rule.Remove && rule.Header.Length > 0)
                head.Remove(rule.Header);
            if ((value is null ? rule.Missing : rule.Present) is { } target)
                Set(target, value ?? [], draft);
        }
        draft.ApplyTo(exchange);
    }

    private void Set(HeaderValueTarget target, byte[] text, MetadataDraft draft)
    {
        if (target.Rewrite is { } rewrite)
            text = rewrite.Pattern.Replace(text, rewrite.Substitution);
        else if (target.Value.Length > 0)
            text = target.Value;
        if (text.Length is 0 or >= ValueBytesMax)
            return;
        if (target.IsBase64)
        {
            var decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length + 3)];
            byte[] padded = text.Length % 4 == 0 ? text : [.. text, .. "==="u8[..(4 - (text.Length % 4))]];
            if (Base64.DecodeFromUtf8(padded, decoded, out _, out int written) != System.Buffers.OperationStatus.Done || written == 0)
                return;
            text = decoded[..written];
        }
        JsonElement? value = target.Kind switch
        {
            HeaderValueKind.Number =>
                Utf8Parser.TryParse(HeaderRules.Trim(text), out double number, out int used) && used == HeaderRules.Trim(text).Length
                    && double.IsFinite(number)
                    ? JsonSerializer.SerializeToElement(number) : null,
            HeaderValueKind.Message => readMessage(text),
            _ => JsonSerializer.SerializeToElement(Encoding.UTF8.GetString(text)),
        };
        if (value is { } set)
            draft.Set(target.Namespace, target.Key, set);
    }

    private static byte[]? HeaderText(HeaderMap head, byte[] name)
    {
        int at = head.IndexOf(name, 0);
        if (at < 0)
            return null;
        head.At(at, out _, out _, out ReadOnlySpan<byte> first);
        byte[] text = first.ToArray();
        for (at = head.IndexOf(name, at + 1); at >= 0; at = head.IndexOf(name, at + 1))
        {
            head.At(at, out _, out _, out ReadOnlySpan<byte> more);
            text = [.. text, (byte)',', .. more];
        }
        return text;
    }

    private static byte[]? CookieText(HeaderMap head, string name)
    {
        ReadOnlySpan<byte> value = Router.Cookies.Find(head, name);
        return value.IsEmpty ? null : value.ToArray();
    }
}
