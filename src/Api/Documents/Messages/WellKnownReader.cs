using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Diagnostics;

namespace Lateen.Api.Documents;

/// <summary>The messages that proto-JSON writes in another form than their fields, and Kubernetes' IntOrString and Quantity.</summary>
internal static class WellKnownReader
{
    /// <summary>Fills the message when it is one of these; false when its fields are to be read.</summary>
    public static bool TryFill(MessageReader reader, Node node, IMessage message)
    {
        switch (message)
        {
            case Duration duration:
                Duration(reader, node, duration);
                return true;
            case Timestamp timestamp:
                Timestamp(reader, node, timestamp);
                return true;
            case Struct fields:
                FillStruct(reader, node, fields);
                return true;
            case Value value:
                FillValue(reader, node, value);
                return true;
            case ListValue list:
                FillList(reader, node, list);
                return true;
            case FieldMask mask:
                FieldMask(reader, node, mask);
                return true;
            case Any any:
                FillAny(reader, node, any);
                return true;
            case Kubernetes.Meta.V1.IntOrString either:
                IntOrString(reader, node, either);
                return true;
            case Kubernetes.Meta.V1.Quantity quantity:
                quantity.Text = node is ScalarNode { Kind: not ScalarKind.Null and not ScalarKind.Boolean } text ? text.Value : Wrong(reader, node, "a quantity such as 500m or 2Gi");
                return true;
            default:
                return FillWrapper(reader, node, message);
        }
    }

    /// <summary>
    /// Wrappers (UInt32Value and the like) are nullable values in C#, not messages: as a field they are set to the value itself.
    /// </summary>
    public static bool TryWrapper(MessageReader reader, Node node, MessageDescriptor type, out object? value)
    {
        value = null;
        if (!IsWrapper(type))
        {
            return false;
        }

        // Some programs write wrappers as the objects that they are ({"value": 1}); Envoy and Go do not accept it and nor does this.
        if (node is ScalarNode scalar)
        {
            value = reader.Scalar(scalar, type.FindFieldByNumber(1));
        }
        else
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected {ScalarReader.Expected(type.FindFieldByNumber(1))}, found {node.Describe()}");
        }

