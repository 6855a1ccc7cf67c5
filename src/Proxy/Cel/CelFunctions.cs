using System.Buffers.Text;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Lateen.Proxy.Cel;

/// <summary>Arithmetic; an overflow is an error.</summary>
internal sealed class ArithmeticNode(CelNode left, CelNode right, char op) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue a = left.Eval(ref run), b = right.Eval(ref run);
        if (a.Kind is CelKind.Duration or CelKind.Timestamp || b.Kind is CelKind.Duration or CelKind.Timestamp)
            return OfTimes(a, b);
        if (a.Kind != b.Kind)
            return CelValue.Error;
        return a.Kind switch
        {
            CelKind.Int => OfInts(a.Number, b.Number),
            CelKind.Uint => OfUints((ulong)a.Number, (ulong)b.Number),
            CelKind.Double => OfDoubles(a.Double, b.Double),
            _ => CelValue.Error,
        };
    }

    private CelValue OfInts(long a, long b)
    {
        Int128 result;
        switch (op)
        {
            case '+':
                result = (Int128)a + b;
                break;
            case '-':
                result = (Int128)a - b;
                break;
            case '*':
                result = (Int128)a * b;
                break;
            default:
                if (b == 0 || (a == long.MinValue && b == -1))
                    return CelValue.Error;
                result = op == '/' ? a / b : a % b;
                break;
        }
        return result >= long.MinValue && result <= long.MaxValue ? CelValue.Int((long)result) : CelValue.Error;
    }

    private CelValue OfUints(ulong a, ulong b)
    {
        if (op is '/' or '%')
            return b == 0 ? CelValue.Error : CelValue.Uint(op == '/' ? a / b : a % b);
        Int128 result = op switch
        {
            '+' => (Int128)a + b,
            '-' => (Int128)a - b,
            _ => (Int128)((UInt128)a * b > ulong.MaxValue ? -1 : (Int128)a * b),
        };
        return result >= 0 && result <= ulong.MaxValue ? CelValue.Uint((ulong)result) : CelValue.Error;
    }

    private CelValue OfDoubles(double a, double b) => op switch
    {
        '+' => CelValue.Of(a + b),
        '-' => CelValue.Of(a - b),
        '*' => CelValue.Of(a * b),
        '/' => CelValue.Of(a / b),
        _ => CelValue.Error,
    };

    private CelValue OfTimes(scoped in CelValue a, scoped in CelValue b)
    {
        Int128 result = op == '+' ? (Int128)a.Number + b.Number : (Int128)a.Number - b.Number;
        if (op is not ('+' or '-') || result < long.MinValue || result > long.MaxValue)
            return CelValue.Error;
        return (a.Kind, b.Kind, op) switch
        {
            (CelKind.Duration, CelKind.Duration, _) => CelValue.Duration((long)result),
            (CelKind.Timestamp, CelKind.Duration, _) or (CelKind.Duration, CelKind.Timestamp, '+') => CelValue.Timestamp((long)result),
            (CelKind.Timestamp, CelKind.Timestamp, '-') => CelValue.Duration((long)result),
            _ => CelValue.Error,
        };
    }
}

/// <summary>The opposite number.</summary>
internal sealed class NegateNode(CelNode operand) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = operand.Eval(ref run);
        return value.Kind switch
        {
            CelKind.Int => value.Number == long.MinValue ? CelValue.Error : CelValue.Int(-value.Number),
            CelKind.Double => CelValue.Of(-value.Double),
            _ => CelValue.Error,
        };
    }
}

/// <summary>Tests of two texts: contains, startsWith, endsWith.</summary>
internal sealed class TextTestNode(CelNode text, CelNode part, string function) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue a = text.Eval(ref run), b = part.Eval(ref run);
        if (a.Kind != CelKind.String || b.Kind != CelKind.String)
            return CelValue.Error;
        return CelValue.Of(function switch
        {
            "contains" => a.Text.IndexOf(b.Text) >= 0,
            "startsWith" => a.Text.StartsWith(b.Text),
            _ => a.Text.EndsWith(b.Text),
        });
    }
}

