using System.Globalization;
using System.Text;

namespace Lateen.Proxy.Cel;

/// <summary>What a token is.</summary>
internal enum CelTokenKind : byte
{
    End,
    Name,
    Constant,
    Symbol,
}

/// <summary>A word, a constant or an operator.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">A name or symbol.</param>
/// <param name="Constant">A constant's value.</param>
/// <param name="At">Its place in the text, from 1.</param>
internal readonly record struct CelToken(CelTokenKind Kind, string Text, CelConstant? Constant, int At);

/// <summary>Cuts a text into tokens.</summary>
internal sealed class CelLexer(string text)
{
    private static readonly string[] Long = ["&&", "||", "==", "!=", "<=", ">="];

    private int _at;

    /// <summary>The next token.</summary>
    public CelToken Next()
    {
        SkipBlank();
        int start = _at;
        if (_at == text.Length)
            return new CelToken(CelTokenKind.End, "", null, start + 1);
        char c = text[_at];
        if (StringPrefix() is { } quote)
            return new CelToken(CelTokenKind.Constant, "", String(quote.Raw, quote.Bytes), start + 1);
        if (char.IsAsciiLetter(c) || c == '_')
        {
            while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_'))
                _at++;
            return new CelToken(CelTokenKind.Name, text[start.._at], null, start + 1);
        }
        if (char.IsAsciiDigit(c) || (c == '.' && _at + 1 < text.Length && char.IsAsciiDigit(text[_at + 1])))
            return new CelToken(CelTokenKind.Constant, "", Number(), start + 1);
        foreach (string symbol in Long)
        {
            if (string.CompareOrdinal(text, _at, symbol, 0, 2) == 0)
            {
                _at += 2;
                return new CelToken(CelTokenKind.Symbol, symbol, null, start + 1);
            }
        }
        if (!"()[]{}.,:?!-+*/%<>".Contains(c, StringComparison.Ordinal))
            throw new CelException($"unexpected '{c}' at {start + 1}");
        _at++;
        return new CelToken(CelTokenKind.Symbol, c.ToString(), null, start + 1);
    }

    private void SkipBlank()
    {
        while (_at < text.Length)
        {
            if (char.IsWhiteSpace(text[_at]))
                _at++;
            else if (text[_at] == '/' && _at + 1 < text.Length && text[_at + 1] == '/')
                _at = text.IndexOf('\n', _at) is var end and >= 0 ? end : text.Length;
            else
                return;
        }
    }

    private CelConstant Number()
    {
        int start = _at;
        bool hex = text[_at] == '0' && _at + 1 < text.Length && text[_at + 1] is 'x' or 'X', real = false;
        if (hex)
            _at += 2;
        for (; _at < text.Length; _at++)
        {
            char c = text[_at];
            bool exponent = !hex && c is 'e' or 'E', sign = c is '+' or '-' && !hex && text[_at - 1] is 'e' or 'E';
            bool dot = c == '.' && !hex && _at + 1 < text.Length && char.IsAsciiDigit(text[_at + 1]);
            if (!(hex ? char.IsAsciiHexDigit(c) : char.IsAsciiDigit(c) || exponent || sign || dot))
                break;
            real |= exponent || dot;
        }
        ReadOnlySpan<char> digits = hex ? text.AsSpan(start + 2, _at - start - 2) : text.AsSpan(start, _at - start);
        if (real)
        {
            return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double d)
                ? new CelConstant(CelKind.Double, BitConverter.DoubleToInt64Bits(d), [])
                : throw new CelException($"no number at {start + 1}");
        }
        bool unsigned = _at < text.Length && text[_at] is 'u' or 'U';
        if (!ulong.TryParse(digits, hex ? NumberStyles.HexNumber : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
            throw new CelException($"no number at {start + 1}");
        if (unsigned)
        {
            _at++;
            return new CelConstant(CelKind.Uint, (long)value, []);
        }
        // The least number's digits are one more than the greatest's; its sign is put on by the parser.
        if (value > (ulong)long.MaxValue + 1)
            throw new CelException($"the number at {start + 1} is too large");
        return new CelConstant(CelKind.Int, (long)value, []);
    }

    private (bool Raw, bool Bytes)? StringPrefix()
    {
        int i = _at;
        bool raw = false, bytes = false;
        for (; i < text.Length && i < _at + 2 && text[i] is 'r' or 'R' or 'b' or 'B'; i++)
        {
            raw |= text[i] is 'r' or 'R';
            bytes |= text[i] is 'b' or 'B';
        }
        if (i >= text.Length || text[i] is not ('\'' or '"'))
            return null;
        _at = i;
        return (raw, bytes);
    }

    private CelConstant String(bool raw, bool bytes)
    {
        int start = _at;
        char quote = text[_at];
        string end = string.CompareOrdinal(text, _at, new string(quote, 3), 0, 3) == 0 ? new string(quote, 3) : quote.ToString();
        _at += end.Length;
        var value = new List<byte>();
        Span<byte> utf8 = stackalloc byte[4];
        while (string.CompareOrdinal(text, _at, end, 0, end.Length) != 0)
        {
            if (_at >= text.Length || (end.Length == 1 && text[_at] is '\n' or '\r'))
                throw new CelException($"the text at {start + 1} does not end");
            if (text[_at] == '\\' && !raw)
            {
                Escape(value, bytes, start);
                continue;
            }
            if (Rune.DecodeFromUtf16(text.AsSpan(_at), out Rune rune, out int used) != System.Buffers.OperationStatus.Done)
                throw new CelException($"the text at {start + 1} is no Unicode");
            value.AddRange(utf8[..rune.EncodeToUtf8(utf8)]);
            _at += used;
        }
        _at += end.Length;
        return new CelConstant(bytes ? CelKind.Bytes : CelKind.String, 0, [.. value]);
    }

    private void Escape(List<byte> value, bool bytes, int start)
    {
        char c = _at + 1 < text.Length ? text[_at + 1] : '\0';
        _at += 2;
        int plain = "abfnrtv\\?\"'`".IndexOf(c, StringComparison.Ordinal);
        if (plain >= 0)
        {
            value.Add((byte)"\a\b\f\n\r\t\v\\?\"'`"[plain]);
            return;
        }
        (int digits, int radix) = c switch
        {
            'x' or 'X' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            >= '0' and <= '3' => (3, 8),
            _ => (0, 0),
        };
        int from = radix == 8 ? _at - 1 : _at;
        if (digits == 0 || from + digits > text.Length)
            throw new CelException($"an unknown escape in the text at {start + 1}");
        int code = 0;
        foreach (char d in text.AsSpan(from, digits))
        {
            int digit = char.IsAsciiHexDigit(d) ? Convert.ToInt32(d.ToString(), 16) : 16;
            if (digit >= radix)
                throw new CelException($"an unknown escape in the text at {start + 1}");
            code = (code * radix) + digit;
        }
        _at = from + digits;
        if (bytes && digits < 4)
        {
            value.Add((byte)code);
            return;
        }
        if (!Rune.IsValid(code))
            throw new CelException($"an escape in the text at {start + 1} is no Unicode");
        Span<byte> utf8 = stackalloc byte[4];
        value.AddRange(utf8[..new Rune(code).EncodeToUtf8(utf8)]);
    }
}
