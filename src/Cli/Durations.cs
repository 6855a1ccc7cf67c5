using System.Buffers;
using System.Globalization;

namespace Lateen.Cli;

/// <summary>Durations as the command line has them (30s, 1m30s, 250ms) and ages as tables have them (5d, 3h12m).</summary>
public static class Durations
{
    private static readonly SearchValues<char> Number = SearchValues.Create("0123456789.");

    /// <summary>Reads a duration in Go's notation; a bare number is seconds.</summary>
    /// <exception cref="CommandException">It is none.</exception>
    public static TimeSpan Parse(string text)
    {
        if (double.TryParse(text, CultureInfo.InvariantCulture, out double seconds) && seconds >= 0) return TimeSpan.FromSeconds(seconds);
        TimeSpan sum = TimeSpan.Zero;
        ReadOnlySpan<char> rest = text;
        while (rest.Length > 0)
        {
            int digits = rest.IndexOfAnyExcept(Number);
            if (digits <= 0 || !double.TryParse(rest[..digits], CultureInfo.InvariantCulture, out double amount)) throw NotOne(text);
            rest = rest[digits..];
            int unit = rest.IndexOfAny(Number);
            sum += Unit(unit < 0 ? rest : rest[..unit], amount) ?? throw NotOne(text);
            rest = unit < 0 ? [] : rest[unit..];
        }
        return sum > TimeSpan.Zero ? sum : throw NotOne(text);
    }

    /// <summary>An age in kubectl's notation: two units where the first is small.</summary>
    public static string Age(TimeSpan age) => age switch
    {
        { TotalSeconds: < 0 } => "0s",
        { TotalMinutes: < 2 } => $"{(int)age.TotalSeconds}s",
        { TotalMinutes: < 10 } => $"{age.Minutes}m{(age.Seconds > 0 ? age.Seconds + "s" : "")}",
        { TotalHours: < 3 } => $"{(int)age.TotalMinutes}m",
        { TotalHours: < 8 } => $"{age.Hours}h{(age.Minutes > 0 ? age.Minutes + "m" : "")}",
        { TotalHours: < 48 } => $"{(int)age.TotalHours}h",
        { TotalDays: < 8 } => $"{age.Days}d{(age.Hours > 0 ? age.Hours + "h" : "")}",
        _ => $"{(int)age.TotalDays}d",
    };

    private static TimeSpan? Unit(ReadOnlySpan<char> unit, double amount) => unit switch
    {
        "ms" => TimeSpan.FromMilliseconds(amount),
        "s" => TimeSpan.FromSeconds(amount),
        "m" => TimeSpan.FromMinutes(amount),
        "h" => TimeSpan.FromHours(amount),
        _ => null,
    };

    private static CommandException NotOne(string text) =>
        new($"\"{text}\" is not a duration", "Write 30s, 1m30s or 250ms.", CommandException.Misuse);
}
