using System.Globalization;
using System.Text;

namespace Lateen.Injector.Templates;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    Text,
    Open,
    Close,
    Word,
    Field,
    Variable,
    Dot,
    Quoted,
    Number,
    Pipe,
    LeftParen,
    RightParen,
    Declare,
    Assign,
    Comma,
    Space,
    End,
}

/// <summary>One token.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, object? Value = null);

/// <summary>Cuts a template into tokens: text, and what stands between double braces.</summary>
internal sealed class TemplateLexer(string name, string text)
{
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;

    public IReadOnlyList<Token> Run()
    {
        while (_at < text.Length)
        {
            var open = text.IndexOf("{{", _at, StringComparison.Ordinal);
            if (open < 0) open = text.Length;
            var raw = text[_at..open];
            var trims = open + 3 < text.Length && text[open + 2] == '-' && char.IsWhiteSpace(text[open + 3]);
            if (trims) raw = raw.TrimEnd();
            if (raw.Length > 0) _tokens.Add(new Token(TokenKind.Text, raw, _line));
            Advance(open);
            if (open == text.Length) break;
            Advance(open + (trims ? 3 : 2));
            Action();
        }
        _tokens.Add(new Token(TokenKind.End, "", _line));
        return _tokens;
    }

    private void Action()
    {
        var start = _at;
        while (start < text.Length && char.IsWhiteSpace(text[start])) start++;
        if (text.AsSpan(start).StartsWith("/*"))
        {
            var end = text.IndexOf("*/", start + 2, StringComparison.Ordinal);
            if (end < 0) throw Mistake("a comment is not closed");
            Advance(end + 2);
            if (!TryClose()) throw Mistake("a comment ends before the closing braces");
            return;
        }
        _tokens.Add(new Token(TokenKind.Open, "{{", _line));
        while (!TryClose())
        {
            if (_at >= text.Length) throw Mistake("an action is not closed");
            Next();
        }
        _tokens.Add(new Token(TokenKind.Close, "}}", _line));
    }

    // A minus before the closing braces takes the blanks behind them away.
    private bool TryClose()
    {
        var at = _at;
        while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
        if (at > _at && text.AsSpan(at).StartsWith("-}}"))
        {
            at += 3;
            while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
            Advance(at);
            return true;
        }
        if (!text.AsSpan(at).StartsWith("}}")) return false;
        Advance(at + 2);
        return true;
    }

    private void Next()
    {
        var c = text[_at];
        if (char.IsWhiteSpace(c))
        {
            var end = _at;
            while (end < text.Length && char.IsWhiteSpace(text[end])) end++;
            Add(TokenKind.Space, end);
        }
        else if (c == '"') Quoted();
        else if (c == '`') Raw();
        else if (c == '\'') Character();
        else if (char.IsAsciiDigit(c) || (c is '+' or '-' && _at + 1 < text.Length && char.IsAsciiDigit(text[_at + 1]))) Number();
        else if (c == '.') Word(_at + 1, TokenKind.Field);
        else if (c == '$') Word(_at + 1, TokenKind.Variable);
        else if (IsLetter(c)) Word(_at, TokenKind.Word);
        else Sign(c);
    }

    private void Word(int from, TokenKind kind)
    {
        var end = from;
        while (end < text.Length && IsLetter(text[end])) end++;
        Add(kind == TokenKind.Field && end == from ? TokenKind.Dot : kind, end);
    }

    private void Sign(char c)
    {
        var kind = c switch
        {
            '|' => TokenKind.Pipe,
            '(' => TokenKind.LeftParen,
            ')' => TokenKind.RightParen,
            ',' => TokenKind.Comma,
            '=' => TokenKind.Assign,
            ':' when _at + 1 < text.Length && text[_at + 1] == '=' => TokenKind.Declare,
            _ => throw Mistake($"unexpected \"{c}\" in an action"),
        };
        Add(kind, _at + (kind == TokenKind.Declare ? 2 : 1));
    }

    private void Quoted()
    {
        var (value, at) = (new StringBuilder(), _at + 1);
        while (true)
        {
            if (at >= text.Length || text[at] == '\n') throw Mistake("a text is not closed");
            if (text[at] == '"') break;
            if (text[at] == '\\') at = Escaped(value, at);
            else value.Append(text[at++]);
        }
        Add(TokenKind.Quoted, at + 1, value.ToString());
    }

    private int Escaped(StringBuilder value, int at)
    {
        if (at + 1 >= text.Length) throw Mistake("a text is not closed");
        var c = text[at + 1];
        if (c is 'x' or 'u')
        {
            var digits = c == 'x' ? 2 : 4;
            if (at + 2 + digits > text.Length
                || !int.TryParse(text.AsSpan(at + 2, digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var code))
                throw Mistake("a malformed escape");
            value.Append((char)code);
            return at + 2 + digits;
        }
        value.Append(c switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'a' => '\a', 'b' => '\b', 'f' => '\f', 'v' => '\v', _ => c });
        return at + 2;
    }

    private void Raw()
    {
        var end = text.IndexOf('`', _at + 1);
        if (end < 0) throw Mistake("a raw text is not closed");
        Add(TokenKind.Quoted, end + 1, text[(_at + 1)..end]);
    }

    private void Character()
    {
        var value = new StringBuilder();
        var end = _at + 1 < text.Length && text[_at + 1] == '\\' ? Escaped(value, _at + 1) : _at + 2;
        if (end >= text.Length || text[end] != '\'') throw Mistake("a character is not closed");
        Add(TokenKind.Number, end + 1, (long)(value.Length > 0 ? value[0] : text[_at + 1]));
    }

    private void Number()
    {
        var end = _at + 1;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '.' or '_')) end++;
        var written = text[_at..end].Replace("_", "", StringComparison.Ordinal);
        object value;
        if (written.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && long.TryParse(written.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var hex)) value = hex;
        else if (long.TryParse(written, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole)) value = whole;
        else if (double.TryParse(written, NumberStyles.Float, CultureInfo.InvariantCulture, out var real)) value = real;
        else throw Mistake($"\"{written}\" is no number");
        Add(TokenKind.Number, end, value);
    }

    private void Add(TokenKind kind, int end, object? value = null)
    {
        _tokens.Add(new Token(kind, text[_at..end], _line, value));
        Advance(end);
    }

    private void Advance(int to)
    {
        for (; _at < to; _at++)
        {
            if (text[_at] == '\n') _line++;
        }
    }

    private static bool IsLetter(char c) => char.IsLetterOrDigit(c) || c == '_';

    private TemplateException Mistake(string what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"template {name}, line {_line}: {what}"));
}
