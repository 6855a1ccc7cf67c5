namespace Lateen.Config.Validation.Policies;

/// <summary>A first look at a CEL expression: tokens, brackets and strings. Names and types are judged where the expression runs.</summary>
internal static class CelSyntax
{
    private const string Operators = "+-*/%<>=!&|?:.,";

    /// <summary>Why the text is no expression, or null.</summary>
    public static string? Problem(string text)
    {
        if (string.IsNullOrWhiteSpace(text)) return "the expression is empty";
        var open = new Stack<char>();
        var (wasOperand, at) = (false, 0);
        while (at < text.Length)
        {
            var c = text[at];
            if (char.IsWhiteSpace(c)) at++;
            else if (c is '\'' or '"')
            {
                var end = StringEnd(text, at);
                if (end < 0 || wasOperand)
                    return end < 0 ? $"a text begins at {at + 1} and never ends" : $"an operator is missing before position {at + 1}";
                (at, wasOperand) = (end, true);
            }
            else if (char.IsAsciiLetterOrDigit(c) || c == '_')
            {
                var start = at;
                while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '_')) at++;
                var isWord = text[start..at] is "in";
                if (wasOperand && !isWord) return $"an operator is missing before \"{text[start..at]}\"";
                wasOperand = !isWord;
            }
            else if (c is '(' or '[' or '{')
            {
                open.Push(c);
                (at, wasOperand) = (at + 1, false);
            }
            else if (c is ')' or ']' or '}')
            {
                if (open.Count == 0 || open.Pop() != (c == ')' ? '(' : c == ']' ? '[' : '{'))
                    return $"\"{c}\" at position {at + 1} closes nothing";
                (at, wasOperand) = (at + 1, true);
            }
            else if (Operators.Contains(c))
            {
                if (c is '&' or '|' && !(at + 1 < text.Length && text[at + 1] == c)) return $"\"{c}\" at position {at + 1}: write {c}{c}";
                at += c is '&' or '|' || (at + 1 < text.Length && text[at + 1] == '=' && c is '=' or '!' or '<' or '>') ? 2 : 1;
                wasOperand = false;
            }
            else return $"\"{c}\" at position {at + 1} is unexpected";
        }

        return open.Count > 0 ? $"\"{open.Peek()}\" is never closed" : wasOperand ? null : "the expression ends too early";
    }

    private static int StringEnd(string text, int at)
    {
        for (var i = at + 1; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == text[at]) return i + 1;
        }

        return -1;
    }
}