        return true;
    }

    internal static bool IsWrapper(MessageDescriptor type) =>
        type.File.Name == "google/protobuf/wrappers.proto";

    /// <summary>A wrapper that stands alone, as inside Any.</summary>
    private static bool FillWrapper(MessageReader reader, Node node, IMessage message)
    {
        if (!TryWrapper(reader, node, message.Descriptor, out var value))
        {
            return false;
        }

        if (value is not null)
        {
            message.Descriptor.FindFieldByNumber(1).Accessor.SetValue(message, value);
        }

        return true;
    }

    private static void Duration(MessageReader reader, Node node, Duration duration)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Text } scalar)
        {
            var hint = node is ScalarNode { Kind: ScalarKind.Integer } number ? $"; write \"{number.Value}s\" for seconds" : "";
            reader.Add(DocumentCodes.WrongType, node, $"expected a duration such as 10s, found {node.Describe()}{hint}");
        }
        else if (Durations.TryParse(scalar.Value, out var parsed))
        {
            (duration.Seconds, duration.Nanos) = (parsed.Seconds, parsed.Nanos);
        }
        else
        {
            reader.Add(DocumentCodes.BadValue, node, $"\"{scalar.Value}\" is no duration", "write a number with a unit, such as 10s, 1m30s or 250ms");
        }
    }

    private static void Timestamp(MessageReader reader, Node node, Timestamp timestamp)
    {
        var text = (node as ScalarNode)?.Value ?? "";
        if (text.Length > 10 && text[10] is 'T' or 't' or ' '
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
        {
            (timestamp.Seconds, timestamp.Nanos) = (time.ToUnixTimeSeconds(), Nanos(text));
        }
        else
        {
            reader.Add(DocumentCodes.BadValue, node, $"expected a time such as 2026-01-31T12:00:00Z, found {node.Describe()}");
        }
    }

    /// <summary>The fraction with all its nine digits: .NET keeps seven.</summary>
    private static int Nanos(string text)
    {
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
        {
            return 0;
        }

        var digits = text[(dot + 1)..];
        var count = 0;
        while (count < digits.Length && count < 9 && char.IsAsciiDigit(digits[count]))
        {
            count++;
        }

        return int.Parse(digits[..count].PadRight(9, '0'), CultureInfo.InvariantCulture);
    }

    private static void FillStruct(MessageReader reader, Node node, Struct target)
    {
        if (node is not MappingNode mapping)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected an object, found {node.Describe()}");
            return;
        }

        foreach (var member in mapping.Members)
        {
            var value = new Value();
            reader.FillNested(member.Value, value, member.Name);
            target.Fields[member.Name] = value;
        }
    }

    private static void FillList(MessageReader reader, Node node, ListValue target)
    {
        if (node is not SequenceNode sequence)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected a list, found {node.Describe()}");
            return;
        }

        foreach (var item in sequence.Items)
        {
            var value = new Value();
            reader.FillNested(item, value, "");
            target.Values.Add(value);
        }
    }

    private static void FillValue(MessageReader reader, Node node, Value target)
    {
        switch (node)
        {
            case MappingNode:
                var fields = new Struct();
                FillStruct(reader, node, fields);
                target.StructValue = fields;
                break;
            case SequenceNode:
                var list = new ListValue();
                FillList(reader, node, list);
                target.ListValue = list;
                break;
            case ScalarNode { Kind: ScalarKind.Null }:
                target.NullValue = NullValue.NullValue;
                break;
            case ScalarNode { Kind: ScalarKind.Boolean } truth:
                target.BoolValue = truth.Value == "true";
                break;
            case ScalarNode { Kind: ScalarKind.Text } text:
                target.StringValue = text.Value;
                break;
            case ScalarNode number when double.TryParse(number.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed):
                target.NumberValue = parsed;
                break;
            default:
                reader.Add(DocumentCodes.BadValue, node, $"{node.Describe()} is out of range");
                break;
        }
    }

    private static void FieldMask(MessageReader reader, Node node, FieldMask mask)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Text } scalar)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected field names with commas between them, found {node.Describe()}");
            return;
        }

        foreach (var path in scalar.Value.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            mask.Paths.Add(string.Concat(path.Select(c => char.IsAsciiLetterUpper(c) ? "_" + char.ToLowerInvariant(c) : c.ToString())));
        }
    }

    private static void FillAny(MessageReader reader, Node node, Any any)
    {
        if (node is not MappingNode mapping)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected an object with \"@type\", found {node.Describe()}");
            return;
        }

        if (mapping.Text("@type") is not { } url)
        {
            if (mapping.Members.Count > 0)
            {
                reader.Add(DocumentCodes.UnknownType, node, "the object needs \"@type\"");
            }

            return;
        }

        if (MessageTypes.FindByUrl(url) is not { } type)
        {
            var name = MessageTypes.NameOf(url);
            reader.Add(DocumentCodes.UnknownType, mapping["@type"]!, $"the type \"{name}\" is not known{Suggestions.DidYouMean(name, MessageTypes.AllNames())}");
            return;
        }

        var inner = type.Parser.ParseFrom(ByteString.Empty);
        if (!HasOwnForm(type))
        {
            reader.FillFields(mapping, inner, skip: "@type");
        }
        else if (mapping["value"] is { } value)
        {
            reader.FillNested(value, inner, "value");
        }

        (any.TypeUrl, any.Value) = (url, DeterministicBytes.Of(inner));
    }

    /// <summary>Whether the type is written under "value" inside Any.</summary>
    internal static bool HasOwnForm(MessageDescriptor type) =>
        IsWrapper(type) || type.FullName is "google.protobuf.Duration" or "google.protobuf.Timestamp" or "google.protobuf.Struct" or "google.protobuf.Value"
            or "google.protobuf.ListValue" or "google.protobuf.FieldMask" or "google.protobuf.Any" or "kubernetes.meta.v1.IntOrString" or "kubernetes.meta.v1.Quantity";

    private static void IntOrString(MessageReader reader, Node node, Kubernetes.Meta.V1.IntOrString either)
    {
        switch (node)
        {
            case ScalarNode { Kind: ScalarKind.Text } text:
                either.Text = text.Value;
                break;
            case ScalarNode { Kind: ScalarKind.Integer } number when int.TryParse(number.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed):
                either.Number = parsed;
                break;
            default:
                Wrong(reader, node, "a port number or a port name");
                break;
        }
    }

    private static string Wrong(MessageReader reader, Node node, string expected)
    {
        reader.Add(DocumentCodes.WrongType, node, $"expected {expected}, found {node.Describe()}");
        return "";
    }
}
