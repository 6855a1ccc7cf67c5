using System.Text;
using System.Text.Json;
using Kubernetes.Meta.V1;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;
using Lateen.Config.Resources;
using Lateen.Config.Sources.Kubernetes.Watching;

namespace Lateen.Config.Sources.Kubernetes;

/// <summary>JSON of an API server to nodes, without places: nobody wrote it into a file. Of kinds of which only a part is modelled the rest
/// is passed over unread, which of a pod is most of it.</summary>
internal static class ApiNodes
{
    // Who manages which field is of no use here, and often half of the object: it is no part of our metadata.
    private static readonly MessageShape Metadata = SchemaSet.Of(typeof(ObjectMeta));

    /// <summary>Adds the members of an object.</summary>
    /// <param name="json">The object.</param>
    /// <param name="shape">What is read of it beside its metadata; null for all.</param>
    /// <param name="isRead">Whether a member is wanted.</param>
    /// <param name="members">Where they go.</param>
    public static void Read(ReadOnlySpan<byte> json, MessageShape? shape, Func<string, bool> isRead, List<NodeMember> members)
    {
        var reader = ApiJson.Reader(json);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (name, inside) = (Name(ref reader), (MessageShape?)null);
            if (name is "apiVersion" or "kind" || !isRead(name) || (name != "metadata" && !IsRead(name, shape, out inside))) reader.Skip();
            else members.Add(Member(ref reader, name, name == "metadata" ? Metadata : inside));
        }
    }

    private static NodeMember Member(ref Utf8JsonReader reader, string name, MessageShape? shape)
    {
        reader.Read();
        return new NodeMember(name, Value(ref reader, shape), 0, 0);
    }

    private static Node Value(ref Utf8JsonReader reader, MessageShape? shape) => reader.TokenType switch
    {
        JsonTokenType.StartObject => Mapping(ref reader, shape),
        JsonTokenType.StartArray => Sequence(ref reader, shape),
        JsonTokenType.String => new ScalarNode(reader.GetString()!, ScalarKind.Text, 0, 0),
        JsonTokenType.True => new ScalarNode("true", ScalarKind.Boolean, 0, 0),
        JsonTokenType.False => new ScalarNode("false", ScalarKind.Boolean, 0, 0),
        JsonTokenType.Number => new ScalarNode(Encoding.UTF8.GetString(reader.ValueSpan),
            reader.ValueSpan.ContainsAny(".eE"u8) ? ScalarKind.Float : ScalarKind.Integer, 0, 0),
        _ => new ScalarNode("null", ScalarKind.Null, 0, 0),
    };

    private static MappingNode Mapping(ref Utf8JsonReader reader, MessageShape? shape)
    {
        var members = new List<NodeMember>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = Name(ref reader);
            if (IsRead(name, shape, out var inside)) members.Add(Member(ref reader, name, inside));
            else reader.Skip();
        }

        return new MappingNode(members, 0, 0);
    }

    private static SequenceNode Sequence(ref Utf8JsonReader reader, MessageShape? shape)
    {
        var items = new List<Node>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) items.Add(Value(ref reader, shape));
        return new SequenceNode(items, 0, 0);
    }

    // Below maps, and below what has a form of its own, everything is read.
    private static bool IsRead(string name, MessageShape? shape, out MessageShape? inside)
    {
        var field = shape?.Field(name);
        inside = field is { IsMap: false, Message: { Form: SpecialForm.None } message } ? message : null;
        return shape is null || field is not null;
    }

    private static string Name(ref Utf8JsonReader reader) =>
        reader.ValueIsEscaped ? reader.GetString()! : KeptForm.Text(reader.ValueSpan);
}
