using System.Buffers.Text;
using System.Globalization;

namespace Lateen.Proxy.Cel;

/// <summary>Durations (1h30m, 1.5s, -2ms) and points in time (RFC 3339) as texts.</summary>
internal static class CelTimes
{
    private static readonly System.Buffers.SearchValues<byte> Decimal = System.Buffers.SearchValues.Create("0123456789."u8);

    /// <summary>Nanoseconds of a duration.</summary>
    public static bool TryDuration(ReadOnlySpan<byte> text, out long nanos)
    {
        nanos = 0;
        bool negative = text.StartsWith("-"u8);
        if (negative || text.StartsWith("+"u8))
            text = text[1..];
        if (text.IsEmpty)
            return false;
        decimal sum = 0;
        while (!text.IsEmpty && !text.SequenceEqual("0"u8))
        {
            int length = text.IndexOfAnyExcept(Decimal);
            if (length <= 0 || !Utf8Parser.TryParse(text[..length], out decimal number, out int used) || used != length)
                return false;
            text = text[length..];
            (decimal unit, int width) = UnitOf(text);
            if (width == 0 || number > 1_000_000_000_000m)
                return false;
            sum += number * unit;
            text = text[width..];
        }
        if (sum > long.MaxValue)
            return false;
        nanos = negative ? -(long)sum : (long)sum;
        return true;
    }

    private static (decimal Nanos, int Width) UnitOf(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("ms"u8))
            return (1_000_000m, 2);
        if (text.StartsWith("us"u8))
            return (1_000m, 2);
        if (text.StartsWith("ns"u8))
            return (1m, 2);
        return text.IsEmpty ? default
            : text[0] switch
            {
                (byte)'s' => (1_000_000_000m, 1),
                (byte)'m' => (60_000_000_000m, 1),
                (byte)'h' => (3_600_000_000_000m, 1),
                _ => default,
            };
    }

    /// <summary>Nanoseconds since 1970 of a point in time.</summary>
    public static bool TryTimestamp(ReadOnlySpan<byte> text, out long nanos)
    {
        nanos = 0;
        string written = System.Text.Encoding.UTF8.GetString(text);
        if (!DateTimeOffset.TryParseExact(written, ["yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"],
            CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTimeOffset time))
            return false;
        long ticks = time.UtcTicks - DateTime.UnixEpoch.Ticks;
        if (Math.Abs(ticks) > long.MaxValue / 100)
            return false;
        nanos = ticks * 100;
        return true;
    }
}
