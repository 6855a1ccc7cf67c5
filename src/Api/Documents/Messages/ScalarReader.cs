using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Lateen.Api.Diagnostics;

namespace Lateen.Api.Documents;

/// <summary>One scalar of a document to the value of a field that is no message.</summary>
internal static class ScalarReader
{
    /// <summary>The value boxed as the field's accessor wants it, or null with a mistake.</summary>
    public static object? Read(ScalarNode node, FieldDescriptor field, out DiagnosticCode? mistake, out string text)
    {
        var value = field.FieldType switch
        {
            FieldType.String => node.Kind == ScalarKind.Text ? node.Value : null,
            FieldType.Bool => Boolean(node),
            FieldType.Bytes => Bytes(node),
            FieldType.Enum => Enumeration(node, field.EnumType),
            FieldType.Float or FieldType.Double => Float(node, field.FieldType),
            _ => Integer(node, field.FieldType),
        };
        (mistake, text) = value is null ? Mistake(node, field) : (null, "");
        return value;
    }

    /// <summary>What the field takes, for a message to the user.</summary>
    public static string Expected(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.String => "a text",
        FieldType.Bool => "true or false",
        FieldType.Bytes => "a text in base64",
        FieldType.Enum => $"one of {string.Join(", ", field.EnumType.Values.Select(v => v.Name))}",
        FieldType.Float or FieldType.Double => "a number",
        FieldType.UInt32 or FieldType.UInt64 or FieldType.Fixed32 or FieldType.Fixed64 => "a whole number from 0",
        _ => "a whole number",
    };

    private static (DiagnosticCode Code, string Text) Mistake(ScalarNode node, FieldDescriptor field)
    {
        var found = $"expected {Expected(field)}, found {node.Describe()}";
        return field.FieldType switch
        {
            FieldType.Enum when node.Kind == ScalarKind.Text =>
                (DocumentCodes.UnknownEnumValue, found + Suggestions.DidYouMean(node.Value, field.EnumType.Values.Select(v => v.Name))),
            FieldType.String when node.Kind is not ScalarKind.Text => (DocumentCodes.WrongType, found + "; put it in quotes"),
            FieldType.Bytes when node.Kind == ScalarKind.Text => (DocumentCodes.BadValue, found),
            FieldType.Bool or FieldType.String or FieldType.Bytes => (DocumentCodes.WrongType, found),
            _ when node.Kind is ScalarKind.Integer or ScalarKind.Float => (DocumentCodes.BadValue, found + ", which is out of range"),
            _ => (DocumentCodes.WrongType, found),
        };
    }

    /// <summary>YAML 1.1 also reads yes, no, on and off, and Kubernetes reads YAML 1.1.</summary>
    private static object? Boolean(ScalarNode node) => node.Value switch
    {
        "true" => true,
        "false" => false,
        "yes" or "Yes" or "YES" or "on" or "On" or "ON" => true,
        "no" or "No" or "NO" or "off" or "Off" or "OFF" => false,
        _ => null,
    };

    private static ByteString? Bytes(ScalarNode node)
    {
        if (node.Kind != ScalarKind.Text)
        {
            return null;
        }

        var text = node.Value.Replace('-', '+').Replace('_', '/');
        text = text.PadRight(text.Length + ((4 - (text.Length % 4)) % 4), '=');
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var count) ? ByteString.CopyFrom(bytes, 0, count) : null;
    }

    private static object? Enumeration(ScalarNode node, EnumDescriptor type)
    {
        if (node.Kind == ScalarKind.Integer)
        {
            return int.TryParse(node.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? System.Enum.ToObject(type.ClrType, number) : null;
        }

        var value = node.Kind == ScalarKind.Text ? type.FindValueByName(node.Value) : null;
        return value is null ? null : System.Enum.ToObject(type.ClrType, value.Number);
    }

    private static object? Float(ScalarNode node, FieldType type)
    {
        var isNumber = node.Kind is ScalarKind.Integer or ScalarKind.Float or ScalarKind.Text;
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!isNumber || !double.TryParse(node.Value, Style, CultureInfo.InvariantCulture, out var value))
        {
            return null;
        }

        if (double.IsInfinity(value) && !node.Value.EndsWith("Infinity", StringComparison.Ordinal))
        {
            return null;
        }

        if (type == FieldType.Double)
        {
            return value;
        }

        var single = (float)value;
        return float.IsInfinity(single) && !double.IsInfinity(value) ? null : single;
    }

    /// <summary>Whole numbers come as numbers or as texts (proto-JSON writes 64 bits as texts), and may be written as 1.0 or 1e3.</summary>
    private static object? Integer(ScalarNode node, FieldType type)
    {
        if (node.Kind is ScalarKind.Boolean or ScalarKind.Null)
        {
            return null;
        }

        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!decimal.TryParse(node.Value, Style, CultureInfo.InvariantCulture, out var value) || value != decimal.Truncate(value))
        {
            return null;
        }

        return type switch
        {
            FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => value is >= int.MinValue and <= int.MaxValue ? (int)value : null,
            FieldType.UInt32 or FieldType.Fixed32 => value is >= uint.MinValue and <= uint.MaxValue ? (uint)value : null,
            FieldType.UInt64 or FieldType.Fixed64 => value is >= ulong.MinValue and <= ulong.MaxValue ? (ulong)value : null,
            _ => value is >= long.MinValue and <= long.MaxValue ? (long)value : null,
        };
    }
}
