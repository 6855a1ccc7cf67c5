using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using static Lateen.Injector.Templates.TemplateValues;

namespace Lateen.Injector.Templates.Functions;

/// <summary>Texts, as charts change them: the text itself comes last, so that it can be piped in.</summary>
internal static class TextFunctions
{
    private static readonly TimeSpan MatchTimeMax = TimeSpan.FromMilliseconds(100);

    public static readonly Dictionary<string, TemplateFunction> Table = new(StringComparer.Ordinal)
    {
        ["toString"] = a => Text(a[0]),
        ["upper"] = a => Text(a[0]).ToUpperInvariant(),
        ["lower"] = a => Text(a[0]).ToLowerInvariant(),
        ["title"] = a => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(Text(a[0])),
        ["untitle"] = a => Text(a[0]) is { Length: > 0 } text ? char.ToLowerInvariant(text[0]) + text[1..] : "",
        ["trim"] = a => Text(a[0]).Trim(),
        ["trimAll"] = a => Text(a[1]).Trim(Text(a[0]).ToCharArray()),
        ["trimPrefix"] = a => Text(a[1]) is var text && text.StartsWith(Text(a[0]), StringComparison.Ordinal)
            ? text[Text(a[0]).Length..] : text,
        ["trimSuffix"] = a => Text(a[1]) is var text && text.EndsWith(Text(a[0]), StringComparison.Ordinal)
            ? text[..^Text(a[0]).Length] : text,
        ["trunc"] = a => Cut((int)Whole(a[0]), Text(a[1])),
        ["substr"] = a => Part((int)Whole(a[0]), (int)Whole(a[1]), Text(a[2])),
        ["nospace"] = a => string.Concat(Text(a[0]).Where(c => !char.IsWhiteSpace(c))),
        ["replace"] = a => Text(a[0]).Length == 0 ? Text(a[2]) : Text(a[2]).Replace(Text(a[0]), Text(a[1]), StringComparison.Ordinal),
        ["repeat"] = a => string.Concat(Enumerable.Repeat(Text(a[1]), (int)Math.Clamp(Whole(a[0]), 0, 10_000))),
        ["quote"] = a => string.Join(' ', a.Where(value => value is not null).Select(value => PlainText.Quoted(Text(value)))),
        ["squote"] = a => string.Join(' ', a.Where(value => value is not null).Select(value => $"'{Text(value)}'")),
        ["cat"] = a => string.Join(' ', a.Where(value => value is not null).Select(Text)),
        ["contains"] = a => Text(a[1]).Contains(Text(a[0]), StringComparison.Ordinal),
        ["hasPrefix"] = a => Text(a[1]).StartsWith(Text(a[0]), StringComparison.Ordinal),
        ["hasSuffix"] = a => Text(a[1]).EndsWith(Text(a[0]), StringComparison.Ordinal),
        ["nindent"] = a => "\n" + Indented((int)Whole(a[0]), Text(a[1])),
        ["splitList"] = a => Text(a[1]).Split(Text(a[0])).ToList<object?>(),
        ["split"] = a => Text(a[1]).Split(Text(a[0])).Select((part, index) => (part, index))
            .ToDictionary(entry => string.Create(CultureInfo.InvariantCulture, $"_{entry.index}"), entry => (object?)entry.part,
                StringComparer.Ordinal),
        ["regexMatch"] = a => Expression(a[0]).IsMatch(Text(a[1])),
        ["regexFind"] = a => Expression(a[0]).Match(Text(a[1])).Value,
        ["regexReplaceAll"] = a => Expression(a[0]).Replace(Text(a[1]), Text(a[2])),
        ["b64enc"] = a => Convert.ToBase64String(Encoding.UTF8.GetBytes(Text(a[0]))),
        ["b64dec"] = a => Decoded(Text(a[0])),
        ["sha256sum"] = a => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text(a[0])))),
        ["base"] = a => Text(a[0]).TrimEnd('/') is var path ? path[(path.LastIndexOf('/') + 1)..] : "",
    };

    /// <summary>Every line behind so many blanks.</summary>
    public static string Indented(int blanks, string text) =>
        string.Join('\n', text.Split('\n').Select(line => new string(' ', Math.Clamp(blanks, 0, 1000)) + line));

    private static string Cut(int length, string text) =>
        length >= 0 ? text.Length > length ? text[..length] : text : text.Length > -length ? text[^-length..] : text;

    private static string Part(int from, int to, string text)
    {
        from = Math.Max(from, 0);
        to = to < 0 || to > text.Length ? text.Length : to;
        return from < to ? text[from..to] : "";
    }

    private static Regex Expression(object? pattern)
    {
        try
        {
            return new Regex(Text(pattern), RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, MatchTimeMax);
        }
        catch (Exception malformed) when (malformed is ArgumentException or NotSupportedException)
        {
            throw new TemplateException(malformed.Message, malformed);
        }
    }

    private static string Decoded(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var count) ? Encoding.UTF8.GetString(bytes, 0, count) : "illegal base64 data";
    }
}
