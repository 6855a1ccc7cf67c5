using Google.Protobuf;
using Lateen.Api.Schemas;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Pilot.Generation;

/// <summary>Wraps messages the way Envoy expects them.</summary>
public static class WireAny
{
    /// <summary>The message as an Any with the usual type URL.</summary>
    public static Any Pack(IMessage message) => new()
    {
        TypeUrl = TypeUrls.Prefix + SchemaSet.NameOf(message),
        Value = message.ToByteString(),
    };

    /// <summary>A struct with these fields, in this order.</summary>
    public static Struct Struct(params ReadOnlySpan<(string Key, Value Value)> fields)
    {
        var made = new Struct();
        foreach (var (key, value) in fields) made.Fields.Add(key, value);
        return made;
    }
}
