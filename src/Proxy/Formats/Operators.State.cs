using System.Text.Json;

namespace Lateen.Proxy.Formats;

/// <summary>Operators about metadata and filter state.</summary>
internal static partial class Operators
{
    private static ValuePart? State(OperatorText op)
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
                string[] words = Required(op).Split(':');
                string key = words[0];
                return new ValuePart((f, b) => f.FilterState(key) is { } value && Put(b, value.ToString() ?? ""), lengthMax: op.LengthMax);
            default:
                return null;
        }
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

    private static ValuePart OfMetadata(OperatorText op, string path, Func<IStreamFacts, Metadata?> source)
    {
        string[] steps = path.Split(':');
        string[] keys = steps[1..];
        return new ValuePart((f, b) => source(f) is { } metadata && metadata.TryGet(steps[0], keys, out JsonElement value) && PutJson(b, value, nested: false), lengthMax: op.LengthMax, isJson: true);
    }

    /// <summary>Writes a value as Envoy's logs do: a text bare, a whole number without a point, anything else as JSON.</summary>
    private static bool PutJson(ByteBuffer to, JsonElement value, bool nested)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Undefined:
                return false;
            case JsonValueKind.String when !nested:
                to.Append(value.GetString()!);
                return true;
            default:
                to.Append(value.GetRawText());
                return true;
        }
    }
}
