using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Test.Conformance.Runners.Xds;

/// <summary>Packed messages that pack nothing: Go writes them as <c>{}</c>, which the library for C# neither reads nor writes. Both sides
/// say Empty instead.</summary>
internal sealed class EmptyAnys(TypeRegistry types)
{
    private const string Nothing = "type.googleapis.com/google.protobuf.Empty";

    /// <summary>The same golden in words that can be read.</summary>
    public JsonNode? In(JsonNode? golden, MessageDescriptor type)
    {
        if (golden is not JsonObject message) return golden;
        if (type.FullName == Any.Descriptor.FullName)
        {
            if (message.Count == 0) return new JsonObject { ["@type"] = Nothing, ["value"] = new JsonObject() };
            if (message["@type"]?.GetValue<string>() is not { } url || types.Find(Any.GetTypeName(url)) is not { } packed) return golden;
            type = packed;
        }
        if (type.File.Package == "google.protobuf") return golden;
        foreach (var (name, value) in message.ToList())
        {
            var field = type.Fields.InDeclarationOrder().FirstOrDefault(candidate => candidate.JsonName == name || candidate.Name == name);
            if (field is null || value is null) continue;
            if (field.IsMap && field.MessageType.FindFieldByNumber(2) is { FieldType: FieldType.Message } ofMap && value is JsonObject map)
            {
                foreach (var (key, entry) in map.ToList()) map[key] = In(entry, ofMap.MessageType)?.DeepClone();
            }
            else if (field.IsMap || field.FieldType != FieldType.Message) continue;
            else if (value is JsonArray list)
            {
                for (var i = 0; i < list.Count; i++) list[i] = In(list[i], field.MessageType)?.DeepClone();
            }
            else message[name] = In(value, field.MessageType)?.DeepClone();
        }
        return message;
    }

    /// <summary>The same message in words that can be written.</summary>
    public IMessage In(IMessage message)
    {
        if (message is Any any)
        {
            if (any.TypeUrl.Length == 0) return new Any { TypeUrl = Nothing };
            return types.Find(Any.GetTypeName(any.TypeUrl)) is { } packed
                ? new Any { TypeUrl = any.TypeUrl, Value = In(packed.Parser.ParseFrom(any.Value)).ToByteString() } : any;
        }
        var copy = message.Descriptor.Parser.ParseFrom(message.ToByteString());
        if (message.Descriptor.File.Package == "google.protobuf") return copy;
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder().Where(field => field.FieldType == FieldType.Message))
        {
            var value = field.Accessor.GetValue(copy);
            if (field.IsMap)
            {
                var map = (System.Collections.IDictionary)value;
                foreach (var key in map.Keys.Cast<object>().ToList()) if (map[key] is IMessage entry) map[key] = In(entry);
            }
            else if (value is System.Collections.IList list)
            {
                for (var i = 0; i < list.Count; i++) list[i] = In((IMessage)list[i]!);
            }
            else if (value is IMessage inner) field.Accessor.SetValue(copy, In(inner));
        }
        return copy;
    }
}
