using System.Collections;
using System.Globalization;
using System.Text;

namespace Lateen.Injector.Templates;

/// <summary>What a field or key gives that is not there; prints as Go prints it, and is null to functions.</summary>
public sealed class Absent
{
    /// <summary>The only one.</summary>
    public static readonly Absent Value = new();

    private Absent()
    {
    }
}

/// <summary>Something with fields, of which each can be asked for, unlike a map.</summary>
public abstract class GoObject
{
    /// <summary>A field by its name in Go; <see cref="Absent"/> for one that there is not.</summary>
    public abstract object? Field(string name);

    /// <summary>The same in plain maps and lists, for functions that print it.</summary>
    public abstract object? Plain();
}

/// <summary>A map of texts: a key that is not there gives an empty text.</summary>
public sealed class TextMap : Dictionary<string, object?>
{
    /// <summary>An empty one.</summary>
    public TextMap() : base(StringComparer.Ordinal)
    {
    }

    /// <summary>One with these entries.</summary>
    public TextMap(IEnumerable<KeyValuePair<string, string>> entries) : this()
    {
        foreach (var (key, value) in entries) this[key] = value;
    }
}

/// <summary>What values are to the language: true or not, equal, greater, and how they print.</summary>
public static class TemplateValues
{
    /// <summary>Whether it counts as true: everything but nothing, zero and what is empty.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or Absent => false,
        bool flag => flag,
        string text => text.Length > 0,
        long whole => whole != 0,
        double real => real != 0,
        IReadOnlyDictionary<string, object?> map => map.Count > 0,
        IReadOnlyList<object?> list => list.Count > 0,
        _ => true,
    };

    /// <summary>Number of entries or characters; throws for what has none.</summary>
    public static long LengthOf(object? value) => value switch
    {
        null or Absent => 0,
        string text => Encoding.UTF8.GetByteCount(text),
        IReadOnlyDictionary<string, object?> map => map.Count,
        IReadOnlyList<object?> list => list.Count,
        _ => throw new TemplateException($"len of {Print(value)}"),
    };

    /// <summary>As an action prints it.</summary>
    public static string Print(object? value) => value switch
    {
        Absent => "<no value>",
        null => "<nil>",
        string text => text,
        bool flag => flag ? "true" : "false",
        long whole => whole.ToString(CultureInfo.InvariantCulture),
        double real => Print(real),
        IReadOnlyDictionary<string, object?> map =>
            $"map[{string.Join(' ', Sorted(map).Select(entry => $"{entry.Key}:{Print(entry.Value)}"))}]",
        IReadOnlyList<object?> list => $"[{string.Join(' ', list.Select(Print))}]",
        GoObject with => Print(with.Plain()),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    /// <summary>As text for a function: nothing is no text.</summary>
    public static string Text(object? value) => value is null or Absent ? "" : Print(value);

    /// <summary>A number, whatever it was written as; 0 for what is none.</summary>
    public static long Whole(object? value) => value switch
    {
        long whole => whole,
        double real => (long)real,
        bool flag => flag ? 1 : 0,
        string text when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed) => parsed,
        string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) => (long)parsed,
        _ => 0,
    };

    /// <summary>Entries by key, as ranges go through them.</summary>
    public static IEnumerable<KeyValuePair<string, object?>> Sorted(IReadOnlyDictionary<string, object?> map) =>
        map.OrderBy(entry => entry.Key, StringComparer.Ordinal);

    /// <summary>Whether two are equal; numbers by their value.</summary>
    public static bool AreEqual(object? left, object? right)
    {
        (left, right) = (Known(left), Known(right));
        if (left is null || right is null) return left is null && right is null;
        if (left is long or double && right is long or double)
            return Convert.ToDouble(left, CultureInfo.InvariantCulture).Equals(Convert.ToDouble(right, CultureInfo.InvariantCulture));
        return left is not IEnumerable or string && left.Equals(right);
    }

    /// <summary>Which of two comes first; throws for what has no order.</summary>
    public static int Compare(object? left, object? right)
    {
        (left, right) = (Known(left), Known(right));
        if (left is long or double && right is long or double)
            return Convert.ToDouble(left, CultureInfo.InvariantCulture).CompareTo(Convert.ToDouble(right, CultureInfo.InvariantCulture));
        if (left is string first && right is string second) return string.CompareOrdinal(first, second);
        throw new TemplateException($"{Print(left)} and {Print(right)} have no order");
    }

    /// <summary>A key of a map or a place in a list, as the function index takes it.</summary>
    public static object? At(object? of, object? key)
    {
        switch (of)
        {
            case null or Absent:
                return "";
            case TextMap texts:
                return texts.GetValueOrDefault(Text(key), "");
            case IReadOnlyDictionary<string, object?> map:
                return map.TryGetValue(Text(key), out var value) ? value : null;
            case IReadOnlyList<object?> list:
                var place = Whole(key);
                return place >= 0 && place < list.Count
                    ? list[(int)place] : throw new TemplateException($"index {place} is out of range, there are {list.Count}");
            default:
                throw new TemplateException($"{Print(of)} has no index");
        }
    }

    private static object? Known(object? value) => value is Absent ? null : value;

    // As Go's %v: the fewest digits that tell the number, with an exponent from a million on, and below a ten-thousandth.
    private static string Print(double real)
    {
        if (real == 0 || !double.IsFinite(real)) return real == 0 ? "0" : real.ToString(CultureInfo.InvariantCulture);
        var text = Math.Abs(real).ToString("E16", CultureInfo.InvariantCulture);
        var exponent = int.Parse(text.AsSpan(text.IndexOf('E', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign,
            CultureInfo.InvariantCulture);
        if (exponent is >= -4 and < 6) return real.ToString("0.#################", CultureInfo.InvariantCulture);
        var digits = string.Concat(Math.Abs(real).ToString("R", CultureInfo.InvariantCulture).Split('E')[0].Where(char.IsAsciiDigit))
            .Trim('0');
        var sign = real < 0 ? "-" : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"{sign}{digits[0]}{(digits.Length > 1 ? "." : "")}{digits[1..]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }
}
