using System.Globalization;
using Google.Protobuf.Reflection;
using Lateen.Api.Diagnostics;
using Lateen.Api.Schemas;

namespace Lateen.Api.Documents;

/// <summary>One scalar of a document to the value of a field that is no message.</summary>
internal static class ScalarReader
{
    /// <summary>The value, or null with a mistake.</summary>
    public static ScalarValue? Read(ScalarNode node, FieldShape field, out DiagnosticCode? mistake, out string text)
    {
        ScalarValue? value = field.Type switch
        {
            FieldType.String => node.Kind == ScalarKind.Text ? new ScalarValue(0, node.Value) : null,
            FieldType.Bool => Boolean(node),
            FieldType.Bytes => Bytes(node),
            FieldType.Enum => Enumeration(node, field.Enum!),
            FieldType.Float or FieldType.Double => Float(node, field.Type),
            _ => Integer(node, field.Type),
        };
        (mistake, text) = value is null ? Mistake(node, field) : (null, "");
        return value;
    }

    /// <summary>What the field takes, for a message to the user.</summary>
    public static string Expected(FieldShape field) => field.Type switch
    {
        FieldType.String => "a text",
        FieldType.Bool => "true or false",
        FieldType.Bytes => "a text in base64",
        FieldType.Enum => $"one of {string.Join(", ", field.Enum!.Names)}",
        FieldType.Float or FieldType.Double => "a number",
        FieldType.UInt32 or FieldType.UInt64 or FieldType.Fixed32 or FieldType.Fixed64 => "a whole number from 0",
        _ => "a whole number",
    };

    private static (DiagnosticCode Code, string Text) Mistake(ScalarNode node, FieldShape field)
    {
        var found = $"expected {Expected(field)}, found {node.Describe()}";
        return field.Type switch
        {
            FieldType.Enum when node.Kind == ScalarKind.Text =>
                (DocumentCodes.UnknownEnumValue, found + Suggestions.DidYouMean(node.Value, field.Enum!.Names)),
            FieldType.String when node.Kind is not ScalarKind.Text => (DocumentCodes.WrongType, found + "; put it in quotes"),
            FieldType.Bytes when node.Kind == ScalarKind.Text => (DocumentCodes.BadValue, found),
            FieldType.Bool or FieldType.String or FieldType.Bytes => (DocumentCodes.WrongType, found),
            _ when node.Kind is ScalarKind.Integer or ScalarKind.Float => (DocumentCodes.BadValue, found + ", which is out of range"),
            _ => (DocumentCodes.WrongType, found),
        };
    }

    /// <summary>YAML 1.1 also reads yes, no, on and off, and Kubernetes reads YAML 1.1.</summary>
    private static ScalarValue? Boolean(ScalarNode node) => node.Value switch
    {
        "true" or "yes" or "Yes" or "YES" or "on" or "On" or "ON" => new ScalarValue(1),
        "false" or "no" or "No" or "NO" or "off" or "Off" or "OFF" => new ScalarValue(0),
        _ => null,
    };

    private static ScalarValue? Bytes(ScalarNode node)
    {
        if (node.Kind != ScalarKind.Text) return null;
        var text = node.Value.Replace('-', '+').Replace('_', '/');
        text = text.PadRight(text.Length + ((4 - (text.Length % 4)) % 4), '=');
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var count) ? new ScalarValue(0, null, bytes.AsMemory(0, count)) : null;
    }

    private static ScalarValue? Enumeration(ScalarNode node, EnumShape type)
    {
        if (node.Kind == ScalarKind.Integer)
        {
            return int.TryParse(node.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? new ScalarValue((ulong)number) : null;
        }

        return node.Kind == ScalarKind.Text && type.TryNumber(node.Value, out var named) ? new ScalarValue((ulong)named) : null;
    }

    private static ScalarValue? Float(ScalarNode node, FieldType type)
    {
        var isNumber = node.Kind is ScalarKind.Integer or ScalarKind.Float or ScalarKind.Text;
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!isNumber || !double.TryParse(node.Value, Style, CultureInfo.InvariantCulture, out var value)) return null;
        if (double.IsInfinity(value) && !node.Value.EndsWith("Infinity", StringComparison.Ordinal)) return null;
        if (type == FieldType.Double) return new ScalarValue(BitConverter.DoubleToUInt64Bits(value));
        var single = (float)value;
        return float.IsInfinity(single) && !double.IsInfinity(value) ? null : new ScalarValue(BitConverter.SingleToUInt32Bits(single));
    }

    /// <summary>Whole numbers come as numbers or as texts (proto-JSON writes 64 bits as texts), and may be written as 1.0 or 1e3.</summary>
    private static ScalarValue? Integer(ScalarNode node, FieldType type)
    {
        if (node.Kind is ScalarKind.Boolean or ScalarKind.Null) return null;
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!decimal.TryParse(node.Value, Style, CultureInfo.InvariantCulture, out var value) || value != decimal.Truncate(value))
            return null;
        var (least, most) = type switch
        {
            FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => (int.MinValue, int.MaxValue),
            FieldType.UInt32 or FieldType.Fixed32 => (0, uint.MaxValue),
            FieldType.UInt64 or FieldType.Fixed64 => (0, ulong.MaxValue),
            _ => ((decimal)long.MinValue, (decimal)long.MaxValue),
        };
        return value < least || value > most ? null : new ScalarValue(value < 0 ? (ulong)(long)value : (ulong)value);
    }
}
