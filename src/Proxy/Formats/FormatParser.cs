using System.Globalization;

namespace Lateen.Proxy.Formats;

/// <summary>An operator as it was written: its name, its argument in brackets, its length limit.</summary>
/// <param name="Name">For example REQ.</param>
/// <param name="Argument">What stands in brackets; null without brackets.</param>
/// <param name="LengthMax">What stands behind the colon; -1 for no limit.</param>
public readonly record struct OperatorText(string Name, string? Argument, int LengthMax);

/// <summary>Splits a format into literals and operators: <c>%NAME%</c>, <c>%NAME(argument)%</c>, <c>%NAME(argument):length%</c>; <c>%%</c>
/// is a percent sign.</summary>
internal static class FormatParser
{
    public static IReadOnlyList<FormatPart> Parse(string text)
    {
        var parts = new List<FormatPart>();
        var literal = new System.Text.StringBuilder();
        int at = 0;
        while (at < text.Length)
        {
            if (text[at] != '%')
            {
                literal.Append(text[at++]);
                continue;
            }
            if (at + 1 < text.Length && text[at + 1] == '%')
            {
                literal.Append('%');
                at += 2;
                continue;
            }
            Flush(literal, parts);
            int start = at;
            OperatorText op = ReadOperator(text, ref at);
            parts.Add(Operators.Make(op) ?? throw new FormatException($"unknown operator %{op.Name}% at position {start} of \"{text}\""));
        }
        Flush(literal, parts);
        return parts;
    }

    private static OperatorText ReadOperator(string text, ref int at)
    {
        int start = ++at;
        while (at < text.Length && (char.IsAsciiLetterUpper(text[at]) || char.IsAsciiDigit(text[at]) || text[at] == '_'))
            at++;
        string name = text[start..at];
        string? argument = null;
        if (at < text.Length && text[at] == '(')
        {
            // The argument ends at ")%" or "):": brackets inside it (CEL, regular expressions) are its own.
            int end = EndOfArgument(text, at + 1);
            argument = text[(at + 1)..end];
            at = end + 1;
        }
        int length = -1;
        if (at < text.Length && text[at] == ':')
        {
            int digits = ++at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
                at++;
            if (digits == at
                || !int.TryParse(text.AsSpan(digits, at - digits), NumberStyles.None, CultureInfo.InvariantCulture, out length))
                throw new FormatException(
                    $"operator %{name}% at position {start - 1} of \"{text}\": the length behind the colon is no number");
        }
        if (name.Length == 0 || at >= text.Length || text[at] != '%')
            throw new FormatException(
                $"the percent sign at position {start - 1} of \"{text}\" begins no operator; write %% for a percent sign");
        at++;
        return new OperatorText(name, argument, length);
    }

    private static int EndOfArgument(string text, int from)
    {
        for (int i = from; i < text.Length; i++)
        {
            if (text[i] == ')' && i + 1 < text.Length && (text[i + 1] == '%' || IsLength(text, i + 1)))
                return i;
        }
        throw new FormatException($"the bracket at position {from - 1} of \"{text}\" is never closed");
    }

    private static bool IsLength(string text, int at)
    {
        if (text[at] != ':')
            return false;
        int i = at + 1;
        while (i < text.Length && char.IsAsciiDigit(text[i]))
            i++;
        return i > at + 1 && i < text.Length && text[i] == '%';
    }

    private static void Flush(System.Text.StringBuilder literal, List<FormatPart> parts)
    {
        if (literal.Length > 0)
            parts.Add(new LiteralPart(literal.ToString()));
        literal.Clear();
    }
}
