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
        _whole = new Regex($@"\A(?:{pattern})\z", Options);
        _part = new Regex(pattern, Options);
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
