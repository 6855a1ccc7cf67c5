using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Lateen.Api.Documents;
using Match = Istio.Networking.V1Alpha3.HTTPMatchRequest;
using Route = Istio.Networking.V1Alpha3.HTTPRoute;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Rules of HTTPRoutes and GRPCRoutes, one route for each match, so that those of all routes can be sorted together.</summary>
internal sealed class HttpRouteConversion(Backends backends)
{
    private readonly HttpFilterConversion _filters = new(backends);

    public IEnumerable<Route> Of(string ns, string name, Kubernetes.Gateway.V1.HTTPRoute route)
    {
        var index = 0;
        foreach (var rule in route.Spec.Rules)
        {
            var made = Rule("HTTPRoute", ns, rule.HasName ? rule.Name : Name(ns, name, index), rule.Filters, rule.BackendRefs);
            Timeouts(made, rule);
            foreach (var copy in Each(made, rule.Matches.Select(MatchOf))) yield return copy;
            index++;
        }
    }

    public IEnumerable<Route> Of(string ns, string name, GRPCRoute route)
    {
        var index = 0;
        foreach (var rule in route.Spec.Rules)
        {
            var made = Rule("GRPCRoute", ns, rule.HasName ? rule.Name : Name(ns, name, index), rule.Filters, rule.BackendRefs);
            foreach (var copy in Each(made, rule.Matches.Select(MatchOf))) yield return copy;
            index++;
        }
    }

    /// <summary>The most specific first: exact paths, then prefixes, then expressions; the longer path; a method; more headers; more parameters.</summary>
    public static List<Route> Sorted(IEnumerable<Route> routes) =>
    [
        .. routes.OrderByDescending(route => Rank(PathOf(route))).ThenByDescending(route => LengthOf(PathOf(route)))
            .ThenByDescending(route => route.Match.FirstOrDefault()?.Method is not null)
            .ThenByDescending(route => route.Match.FirstOrDefault()?.Headers.Count ?? 0)
            .ThenByDescending(route => route.Match.FirstOrDefault()?.QueryParams.Count ?? 0),
    ];

    private static StringMatch? PathOf(Route route) => route.Match.FirstOrDefault()?.Uri;

    private static int Rank(StringMatch? path) => path?.MatchTypeCase switch
    {
        StringMatch.MatchTypeOneofCase.Exact => 3,
        StringMatch.MatchTypeOneofCase.Prefix => 2,
        StringMatch.MatchTypeOneofCase.Regex => 1,
        _ => -1,
    };

    private static int LengthOf(StringMatch? path) => path is null ? -1 : Math.Max(path.Exact.Length, Math.Max(path.Prefix.Length, path.Regex.Length));

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

    private Route Rule(string kind, string ns, string name, IEnumerable<HTTPRouteFilter> filters, IReadOnlyCollection<HTTPBackendRef> references)
    {
        var route = new Route { Name = name };
        if (!_filters.Apply(route, filters, kind, ns)) return new Route { Name = name, DirectResponse = new HTTPDirectResponse { Status = 500 } };
        if (route.Redirect is not null) return route;
        var weighted = references.Where(reference => !reference.HasWeight || reference.Weight > 0).ToList();
        foreach (var reference in weighted)
        {
            var destination = new HTTPRouteDestination { Destination = backends.Of(kind, ns, reference), Headers = HttpFilterConversion.OfBackend(reference.Filters) };
            if (weighted.Count > 1) destination.Weight = reference.HasWeight ? reference.Weight : 1;
            route.Route.Add(destination);
        }
        if (route.Route.Count == 0) route.DirectResponse = new HTTPDirectResponse { Status = 500 };
        return route;
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
                _ => new StringMatch { Prefix = value.Length > 1 ? value.TrimEnd('/') : value },
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
                (true, true) => isRegex ? new StringMatch { Regex = $"/{method.Service}/{method.Method}" } : new StringMatch { Exact = $"/{method.Service}/{method.Method}" },
                (true, false) => isRegex ? new StringMatch { Regex = $"/{method.Service}/.+" } : new StringMatch { Prefix = $"/{method.Service}/" },
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
        written is { HasType: true, Type: "RegularExpression" } ? new StringMatch { Regex = written.Value } : new StringMatch { Exact = written.Value };
}
