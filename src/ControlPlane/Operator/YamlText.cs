using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.ControlPlane.Operator;

/// <summary>JSON as YAML in the block style that kubectl prints: keys in their order, lists not indented under their key, quotes only where needed.</summary>
public static class YamlText
{
    private static readonly HashSet<string> NotStrings = new(StringComparer.OrdinalIgnoreCase) { "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "-.inf" };

    /// <summary>The document, ending in a newline.</summary>
    public static string Of(JsonNode? node)
    {
        var text = new StringBuilder();
        if (node is JsonObject { Count: > 0 } fields) Fields(text, fields, 0, "");
        else if (node is JsonArray { Count: > 0 } items) Items(text, items, 0, "");
        else text.Append(Scalar(node, 0)).Append('\n');
        return text.ToString();
    }

    // "first" stands before the first key instead of the indentation: the dash of a list item.
    private static void Fields(StringBuilder text, JsonObject fields, int indent, string first)
    {
        string lead = first.Length > 0 ? first : new string(' ', indent);
        foreach ((string key, JsonNode? value) in fields)
        {
            text.Append(lead).Append(Quoted(key, indent)).Append(':');
            lead = new string(' ', indent);
            Value(text, value, indent);
        }
    }

    private static void Value(StringBuilder text, JsonNode? value, int indent)
    {
        switch (value)
        {
            case JsonObject { Count: > 0 } fields:
                text.Append('\n');
                Fields(text, fields, indent + 2, "");
                break;
            case JsonArray { Count: > 0 } items:
                text.Append('\n');
                Items(text, items, indent, "");
                break;
            default:
                text.Append(' ').Append(Scalar(value, indent + 2)).Append('\n');
                break;
        }
    }

    private static void Items(StringBuilder text, JsonArray items, int indent, string first)
    {
        string lead = first.Length > 0 ? first : new string(' ', indent);
        foreach (JsonNode? item in items)
        {
            string dash = lead + "- ";
            lead = new string(' ', indent);
            if (item is JsonObject { Count: > 0 } fields) Fields(text, fields, indent + 2, dash);
            else if (item is JsonArray { Count: > 0 } nested) Items(text, nested, indent + 2, dash);
            else text.Append(dash).Append(Scalar(item, indent + 2)).Append('\n');
        }
    }

    private static string Scalar(JsonNode? node, int indent) => node switch
    {
        null => "null",
        JsonObject => "{}",
        JsonArray => "[]",
        _ when node.GetValueKind() == JsonValueKind.String => Quoted(node.GetValue<string>(), indent),
        _ => node.ToJsonString(),
    };

    private static string Quoted(string text, int indent)
    {
        if (text.Contains('\n') && IsPrintable(text) && text[0] is not (' ' or '\t' or '\n')) return Block(text, indent);
        return IsPlain(text) ? text : Escaped(text);
    }

    private static string Block(string text, int indent)
    {
        string body = text.TrimEnd('\n');
        string keep = (text.Length - body.Length) switch { 0 => "|-", 1 => "|", _ => "|+" };
        var block = new StringBuilder(keep);
        foreach (string line in text[..(text.EndsWith('\n') ? ^1 : ^0)].Split('\n')) block.Append('\n').Append(line.Length == 0 ? "" : new string(' ', indent)).Append(line);
        return block.ToString();
    }

    private static bool IsPlain(string text) =>
        text.Length > 0 && IsPrintable(text) && !text.Contains('\n') && !NotStrings.Contains(text) && !LooksLikeNumber(text)
        && !char.IsWhiteSpace(text[0]) && !char.IsWhiteSpace(text[^1])
        && !"!&*-?[]{},#|>@`\"'%:=".Contains(text[0], StringComparison.Ordinal) && !text.Contains(": ", StringComparison.Ordinal)
        && !text.Contains(" #", StringComparison.Ordinal) && text[^1] != ':';

    // Dates look like numbers to YAML 1.1 readers, too: a digit in front and only digits and date signs behind.
    private static bool LooksLikeNumber(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
        || text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) || text.StartsWith("0o", StringComparison.Ordinal)
        || (char.IsAsciiDigit(text[0]) && text.All(sign => char.IsAsciiDigit(sign) || "-:._TZ+".Contains(sign, StringComparison.Ordinal)) && !IsAddress(text));

    private static bool IsAddress(string text) => text.Count(sign => sign == '.') >= 2;

    private static bool IsPrintable(string text) => text.All(sign => sign == '\n' || !char.IsControl(sign));

    private static string Escaped(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char sign in text)
        {
            quoted.Append(sign switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\t' => "\\t",
                '\r' => "\\r",
                _ when char.IsControl(sign) => $"\\u{(int)sign:x4}",
                _ => sign.ToString(),
            });
        }
        return quoted.Append('"').ToString();
    }
}
