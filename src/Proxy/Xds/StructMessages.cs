using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;
using Lateen.Api.Documents;
using Lateen.Api.Schemas;

namespace Lateen.Proxy.Xds;

/// <summary>A message that came as a struct (TypedStruct) as the message it stands for.</summary>
internal static class StructMessages
{
    /// <summary>The message; null for a type that is not known, with a rejection where the struct does not fit it.</summary>
    public static Any? Pack(string type, Struct fields, Rejections rejections)
    {
        if (SchemaSet.Find(type) is not { } shape)
            return null;
        var mistakes = new DiagnosticBag();
        ByteString message = new MessageReader(type, mistakes,
            Bounds.UnservedFields.Decides(type) ? UnknownFields.Error : UnknownFields.Warning).ReadBytes(StructNodes.ToNode(fields), shape);
        foreach (Diagnostic mistake in mistakes)
        {
            if (mistake.Level == DiagnosticLevel.Error)
                rejections.Add($"{type}: {mistake.Text}");
            else
                rejections.Note($"{type}: {mistake.Text}");
        }
        return new Any { TypeUrl = MessageTypes.UrlPrefix + type, Value = message };
    }
}