/// <summary>A regular expression in a text, or what it captures there. Linear in the text.</summary>
internal sealed class RegexNode(CelNode text, Regex regex, string? rewrite) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = text.Eval(ref run);
        if (value.Kind != CelKind.String)
            return CelValue.Error;
        if (rewrite is not null)
            return Extract(System.Text.Encoding.UTF8.GetString(value.Text), ref run);
        if (value.Text.Length > 2048)
            return CelValue.Of(regex.IsMatch(System.Text.Encoding.UTF8.GetString(value.Text)));
        Span<char> chars = stackalloc char[value.Text.Length];
        int n = System.Text.Encoding.UTF8.GetChars(value.Text, chars);
        return CelValue.Of(regex.IsMatch(chars[..n]));
    }

    private CelValue Extract(string whole, scoped ref CelRun run)
    {
        Match match = regex.Match(whole);
        if (!match.Success)
            return CelValue.Error;
        var made = new System.Text.StringBuilder();
        for (int i = 0; i < rewrite!.Length; i++)
        {
            if (rewrite[i] == '\\' && i + 1 < rewrite.Length && char.IsAsciiDigit(rewrite[i + 1]))
                made.Append(match.Groups[rewrite[++i] - '0'].Value);
            else
                made.Append(rewrite[i]);
        }
        return CelValue.String(run.Utf8(made.ToString()));
    }
}

/// <summary>The size of a text (in characters), byte string, list or map.</summary>
internal sealed class SizeNode(CelNode operand) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = operand.Eval(ref run);
        switch (value.Kind)
        {
            case CelKind.String:
                return CelValue.Int(System.Text.Encoding.UTF8.GetCharCount(value.Text) is var chars && System.Text.Ascii.IsValid(value.Text)
                    ? chars : Runes(value.Text));
            case CelKind.Bytes:
                return CelValue.Int(value.Text.Length);
            case CelKind.List or CelKind.Map:
                long size = CelCollections.Size(value);
                return size < 0 ? CelValue.Error : CelValue.Int(size);
            default:
                return CelValue.Error;
        }
    }

    private static long Runes(ReadOnlySpan<byte> text)
    {
        long count = 0;
        foreach (byte b in text)
            count += (b & 0xc0) != 0x80 ? 1 : 0;
        return count;
    }
}

