using System.Globalization;
using Lateen.Api.Diagnostics;
using Lateen.Api.Schemas;

namespace Lateen.Api.Documents;

/// <summary>The messages that proto-JSON writes in another form than their fields, and Kubernetes' IntOrString and Quantity.</summary>
/// <remarks>Field numbers are those of google/protobuf/{duration,timestamp,struct,field_mask,any,wrappers}.proto.</remarks>
internal static class WellKnownReader
{
    private static readonly MessageShape ValueShape = SchemaSet.Find("google.protobuf.Value")!;
    private static readonly MessageShape StructShape = SchemaSet.Find("google.protobuf.Struct")!;
    private static readonly MessageShape ListShape = SchemaSet.Find("google.protobuf.ListValue")!;

    /// <summary>Writes the content of a message with a form of its own.</summary>
    public static void Fill(MessageReader reader, Node node, MessageShape shape)
    {
        switch (shape.Form)
        {
            case SpecialForm.Duration: Duration(reader, node); break;
            case SpecialForm.Timestamp: Timestamp(reader, node); break;
            case SpecialForm.Struct: Struct(reader, node); break;
            case SpecialForm.Value: Value(reader, node); break;
            case SpecialForm.List: List(reader, node); break;
            case SpecialForm.FieldMask: FieldMask(reader, node); break;
            case SpecialForm.Any: Any(reader, node); break;
            case SpecialForm.IntOrString: IntOrString(reader, node, shape); break;
            case SpecialForm.Quantity: Quantity(reader, node, shape); break;
            default: FillWrapper(reader, node, shape); break;
        }
    }

    /// <summary>A wrapper's content. Some programs write wrappers as the objects that they are ({"value": 1}); Envoy and Go do not accept
    /// it and nor does this.</summary>
    public static bool FillWrapper(MessageReader reader, Node node, MessageShape shape)
    {
        FieldShape inner = shape.Fields[0];
        if (reader.Scalar(node, inner) is not { } value)
            return false;
        if (!value.IsDefault)
            value.WriteField(reader.Out, inner.Number, inner.Type);
        return true;
    }

