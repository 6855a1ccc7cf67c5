using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Api.Documents;

/// <summary>Nodes out of a Struct, so that a patch or an untyped configuration can be read as the message that it means.</summary>
public static class StructNodes
{
    public static Node ToNode(Struct fields) => MessageWriter.ToNode(fields);

    public static Node ToNode(Value value) => MessageWriter.ToNode(value);

    /// <summary>A Struct out of any message, as proto-JSON.</summary>
    public static Struct ToStruct(IMessage message, WriterOptions? options = null)
    {
        var fields = new Struct();
        new MessageReader("", [], UnknownFields.Ignore).ReadInto(MessageWriter.ToNode(message, options), fields);
        return fields;
    }
}
