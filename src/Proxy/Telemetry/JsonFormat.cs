using System.Text.Json;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Telemetry;

/// <summary>A JSON object whose values are formats (Envoy's json_format): a bare operator keeps its type, a missing value is null, text
/// around operators makes a string; keys are sorted.</summary>
public sealed class JsonFormat
{
    private readonly Node _root;
    private readonly bool _omitEmpty;
    private readonly ByteBuffer _scratch = new();

    /// <summary>Parses the object.</summary>
    /// <exception cref="FormatException">An operator is unknown or wrong.</exception>
    public JsonFormat(JsonElement template, bool omitEmpty, bool sorted = true)
    {
        _omitEmpty = omitEmpty;
        _root = Parse(template, sorted);
    }

    private abstract record Node;

    private sealed record ObjectNode((byte[] Name, Node Value)[] Fields) : Node;

    private sealed record ListNode(Node[] Items) : Node;

    private sealed record TextNode(TextFormat Format) : Node;

    private sealed record RawNode(byte[] Json) : Node;

    private static Node Parse(JsonElement e, bool sorted) => e.ValueKind switch
    {
        JsonValueKind.Object => new ObjectNode(
            [.. (sorted ? e.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal).AsEnumerable() : e.EnumerateObject())
                .Select(p => (System.Text.Encoding.UTF8.GetBytes(JsonSerializer.Serialize(p.Name)), Parse(p.Value, sorted)))]),
        JsonValueKind.Array => new ListNode([.. e.EnumerateArray().Select(i => Parse(i, sorted))]),
        JsonValueKind.String => new TextNode(TextFormat.Parse(e.GetString()!)),
        _ => new RawNode(System.Text.Encoding.UTF8.GetBytes(e.GetRawText())),
    };

    /// <summary>Writes the object on one line.</summary>
    public void Write(IStreamFacts facts, ByteBuffer to) => Write(_root, facts, to);

    private bool Write(Node node, IStreamFacts facts, ByteBuffer to)
    {
        switch (node)
        {
            case ObjectNode o:
                // An object in which nothing is left counts as missing; a list does not (observed of Envoy 1.40).
                return WriteObject(o, facts, to);
            case ListNode l:
                to.Append((byte)'[');
                bool first = true;
                foreach (Node item in l.Items)
                {
                    int before = to.Length;
                    if (!first)
                        to.Append((byte)',');
                    if (Write(item, facts, to) || !_omitEmpty)
                        first = false;
                    else
                        to.Truncate(before);
                }
                to.Append((byte)']');
                return true;
            case TextNode t:
                return WriteText(t.Format, facts, to);
            default:
                to.Append(((RawNode)node).Json);
                return !((RawNode)node).Json.AsSpan().SequenceEqual("null"u8);
        }
    }

    private bool WriteObject(ObjectNode node, IStreamFacts facts, ByteBuffer to)
    {
        to.Append((byte)'{');
        bool first = true;
        foreach ((byte[] name, Node value) in node.Fields)
        {
            int before = to.Length;
            if (!first)
                to.Append((byte)',');
            to.Append(name);
            to.Append((byte)':');
            if (Write(value, facts, to) || !_omitEmpty)
                first = false;
            else
                to.Truncate(before);
        }
        to.Append((byte)'}');
        return !first;
    }

    private bool WriteText(TextFormat format, IStreamFacts facts, ByteBuffer to)
    {
        _scratch.Clear();
        if (format.Parts.Count == 1 && format.Parts[0] is not LiteralPart)
        {
            JsonForm form = format.Parts[0].WriteJson(facts, _scratch);
            if (form == JsonForm.Text)
                Quote(_scratch.Written, to);
            else
                to.Append(form == JsonForm.None ? "null"u8 : _scratch.Written);
            return form != JsonForm.None;
        }
        format.Write(facts, _scratch, _omitEmpty);
        Quote(_scratch.Written, to);
        return true;
    }

    /// <summary>Writes a JSON string; in a text that is no UTF-8 every high byte becomes \u00XX, as Envoy writes it.</summary>
    public static void Quote(ReadOnlySpan<byte> text, ByteBuffer to)
    {
        bool valid = System.Text.Unicode.Utf8.IsValid(text);
        to.Append((byte)'"');
        for (int i = 0; i < text.Length;)
        {
            byte b = text[i];
            if (b < 0x80)
            {
                QuoteAscii(b, to);
                i++;
                continue;
            }
            if (valid)
                to.Append(b);
            else
                QuoteHex(b, to);
            i++;
        }
        to.Append((byte)'"');
    }

    private static void QuoteAscii(byte b, ByteBuffer to)
    {
        switch (b)
        {
            case (byte)'"': to.Append("\\\""u8); break;
            case (byte)'\\': to.Append("\\\\"u8); break;
            case (byte)'\n': to.Append("\\n"u8); break;
            case (byte)'\r': to.Append("\\r"u8); break;
            case (byte)'\t': to.Append("\\t"u8); break;
            case (byte)'\b': to.Append("\\b"u8); break;
            case (byte)'\f': to.Append("\\f"u8); break;
            case < 0x20 or 0x7f: QuoteHex(b, to); break;
            default: to.Append(b); break;
        }
    }

    private static void QuoteHex(byte b, ByteBuffer to)
    {
        to.Append("\\u00"u8);
        to.Append("0123456789abcdef"u8[b >> 4]);
        to.Append("0123456789abcdef"u8[b & 15]);
    }
}
