using Kubernetes.Gateway.V1;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>HTTPRoute.</summary>
internal static class HttpRouteApiRules
{
    private const int MatchesMax = 128;
    private static readonly string[] ForbiddenInPaths = ["//", "/./", "/../", "%2f", "%2F", "#"];
    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    public static void Check(Findings f, HTTPRouteSpec spec)
    {
        RouteParts.Parents(f, spec.ParentRefs);
        RouteParts.Hostnames(f, spec.Hostnames);
        RouteParts.RuleNames(f, spec.Rules.Select(r => r.Name));
        f.ErrorIf(spec.Rules.Count > 16, Codes.OutOfRange, "spec.rules", "more than 16 rules");
        f.ErrorIf(spec.Rules.Sum(r => r.Matches.Count) > MatchesMax, Codes.OutOfRange, "spec.rules",
            $"the total number of matches across all rules in a route must be less than {MatchesMax}");
        for (var i = 0; i < spec.Rules.Count; i++) Rule(f, $"spec.rules[{i}]", spec.Rules[i]);
    }

    private static void Rule(Findings f, string path, HTTPRouteRule rule)
    {
        f.ErrorIf(rule.Matches.Count > 64, Codes.OutOfRange, path + ".matches", "more than 64 matches");
        for (var i = 0; i < rule.Matches.Count; i++) Match(f, $"{path}.matches[{i}]", rule.Matches[i]);
        FilterRules.Check(f, path + ".filters", rule.Filters, isGrpc: false);
        f.ErrorIf(rule.BackendRefs.Count > 0 && rule.Filters.Any(x => x.RequestRedirect is not null), Codes.Route, path,
            "RequestRedirect filter must not be used together with backendRefs");
        PrefixNeedsPrefix(f, path, rule, rule.Filters, "");
        f.ErrorIf(rule.BackendRefs.Count > 16, Codes.OutOfRange, path + ".backendRefs", "more than 16 backends");
        for (var i = 0; i < rule.BackendRefs.Count; i++)
        {
            var (backend, at) = (rule.BackendRefs[i], $"{path}.backendRefs[{i}]");
            RouteParts.Backend(f, at, backend.Name, backend.Group, backend.HasKind, backend.Kind, backend.HasPort, backend.Port);
            RouteParts.Weight(f, at, backend.HasWeight, backend.Weight);
            FilterRules.Check(f, at + ".filters", backend.Filters, isGrpc: false);
            PrefixNeedsPrefix(f, path, rule, backend.Filters, "Within backendRefs, ");
        }

        Timeouts(f, path + ".timeouts", rule.Timeouts);
        Retry(f, path + ".retry", rule.Retry);
        RouteParts.SessionPersistence(f, path + ".sessionPersistence", rule.SessionPersistence);
    }

    /// <summary>A matched prefix can be replaced only where exactly one prefix is matched.</summary>
    private static void PrefixNeedsPrefix(Findings f, string path, HTTPRouteRule rule, IReadOnlyList<HTTPRouteFilter> filters, string where)
    {
        // Without matches the rule matches the prefix "/".
        var onePrefix = rule.Matches.Count == 0
            || (rule.Matches.Count == 1 && (rule.Matches[0].Path is null or { HasType: false } or { Type: "PathPrefix" }));
        f.ErrorIf(!onePrefix && filters.Any(x => x.RequestRedirect?.Path is { Type: "ReplacePrefixMatch", HasReplacePrefixMatch: true }),
            Codes.Route, path,
            where + "When using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified");
        f.ErrorIf(!onePrefix && filters.Any(x => x.UrlRewrite?.Path is { Type: "ReplacePrefixMatch", HasReplacePrefixMatch: true }),
            Codes.Route, path,
            where + "When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified");
    }

    private static void Match(Findings f, string path, HTTPRouteMatch match)
    {
        if (match.Path is { } uri)
        {
            var (type, value) = (uri.HasType ? uri.Type : "PathPrefix", uri.HasValue ? uri.Value : "/");
            f.ErrorIf(type is not ("Exact" or "PathPrefix" or "RegularExpression"), Codes.Route, path + ".path.type",
                "type must be one of ['Exact', 'PathPrefix', 'RegularExpression']");
            f.ErrorIf(value.Length > 1024, Codes.OutOfRange, path + ".path.value", "more than 1024 characters");
            if (type is "Exact" or "PathPrefix") f.ErrorIf(PathProblem(value), Codes.Route, path + ".path.value");
        }

        f.ErrorIf(match.HasMethod && !Methods.Contains(match.Method), Codes.Route, path + ".method", $"\"{match.Method}\" is no method");
        RouteParts.ValueMatches(f, path + ".headers", match.Headers);
        RouteParts.ValueMatches(f, path + ".queryParams", match.QueryParams);
    }

    private static string? PathProblem(string value)
    {
        if (!value.StartsWith('/')) return "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']";
        if (ForbiddenInPaths.FirstOrDefault(part => value.Contains(part, StringComparison.Ordinal)) is { } forbidden)
        {
            return $"must not contain '{forbidden}' when type one of ['Exact', 'PathPrefix']";
        }

        return value.EndsWith("/..", StringComparison.Ordinal) ? "must not end with '/..' when type one of ['Exact', 'PathPrefix']"
            : value.EndsWith("/.", StringComparison.Ordinal) ? "must not end with '/.' when type one of ['Exact', 'PathPrefix']"
            : ApiNames.IsPath(value) ? null : "must only contain valid characters for types ['Exact', 'PathPrefix']";
    }

    private static void Timeouts(Findings f, string path, HTTPRouteTimeouts? timeouts)
    {
        if (timeouts is null) return;
        var (request, backend) = (TimeSpan.Zero, TimeSpan.Zero);
        f.ErrorIf(timeouts.HasRequest && !ApiNames.TryDuration(timeouts.Request, out request), Codes.BadDuration, path + ".request",
            $"\"{timeouts.Request}\" is no duration");
        f.ErrorIf(timeouts.HasBackendRequest && !ApiNames.TryDuration(timeouts.BackendRequest, out backend), Codes.BadDuration,
            path + ".backendRequest", $"\"{timeouts.BackendRequest}\" is no duration");
        f.ErrorIf(timeouts.HasRequest && timeouts.HasBackendRequest && request != TimeSpan.Zero && backend > request, Codes.Route, path,
            "backendRequest timeout cannot be longer than request timeout");
    }

    private static void Retry(Findings f, string path, HTTPRouteRetry? retry)
    {
        if (retry is null) return;
        f.ErrorIf(retry.Codes.Any(c => c is < 400 or > 599), Codes.OutOfRange, path + ".codes", "a code is from 400 to 599");
        f.ErrorIf(retry.HasAttempts && retry.Attempts < 1, Codes.OutOfRange, path + ".attempts", "should be greater than or equal to 1");
        f.ErrorIf(retry.HasBackoff && !ApiNames.TryDuration(retry.Backoff, out _), Codes.BadDuration, path + ".backoff",
            $"\"{retry.Backoff}\" is no duration");
    }
}
