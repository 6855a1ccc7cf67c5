using System.Globalization;

namespace Lateen.Proxy.Formats;

/// <summary>
/// A strftime pattern with Envoy's additions: %s seconds, %f and %1f-%9f fractions, %3s %6s %9s milli-, micro- and nanoseconds since 1970,
/// %E3S and the like.
/// Without a pattern: 2026-01-02T03:04:05.678Z.
/// </summary>
public sealed class TimeFormat
{
    private readonly string? _pattern;

    private TimeFormat(string? pattern) => _pattern = pattern;

    /// <summary>From a pattern; null or empty for the default form.</summary>
    /// <exception cref="FormatException">A newline in the pattern would break logs.</exception>
    public static TimeFormat Parse(string? pattern)
    {
        if (pattern is not null && pattern.Contains('\n', StringComparison.Ordinal))
            throw new FormatException("a time format may not contain a newline");
        return new TimeFormat(string.IsNullOrEmpty(pattern) ? null : pattern);
    }

    /// <summary>Writes a time of microseconds since 1970.</summary>
    public void Write(ByteBuffer to, long micros, bool local)
    {
        DateTime time = DateTime.UnixEpoch.AddTicks(micros * 10);
        if (local)
            time = time.ToLocalTime();
        if (_pattern is null)
            WriteDefault(to, time, local);
        else
            WritePattern(to, time, micros);
    }

    private static void WriteDefault(ByteBuffer to, DateTime time, bool local)
    {
        to.AppendPadded(time.Year, 4);
        to.Append((byte)'-');
        to.AppendPadded(time.Month, 2);
        to.Append((byte)'-');
        to.AppendPadded(time.Day, 2);
        to.Append((byte)'T');
        to.AppendPadded(time.Hour, 2);
        to.Append((byte)':');
        to.AppendPadded(time.Minute, 2);
        to.Append((byte)':');
        to.AppendPadded(time.Second, 2);
        to.Append((byte)'.');
        to.AppendPadded(time.Millisecond, 3);
        to.Append(local ? time.ToString("zzz", CultureInfo.InvariantCulture) : "Z");
    }

    private void WritePattern(ByteBuffer to, DateTime time, long micros)
    {
        string p = _pattern!;
        for (int i = 0; i < p.Length; i++)
        {
            if (p[i] != '%' || i + 1 == p.Length)
            {
                to.Append(p[i].ToString());
                continue;
            }
            int digits = -1;
            char c = p[++i];
            if (c == 'E' && i + 2 < p.Length && char.IsAsciiDigit(p[i + 1]) && p[i + 2] == 'S')
            {
                to.AppendPadded(time.Second, 2);
                to.Append((byte)'.');
                Fraction(to, micros, p[i + 1] - '0');
                i += 2;
                continue;
            }
            if (char.IsAsciiDigit(c) && i + 1 < p.Length && p[i + 1] is 'f' or 's')
            {
                digits = c - '0';
                c = p[++i];
            }
            One(to, c, digits, time, micros);
        }
    }

    private static void Fraction(ByteBuffer to, long micros, int digits)
    {
        long nanos = micros % 1_000_000 * 1000;
        Span<char> text = stackalloc char[9];
        nanos.TryFormat(text, out _, "D9", CultureInfo.InvariantCulture);
        for (int i = 0; i < Math.Clamp(digits, 1, 9); i++)
            to.Append((byte)text[i]);
    }

    private static void One(ByteBuffer to, char c, int digits, DateTime time, long micros)
    {
        CultureInfo c0 = CultureInfo.InvariantCulture;
        switch (c)
        {
            case 'Y': to.AppendPadded(time.Year, 4); break;
            case 'y': to.AppendPadded(time.Year % 100, 2); break;
            case 'm': to.AppendPadded(time.Month, 2); break;
            case 'd': to.AppendPadded(time.Day, 2); break;
            case 'e': to.Append(time.Day.ToString(c0).PadLeft(2)); break;
            case 'H': to.AppendPadded(time.Hour, 2); break;
            case 'I': to.AppendPadded(time.Hour % 12 == 0 ? 12 : time.Hour % 12, 2); break;
            case 'M': to.AppendPadded(time.Minute, 2); break;
            case 'S': to.AppendPadded(time.Second, 2); break;
            case 'j': to.AppendPadded(time.DayOfYear, 3); break;
            case 'p': to.Append(time.Hour < 12 ? "AM" : "PM"); break;
            case 'a': to.Append(time.ToString("ddd", c0)); break;
            case 'A': to.Append(time.ToString("dddd", c0)); break;
            case 'b' or 'h': to.Append(time.ToString("MMM", c0)); break;
            case 'B': to.Append(time.ToString("MMMM", c0)); break;
            case 'F': to.Append(time.ToString("yyyy-MM-dd", c0)); break;
            case 'T': to.Append(time.ToString("HH:mm:ss", c0)); break;
            case 'D': to.Append(time.ToString("MM/dd/yy", c0)); break;
            case 'R': to.Append(time.ToString("HH:mm", c0)); break;
            case 'c': to.Append(time.ToString("ddd MMM d HH:mm:ss yyyy", c0)); break;
            case 'z': to.Append(time.Kind == DateTimeKind.Local
                ? time.ToString("zzz", c0).Replace(":", "", StringComparison.Ordinal) : "+0000"); break;
            case 'Z': to.Append("UTC"); break;
            case 'n': to.Append((byte)'\n'); break;
            case 't': to.Append((byte)'\t'); break;
            case 'f': Fraction(to, micros, digits < 0 ? 9 : digits); break;
            case 's': to.Append(digits switch { 3 => micros / 1000, 6 => micros, 9 => micros * 1000, _ => micros / 1_000_000 }); break;
            case '%': to.Append((byte)'%'); break;
            default: to.Append($"%{c}"); break;
        }
    }
}
