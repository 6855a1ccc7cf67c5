// Routing (station 7): a head in, a RouteDecision out, and nothing else: pure, no I/O, no clock, no allocation once warm. Its types are
// what the routes translator of Xds/ publishes: immutable, resolved (matchers compiled, clusters as handles, per-filter settings by index),
// without protobuf. Tables are shared by all workers. Who serves a RouteTable keeps it for the length of a request: a request that began
// under one configuration ends under it. `lateen explain` and the conformance runner call the same Find.
// Refused: a tree of all routes of a virtual host (first match wins by order, hosts have few routes; the host lookup is the one that must
// scale, and is hashed).
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Lateen.Proxy.Routing;

/// <summary>ASCII bytes: the comparisons that header and path matching need.</summary>
public static class Text
{
    /// <summary>Lower case of one ASCII byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Lower(byte b) => (uint)(b - 'A') <= 'Z' - 'A' ? (byte)(b | 0x20) : b;

    /// <summary>Equality without regard to ASCII case.</summary>
    public static bool EqualsIgnoreCase(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => System.Text.Ascii.EqualsIgnoreCase(a, b);

    /// <summary>True where <paramref name="text"/> begins with <paramref name="prefix"/>.</summary>
    public static bool StartsWith(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix, bool ignoreCase) =>
        text.Length >= prefix.Length && Same(text[..prefix.Length], prefix, ignoreCase);

    /// <summary>True where <paramref name="text"/> ends with <paramref name="suffix"/>.</summary>
    public static bool EndsWith(ReadOnlySpan<byte> text, ReadOnlySpan<byte> suffix, bool ignoreCase) =>
        text.Length >= suffix.Length && Same(text[^suffix.Length..], suffix, ignoreCase);

    /// <summary>True where <paramref name="part"/> occurs in <paramref name="text"/>.</summary>
    public static bool Contains(ReadOnlySpan<byte> text, ReadOnlySpan<byte> part, bool ignoreCase)
    {
        if (!ignoreCase)
            return text.IndexOf(part) >= 0;
        for (int i = 0; i + part.Length <= text.Length; i++)
        {
            if (EqualsIgnoreCase(text.Slice(i, part.Length), part))
                return true;
        }
        return false;
    }

    /// <summary>Equality with or without regard to ASCII case.</summary>
    public static bool Same(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, bool ignoreCase) =>
        ignoreCase ? EqualsIgnoreCase(a, b) : a.SequenceEqual(b);

    /// <summary>A path without its query.</summary>
    public static ReadOnlySpan<byte> WithoutQuery(ReadOnlySpan<byte> path)
    {
        int q = path.IndexOf((byte)'?');
        return q < 0 ? path : path[..q];
    }

    /// <summary>The query of a path without the question mark; empty where there is none.</summary>
    public static ReadOnlySpan<byte> QueryOf(ReadOnlySpan<byte> path)
    {
        int q = path.IndexOf((byte)'?');
        return q < 0 ? default : path[(q + 1)..];
    }
}

/// <summary>
/// A regular expression over header bytes with RE2's promise: time linear in the text (the framework's non-backtracking engine; RE2's
/// syntax as far as both share it).
/// Bytes are read as Latin-1, so that every byte is one character.
/// </summary>
public sealed class SafeRegex
{
    private readonly Regex _whole;
    private readonly Regex _part;

    /// <summary>Compiles.</summary>
    /// <exception cref="ArgumentException">The pattern is no regular expression of this engine; the message says where.</exception>
    public SafeRegex(string pattern)
    {
        Pattern = pattern;
        // \C and possessive forms are not RE2 either. RE2's (?s) and friends are the framework's; (?U) is not had and is refused with the
        // framework's message.
        const RegexOptions Options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;
        string own = Re2Syntax.ToFramework(pattern);
        _whole = new Regex($@"\A(?:{own})\z", Options);
        _part = new Regex(own, Options);
    }

    /// <summary>As it was written.</summary>
    public string Pattern { get; }

    /// <summary>True where the whole text matches.</summary>
    [SkipLocalsInit]
    public bool IsMatch(ReadOnlySpan<byte> text)
    {
        if (text.Length > 4096)
            return _whole.IsMatch(System.Text.Encoding.Latin1.GetString(text));
        Span<char> chars = stackalloc char[text.Length];
        System.Text.Encoding.Latin1.GetChars(text, chars);
        return _whole.IsMatch(chars);
    }

    /// <summary>Replaces every match; <c>\0</c>-<c>\9</c> in <paramref name="substitution"/> are groups (RE2's form).</summary>
    public byte[] Replace(ReadOnlySpan<byte> text, string substitution)
    {
        string result = _part.Replace(System.Text.Encoding.Latin1.GetString(text), m => Expand(m, substitution));
        return System.Text.Encoding.Latin1.GetBytes(result);
    }

    private static string Expand(Match match, string substitution)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < substitution.Length; i++)
        {
            if (substitution[i] != '\\' || i + 1 == substitution.Length)
                text.Append(substitution[i]);
            else if (char.IsAsciiDigit(substitution[++i]))
                text.Append(match.Groups[substitution[i] - '0'].Value);
            else
                text.Append(substitution[i]);
        }
        return text.ToString();
    }
}

