using System.Collections;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Schemas;

namespace Lateen.Api.Documents;

/// <summary>How a message is written.</summary>
public sealed record WriterOptions
{
    public static readonly WriterOptions Default = new();

    /// <summary>Names as in the .proto file (<c>typed_config</c>), as Envoy's admin pages have them; otherwise lowerCamelCase.</summary>
    public bool OriginalNames { get; init; }

    /// <summary>Fields with their default value are written, too.</summary>
    public bool Defaults { get; init; }

    /// <summary>Blanks for each level of indented JSON.</summary>
    public int IndentSize { get; init; } = 2;

    /// <summary>As Envoy's admin pages write messages.</summary>
    public static readonly WriterOptions Envoy = new() { OriginalNames = true, IndentSize = 1 };
}

/// <summary>Turns a message into nodes with the rules of proto-JSON: enums by name, 64-bit numbers as texts, Any expanded when its type is
/// known.</summary>
/// <remarks>Fields come in the order of their declaration, map entries in the order of their keys, so equal messages give equal
/// texts.</remarks>
public static class MessageWriter
{
    /// <summary>The tree of the message.</summary>
    public static Node ToNode(IMessage message, WriterOptions? options = null) => Message(message, options ?? WriterOptions.Default);

    /// <summary>JSON, indented or on one line.</summary>
    public static string ToJson(IMessage message, bool indented = true, WriterOptions? options = null) =>
        NodeText.ToJson(ToNode(message, options), indented, (options ?? WriterOptions.Default).IndentSize);

    public static string ToYaml(IMessage message, WriterOptions? options = null) => NodeText.ToYaml(ToNode(message, options));

