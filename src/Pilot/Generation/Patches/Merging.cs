using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>
/// Merges one message into another as protobuf does, with two differences: a duration is one value and replaces the other, and lists may
/// replace each other as well.
/// </summary>
internal static class Merging
{
    /// <summary>Merges <paramref name="from"/> into <paramref name="into"/>, which must be of the same type.</summary>
    public static void Into(IMessage into, IMessage from, bool replaceLists = false)
    {
        foreach (var field in from.Descriptor.Fields.InDeclarationOrder())
        {
            if (field.IsMap) MergeMap((IDictionary)field.Accessor.GetValue(into), (IDictionary)field.Accessor.GetValue(from));
            else if (field.IsRepeated) MergeList((IList)field.Accessor.GetValue(into), (IList)field.Accessor.GetValue(from), replaceLists);
            else if (IsSet(field, from)) MergeSingle(field, into, from, replaceLists);
        }
    }

    /// <summary>Merges packed messages of the same type; returns null when the type is unknown or differs.</summary>
    public static Any? Packed(Any into, Any from, bool replaceLists)
    {
        if (PatchValues.Unpack(into) is not { } target
            || PatchValues.Unpack(new Any { TypeUrl = into.TypeUrl, Value = from.Value }) is not { } source) return null;
        Into(target, source, replaceLists);
        return Filters.Wire.Pack(target);
    }

    private static void MergeMap(IDictionary into, IDictionary from)
    {
        foreach (DictionaryEntry entry in from) into[entry.Key] = Copy(entry.Value!);
    }

    private static void MergeList(IList into, IList from, bool replace)
    {
        if (from.Count > 0 && replace) into.Clear();
        foreach (var item in from) into.Add(Copy(item!));
    }

    private static void MergeSingle(FieldDescriptor field, IMessage into, IMessage from, bool replaceLists)
    {
        var value = field.Accessor.GetValue(from);
        // In one message a wrapper with the zero value can't be told from "keep what is there"; protobuf keeps it.
        if (field.FieldType == FieldType.Message && value is not IMessage)
        {
            if (field.Accessor.GetValue(into) is null || !IsZero(value)) field.Accessor.SetValue(into, value);
            return;
        }
        if (value is IMessage message && value is not Duration && field.Accessor.GetValue(into) is IMessage existing)
            Into(existing, message, replaceLists);
        else field.Accessor.SetValue(into, Copy(value));
    }

    private static bool IsSet(FieldDescriptor field, IMessage message)
    {
        if (field.HasPresence && field.FieldType != FieldType.Message) return field.Accessor.HasValue(message);
        var value = field.Accessor.GetValue(message);
        return value is not null && (field.FieldType == FieldType.Message || !IsZero(value));
    }

    private static bool IsZero(object value) => value switch
    {
        string text => text.Length == 0,
        ByteString bytes => bytes.IsEmpty,
        bool flag => !flag,
        System.Enum number => Convert.ToInt32(number, System.Globalization.CultureInfo.InvariantCulture) == 0,
        IConvertible number => number.ToDouble(System.Globalization.CultureInfo.InvariantCulture) == 0,
        _ => false,
    };

    private static object Copy(object value) =>
        value is IMessage message ? message.Descriptor.Parser.ParseFrom(message.ToByteString()) : value;
}
