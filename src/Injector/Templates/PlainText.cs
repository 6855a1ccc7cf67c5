using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;

namespace Lateen.Injector.Templates;

/// <summary>Plain values from and to JSON and YAML, as Go writes them: keys in order, no blanks, angle brackets escaped.</summary>
public static class PlainText
{
    // Characters beyond ASCII stay as they are; those that HTML minds are escaped.
    private static readonly JavaScriptEncoder Escaping =
        JavaScriptEncoder.Create(new TextEncoderSettings(System.Text.Unicode.UnicodeRanges.All));
    private static readonly JsonWriterOptions Compact = new() { Encoder = Escaping, SkipValidation = true };

    /// <summary>JSON in one line.</summary>
    public static string Json(object? value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Compact)) Write(writer, value);
        // The encoder escapes a few more than Go does.
        return Encoding.UTF8.GetString(buffer.WrittenSpan).Replace("\\u0022", "\\\"", StringComparison.Ordinal)
            .Replace("\\u0027", "'", StringComparison.Ordinal)
            .Replace("\\u002B", "+", StringComparison.Ordinal).Replace("\\u0060", "`", StringComparison.Ordinal)
            .Replace("\\u003C", "\\u003c", StringComparison.Ordinal).Replace("\\u003E", "\\u003e", StringComparison.Ordinal);
    }

    /// <summary>YAML in blocks, ended by a line break.</summary>
    public static string Yaml(object? value)
    {
        var bag = new DiagnosticBag();
        var text = DocumentReader.ReadSingle(Json(value), "", bag) is { } node ? NodeText.ToYaml(node) : "";
        return text.EndsWith('\n') ? text : text + "\n";
    }

    /// <summary>A text in double quotes, escaped.</summary>
    public static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                < ' ' => quoted.Append("\\x").Append(((int)c).ToString("x2", CultureInfo.InvariantCulture)),
                _ => quoted.Append(c),
            };
        }
        return quoted.Append('"').ToString();
    }

    /// <summary>A JSON tree as plain values.</summary>
    /// <param name="node">The tree.</param>
    /// <param name="hasWholeNumbers">Numbers without a fraction are whole; otherwise all are real, as in maps of any type.</param>
    public static object? Of(JsonNode? node, bool hasWholeNumbers) => node switch
    {
        JsonObject map => map.ToDictionary(entry => entry.Key, entry => Of(entry.Value, hasWholeNumbers), StringComparer.Ordinal),
        JsonArray list => list.Select(item => Of(item, hasWholeNumbers)).ToList(),
        JsonValue value => Scalar(value, hasWholeNumbers),
        _ => null,
    };

    /// <summary>The first document of a YAML or JSON text as a tree; null for an empty one.</summary>
    /// <exception cref="TemplateException">It is neither.</exception>
    public static JsonNode? Tree(string text) => Trees(text) is [var first, ..] ? first : null;

    /// <summary>All documents of a text as trees.</summary>
    /// <exception cref="TemplateException">It is neither YAML nor JSON.</exception>
    public static IReadOnlyList<JsonNode> Trees(string text)
    {
        var bag = new DiagnosticBag();
        var documents = DocumentReader.Read(text, "", bag);
        if (bag.FirstOrDefault(diagnostic => diagnostic.IsError) is { } mistake) throw new TemplateException(mistake.ToString());
        return [.. documents.Select(document => document.Root).OfType<Node>()
            .Select(root => JsonNode.Parse(NodeText.ToJson(root, indented: false))).OfType<JsonNode>()];
    }

    private static object? Scalar(JsonValue value, bool hasWholeNumbers) => value.GetValueKind() switch
    {
        JsonValueKind.String => value.GetValue<string>(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => hasWholeNumbers && long.TryParse(value.ToJsonString(), CultureInfo.InvariantCulture, out var whole)
            ? whole : double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture),
        _ => null,
    };

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null or Absent:
                writer.WriteNullValue();
                break;
            case GoObject with:
                Write(writer, with.Plain());
                break;
            case IReadOnlyDictionary<string, object?> map:
                writer.WriteStartObject();
                foreach (var (key, item) in InOrder(map))
                {
                    writer.WritePropertyName(key);
                    Write(writer, item);
                }
                writer.WriteEndObject();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case IReadOnlyList<object?> list:
                writer.WriteStartArray();
                foreach (var item in list) Write(writer, item);
                writer.WriteEndArray();
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case double real when real != Math.Floor(real) || Math.Abs(real) >= 1e15:
                writer.WriteNumberValue(real);
                break;
            default:
                writer.WriteNumberValue(TemplateValues.Whole(value));
                break;
        }
    }

    // Fields of objects keep their place; keys of maps have an order of their own.
    private static IEnumerable<KeyValuePair<string, object?>> InOrder(IReadOnlyDictionary<string, object?> map) =>
        map is FieldMap ? map : TemplateValues.Sorted(map);
}

/// <summary>Fields of an object in the order in which they are written.</summary>
public sealed class FieldMap : Dictionary<string, object?>
{
    /// <summary>Takes the entries.</summary>
    public FieldMap(IEnumerable<KeyValuePair<string, object?>> entries) : base(entries, StringComparer.Ordinal)
    {
    }
}
