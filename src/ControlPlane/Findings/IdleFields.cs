using Google.Protobuf;
using Google.Protobuf.Reflection;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings;

/// <summary>A field that is written and changes nothing.</summary>
/// <param name="Path">Its place, such as <c>spec.http[0].fault.delay.exponentialDelay</c>; empty for the resource as a whole.</param>
/// <param name="Text">What to tell about it.</param>
public readonly record struct IdleField(string Path, string Text);

/// <summary>Fields that a resource has and that change nothing: whoever wrote one is told so instead of wondering.</summary>
/// <remarks>Found by walking the message: what is written is looked up in <see cref="IdleTable"/>, which a test keeps complete.</remarks>
public static class IdleFields
{
    private const string Said = "is kept, but has no effect";

    /// <summary>Those of a resource.</summary>
    public static IEnumerable<IdleField> Of(Resource resource) => !resource.Kind.HasEffect
        ? [new IdleField("", $"{resource.Kind.Name} is kept, but not in effect yet")]
        : !resource.Kind.IsConfiguration ? [] : In(resource.Message, resource.Kind.MessageIsSpec ? "spec" : "");

    private static IEnumerable<IdleField> In(IMessage message, string path)
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (!IsWritten(message, field)) continue;
            string place = path.Length == 0 ? field.JsonName : $"{path}.{field.JsonName}";
            if (IdleTable.Reason(field) is { } reason) yield return new IdleField(place, reason.Length == 0 ? Said : $"{Said}: {reason}");
            else if (field.FieldType == FieldType.Message && !IsWellKnown(field)) foreach (IdleField idle in Inside(message, field, place))
                yield return idle;
        }
    }

    private static IEnumerable<IdleField> Inside(IMessage message, FieldDescriptor field, string path)
    {
        object value = field.Accessor.GetValue(message);
        if (field.IsMap) return ((System.Collections.IDictionary)value).Keys.Cast<object>()
            .SelectMany(key => ((System.Collections.IDictionary)value)[key] is IMessage inner
                && inner.Descriptor.File.Package != "google.protobuf" ? In(inner, $"{path}.{key}") : []);
        if (field.IsRepeated) return ((System.Collections.IList)value).Cast<IMessage>().SelectMany((inner, i) => In(inner, $"{path}[{i}]"));
        return In((IMessage)value, path);
    }

    // Wrappers, durations and free-form values: wrapped ones are not even messages here.
    private static bool IsWellKnown(FieldDescriptor field) => !field.IsMap && field.MessageType.File.Package == "google.protobuf";

    private static bool IsWritten(IMessage message, FieldDescriptor field) => field.IsRepeated || field.IsMap
        ? field.Accessor.GetValue(message) is System.Collections.ICollection { Count: > 0 }
        : field.HasPresence ? field.Accessor.HasValue(message) : !field.Accessor.GetValue(message).Equals(Default(field));

    private static object Default(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => "",
        FieldType.Bool => false,
        FieldType.Bytes => ByteString.Empty,
        FieldType.Double => 0d,
        FieldType.Float => 0f,
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => 0L,
        FieldType.UInt64 or FieldType.Fixed64 => 0UL,
        FieldType.UInt32 or FieldType.Fixed32 => 0U,
        FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, 0),
        _ => 0,
    };
}
