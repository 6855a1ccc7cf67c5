using System.Collections;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Lateen.Injector.Templates;

/// <summary>A message to templates, with its fields under the names that Go gives them.</summary>
/// <param name="message">The message; null for one that is not set, whose fields have their defaults.</param>
/// <param name="descriptor">Its type.</param>
/// <param name="defaults">What goes without saying when it is printed; null for nothing.</param>
public sealed class ProtoObject(IMessage? message, MessageDescriptor descriptor, IMessage? defaults = null) : GoObject
{
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(false));

    /// <summary>One that is set.</summary>
    public ProtoObject(IMessage message, IMessage? defaults = null) : this(message, message.Descriptor, defaults)
    {
    }

    /// <summary>The message; null where it is not set.</summary>
    public IMessage? Message { get; } = message;

    /// <inheritdoc/>
    public override object? Field(string name)
    {
        if (name == "String" && Message is not null) return Json();
        var wanted = name.StartsWith("Get", StringComparison.Ordinal) && name.Length > 3 ? name[3..] : name;
        var field = descriptor.Fields.InFieldNumberOrder()
            .FirstOrDefault(candidate => candidate.JsonName.Equals(wanted, StringComparison.OrdinalIgnoreCase));
        if (field is null) throw new TemplateException($"{descriptor.Name} has no field {name}");
        return Value(field, Message is null ? null : field.Accessor.GetValue(Message));
    }

    /// <inheritdoc/>
    public override object? Plain() =>
        Message is null ? null : PlainText.Of(JsonNode.Parse(Formatter.Format(Message)), hasWholeNumbers: true);

    /// <summary>JSON without what goes without saying, fields in the order of the schema.</summary>
    public string Json()
    {
        if (Message is null) return "{}";
        var spoken = Message;
        if (defaults is not null)
        {
            spoken = descriptor.Parser.ParseFrom(Message.ToByteString());
            foreach (var field in descriptor.Fields.InFieldNumberOrder()
                .Where(field => !field.IsRepeated && Equals(field.Accessor.GetValue(spoken), field.Accessor.GetValue(defaults))))
                field.Accessor.Clear(spoken);
        }
        var written = JsonNode.Parse(Formatter.Format(spoken))!.AsObject();
        // Entries of maps have no order of their own.
        foreach (var field in descriptor.Fields.InFieldNumberOrder().Where(field => field.IsMap))
        {
            if (written[field.JsonName] is JsonObject map)
                written[field.JsonName] = new JsonObject(map.OrderBy(entry => entry.Key, StringComparer.Ordinal)
                    .Select(entry => KeyValuePair.Create(entry.Key, entry.Value?.DeepClone())));
        }
        return written.ToJsonString(PlainJson.Relaxed);
    }

    private static object? Value(FieldDescriptor field, object? value)
    {
        if (field.IsMap) return new TextMap(value is IDictionary map
            ? map.Keys.Cast<object>().Select(key => KeyValuePair.Create(key.ToString()!, map[key]?.ToString() ?? "")) : []);
        if (field.IsRepeated) return (value as IEnumerable ?? Array.Empty<object>()).Cast<object?>().Select(item => One(field, item))
            .ToList();
        return One(field, value);
    }

    private static object? One(FieldDescriptor field, object? value) => field.FieldType switch
    {
        FieldType.Message when field.MessageType.File.Name == "google/protobuf/wrappers.proto" => new Wrapped(value),
        FieldType.Message => new ProtoObject(value as IMessage, field.MessageType),
        FieldType.Enum =>
            new EnumName(field.EnumType.FindValueByNumber(value is null
                ? 0 : Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture))?.Name ?? ""),
        FieldType.String => value ?? "",
        FieldType.Bool => value ?? false,
        FieldType.Double or FieldType.Float => Convert.ToDouble(value ?? 0, System.Globalization.CultureInfo.InvariantCulture),
        FieldType.Bytes => (value as ByteString)?.ToBase64() ?? "",
        _ => Convert.ToInt64(value ?? 0, System.Globalization.CultureInfo.InvariantCulture),
    };

    // A value that may be unset, as its own object with a method for the value.
    private sealed class Wrapped(object? value) : GoObject
    {
        public override object? Field(string name) =>
            name is "Value" or "GetValue" ? Plain() ?? false : throw new TemplateException($"a wrapped value has no field {name}");

        public override object? Plain() => value switch
        {
            int whole => (long)whole,
            uint whole => (long)whole,
            float real => (double)real,
            _ => value,
        };
    }

    private sealed class EnumName(string name) : GoObject
    {
        public override object? Field(string field) =>
            field == "String" ? name : throw new TemplateException($"an enum has no field {field}");

        public override object? Plain() => name;
    }
}
