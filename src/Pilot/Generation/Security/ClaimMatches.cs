using Envoy.Type.Matcher.V3;
using Lateen.Pilot.Generation.Filters;
using StringMatch = Istio.Networking.V1Alpha3.StringMatch;

namespace Lateen.Pilot.Generation.Security;

/// <summary>Conditions on claims of a validated token, which the JWT filter leaves in dynamic metadata.</summary>
internal static class ClaimMatches
{
    /// <summary>Name of the filter whose metadata holds the claims.</summary>
    public const string FilterName = "envoy.filters.http.jwt_authn";

    private const string HeaderPrefix = "@request.auth.claims";

    /// <summary>A matcher when the header name asks for a claim (<c>@request.auth.claims.a.b</c> or <c>[a][b]</c>), otherwise
    /// null.</summary>
    public static MetadataMatcher? ForHeaderName(string header, StringMatch condition)
    {
        if (Path(header) is not { } claims || StringMatches.ToEnvoy(condition) is not { } value) return null;
        // A claim may be a string or a list of strings; either form satisfies the condition.
        var either = new OrMatcher();
        either.ValueMatchers.Add(new ValueMatcher { ListMatch = new ListMatcher { OneOf = new ValueMatcher { StringMatch = value } } });
        either.ValueMatchers.Add(new ValueMatcher { StringMatch = value.Clone() });
        return Matcher(claims, new ValueMatcher { OrMatch = either });
    }

    /// <summary>The claim names in a header name, outermost first; null when it names none.</summary>
    public static IReadOnlyList<string>? Path(string header) => Parse(header)?.Claims;

    /// <summary>Separator and claim names; null when the header names none.</summary>
    public static (char Separator, IReadOnlyList<string> Claims)? Parse(string header)
    {
        if (!header.StartsWith(HeaderPrefix, StringComparison.OrdinalIgnoreCase)) return null;
        var rest = header[HeaderPrefix.Length..];
        if (rest.Length < 2) return null;
        if (rest[0] == '.')
        {
            var parts = rest[1..].Split('.');
            return parts.Any(static p => p.Length == 0) ? null : ('.', parts);
        }
        if (rest[0] != '[' || rest[^1] != ']') return null;
        var nested = rest[1..^1].Split("][");
        return nested.Any(static p => p.Length == 0) ? null : ('[', nested);
    }

    /// <summary>A matcher on a nested claim.</summary>
    public static MetadataMatcher Matcher(IReadOnlyList<string> claims, ValueMatcher value)
    {
        var matcher = new MetadataMatcher { Filter = FilterName, Value = value };
        matcher.Path.Add(claims.Prepend("payload").Select(static claim => new MetadataMatcher.Types.PathSegment { Key = claim }));
        return matcher;
    }
}
