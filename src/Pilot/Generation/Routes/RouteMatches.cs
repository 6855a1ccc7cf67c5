using Envoy.Config.Route.V3;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Security;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>Conditions of a VirtualService as Envoy's route match.</summary>
internal static class RouteMatches
{
    /// <summary>Matches everything.</summary>
    public static RouteMatch All() => new() { Prefix = "/" };

    /// <summary>Whether the conditions about the proxy itself hold: gateways, or source labels and namespace.</summary>
    /// <remarks>A condition that names gateways is not looked at for labels: a gateway has no source workload.</remarks>
    public static bool AppliesTo(HTTPMatchRequest? match, RouteRulesInputs inputs)
    {
        if (match is null) return true;
        if (match.Gateways.Count > 0) return match.Gateways.Any(inputs.Gateways.Contains);
        return Lateen.Registry.LabelSelection.IsSubset(match.SourceLabels, inputs.ProxyLabels)
            && (match.SourceNamespace.Length == 0 || match.SourceNamespace == inputs.ProxyNamespace);
    }

    /// <summary>Translates one entry of <c>match</c>; null stands for no condition.</summary>
    public static RouteMatch Of(HTTPMatchRequest? match, bool segmentPrefixes)
    {
        var result = All();
        if (match is null) return result;
        AddHeaders(result, match);
        AddPath(result, match.Uri, segmentPrefixes);
        result.CaseSensitive = !match.IgnoreUriCase;
        if (match.Method is not null) result.Headers.Add(Header(":method", match.Method));
        if (match.Authority is not null) result.Headers.Add(Header(":authority", match.Authority));
        if (match.Scheme is not null) result.Headers.Add(Header(":scheme", match.Scheme));
        foreach (var (name, value) in match.QueryParams.OrderBy(static p => p.Key, StringComparer.Ordinal))
            result.QueryParameters.Add(QueryParameter(name, value));
        return result;
    }

    /// <summary>No request can get past it: any path and no further condition.</summary>
    public static bool IsCatchAll(RouteMatch match)
    {
        var anyPath = match.PathSpecifierCase switch
        {
            RouteMatch.PathSpecifierOneofCase.Prefix => match.Prefix == "/",
            RouteMatch.PathSpecifierOneofCase.PathSeparatedPrefix => match.PathSeparatedPrefix == "/",
            RouteMatch.PathSpecifierOneofCase.SafeRegex => match.SafeRegex.Regex == ".*",
            _ => false,
        };
        return anyPath && match.Headers.Count == 0 && match.QueryParameters.Count == 0 && match.DynamicMetadata.Count == 0;
    }

    // Claims of a validated token are asked for under a header-like name; they live in the metadata of the JWT filter.
    private static void AddHeaders(RouteMatch result, HTTPMatchRequest match)
    {
        var headers = new List<HeaderMatcher>();
        foreach (var (name, condition) in match.Headers.OrderBy(static h => h.Key, StringComparer.Ordinal))
        {
            if (ClaimMatches.ForHeaderName(name, condition) is { } claim) result.DynamicMetadata.Add(claim);
            else headers.Add(Header(name, condition));
        }
        foreach (var (name, condition) in match.WithoutHeaders.OrderBy(static h => h.Key, StringComparer.Ordinal))
        {
            if (ClaimMatches.ForHeaderName(name, condition) is { } claim)
            {
                claim.Invert = true;
                result.DynamicMetadata.Add(claim);
                continue;
            }
            var header = Header(name, condition);
            header.InvertMatch = true;
            // Envoy refuses "missing counts as empty" together with a presence match.
            if (!StringMatches.IsPresence(condition)) header.TreatMissingHeaderAsEmpty = true;
            headers.Add(header);
        }
        result.Headers.Add(headers.OrderBy(static h => h.Name, StringComparer.Ordinal));
    }

    private static void AddPath(RouteMatch result, StringMatch? uri, bool segmentPrefixes)
    {
        switch (uri?.MatchTypeCase)
        {
            case StringMatch.MatchTypeOneofCase.Exact:
                result.Path = uri.Exact;
                break;
            case StringMatch.MatchTypeOneofCase.Prefix when segmentPrefixes && uri.Prefix != "/":
                result.PathSeparatedPrefix = uri.Prefix.EndsWith('/') ? uri.Prefix[..^1] : uri.Prefix;
                break;
            case StringMatch.MatchTypeOneofCase.Prefix:
                result.Prefix = uri.Prefix;
                break;
            case StringMatch.MatchTypeOneofCase.Regex:
                result.SafeRegex = StringMatches.Regex(uri.Regex);
                break;
            default:
                break;
        }
    }

    private static HeaderMatcher Header(string name, StringMatch condition) =>
        StringMatches.IsPresence(condition)
            ? new HeaderMatcher { Name = name, PresentMatch = true }
            : new HeaderMatcher { Name = name, StringMatch = StringMatches.ToEnvoy(condition) };

    private static QueryParameterMatcher QueryParameter(string name, StringMatch condition) =>
        StringMatches.IsPresence(condition)
            ? new QueryParameterMatcher { Name = name, PresentMatch = true }
            : new QueryParameterMatcher { Name = name, StringMatch = StringMatches.ToEnvoy(condition) };
}
