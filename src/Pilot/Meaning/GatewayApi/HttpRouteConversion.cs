using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Api.Documents;
using Match = Istio.Networking.V1Alpha3.HTTPMatchRequest;
using Route = Istio.Networking.V1Alpha3.HTTPRoute;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Rules of a route at gateways, or in the mesh.</summary>
/// <param name="Routes">A route for each match; none where the route can't be served as a whole.</param>
/// <param name="Problem">What is wrong; null for nothing.</param>
internal sealed record ConvertedRules(IReadOnlyList<Route> Routes, Problem? Problem)
{
    public static readonly ConvertedRules None = new([], null);
}

/// <summary>Rules of HTTPRoutes and GRPCRoutes, one route for each match, so that those of all routes can be sorted together.</summary>
internal sealed class HttpRouteConversion(Backends backends)
{
    private readonly HttpFilterConversion _filters = new(backends);

    public ConvertedRules Of(string ns, string name, Kubernetes.Gateway.V1.HTTPRoute route) =>
        Of("HTTPRoute", ns, name, route.Spec.Rules.Select(rule => new WrittenRule(
            rule.HasName ? rule.Name : null, rule.Filters, rule.BackendRefs, [.. rule.Matches.Select(MatchOf)],
            made => Timeouts(made, rule))));

    public ConvertedRules Of(string ns, string name, GRPCRoute route) =>
        Of("GRPCRoute", ns, name, route.Spec.Rules.Select(rule => new WrittenRule(
            rule.HasName ? rule.Name : null, rule.Filters, rule.BackendRefs, [.. rule.Matches.Select(MatchOf)], static _ => { })));

    private ConvertedRules Of(string kind, string ns, string name, IEnumerable<WrittenRule> rules)
    {
        var (routes, index) = (new List<Route>(), 0);
        Problem? problem = null;
        foreach (var rule in rules)
        {
            var (made, own) = Rule(kind, ns, rule.Name ?? Name(ns, name, index), rule);
            if (made is null) return new ConvertedRules([], own);
            problem = own ?? problem;
            routes.AddRange(Each(made, rule.Matches));
            index++;
        }
        return new ConvertedRules(routes, problem);
    }

    /// <summary>The most specific first: exact paths, then prefixes, then expressions; the longer path; a method; more headers; more
    /// parameters.</summary>
    /// <param name="routes">Each with whether it is an HTTPRoute's: a match of one without a path is about every path, as if it said the
    /// prefix "/".</param>
    public static List<Route> Sorted(IEnumerable<(Route Route, bool IsHttp)> routes) =>
    [
        .. routes.OrderBy(entry => entry.Route.Match.Count == 0).ThenByDescending(Rank).ThenByDescending(LengthOf)
            .ThenByDescending(entry => entry.Route.Match.FirstOrDefault()?.Method is not null)
            .ThenByDescending(entry => entry.Route.Match.FirstOrDefault()?.Headers.Count ?? 0)
            .ThenByDescending(entry => entry.Route.Match.FirstOrDefault()?.QueryParams.Count ?? 0).Select(entry => entry.Route),
    ];

    private static int Rank((Route Route, bool IsHttp) entry) => entry.Route.Match.FirstOrDefault()?.Uri?.MatchTypeCase switch
    {
        StringMatch.MatchTypeOneofCase.Exact => 3,
        StringMatch.MatchTypeOneofCase.Prefix => 2,
        StringMatch.MatchTypeOneofCase.Regex => 1,
        _ => entry.IsHttp ? 2 : -1,
    };

    private static int LengthOf((Route Route, bool IsHttp) entry) => entry.Route.Match.FirstOrDefault()?.Uri is { } path
        ? Math.Max(path.Exact.Length, Math.Max(path.Prefix.Length, path.Regex.Length)) : entry.IsHttp ? 1 : -1;

    private static string Name(string ns, string name, int index) => string.Create(CultureInfo.InvariantCulture, $"{ns}.{name}.{index}");

    private static IEnumerable<Route> Each(Route route, IEnumerable<Match> matches)
    {
        var isFirst = true;
        foreach (var match in matches)
        {
            var copy = isFirst ? route : route.Clone();
            copy.Match.Clear();
            if (match.CalculateSize() > 0) copy.Match.Add(match);
            // The first is what others are copied from; it is handed out with the last.
            isFirst = false;
            yield return ReferenceEquals(copy, route) ? route.Clone() : copy;
        }
        if (isFirst) yield return route;
    }