/// <summary>Conversions: int, uint, double, string, bytes, bool, duration, timestamp.</summary>
internal sealed class ConvertNode(CelNode operand, string to) : CelNode
{
    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = operand.Eval(ref run);
        return to switch
        {
            "int" => ToInt(value),
            "uint" => ToUint(value),
            "double" => ToDouble(value),
            "string" => ToText(value, ref run),
            "bytes" => value.Kind is CelKind.String or CelKind.Bytes ? CelValue.Bytes(value.Text) : CelValue.Error,
            "bool" => value.Kind == CelKind.Bool ? value : value.Kind != CelKind.String ? CelValue.Error : Truth(value.Text),
            "duration" => value.Kind == CelKind.Duration ? value
                : value.Kind == CelKind.String && CelTimes.TryDuration(value.Text, out long d) ? CelValue.Duration(d) : CelValue.Error,
            _ => value.Kind == CelKind.Timestamp ? value : value.Kind == CelKind.String && CelTimes.TryTimestamp(value.Text, out long t)
                ? CelValue.Timestamp(t) : CelValue.Error,
        };
    }

    private static CelValue Truth(ReadOnlySpan<byte> text) =>
        text.SequenceEqual("true"u8) ? CelValue.Of(true) : text.SequenceEqual("false"u8) ? CelValue.Of(false) : CelValue.Error;

    private static CelValue ToInt(scoped in CelValue value) => value.Kind switch
    {
        CelKind.Int => value,
        CelKind.Uint => value.Number >= 0 ? CelValue.Int(value.Number) : CelValue.Error,
        CelKind.Double => value.Double is > -9.2233720368547758e18 and < 9.2233720368547758e18
            ? CelValue.Int((long)value.Double) : CelValue.Error,
        CelKind.String => Utf8Parser.TryParse(value.Text, out long n, out int used) && used == value.Text.Length
            ? CelValue.Int(n) : CelValue.Error,
        CelKind.Timestamp => CelValue.Int(value.Number / 1_000_000_000),
        _ => CelValue.Error,
    };

    private static CelValue ToUint(scoped in CelValue value) => value.Kind switch
    {
        CelKind.Uint => value,
        CelKind.Int => value.Number >= 0 ? CelValue.Uint((ulong)value.Number) : CelValue.Error,
        CelKind.Double => value.Double is >= 0 and < 1.8446744073709552e19 ? CelValue.Uint((ulong)value.Double) : CelValue.Error,
        CelKind.String => Utf8Parser.TryParse(value.Text, out ulong n, out int used) && used == value.Text.Length
            ? CelValue.Uint(n) : CelValue.Error,
        _ => CelValue.Error,
    };

    private static CelValue ToDouble(scoped in CelValue value) => value.Kind switch
    {
        CelKind.Double => value,
        CelKind.Int => CelValue.Of((double)value.Number),
        CelKind.Uint => CelValue.Of((double)(ulong)value.Number),
        CelKind.String => Utf8Parser.TryParse(value.Text, out double n, out int used) && used == value.Text.Length
            ? CelValue.Of(n) : CelValue.Error,
        _ => CelValue.Error,
    };

    private static CelValue ToText(scoped in CelValue value, scoped ref CelRun run)
    {
        switch (value.Kind)
        {
            case CelKind.String or CelKind.Bytes:
                return CelValue.String(value.Text);
            case CelKind.Bool:
                return CelValue.String(value.IsTrue ? "true"u8 : "false"u8);
            case CelKind.Int or CelKind.Uint:
                Span<byte> digits = run.Room(20);
                int n;
                _ = value.Kind == CelKind.Int
                    ? Utf8Formatter.TryFormat(value.Number, digits, out n) : Utf8Formatter.TryFormat((ulong)value.Number, digits, out n);
                return CelValue.String(digits[..n]);
            case CelKind.Double:
                return CelValue.String(run.Utf8(value.Double.ToString("R", CultureInfo.InvariantCulture)));
            case CelKind.Duration or CelKind.Timestamp:
                var text = new Formats.ByteBuffer(40);
                CelPrinter.Print(value, text);
                return CelValue.String(text.Written);
            default:
                return CelValue.Error;
        }
    }
}

/// <summary>A part of a point in time, or of a duration.</summary>
internal sealed class TimePartNode(CelNode operand, string function) : CelNode
{
    /// <summary>The functions.</summary>
    public static readonly string[] Functions =
        ["getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes", "getSeconds",
            "getMilliseconds"];

    public override CelValue Eval(scoped ref CelRun run)
    {
        CelValue value = operand.Eval(ref run);
        if (value.Kind == CelKind.Duration)
        {
            return function switch
            {
                "getHours" => CelValue.Int(value.Number / 3_600_000_000_000),
                "getMinutes" => CelValue.Int(value.Number / 60_000_000_000),
                "getSeconds" => CelValue.Int(value.Number / 1_000_000_000),
                "getMilliseconds" => CelValue.Int(value.Number / 1_000_000 % 1000),
                _ => CelValue.Error,
            };
        }
        if (value.Kind != CelKind.Timestamp)
            return CelValue.Error;
        DateTime time = DateTime.UnixEpoch.AddTicks(value.Number / 100);
        return CelValue.Int(function switch
        {
            "getFullYear" => time.Year,
            "getMonth" => time.Month - 1,
            "getDayOfYear" => time.DayOfYear - 1,
            "getDayOfMonth" => time.Day - 1,
            "getDate" => time.Day,
            "getDayOfWeek" => (int)time.DayOfWeek,
            "getHours" => time.Hour,
            "getMinutes" => time.Minute,
            "getSeconds" => time.Second,
            _ => time.Millisecond,
        });
    }
}
