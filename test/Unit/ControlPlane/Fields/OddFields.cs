// Fields: any object, valid or not, one field at a time set to something odd, through everything that a control plane does with it. Three
// things hold against each: nothing breaks, no other object is harmed, and what is not taken is said on the object.
//
// The fields are those of the schema, all that a message can hold down to a depth; the values are what people and programs really get wrong
// (another type, nothing, too much, below zero, letters of other scripts, null inside). A run of every day plays a sample, LATEEN_LONG=1
// all of them; LATEEN_SEED names another sample.
using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;
using Lateen.Config.Resources;

namespace Lateen.Test.Unit.ControlPlane.Fields;

/// <summary>One way to spoil an object.</summary>
/// <param name="Kind">The object's kind.</param>
/// <param name="Path">The field, names from the object's root.</param>
/// <param name="Value">What is set, JSON.</param>
internal sealed record OddField(ResourceKind Kind, IReadOnlyList<string> Path, string Value)
{
    public override string ToString() => $"{Kind.Name} {string.Join('.', Path)} = {(Value.Length > 60 ? Value[..60] + "…" : Value)}";
}

/// <summary>Walks schemas.</summary>
internal static class OddFields
{
    private const int DepthMax = 7;

    // Fields of bytes, of a free form, or of a depth without end.
    private static readonly string[] Leaves = ["google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.Duration",
        "google.protobuf.Timestamp", "google.protobuf.Any"];

    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1e308", "4294967296", "9223372036854775808", "0.5",
        "\"\"", "\" \"", "\"ü𝕏\\u0000\\u202e\"", "\"../../etc\"", "\"999999999999s\"", "\"-1s\"", "\"%\"", "\"[\"",
        "\"" + new string('x', 5000) + "\"",
        "[]", "[null]", "[[]]", "[\"\",\"\"]", "{}", "{\"a\":null}", "{\"\":{\"\":[]}}",
    ];

    /// <summary>Every field of a kind with every value.</summary>
    public static IEnumerable<OddField> Of(ResourceKind kind)
    {
        var fields = new List<IReadOnlyList<string>>();
        if (kind.MessageIsSpec) Walk(kind.Message, ["spec"], [], fields);
        else Walk(kind.Message, [], [], fields);
        foreach (string name in new[] { "labels", "annotations", "generation", "ownerReferences", "creationTimestamp" })
            fields.Add(["metadata", name]);
        if (kind.MessageIsSpec) fields.Add(["spec"]);
        fields.Add(["status"]);
        return fields.SelectMany(path => Values.Select(value => new OddField(kind, path, value)));
    }

    /// <summary>The object with the field set, whatever stood in between.</summary>
    public static JsonObject Spoiled(JsonObject sound, OddField odd)
    {
        var spoiled = sound.DeepClone().AsObject();
        JsonNode at = spoiled;
        for (int i = 0; i < odd.Path.Count; i++)
        {
            bool isLast = i == odd.Path.Count - 1;
            if (at is JsonArray list)
            {
                if (list.Count == 0) list.Add((JsonNode)new JsonObject());
                if (list[0] is not JsonObject) list[0] = new JsonObject();
                at = list[0]!;
            }
            var members = (JsonObject)at;
            bool isList = odd.Path[i].EndsWith("[]", StringComparison.Ordinal);
            string name = isList ? odd.Path[i][..^2] : odd.Path[i];
            if (isLast)
            {
                members[name] = JsonNode.Parse(odd.Value);
                break;
            }
            if (members[name] is not { } below || (isList ? below is not JsonArray : below is not JsonObject))
                members[name] = below = isList ? new JsonArray() : new JsonObject();
            at = below;
        }
        return spoiled;
    }

    private static void Walk(MessageDescriptor message, IReadOnlyList<string> at, HashSet<string> inside,
        List<IReadOnlyList<string>> fields)
    {
        foreach (FieldDescriptor field in message.Fields.InDeclarationOrder())
        {
            if (at.Count == 0 && field.JsonName is "metadata" or "status") continue;
            bool isInner = field.FieldType == FieldType.Message && !field.IsMap && !Leaves.Contains(field.MessageType.FullName)
                && !field.MessageType.File.Name.EndsWith("wrappers.proto", StringComparison.Ordinal);
            fields.Add([.. at, field.JsonName]);
            if (!isInner || at.Count >= DepthMax || !inside.Add(field.MessageType.FullName)) continue;
            Walk(field.MessageType, [.. at, field.IsRepeated ? field.JsonName + "[]" : field.JsonName], inside, fields);
            inside.Remove(field.MessageType.FullName);
        }
    }
}
