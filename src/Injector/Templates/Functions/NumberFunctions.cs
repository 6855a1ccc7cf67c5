using System.Globalization;
using static Lateen.Injector.Templates.TemplateValues;

namespace Lateen.Injector.Templates.Functions;

/// <summary>Numbers, as charts count.</summary>
internal static class NumberFunctions
{
    private const int CountMax = 100_000;

    public static readonly Dictionary<string, TemplateFunction> Table = new(StringComparer.Ordinal)
    {
        ["int"] = a => Whole(a[0]),
        ["int64"] = a => Whole(a[0]),
        ["atoi"] = a => Whole(a[0]),
        ["float64"] = a => Real(a[0]),
        ["add"] = a => a.Sum(Whole),
        ["add1"] = a => Whole(a[0]) + 1,
        ["sub"] = a => Whole(a[0]) - Whole(a[1]),
        ["mul"] = a => a.Aggregate(1L, (product, value) => product * Whole(value)),
        ["div"] = a => Whole(a[1]) is not 0 and var by ? Whole(a[0]) / by : throw new TemplateException("division by zero"),
        ["mod"] = a => Whole(a[1]) is not 0 and var by ? Whole(a[0]) % by : throw new TemplateException("division by zero"),
        ["max"] = a => a.Max(Whole),
        ["biggest"] = a => a.Max(Whole),
        ["min"] = a => a.Min(Whole),
        ["floor"] = a => Math.Floor(Real(a[0])),
        ["ceil"] = a => Math.Ceiling(Real(a[0])),
        ["round"] = a => Math.Round(Real(a[0]), (int)Math.Clamp(Whole(a[1]), 0, 15), MidpointRounding.AwayFromZero),
        ["until"] = a => Steps(0, Whole(a[0]), 1),
        ["untilStep"] = a => Steps(Whole(a[0]), Whole(a[1]), Whole(a[2])),
    };

    private static double Real(object? value) =>
        value is double real ? real
            : value is string text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed)
            ? parsed : Whole(value);

    private static List<object?> Steps(long from, long to, long step)
    {
        var steps = new List<object?>();
        for (var at = from; step > 0 ? at < to : step < 0 && at > to; at += step)
        {
            if (steps.Count == CountMax) throw new TemplateException("too many steps");
            steps.Add(at);
        }
        return steps;
    }
}
