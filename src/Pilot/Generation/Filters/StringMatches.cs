using Envoy.Type.Matcher.V3;
using StringMatch = Istio.Networking.V1Alpha3.StringMatch;

namespace Lateen.Pilot.Generation.Filters;

/// <summary>Istio's string conditions as Envoy's.</summary>
internal static class StringMatches
{
    /// <summary>Exact, prefix or regex; null when the condition names none of them.</summary>
    public static StringMatcher? ToEnvoy(StringMatch? match) => match?.MatchTypeCase switch
    {
        StringMatch.MatchTypeOneofCase.Exact => new StringMatcher { Exact = match.Exact },
        StringMatch.MatchTypeOneofCase.Prefix => new StringMatcher { Prefix = match.Prefix },
        StringMatch.MatchTypeOneofCase.Regex => new StringMatcher { SafeRegex = Regex(match.Regex) },
        _ => null,
    };

    /// <summary>Presence is asked for by an empty condition, and by the text <c>*</c> in place of a regex (which RE2 would
    /// refuse).</summary>
    public static bool IsPresence(StringMatch? match) =>
        match is null
        || match.MatchTypeCase == StringMatch.MatchTypeOneofCase.None
        || (match.MatchTypeCase == StringMatch.MatchTypeOneofCase.Regex && match.Regex == "*");

    /// <summary>An RE2 expression.</summary>
    public static RegexMatcher Regex(string expression) => new() { Regex = expression };
}
