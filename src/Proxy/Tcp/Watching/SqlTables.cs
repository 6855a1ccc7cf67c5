namespace Lateen.Proxy.Tcp.Watching;

/// <summary>Which tables a statement of SQL touches, and how: enough to tell and to count, no parser of the language. Quotes and comments
/// are respected.</summary>
internal static class SqlTables
{
    private const int TablesMax = 32;

    private static readonly HashSet<string> Verbs = new(StringComparer.OrdinalIgnoreCase)
    {
        "select", "insert", "update", "delete", "create", "drop", "show", "alter", "replace", "truncate", "begin", "commit", "rollback",
        "set", "use", "start", "describe", "explain", "prepare", "execute",
    };

    // Words between a verb and its table.
    private static readonly HashSet<string> Fillers = new(StringComparer.OrdinalIgnoreCase) { "if", "not", "exists", "low_priority",
        "high_priority", "delayed", "ignore", "quick", "only", "temporary" };

    /// <summary>Adds what a text touches; false where it is no statement.</summary>
    public static bool TryRead(string text, List<(string Table, string Operation)> touched)
    {
        string operation = "";
        bool names = false;
        int depth = 0, at = 0;
        while (Next(text, ref at, out ReadOnlySpan<char> word, out bool broken))
        {
            if (word is "(" or ")")
            {
                depth += word is "(" ? 1 : -1;
                if (depth < 0)
                    return false;
                names &= word is not "(";
                continue;
            }
            if (word is ",")
                continue;
            if (operation.Length == 0 || word is "select" || word.Equals("select", StringComparison.OrdinalIgnoreCase))
            {
                if (!Verbs.TryGetValue(word.ToString(), out string? verb))
                    return false;
                (operation, names) = (verb, verb is "update");
            }
            else if (IsTableWord(word, operation))
            {
                names = true;
            }
            else if (names && !Fillers.Contains(word.ToString()))
            {
                if (operation is not "show" && touched.Count < TablesMax && !touched.Contains((word.ToString(), operation)))
                    touched.Add((word.ToString(), operation));
                names = Follows(text, at, ',');
            }
            if (broken)
                return false;
        }
        return operation.Length > 0 && depth == 0 && at >= text.Length;
    }

    private static bool IsTableWord(ReadOnlySpan<char> word, string operation) =>
        word.Equals("from", StringComparison.OrdinalIgnoreCase) || word.Equals("join", StringComparison.OrdinalIgnoreCase)
            || word.Equals("into", StringComparison.OrdinalIgnoreCase)
        || (operation is "create" or "drop" or "alter" or "truncate" && word.Equals("table", StringComparison.OrdinalIgnoreCase));

    private static bool Follows(string text, int at, char what)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
            at++;
        return at < text.Length && text[at] == what;
    }

    // The next word, or one of ( ) ,; false at the end, and (before it) where a quote or a comment does not end.
    private static bool Next(string text, ref int at, out ReadOnlySpan<char> word, out bool broken)
    {
        word = default;
        broken = false;
        while (at < text.Length)
        {
            char c = text[at];
            if (char.IsLetter(c) || c is '_' or '`' or '$')
            {
                word = Name(text, ref at);
                return true;
            }
            if (c is '(' or ')' or ',')
            {
                word = text.AsSpan(at++, 1);
                return true;
            }
            int end = Skipped(text, at);
            if (end < 0)
                return false;
            at = end;
        }
        return false;
    }

    private static ReadOnlySpan<char> Name(string text, ref int at)
    {
        int from = at;
        bool quoted = false;
        for (; at < text.Length && (quoted || char.IsLetterOrDigit(text[at]) || text[at] is '_' or '`' or '$' or '.'); at++)
            quoted ^= text[at] == '`';
        ReadOnlySpan<char> name = text.AsSpan(from, at - from);
        return name.Contains('`') ? name.ToString().Replace("`", "", StringComparison.Ordinal) : name;
    }

    // Behind a text in quotes, a comment, or one character; -1 where it does not end.
    private static int Skipped(string text, int at)
    {
        if (text[at] is '\'' or '"')
        {
            for (int i = at + 1; i < text.Length; i++)
            {
                if (text[i] == '\\')
                    i++;
                else if (text[i] == text[at])
                    return i + 1;
            }
            return -1;
        }
        if (text.AsSpan(at).StartsWith("/*", StringComparison.Ordinal))
            return text.IndexOf("*/", at + 2, StringComparison.Ordinal) is var close && close < 0 ? -1 : close + 2;
        if (text[at] == '#' || text.AsSpan(at).StartsWith("-- ", StringComparison.Ordinal))
            return text.IndexOf('\n', at) is var line && line < 0 ? text.Length : line + 1;
        return at + 1;
    }
}
