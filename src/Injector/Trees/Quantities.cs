using System.Globalization;
using System.Text.RegularExpressions;

namespace Lateen.Injector.Trees;

/// <summary>Amounts of processors and memory, as Kubernetes writes them: a number with a suffix.</summary>
public static partial class Quantities
{
    private static readonly string[] Binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    private static readonly string[] Decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

    /// <summary>Whether a text is an amount, all of it.</summary>
    public static bool IsValid(string text) => Amount().IsMatch(text);

    /// <summary>The way in which Kubernetes writes an amount: a whole number with the largest suffix. What is no amount stays as it
    /// is.</summary>
    public static string Canonical(string text)
    {
        var match = Amount().Match(text);
        if (!match.Success || !decimal.TryParse(match.Groups[1].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return text;
        var suffix = match.Groups[3].Value;
        if (suffix.EndsWith('i')) return Spelled(number, Binary, Array.IndexOf(Binary, suffix), 1024);
        if (suffix is ['e' or 'E', _, ..]) return text;
        return Spelled(number, Decimal, Array.IndexOf(Decimal, suffix), 1000);
    }

    private static string Spelled(decimal number, string[] suffixes, int at, int step)
    {
        for (; number != decimal.Truncate(number) && at > 0; at--) number *= step;
        for (; number != 0 && number % step == 0 && at < suffixes.Length - 1; at++) number /= step;
        return decimal.Truncate(number).ToString(CultureInfo.InvariantCulture) + suffixes[at];
    }

    [GeneratedRegex(@"\A([+-]?(?:[0-9]+(\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Amount();
}