    // Null where the whole route can't be served for it.
    private (Route? Route, Problem? Problem) Rule(string kind, string ns, string name, WrittenRule rule)
    {
        var route = new Route { Name = name };
        var (problem, fatal) = _filters.Apply(route, rule.Filters, kind, ns);
        if (fatal is not null) return (null, fatal);
        rule.Finish(route);
        var weighted = rule.Backends.Where(reference => !reference.HasWeight || reference.Weight > 0).ToList();
        if (weighted.Count == 0 && route.Redirect is null) route.DirectResponse = new HTTPDirectResponse { Status = 500 };
        Problem? ofBackends = null;
        foreach (var reference in weighted)
        {
            var (destination, own) = backends.Of(kind, ns, reference);
            if (own is { IsOfBackend: false }) return (null, own);
            ofBackends = own ?? ofBackends;
            var (headers, unserved) = HttpFilterConversion.OfBackend(
                reference.Filters.Where(filter => weighted.Count > 1 || !HttpFilterConversion.IsOfRoute(filter)));
            if (unserved is not null) return (null, unserved);
            // What is said for the only backend is said for the rule.
            if (weighted.Count == 1)
                (problem, fatal) = _filters.Apply(route, reference.Filters.Where(HttpFilterConversion.IsOfRoute), kind,
                    ns) is var (more, wrong) ? (more ?? problem, wrong) : (problem, null);
            if (fatal is not null) return (null, fatal);
            if (route.Redirect is not null) continue;
            route.Route.Add(new HTTPRouteDestination
            {
                Destination = destination,
                Headers = headers,
                Weight = weighted.Count > 1 ? reference.HasWeight ? reference.Weight : 1 : 0,
            });
        }
        return (route, Problem.Join(ofBackends, problem));
    }

    private static void Timeouts(Route route, HTTPRouteRule rule)
    {
        if (rule.Retry is { } retry)
        {
            var codes = string.Concat(retry.Codes.Select(code => string.Create(CultureInfo.InvariantCulture, $",{code}")));
            route.Retries = new HTTPRetry
            {
                Attempts = retry.HasAttempts ? retry.Attempts : 2,
                RetryOn = "connect-failure,refused-stream,unavailable,cancelled" + codes,
                Backoff = DurationOf(retry.Backoff),
            };
            if (route.Retries.Attempts == 0) route.Retries.RetryOn = "";
        }
        route.Timeout = DurationOf(rule.Timeouts?.Request);
        if (DurationOf(rule.Timeouts?.BackendRequest) is not { } perTry) return;
        if (route.Retries is not null) route.Retries.PerTryTimeout = perTry;
        else route.Timeout = perTry;
    }

    // Zero turns a timeout off, which is what there is without one.
    private static Duration? DurationOf(string? text) =>
        !string.IsNullOrEmpty(text) && Durations.TryParse(text, out var parsed) && (parsed.Seconds > 0 || parsed.Nanos > 0) ? parsed : null;

    private static Match MatchOf(HTTPRouteMatch written)
    {
        var match = new Match();
        if (written.Path is { } path)
        {
            var value = path.HasValue ? path.Value : "/";
            match.Uri = (path.HasType ? path.Type : "PathPrefix") switch
            {
                "Exact" => new StringMatch { Exact = value },
                "RegularExpression" => new StringMatch { Regex = value },
                _ => new StringMatch { Prefix = value.Length > 1 && value.EndsWith('/') ? value[..^1] : value },
            };
        }
        Headers(match, written.Headers);
        foreach (var parameter in written.QueryParams) match.QueryParams.TryAdd(parameter.Name, ValueOf(parameter));
        if (written.HasMethod) match.Method = new StringMatch { Exact = written.Method };
        return match;
    }

    private static Match MatchOf(GRPCRouteMatch written)
    {
        var match = new Match();
        if (written.Method is { } method)
        {
            var isRegex = method is { HasType: true, Type: "RegularExpression" };
            match.Uri = (method.Service.Length > 0, method.Method.Length > 0) switch
            {
                (true, true) => isRegex ? new StringMatch { Regex = $"/{method.Service}/{method.Method}" }
                    : new StringMatch { Exact = $"/{method.Service}/{method.Method}" },
                (true, false) => isRegex ? new StringMatch { Regex = $"/{method.Service}/.+" }
                    : new StringMatch { Prefix = $"/{method.Service}/" },
                (false, true) => new StringMatch { Regex = $"/[^/]+/{method.Method}" },
                _ => null,
            };
        }
        Headers(match, written.Headers);
        return match;
    }

    private static void Headers(Match match, IEnumerable<HTTPValueMatch> headers)
    {
        foreach (var header in headers) match.Headers.TryAdd(header.Name, ValueOf(header));
    }

    private static StringMatch ValueOf(HTTPValueMatch written) =>
        written is { HasType: true, Type: "RegularExpression" }
            ? new StringMatch { Regex = written.Value } : new StringMatch { Exact = written.Value };

    private sealed record WrittenRule(
        string? Name, IReadOnlyList<HTTPRouteFilter> Filters, IReadOnlyList<HTTPBackendRef> Backends, IReadOnlyList<Match> Matches,
        Action<Route> Finish);
}
