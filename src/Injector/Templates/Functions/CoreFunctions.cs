using System.Globalization;
using System.Text;
using static Lateen.Injector.Templates.TemplateValues;

namespace Lateen.Injector.Templates.Functions;

/// <summary>The language's own functions, and those of charts that choose between values.</summary>
internal static class CoreFunctions
{
    public static readonly Dictionary<string, TemplateFunction> Table = new(StringComparer.Ordinal)
    {
        ["not"] = a => !IsTrue(a[0]),
        ["len"] = a => LengthOf(a[0]),
        ["index"] = a => a.Skip(1).Aggregate(a[0], At),
        ["slice"] = a => Slice(a),
        ["print"] = a => string.Concat(a.Select(Print)),
        ["println"] = a => string.Join(' ', a.Select(Print)) + "\n",
        ["printf"] = a => Format(Text(a[0]), [.. a.Skip(1)]),
        ["eq"] = a => a.Skip(1).Any(other => AreEqual(a[0], other)),
        ["ne"] = a => !AreEqual(a[0], a[1]),
        ["lt"] = a => Compare(a[0], a[1]) < 0,
        ["le"] = a => Compare(a[0], a[1]) <= 0,
        ["gt"] = a => Compare(a[0], a[1]) > 0,
        ["ge"] = a => Compare(a[0], a[1]) >= 0,
        ["default"] = a => a.Count > 1 && IsTrue(a[1]) ? a[1] : a[0],
        ["empty"] = a => !IsTrue(a[0]),
        ["coalesce"] = a => a.FirstOrDefault(IsTrue),
        ["ternary"] = a => IsTrue(a[2]) ? a[0] : a[1],
        ["all"] = a => a.All(IsTrue),
        ["any"] = a => a.Any(IsTrue),
        ["fail"] = a => throw new TemplateException(Text(a[0])),
        ["required"] = a => a[1] is null or "" ? throw new TemplateException(Text(a[0])) : a[1],
        ["kindOf"] = a => KindOf(a[0]),
        ["kindIs"] = a => KindOf(a[1]) == Text(a[0]),
        ["typeOf"] = a => KindOf(a[0]),
        ["deepEqual"] = a => PlainText.Json(a[0]) == PlainText.Json(a[1]),
        // Nothing of the process that renders is a template's business; defaults are what it gets.
        ["env"] = a => a.Count > 1 ? Text(a[1]) : "",
        ["expandenv"] = a => Text(a[0]),
    };

    private static string KindOf(object? value) => value switch
    {
        null => "invalid",
        string => "string",
        bool => "bool",
        long => "int",
        double => "float64",
        IReadOnlyList<object?> => "slice",
        IReadOnlyDictionary<string, object?> => "map",
        _ => "struct",
    };

    private static object? Slice(IReadOnlyList<object?> a)
    {
        var (from, to) = (a.Count > 1 ? (int)Whole(a[1]) : 0, a.Count > 2 ? (int?)Whole(a[2]) : null);
        if (a[0] is string text) return from <= (to ?? text.Length) && (to ?? 0) <= text.Length && from >= 0
            ? text[from..(to ?? text.Length)] : throw new TemplateException("slice is out of range");
        if (a[0] is not IReadOnlyList<object?> list) throw new TemplateException($"slice of {Print(a[0])}");
        return list.Skip(from).Take((to ?? list.Count) - from).ToList();
    }

    // The verbs that charts use; others print the value as it is.
    private static string Format(string format, IReadOnlyList<object?> values)
    {
        var (text, next) = (new StringBuilder(), 0);
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            var start = ++i;
            while (i < format.Length - 1 && (char.IsAsciiDigit(format[i]) || format[i] is '-' or '+' or '.' or '#' or ' ')) i++;
            if (format[i] == '%')
            {
                text.Append('%');
                continue;
            }
            text.Append(next < values.Count ? Verb(format[i], format[start..i], values[next]) : $"%!{format[i]}(MISSING)");
            next++;
        }
        return text.ToString();
    }

    private static string Verb(char verb, string flags, object? value)
    {
        var dot = flags.IndexOf('.', StringComparison.Ordinal);
        var digits = dot >= 0 && int.TryParse(flags.AsSpan(dot + 1), CultureInfo.InvariantCulture, out var parsed) ? parsed : 6;
        var text = verb switch
        {
            'q' => PlainText.Quoted(Print(value)),
            'f' => Convert.ToDouble(value ?? 0, CultureInfo.InvariantCulture)
                .ToString("F" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture),
            'x' when value is long whole => whole.ToString("x", CultureInfo.InvariantCulture),
            'd' => Whole(value).ToString(CultureInfo.InvariantCulture),
            'c' => ((char)Whole(value)).ToString(),
            _ => value is null && verb == 's' ? "%!s(<nil>)" : Print(value),
        };
        var size = dot >= 0 ? flags[..dot] : flags;
        if (!int.TryParse(size.TrimStart('+', '#', ' '), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var width))
            return text;
        return width < 0 ? text.PadRight(-width) : size.StartsWith('0') ? text.PadLeft(width, '0') : text.PadLeft(width);
    }
}
