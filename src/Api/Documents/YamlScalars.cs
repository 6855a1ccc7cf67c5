using System.Buffers;
using System.Globalization;

namespace Lateen.Api.Documents;

/// <summary>What a YAML scalar without quotes means: the core schema of YAML 1.2 (10.3.2), with yes/no/on/off left as texts as in
/// 1.2.</summary>
internal static class YamlScalars
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");
    private static readonly SearchValues<char> OctalDigits = SearchValues.Create("01234567");
    private static readonly SearchValues<char> FloatChars = SearchValues.Create("0123456789.eE+-");

    public static ScalarKind Resolve(string value) => value switch
    {
        "" or "~" or "null" or "Null" or "NULL" => ScalarKind.Null,
        "true" or "True" or "TRUE" or "false" or "False" or "FALSE" => ScalarKind.Boolean,
        ".inf" or ".Inf" or ".INF" or "+.inf" or "-.inf" or "-.Inf" or "-.INF" or ".nan" or ".NaN" or ".NAN" => ScalarKind.Float,
        _ => Number(value),
    };

    /// <summary>The value in JSON's spelling, so that a reader need not know where the node came from.</summary>
    public static string Normalize(string value, ScalarKind kind) => kind switch
    {
        ScalarKind.Null => "null",
        ScalarKind.Boolean => value.ToLowerInvariant(),
        ScalarKind.Integer => Integer(value),
        ScalarKind.Float => Float(value),
        _ => value,
    };

    private static ScalarKind Number(string value)
    {
        var digits = value[0] is '-' or '+' ? value.AsSpan(1) : value.AsSpan();
        if (digits.Length == 0 || !(char.IsAsciiDigit(digits[0]) || digits[0] == '.')) return ScalarKind.Text;
        if (digits.StartsWith("0x") || digits.StartsWith("0o"))
        {
            var set = digits[1] == 'x' ? HexDigits : OctalDigits;
            return digits.Length > 2 && !digits[2..].ContainsAnyExcept(set) ? ScalarKind.Integer : ScalarKind.Text;
        }

        if (digits.IndexOfAnyExceptInRange('0', '9') < 0) return ScalarKind.Integer;
        var isFloat = !digits.ContainsAnyExcept(FloatChars)
            && double.TryParse(digits, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out _);
        return isFloat ? ScalarKind.Float : ScalarKind.Text;
    }

    private static string Integer(string value)
    {
        var sign = value[0] == '-' ? "-" : "";
        var digits = value[0] is '-' or '+' ? value[1..] : value;
        if (digits.StartsWith("0x", StringComparison.Ordinal) || digits.StartsWith("0o", StringComparison.Ordinal))
        {
            var radix = digits[1] == 'x' ? 16 : 8;
            var sum = System.Numerics.BigInteger.Zero;
            foreach (var c in digits.AsSpan(2)) sum = (sum * radix) + Convert.ToInt32(c.ToString(), 16);
            return sign + sum.ToString(CultureInfo.InvariantCulture);
        }

        var trimmed = digits.TrimStart('0');
        return trimmed.Length == 0 ? "0" : sign + trimmed;
    }

    private static string Float(string value) => value.TrimStart('+').ToLowerInvariant() switch
    {
        ".inf" => "Infinity",
        "-.inf" => "-Infinity",
        ".nan" => "NaN",
        _ => value.TrimStart('+'),
    };
}
