using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Lateen.Api.Documents;

/// <summary>Nodes to text: JSON, and YAML in the block style that people expect.</summary>
public static class NodeText
{
    private static readonly JsonSerializerOptions Quoting = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly SearchValues<char> PlainChars =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./*+@%^()<>=|;~$ ,");

    public static string ToJson(Node node, bool indented, int indentSize = 2)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer,
            new JsonWriterOptions { Indented = indented, IndentSize = indentSize, Encoder = Quoting.Encoder, MaxDepth = 1000 }))
        {
            Json(node, writer);
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static string ToYaml(Node node)
    {
        var text = new StringBuilder();
        Yaml(node, text, indent: 0, inline: false);
        return text.ToString();
    }

    private static void Json(Node node, Utf8JsonWriter writer)
    {
        switch (node)
        {
            case MappingNode mapping:
                writer.WriteStartObject();
                foreach (var member in mapping.Members)
                {
                    writer.WritePropertyName(member.Name);
                    Json(member.Value, writer);
                }

                writer.WriteEndObject();
                break;
            case SequenceNode sequence:
                writer.WriteStartArray();
                foreach (var item in sequence.Items) Json(item, writer);
                writer.WriteEndArray();
                break;
            case ScalarNode { Kind: ScalarKind.Text } scalar:
                writer.WriteStringValue(scalar.Value);
                break;
            case ScalarNode { Value: "Infinity" or "-Infinity" or "NaN" } scalar:
                writer.WriteStringValue(scalar.Value);
                break;
            case ScalarNode scalar:
                writer.WriteRawValue(JsonNumber(scalar.Value), skipInputValidation: true);
                break;
            default:
                throw new InvariantException("a node is a mapping, a sequence or a scalar");
        }
    }

    /// <summary>YAML allows <c>.5</c> and <c>1.</c>; JSON does not.</summary>
    private static string JsonNumber(string value)
    {
        if (value.StartsWith('.') || value.StartsWith("-.", StringComparison.Ordinal))
            value = value.Replace(".", "0.", StringComparison.Ordinal);
        return value.EndsWith('.') ? value + "0" : value;
    }

    private static void Yaml(Node node, StringBuilder text, int indent, bool inline)
    {
        switch (node)
        {
            case MappingNode { Members.Count: 0 }:
                text.Append("{}\n");
                break;
            case SequenceNode { Items.Count: 0 }:
                text.Append("[]\n");
                break;
            case MappingNode mapping:
                YamlMapping(mapping, text, indent, inline);
                break;
            case SequenceNode sequence:
                foreach (var item in sequence.Items)
                {
                    text.Append(inline ? "" : new string(' ', indent)).Append("- ");
                    inline = false;
                    Yaml(item, text, indent + 2, inline: true);
                }

                break;
            case ScalarNode scalar:
                YamlScalar(scalar, text, indent);
                break;
            default:
                throw new InvariantException("a node is a mapping, a sequence or a scalar");
        }
    }

    /// <summary>Members one below the other; lists start at the indentation of their key, as kubectl writes them.</summary>
    private static void YamlMapping(MappingNode mapping, StringBuilder text, int indent, bool inline)
    {
        foreach (var member in mapping.Members)
        {
            text.Append(inline ? "" : new string(' ', indent)).Append(Quoted(member.Name)).Append(':');
            inline = false;
            var isBlock = member.Value is MappingNode { Members.Count: > 0 } or SequenceNode { Items.Count: > 0 };
            text.Append(isBlock ? '\n' : ' ');
            Yaml(member.Value, text, member.Value is MappingNode ? indent + 2 : indent, inline: false);
        }
    }

    private static void YamlScalar(ScalarNode scalar, StringBuilder text, int indent)
    {
        if (scalar.Kind != ScalarKind.Text)
        {
            text.Append(scalar.Value).Append('\n');
            return;
        }

        if (!IsBlockText(scalar.Value))
        {
            text.Append(Quoted(scalar.Value)).Append('\n');
            return;
        }

        var body = scalar.Value.EndsWith('\n') ? scalar.Value[..^1] : scalar.Value;
        text.Append(scalar.Value.EndsWith('\n') ? "|\n" : "|-\n");
        foreach (var line in body.Split('\n')) text.Append(line.Length > 0 ? new string(' ', indent + 2) : "").Append(line).Append('\n');
    }

    /// <summary>Whether the text can be written as a literal block without a change.</summary>
    private static bool IsBlockText(string value) =>
        value.Contains('\n') && !value.StartsWith('\n') && !value.StartsWith(' ') && !value.EndsWith("\n\n", StringComparison.Ordinal)
            && value != "\n"
        && !value.Any(c => (c < ' ' && c != '\n') || c is '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\ufeff' || char.IsSurrogate(c))
        && !value.Split('\n').Any(line => line.Length > 0 && string.IsNullOrWhiteSpace(line));

    private static string Quoted(string value)
    {
        var isPlain = value.Length > 0
            && (char.IsAsciiLetterOrDigit(value[0]) || value[0] is '/' or '_' or '.')
            && !value.EndsWith(' ')
            && !value.AsSpan().ContainsAnyExcept(PlainChars)
            && YamlScalars.Resolve(value) == ScalarKind.Text
            && !value.StartsWith("...", StringComparison.Ordinal)
            && value is not ("y" or "Y" or "n" or "N" or "yes" or "Yes" or "YES" or "no" or "No" or "NO" or "on" or "On" or "ON" or "off"
                or "Off" or "OFF")
            && !LooksLikeTime(value);
        return isPlain ? value : JsonSerializer.Serialize(value, Quoting);
    }

    /// <summary>YAML 1.1 readers take 2026-01-31 for a date and 1:30 for a number.</summary>
    private static bool LooksLikeTime(string value) => char.IsAsciiDigit(value[0]) && (value.Contains('-') || value.Contains('_'));
}
