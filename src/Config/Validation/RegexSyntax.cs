using System.Text.RegularExpressions;

namespace Lateen.Config.Validation;

/// <summary>Whether a text is a regular expression of RE2, which Envoy runs. Look-around and back-references are none; possessive and lazy
/// forms differ little.</summary>
public static partial class RegexSyntax
{
    public const int CharsMax = 1024;

    private const int RepeatMax = 1000;

    /// <summary>Why the expression cannot be used, or null.</summary>
    public static string? Problem(string regex)
    {
        if (regex.Length > CharsMax) return $"regex is too large, max length allowed is {CharsMax}";
        foreach (Match repeat in Repeat().Matches(regex))
        {
            if (!repeat.Groups[1].Value.All(char.IsAsciiDigit) || Over(repeat.Groups[1].Value) || Over(repeat.Groups[2].Value))
            {
                return $"invalid repeat count {repeat.Value}: at most {RepeatMax}";
            }
        }

        try
        {
            // The engine without backtracking knows neither look-around nor back-references, as RE2.
            _ = new Regex(Translate(regex), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return null;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return $"\"{regex}\" is no RE2 expression: {e.Message}";
        }
    }

    /// <summary>RE2's spellings that .NET has otherwise.</summary>
    private static string Translate(string regex) =>
        regex.Replace("(?P<", "(?<", StringComparison.Ordinal)
            .Replace("[[:alpha:]]", "[a-zA-Z]", StringComparison.Ordinal)
            .Replace("[[:digit:]]", "[0-9]", StringComparison.Ordinal)
            .Replace("[[:alnum:]]", "[a-zA-Z0-9]", StringComparison.Ordinal)
            .Replace("[[:space:]]", "\\s", StringComparison.Ordinal)
            .Replace("\\C", ".", StringComparison.Ordinal)
            .Replace("\\Q", "", StringComparison.Ordinal)
            .Replace("\\E", "", StringComparison.Ordinal);

    private static bool Over(string count) =>
        count.Length > 4 || (count.Length > 0 && int.Parse(count, System.Globalization.CultureInfo.InvariantCulture) > RepeatMax);

    [GeneratedRegex(@"(?<!\\)\{(\d+)(?:,(\d*))?\}", RegexOptions.CultureInvariant)]
    private static partial Regex Repeat();
}
