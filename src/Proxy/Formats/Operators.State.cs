using System.Text.Json;

namespace Lateen.Proxy.Formats;

/// <summary>Operators about metadata and filter state.</summary>
internal static partial class Operators
{
    private static FormatPart? State(OperatorText op)
    {
        switch (op.Name)
        {
            case "DYNAMIC_METADATA":
                return OfMetadata(op, Required(op), static f => f.DynamicMetadata);
            case "CLUSTER_METADATA":
                return OfMetadata(op, Required(op), static f => f.ClusterMetadata);
            case "UPSTREAM_METADATA":
                return OfMetadata(op, Required(op), static f => f.UpstreamHostMetadata);
            case "METADATA":
                string argument = Required(op);
                int colon = argument.IndexOf(':', StringComparison.Ordinal);
                string kind = colon < 0 ? argument : argument[..colon];
                return OfMetadata(op, colon < 0 ? "" : argument[(colon + 1)..], Source(kind));
            case "FILTER_STATE" or "UPSTREAM_FILTER_STATE":
                return OfFilterState(op, Required(op).Split(':', 3));
            default:
                return null;
        }
    }

    // Envoy's words for what is wrong.
    private static FilterStatePart OfFilterState(OperatorText op, string[] words)
    {
        string form = words.Length < 2 ? "TYPED" : words[1], field = words.Length < 3 ? "" : words[2];
        if (form is not ("PLAIN" or "TYPED" or "FIELD"))
            throw new FormatException("Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.");
        if (form == "FIELD" && field.Length == 0)
            throw new FormatException("Invalid filter state serialize type, FIELD should be used with the field name.");
        return new FilterStatePart(words[0], form == "TYPED", form == "FIELD" ? field : "", op.LengthMax);
    }

    private static Func<IStreamFacts, Metadata?> Source(string kind) => kind switch
    {
        "DYNAMIC" => static f => f.DynamicMetadata,
        "CLUSTER" => static f => f.ClusterMetadata,
        "ROUTE" => static f => f.RouteMetadata,
        "UPSTREAM_HOST" => static f => f.UpstreamHostMetadata,
        "LISTENER" => static f => f.ListenerMetadata,
        "VIRTUAL_HOST" => static f => f.VirtualHostMetadata,
        _ => throw new FormatException($"operator %METADATA({kind}:...)%: there is no metadata of that kind"),
    };

    private static MetadataPart OfMetadata(OperatorText op, string path, Func<IStreamFacts, Metadata?> source)
    {
        string[] steps = path.Split(':');
        return new MetadataPart(source, steps[0], steps[1..], op.LengthMax);
    }
}

/// <summary>A value of metadata: a text bare, anything else as JSON with its keys in order, as protobuf prints a struct.</summary>
internal sealed class MetadataPart(Func<IStreamFacts, Metadata?> source, string ns, string[] keys, int lengthMax) : FormatPart
{
    public override bool Write(IStreamFacts facts, ByteBuffer to)
    {
        int before = to.Length;
        if (WriteJson(facts, to) == JsonForm.None)
            return false;
        if (lengthMax >= 0)
            to.Truncate(before + lengthMax);
        return true;
    }

    public override JsonForm WriteJson(IStreamFacts facts, ByteBuffer to)
    {
        if (source(facts) is not { } metadata || !metadata.TryGet(ns, keys, out JsonElement value)
            || value.ValueKind is JsonValueKind.Undefined)
            return JsonForm.None;
        if (value.ValueKind == JsonValueKind.String)
        {
            // A text without escapes stands in the document as it is.
            ReadOnlySpan<byte> raw = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(value);
            if (raw.Contains((byte)'\\'))
                to.Append(value.GetString()!);
            else
                to.Append(raw[1..^1]);
            return JsonForm.Text;
        }
        Put(value, to);
        return JsonForm.Value;
    }

    private static void Put(JsonElement value, ByteBuffer to)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                to.Append((byte)'{');
                bool first = true;
                foreach (JsonProperty property in value.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
                {
                    if (!first)
                        to.Append((byte)',');
                    first = false;
                    to.Append(JsonSerializer.Serialize(property.Name));
                    to.Append((byte)':');
                    Put(property.Value, to);
                }
                to.Append((byte)'}');
                break;
            case JsonValueKind.Array:
                to.Append((byte)'[');
                int at = 0;
                foreach (JsonElement item in value.EnumerateArray())
                {
                    if (at++ > 0)
                        to.Append((byte)',');
                    Put(item, to);
                }
                to.Append((byte)']');
                break;
            default:
                to.Append(value.GetRawText());
                break;
        }
    }
}

/// <summary>
/// A value of the filter state: a text in quotes where it is printed as what it is (TYPED), bare where it is printed as text (PLAIN), or a
/// part of it (FIELD). An object prints itself by the formats "T" and "F:NAME"; numbers and the like have other formats, and no parts.
/// </summary>
internal sealed class FilterStatePart(string key, bool typed, string field, int lengthMax) : FormatPart
{
    public override bool Write(IStreamFacts facts, ByteBuffer to)
    {
        int before = to.Length;
        JsonForm form = WriteJson(facts, to);
        if (form == JsonForm.None)
            return false;
        if (lengthMax >= 0)
            to.Truncate(before + lengthMax);
        return true;
    }

    public override JsonForm WriteJson(IStreamFacts facts, ByteBuffer to)
    {
        if (facts.FilterState(key) is not { } value || TextOf(value) is not { Length: > 0 } text)
            return JsonForm.None;
        if (!typed)
        {
            to.Append(text);
            return JsonForm.Text;
        }
        // What prints itself as an object is one.
        to.Append(text[0] is '{' or '[' ? text : JsonSerializer.Serialize(text));
        return JsonForm.Value;
    }

    private string? TextOf(object value) => value is IFormattable parts and not IConvertible && (typed || field.Length > 0)
        ? parts.ToString(typed ? "T" : "F:" + field, null) : field.Length > 0
            ? null : Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture);
}