/// <summary>What RE2 writes otherwise than the framework: classes of ASCII, POSIX classes, named groups, quoted text, code points; and
/// texts beyond ASCII, which are matched as the bytes of their UTF-8.</summary>
internal static class Re2Syntax
{
    private const string Digit = "0-9", Word = "0-9A-Za-z_", Space = @"\t\n\f\r ";

    /// <summary>The same pattern in the framework's words.</summary>
    public static string ToFramework(string pattern)
    {
        var own = new System.Text.StringBuilder(pattern.Length + 16);
        bool inClass = false;
        for (int i = 0; i < pattern.Length;)
        {
            char c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
                i = Escape(pattern, i + 1, inClass, own);
            else if (inClass && c == '[' && Posix(pattern, i, own) is var end and > 0)
                i = end;
            else if (!inClass && pattern.AsSpan(i).StartsWith("(?P<"))
                (i, _) = (i + 4, own.Append("(?<"));
            else if (!inClass && c > '\x7f')
                i = Beyond(pattern, i, own);
            else
            {
                // A bracket that stands first in a class is a member of it, behind the circumflex, too.
                ReadOnlySpan<char> behind = pattern.AsSpan(i + 1);
                int first = inClass || c != '[' ? 0 : behind.StartsWith("^]") ? 3 : behind.StartsWith("]") ? 2 : 0;
                inClass = c == '[' || (inClass && c != ']');
                own.Append(first > 0 ? pattern[i..(i + first - 1)] + @"\]" : c.ToString());
                i += Math.Max(1, first);
            }
        }
        return own.ToString();
    }

    // What stands behind a backslash; gives where the pattern goes on.
    private static int Escape(string pattern, int at, bool inClass, System.Text.StringBuilder own)
    {
        char c = pattern[at];
        string? members = char.ToLowerInvariant(c) switch { 'd' => Digit, 'w' => Word, 's' => Space, _ => null };
        if (members is not null && (!inClass || char.IsLower(c)))
        {
            own.Append(inClass ? members : char.IsLower(c) ? $"[{members}]" : $"[^{members}]");
            return at + 1;
        }
        int close = pattern.IndexOf('}', at);
        if (c == 'x' && at + 1 < pattern.Length && pattern[at + 1] == '{' && close > 0
            && int.TryParse(pattern.AsSpan((at + 2)..close), System.Globalization.NumberStyles.HexNumber, null, out int point)
            && point <= 0xffff)
        {
            own.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{point:x4}");
            return close + 1;
        }
        if (c is 'p' or 'P' && at + 1 < pattern.Length && char.IsAsciiLetter(pattern[at + 1]))
        {
            own.Append('\\').Append(c).Append('{').Append(pattern[at + 1]).Append('}');
            return at + 2;
        }
        if (c == 'Q' && !inClass)
        {
            int end = pattern.IndexOf(@"\E", at, StringComparison.Ordinal);
            own.Append(Regex.Escape(end < 0 ? pattern[(at + 1)..] : pattern[(at + 1)..end]));
            return end < 0 ? pattern.Length : end + 2;
        }
        own.Append('\\').Append(c);
        return at + 1;
    }

    // [:alpha:] and its like inside of a class; 0 where there is none.
    private static int Posix(string pattern, int at, System.Text.StringBuilder own)
    {
        int end = pattern.IndexOf(":]", at, StringComparison.Ordinal);
        if (end < 0 || at + 1 >= pattern.Length || pattern[at + 1] != ':')
            return 0;
        bool negated = pattern[at + 2] == '^';
        if (Members(pattern[(at + (negated ? 3 : 2))..end]) is not { } members)
            return 0;
        for (int from = 0, to; from < 256; from = to + 1)
        {
            to = from;
            if (members((char)from) == negated)
                continue;
            while (to + 1 < 256 && members((char)(to + 1)) != negated)
                to++;
            own.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\x{from:x2}-\\x{to:x2}");
        }
        return end + 2;
    }

    private static Func<char, bool>? Members(string name) => name switch
    {
        "alnum" => char.IsAsciiLetterOrDigit,
        "alpha" => char.IsAsciiLetter,
        "ascii" => char.IsAscii,
        "blank" => static c => c is ' ' or '\t',
        "cntrl" => static c => c is < ' ' or '\x7f',
        "digit" => char.IsAsciiDigit,
        "graph" => static c => c is > ' ' and < '\x7f',
        "lower" => char.IsAsciiLetterLower,
        "print" => static c => c is >= ' ' and < '\x7f',
        "punct" => static c => c is > ' ' and < '\x7f' && !char.IsAsciiLetterOrDigit(c),
        "space" => static c => c is ' ' or (>= '\t' and <= '\r'),
        "upper" => char.IsAsciiLetterUpper,
        "word" => static c => char.IsAsciiLetterOrDigit(c) || c == '_',
        "xdigit" => char.IsAsciiHexDigit,
        _ => null,
    };

    private static int Beyond(string pattern, int at, System.Text.StringBuilder own)
    {
        int length = char.IsSurrogatePair(pattern, at) ? 2 : 1;
        own.Append("(?:");
        foreach (byte b in System.Text.Encoding.UTF8.GetBytes(pattern.Substring(at, length)))
            own.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\x{b:x2}");
        own.Append(')');
        return at + length;
    }
}
