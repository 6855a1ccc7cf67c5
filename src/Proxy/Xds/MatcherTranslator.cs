using Envoy.Config.Route.V3;
using Lateen.Proxy.Routing;
using Matcher = Envoy.Type.Matcher.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Matchers that routes, policies and logs share.</summary>
internal static class MatcherTranslator
{
    /// <summary>A text's test; null with a rejection where it is unknown or does not compile.</summary>
    public static StringMatch? String(Matcher.StringMatcher matcher, Rejections rejections)
    {
        switch (matcher.MatchPatternCase)
        {
            case Matcher.StringMatcher.MatchPatternOneofCase.Exact:
                return StringMatch.Of(StringMatchKind.Exact, matcher.Exact, matcher.IgnoreCase);
            case Matcher.StringMatcher.MatchPatternOneofCase.Prefix:
                return StringMatch.Of(StringMatchKind.Prefix, matcher.Prefix, matcher.IgnoreCase);
            case Matcher.StringMatcher.MatchPatternOneofCase.Suffix:
                return StringMatch.Of(StringMatchKind.Suffix, matcher.Suffix, matcher.IgnoreCase);
            case Matcher.StringMatcher.MatchPatternOneofCase.Contains:
                return StringMatch.Of(StringMatchKind.Contains, matcher.Contains, matcher.IgnoreCase);
            case Matcher.StringMatcher.MatchPatternOneofCase.SafeRegex:
                return Regex(matcher.SafeRegex.Regex, rejections);
            default:
                rejections.Add($"string matcher {matcher.MatchPatternCase} is not served");
                return null;
        }
    }

    /// <summary>A regular expression over a whole text.</summary>
    public static StringMatch? Regex(string pattern, Rejections rejections)
    {
        try
        {
            return StringMatch.OfRegex(pattern);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            rejections.Add($"invalid regex '{pattern}': {e.Message}");
            return null;
        }
    }

    /// <summary>A replacement by expression.</summary>
    public static RegexRewrite? Rewrite(Matcher.RegexMatchAndSubstitute? rewrite, Rejections rejections)
    {
        if (rewrite is null)
            return null;
        try
        {
            return new RegexRewrite(new SafeRegex(rewrite.Pattern?.Regex ?? ""), rewrite.Substitution);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            rejections.Add($"invalid regex '{rewrite.Pattern?.Regex}': {e.Message}");
            return null;
        }
    }

    /// <summary>A header's test.</summary>
    public static HeaderMatch Header(HeaderMatcher matcher, Rejections rejections)
    {
        var match = new HeaderMatch(matcher.Name) { Invert = matcher.InvertMatch, MissingIsEmpty = matcher.TreatMissingHeaderAsEmpty };
        return matcher.HeaderMatchSpecifierCase switch
        {
            HeaderMatcher.HeaderMatchSpecifierOneofCase.StringMatch => With(match, String(matcher.StringMatch, rejections)),
#pragma warning disable CS0612 // deprecated, but control planes of today send them
            HeaderMatcher.HeaderMatchSpecifierOneofCase.ExactMatch =>
                With(match, StringMatch.Of(StringMatchKind.Exact, matcher.ExactMatch)),
            HeaderMatcher.HeaderMatchSpecifierOneofCase.PrefixMatch =>
                With(match, StringMatch.Of(StringMatchKind.Prefix, matcher.PrefixMatch)),
            HeaderMatcher.HeaderMatchSpecifierOneofCase.SuffixMatch =>
                With(match, StringMatch.Of(StringMatchKind.Suffix, matcher.SuffixMatch)),
            HeaderMatcher.HeaderMatchSpecifierOneofCase.ContainsMatch =>
                With(match, StringMatch.Of(StringMatchKind.Contains, matcher.ContainsMatch)),
            HeaderMatcher.HeaderMatchSpecifierOneofCase.SafeRegexMatch => With(match, Regex(matcher.SafeRegexMatch.Regex, rejections)),
#pragma warning restore CS0612
            HeaderMatcher.HeaderMatchSpecifierOneofCase.RangeMatch => new HeaderMatch(matcher.Name)
            {
                Range = (matcher.RangeMatch.Start, matcher.RangeMatch.End),
                Invert = matcher.InvertMatch,
                MissingIsEmpty = matcher.TreatMissingHeaderAsEmpty,
            },
            HeaderMatcher.HeaderMatchSpecifierOneofCase.PresentMatch => new HeaderMatch(matcher.Name)
            {
                Present = matcher.PresentMatch,
                Invert = matcher.InvertMatch,
                MissingIsEmpty = matcher.TreatMissingHeaderAsEmpty,
            },
            _ => match,
        };
    }

    private static HeaderMatch With(HeaderMatch match, StringMatch? value) =>
        new(match.Name)
        {
            Value = value ?? StringMatch.Of(StringMatchKind.Exact, ""),
            Invert = match.Invert,
            MissingIsEmpty = match.MissingIsEmpty,
        };

    /// <summary>A query parameter's test.</summary>
    public static QueryMatch Query(QueryParameterMatcher matcher, Rejections rejections) => matcher.QueryParameterMatchSpecifierCase switch
    {
        QueryParameterMatcher.QueryParameterMatchSpecifierOneofCase.StringMatch =>
            new QueryMatch(matcher.Name, String(matcher.StringMatch, rejections)),
        QueryParameterMatcher.QueryParameterMatchSpecifierOneofCase.PresentMatch =>
            new QueryMatch(matcher.Name, null) { Present = matcher.PresentMatch },
        _ => new QueryMatch(matcher.Name, null),
    };

    /// <summary>A test of metadata.</summary>
    public static MetadataMatch Metadata(Matcher.MetadataMatcher matcher, Rejections rejections) =>
        new(matcher.Filter, [.. matcher.Path.Select(p => p.Key)], Value(matcher.Value, rejections), matcher.Invert);

    /// <summary>A test of a structured value.</summary>
    public static ValueMatch Value(Matcher.ValueMatcher? matcher, Rejections rejections) => matcher?.MatchPatternCase switch
    {
        Matcher.ValueMatcher.MatchPatternOneofCase.StringMatch => new ValueMatch { String = String(matcher.StringMatch, rejections) },
        Matcher.ValueMatcher.MatchPatternOneofCase.BoolMatch => new ValueMatch { Bool = matcher.BoolMatch },
        Matcher.ValueMatcher.MatchPatternOneofCase.NullMatch => new ValueMatch { Null = true },
        Matcher.ValueMatcher.MatchPatternOneofCase.PresentMatch => new ValueMatch { Present = matcher.PresentMatch },
        Matcher.ValueMatcher.MatchPatternOneofCase.DoubleMatch => Double(matcher.DoubleMatch),
        Matcher.ValueMatcher.MatchPatternOneofCase.ListMatch => new ValueMatch { ListElement = Value(matcher.ListMatch.OneOf, rejections) },
        Matcher.ValueMatcher.MatchPatternOneofCase.OrMatch =>
            new ValueMatch { AnyOf = [.. matcher.OrMatch.ValueMatchers.Select(m => Value(m, rejections))] },
        _ => new ValueMatch { Present = false },
    };

    private static ValueMatch Double(Matcher.DoubleMatcher matcher) =>
        matcher.MatchPatternCase == Matcher.DoubleMatcher.MatchPatternOneofCase.Range
            ? new ValueMatch { Range = (matcher.Range.Start, matcher.Range.End) }
            : new ValueMatch { Number = matcher.Exact };
}