    private static Node Message(IMessage message, WriterOptions options) => message switch
    {
        Duration duration => Text(Durations.Format(duration)),
        Timestamp timestamp => Text(Time(timestamp)),
        Struct fields => Mapping(fields.Fields.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => (f.Key, Value(f.Value)))),
        Value value => Value(value),
        ListValue list => Sequence(list.Values.Select(Value)),
        FieldMask mask => Text(string.Join(',', mask.Paths.Select(CamelPath))),
        Any any => Expanded(any, options),
        Kubernetes.Meta.V1.IntOrString either => either.ValueCase == Kubernetes.Meta.V1.IntOrString.ValueOneofCase.Number
            ? Number(either.Number) : Text(either.Text),
        Kubernetes.Meta.V1.Quantity quantity => Text(quantity.Text),
        _ when SchemaSet.Of(message.GetType()).Form == SpecialForm.Wrapper =>
            Single(message.Descriptor.Fields[1], message.Descriptor.Fields[1].Accessor.GetValue(message), options),
        _ => Mapping(Fields(message, options)),
    };

    private static IEnumerable<(string Name, Node Value)> Fields(IMessage message, WriterOptions options)
    {
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
        {
            var value = field.Accessor.GetValue(message);
            if (IsSet(field, message, value) || (options.Defaults && IsPlain(field)))
                yield return (options.OriginalNames ? field.Name : field.JsonName, FieldValue(field, value, options));
        }
    }

    private static bool IsPlain(FieldDescriptor field) =>
        field.ContainingOneof is null && (field.IsRepeated || field.FieldType != FieldType.Message);

    private static bool IsSet(FieldDescriptor field, IMessage message, object? value)
    {
        if (field.IsRepeated) return ((ICollection)value!).Count > 0;
        return field.HasPresence ? field.Accessor.HasValue(message) : !IsDefault(value);
    }

    private static bool IsDefault(object? value) => value switch
    {
        null => true,
        string text => text.Length == 0,
        ByteString bytes => bytes.Length == 0,
        bool truth => !truth,
        System.Enum number => Convert.ToInt32(number, CultureInfo.InvariantCulture) == 0,
        double number => number == 0 && !double.IsNegative(number),
        float number => number == 0 && !float.IsNegative(number),
        int number => number == 0,
        uint number => number == 0,
        long number => number == 0,
        ulong number => number == 0,
        _ => false,
    };

    private static Node FieldValue(FieldDescriptor field, object? value, WriterOptions options)
    {
        if (field.IsMap)
        {
            var valueField = field.MessageType.FindFieldByNumber(2);
            var entries = new List<(string Key, Node Value)>();
            for (var entry = ((IDictionary)value!).GetEnumerator(); entry.MoveNext();)
                entries.Add((KeyText(entry.Key), Single(valueField, entry.Value, options)));
            return Mapping(entries.OrderBy(e => e.Key, StringComparer.Ordinal));
        }

        return field.IsRepeated ? Sequence(((IList)value!).Cast<object>().Select(v => Single(field, v, options)))
            : Single(field, value, options);
    }

    private static Node Single(FieldDescriptor field, object? value, WriterOptions options) => value switch
    {
        null => Null(),
        IMessage message => Message(message, options),
        string text => Text(text),
        bool truth => new ScalarNode(truth ? "true" : "false", ScalarKind.Boolean, 0, 0),
        ByteString bytes => Text(bytes.ToBase64()),
        int number when field.FieldType != FieldType.Enum => Number(number),
        uint number => Number(number),
        long number => Text(number.ToString(CultureInfo.InvariantCulture)),
        ulong number => Text(number.ToString(CultureInfo.InvariantCulture)),
        double number => Float(number, number.ToString("R", CultureInfo.InvariantCulture)),
        float number => Float(number, number.ToString("R", CultureInfo.InvariantCulture)),
        _ => Enumeration(field, Convert.ToInt32(value, CultureInfo.InvariantCulture)),
    };

    private static ScalarNode Enumeration(FieldDescriptor field, int number) =>
        field.EnumType.FullName == "google.protobuf.NullValue" ? Null()
        : field.EnumType.FindValueByNumber(number) is { } value ? Text(value.Name) : Number(number);

    private static ScalarNode Float(double number, string text)
    {
        if (double.IsFinite(number))
            return new ScalarNode(text, text.AsSpan().ContainsAny(".eE") ? ScalarKind.Float : ScalarKind.Integer, 0, 0);
        return Text(double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
    }

    private static Node Value(Value value) => value.KindCase switch
    {
        Google.Protobuf.WellKnownTypes.Value.KindOneofCase.BoolValue =>
            new ScalarNode(value.BoolValue ? "true" : "false", ScalarKind.Boolean, 0, 0),
        Google.Protobuf.WellKnownTypes.Value.KindOneofCase.NumberValue =>
            Float(value.NumberValue, value.NumberValue.ToString("R", CultureInfo.InvariantCulture)),
        Google.Protobuf.WellKnownTypes.Value.KindOneofCase.StringValue => Text(value.StringValue),
        Google.Protobuf.WellKnownTypes.Value.KindOneofCase.StructValue => Message(value.StructValue, WriterOptions.Default),
        Google.Protobuf.WellKnownTypes.Value.KindOneofCase.ListValue => Message(value.ListValue, WriterOptions.Default),
        _ => Null(),
    };

    private static MappingNode Expanded(Any any, WriterOptions options)
    {
        if (any.TypeUrl.Length == 0) return Mapping([]);
        var type = ("@type", (Node)Text(any.TypeUrl));
        return MessageTypes.Unpack(any) switch
        {
            // The bytes of a type that is not known stay readable for a program.
            null => Mapping([type, ("value", Text(any.Value.ToBase64()))]),
            var inner when SchemaSet.Of(inner.GetType()).Form != SpecialForm.None => Mapping([type, ("value", Message(inner, options))]),
            var inner => Mapping(Fields(inner, options).Prepend(type)),
        };
    }

    private static string Time(Timestamp timestamp)
    {
        var seconds = Math.Clamp(timestamp.Seconds, -62_135_596_800, 253_402_300_799);
        var time = DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
        var fraction = Durations.Format(new Duration { Nanos = Math.Clamp(timestamp.Nanos, 0, 999_999_999) });
        return time + fraction[1..^1] + "Z";
    }

    private static string CamelPath(string path)
    {
        var parts = path.Split('_');
        return parts[0] + string.Concat(parts.Skip(1).Select(p => p.Length == 0 ? "" : char.ToUpperInvariant(p[0]) + p[1..]));
    }

    private static string KeyText(object key) =>
        key is bool truth ? (truth ? "true" : "false") : Convert.ToString(key, CultureInfo.InvariantCulture)!;

    private static ScalarNode Text(string text) => new(text, ScalarKind.Text, 0, 0);

    private static ScalarNode Number(long number) => new(number.ToString(CultureInfo.InvariantCulture), ScalarKind.Integer, 0, 0);

    private static ScalarNode Null() => new("null", ScalarKind.Null, 0, 0);

    private static SequenceNode Sequence(IEnumerable<Node> items) => new(items.ToArray(), 0, 0);

    private static MappingNode Mapping(IEnumerable<(string Name, Node Value)> members) =>
        new(members.Select(m => new NodeMember(m.Name, m.Value, 0, 0)).ToArray(), 0, 0);
}