    private static void Duration(MessageReader reader, Node node)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Text } scalar)
        {
            var hint = node is ScalarNode { Kind: ScalarKind.Integer } number ? $"; write \"{number.Value}s\" for seconds" : "";
            reader.Add(DocumentCodes.WrongType, node, $"expected a duration such as 10s, found {node.Describe()}{hint}");
        }
        else if (Durations.TryParse(scalar.Value, out var parsed)) Time(reader, parsed.Seconds, parsed.Nanos);
        else reader.Add(DocumentCodes.BadValue, node, $"\"{scalar.Value}\" is no duration",
            "write a number with a unit, such as 10s, 1m30s or 250ms");
    }

    private static void Timestamp(MessageReader reader, Node node)
    {
        var text = (node as ScalarNode)?.Value ?? "";
        if (text.Length > 10 && text[10] is 'T' or 't' or ' '
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
        {
            Time(reader, time.ToUnixTimeSeconds(), Nanos(text));
        }
        else reader.Add(DocumentCodes.BadValue, node, $"expected a time such as 2026-01-31T12:00:00Z, found {node.Describe()}");
    }

    private static void Time(MessageReader reader, long seconds, int nanos)
    {
        Number(reader, 1, seconds);
        Number(reader, 2, nanos);
    }

    private static void Number(MessageReader reader, int field, long value)
    {
        if (value == 0)
            return;
        reader.Out.Tag(field, 0);
        reader.Out.Varint((ulong)value);
    }

    private static void Text(MessageReader reader, int field, string value)
    {
        reader.Out.Tag(field, 2);
        reader.Out.Text(value);
    }

    /// <summary>The fraction with all its nine digits: .NET keeps seven.</summary>
    private static int Nanos(string text)
    {
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0) return 0;
        var digits = text[(dot + 1)..];
        var count = 0;
        while (count < digits.Length && count < 9 && char.IsAsciiDigit(digits[count])) count++;
        return int.Parse(digits[..count].PadRight(9, '0'), CultureInfo.InvariantCulture);
    }

    private static void Struct(MessageReader reader, Node node)
    {
        if (node is not MappingNode mapping)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected an object, found {node.Describe()}");
            return;
        }

        var mark = reader.Out.OpenMessage();
        foreach (var member in mapping.Members)
        {
            var start = reader.Out.Length;
            reader.Out.Tag(1, 2);
            var content = reader.Out.Length;
            if (member.Name.Length > 0)
                Text(reader, 1, member.Name);
            reader.FillNested(member.Value, 2, ValueShape, member.Name);
            reader.Out.PrefixLength(content);
            reader.Out.EndField(1, start, member.Name);
        }

        reader.Out.CloseMessage(mark);
    }

    private static void List(MessageReader reader, Node node)
    {
        if (node is not SequenceNode sequence)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected a list, found {node.Describe()}");
            return;
        }

        foreach (var item in sequence.Items) reader.FillNested(item, 1, ValueShape);
    }

    private static void Value(MessageReader reader, Node node)
    {
        switch (node)
        {
            case MappingNode:
                reader.FillNested(node, 5, StructShape);
                break;
            case SequenceNode:
                reader.FillNested(node, 6, ListShape);
                break;
            case ScalarNode { Kind: ScalarKind.Null }:
                reader.Out.Tag(1, 0);
                reader.Out.Varint(0);
                break;
            case ScalarNode { Kind: ScalarKind.Boolean } truth:
                reader.Out.Tag(4, 0);
                reader.Out.Varint(truth.Value == "true" ? 1u : 0u);
                break;
            case ScalarNode { Kind: ScalarKind.Text } text:
                Text(reader, 3, text.Value);
                break;
            case ScalarNode number when double.TryParse(number.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed):
                reader.Out.Tag(2, 1);
                reader.Out.Fixed64(BitConverter.DoubleToUInt64Bits(parsed));
                break;
            default:
                reader.Add(DocumentCodes.BadValue, node, $"{node.Describe()} is out of range");
                break;
        }
    }

    private static void FieldMask(MessageReader reader, Node node)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Text } scalar)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected field names with commas between them, found {node.Describe()}");
            return;
        }

        foreach (var path in scalar.Value.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            Text(reader, 1, string.Concat(path.Select(c => char.IsAsciiLetterUpper(c) ? "_" + char.ToLowerInvariant(c) : c.ToString())));
        }
    }

    private static void Any(MessageReader reader, Node node)
    {
        if (node is not MappingNode mapping)
        {
            reader.Add(DocumentCodes.WrongType, node, $"expected an object with \"@type\", found {node.Describe()}");
            return;
        }

        if (mapping.Text("@type") is not { } url)
        {
            if (mapping.Members.Count > 0) reader.Add(DocumentCodes.UnknownType, node, "the object needs \"@type\"");
            return;
        }

        var name = MessageTypes.NameOf(url);
        if (SchemaSet.Find(name) is not { } shape)
        {
            reader.Add(DocumentCodes.UnknownType, mapping["@type"]!,
                $"the type \"{name}\" is not known{Suggestions.DidYouMean(name, SchemaSet.Names())}");
            return;
        }

        Text(reader, 1, url);
        var start = reader.Out.Length;
        reader.Out.Tag(2, 2);
        var content = reader.Out.Length;
        if (shape.Form == SpecialForm.None) reader.FillFields(mapping, shape, skip: "@type");
        else if (mapping["value"] is { } value) reader.FillContent(value, shape, "value");
        if (reader.Out.Length == content)
            reader.Out.Rewind(start);
        else
            reader.Out.PrefixLength(content);
    }

    private static void IntOrString(MessageReader reader, Node node, MessageShape shape)
    {
        switch (node)
        {
            case ScalarNode { Kind: ScalarKind.Text } text:
                Text(reader, shape.Field("text")!.Number, text.Value);
                break;
            case ScalarNode { Kind: ScalarKind.Integer } number
                when int.TryParse(number.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed):
                reader.Out.Tag(shape.Field("number")!.Number, 0);
                reader.Out.Varint((ulong)parsed);
                break;
            default:
                Wrong(reader, node, "a port number or a port name");
                break;
        }
    }

    private static void Quantity(MessageReader reader, Node node, MessageShape shape)
    {
        if (node is ScalarNode { Kind: not ScalarKind.Null and not ScalarKind.Boolean } scalar)
            Text(reader, shape.Fields[0].Number, scalar.Value);
        else
            Wrong(reader, node, "a quantity such as 500m or 2Gi");
    }

    private static void Wrong(MessageReader reader, Node node, string expected) =>
        reader.Add(DocumentCodes.WrongType, node, $"expected {expected}, found {node.Describe()}");
}
