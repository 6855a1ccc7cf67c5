using System.Globalization;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Api.Documents;

/// <summary>Durations as texts: seconds as proto-JSON writes them (<c>1.5s</c>) and Go's form, which Istio accepts (<c>1h30m</c>,
/// <c>250ms</c>).</summary>
public static class Durations
{
    private const long SecondsMax = 315_576_000_000;
    private const decimal NanosInSecond = 1_000_000_000m;

    private static readonly (string Unit, decimal Nanos)[] Units =
    [
        ("ns", 1m), ("us", 1_000m), ("µs", 1_000m), ("μs", 1_000m), ("ms", 1_000_000m), ("s", NanosInSecond), ("m", 60 * NanosInSecond),
        ("h", 3600 * NanosInSecond),
    ];

    /// <summary>Reads a duration; false when the text is none or is beyond ±10,000 years.</summary>
    public static bool TryParse(string text, out Duration duration)
    {
        duration = new Duration();
        var rest = text.AsSpan();
        var negative = rest.StartsWith("-");
        if (negative || rest.StartsWith("+")) rest = rest[1..];
        if (rest.SequenceEqual("0")) return true;
        if (rest.Length is 0 or > 64) return false;
        var nanos = 0m;
        while (rest.Length > 0)
        {
            if (!TakeTerm(ref rest, out var term)) return false;
            nanos += term;
        }

        if (nanos > SecondsMax * NanosInSecond) return false;
        nanos = decimal.Truncate(negative ? -nanos : nanos);
        var seconds = decimal.Truncate(nanos / NanosInSecond);
        duration = new Duration { Seconds = (long)seconds, Nanos = (int)(nanos - (seconds * NanosInSecond)) };
        return true;
    }

    /// <summary>Proto-JSON's form: seconds with 0, 3, 6 or 9 decimals, as few as keep the value.</summary>
    public static string Format(Duration duration)
    {
        var sign = duration.Seconds < 0 || duration.Nanos < 0 ? "-" : "";
        var seconds = Math.Abs((decimal)duration.Seconds).ToString(CultureInfo.InvariantCulture);
        var nanos = Math.Abs((long)duration.Nanos);
        return nanos switch
        {
            0 => $"{sign}{seconds}s",
            _ when nanos % 1_000_000 == 0 => $"{sign}{seconds}.{nanos / 1_000_000:D3}s",
            _ when nanos % 1_000 == 0 => $"{sign}{seconds}.{nanos / 1_000:D6}s",
            _ => $"{sign}{seconds}.{nanos:D9}s",
        };
    }

    private static bool TakeTerm(ref ReadOnlySpan<char> rest, out decimal nanos)
    {
        nanos = 0;
        var digits = 0;
        while (digits < rest.Length && (char.IsAsciiDigit(rest[digits]) || rest[digits] == '.')) digits++;
        if (!decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var count)
            || count > SecondsMax * NanosInSecond) return false;
        rest = rest[digits..];
        var unitLength = 0;
        while (unitLength < rest.Length && !char.IsAsciiDigit(rest[unitLength]) && rest[unitLength] != '.') unitLength++;
        foreach (var (unit, size) in Units)
        {
            if (rest[..unitLength].SequenceEqual(unit))
            {
                rest = rest[unitLength..];
                nanos = Math.Min(count, decimal.MaxValue / size / 16) * size;
                return true;
            }
        }

        return false;
    }
}
