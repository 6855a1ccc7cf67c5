using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Routing;

/// <summary>Finds routes and matches that an earlier one always takes before them.</summary>
internal static class RouteReach
{
    public static void Check(Findings f, VirtualService service)
    {
        var catchAll = -1;
        var seen = new Dictionary<ByteString, string>();
        var prefixes = new List<(HTTPMatchRequest Match, string Path)>();
        for (var i = 0; i < service.Http.Count; i++)
        {
            var (route, path) = (service.Http[i], $"spec.http[{i}]");
            f.WarnIf(catchAll >= 0, Codes.Unreachable, path, $"{path} is not used: spec.http[{catchAll}] matches everything before it");
            if (route.Match.Count == 0)
            {
                catchAll = catchAll < 0 ? i : catchAll;
                continue;
            }

            for (var j = 0; j < route.Match.Count; j++) Match(f, $"{path}.match[{j}]", route.Match[j], seen, prefixes);
        }
    }

    private static void Match(Findings f, string path, HTTPMatchRequest match, Dictionary<ByteString, string> seen,
        List<(HTTPMatchRequest Match, string Path)> prefixes)
    {
        var plain = match.Clone();
        plain.Name = "";
        var key = Lateen.Api.Documents.DeterministicBytes.Of(plain);
        if (!seen.TryAdd(key, path))
        {
            f.Warn(Codes.Unreachable, path, $"duplicates {seen[key]} and is not used");
            return;
        }

        foreach (var (earlier, where) in prefixes)
        {
            if (Hides(earlier, match))
            {
                f.Warn(Codes.Unreachable, path,
                    $"is not used: {where} takes every path that begins with \"{earlier.Uri.Prefix}\" before it");
                return;
            }
        }

        if (match.Uri?.MatchTypeCase == StringMatch.MatchTypeOneofCase.Prefix && IsPathOnly(match)) prefixes.Add((match, path));
    }

    private static bool IsPathOnly(HTTPMatchRequest match) =>
        match.Method is null && match.Scheme is null && match.Authority is null && match.Headers.Count == 0
            && match.WithoutHeaders.Count == 0
        && match.QueryParams.Count == 0 && match.SourceLabels.Count == 0 && match.SourceNamespace.Length == 0;

    // Istio's webhook looks at paths that begin alike, and at nothing else; what is dead beyond that is told on the object.
    private static bool Hides(HTTPMatchRequest earlier, HTTPMatchRequest later) =>
        later.Uri?.MatchTypeCase is StringMatch.MatchTypeOneofCase.Prefix or StringMatch.MatchTypeOneofCase.Exact
        && (earlier.Gateways.Count == 0 || earlier.Gateways.SequenceEqual(later.Gateways)) && MatchCover.Covers(earlier, later);
}
