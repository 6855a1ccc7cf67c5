using System.Text.RegularExpressions;
using Google.Protobuf.WellKnownTypes;
using Istio.Networking.V1Alpha3;
using Kubernetes.Gateway.V1;
using Operations = Istio.Networking.V1Alpha3.Headers.Types.HeaderOperations;
using Percent = Istio.Networking.V1Alpha3.Percent;
using Route = Istio.Networking.V1Alpha3.HTTPRoute;

namespace Lateen.Pilot.Meaning.GatewayApi;

/// <summary>Filters of a rule as settings of a route.</summary>
internal sealed class HttpFilterConversion(Backends backends)
{
    /// <summary>Applies the filters.</summary>
    /// <returns>What a mirror lacks, which does not hinder the rest; and why the rule must not be served at all.</returns>
    public (Problem? OfMirrors, Problem? Fatal) Apply(Route route, IEnumerable<HTTPRouteFilter> filters, string kind, string ns)
    {
        Problem? ofMirrors = null;
        foreach (var filter in filters)
        {
            Problem? fatal = null;
            switch (filter.Type)
            {
                case "RequestHeaderModifier":
                    fatal = Merge((route.Headers ??= new Headers()).Request ??= new Operations(), filter.RequestHeaderModifier);
                    break;
                case "ResponseHeaderModifier":
                    fatal = Merge((route.Headers ??= new Headers()).Response ??= new Operations(), filter.ResponseHeaderModifier);
                    break;
                case "RequestRedirect":
                    route.Redirect = Redirect(filter.RequestRedirect);
                    break;
                case "URLRewrite":
                    route.Rewrite = Rewrite(filter.UrlRewrite);
                    break;
                case "RequestMirror":
                    var (mirror, problem) = Mirror(filter.RequestMirror, kind, ns);
                    if (mirror is not null) route.Mirrors.Add(mirror);
                    ofMirrors = problem ?? ofMirrors;
                    break;
                case "CORS":
                    route.CorsPolicy = Cors(filter.Cors);
                    break;
                default:
                    fatal = new Problem(Problem.InvalidFilter, $"unsupported filter type \"{filter.Type}\"");
                    break;
            }
            if (fatal is not null) return (ofMirrors, fatal);
        }
        return (ofMirrors, null);
    }

    /// <summary>Filters that a route has as a whole, and no backend of several can have for itself.</summary>
    public static bool IsOfRoute(HTTPRouteFilter filter) => filter.Type is "RequestRedirect" or "URLRewrite" or "RequestMirror" or "CORS";

    /// <summary>Header filters of one backend; others can't be had for each.</summary>
    public static (Headers? Headers, Problem? Fatal) OfBackend(IEnumerable<HTTPRouteFilter> filters)
    {
        Headers? headers = null;
        foreach (var filter in filters)
        {
            Problem? fatal = filter.Type switch
            {
                "RequestHeaderModifier" => Merge((headers ??= new Headers()).Request ??= new Operations(), filter.RequestHeaderModifier),
                "ResponseHeaderModifier" => Merge((headers ??= new Headers()).Response ??= new Operations(), filter.ResponseHeaderModifier),
                _ => new Problem(Problem.InvalidFilter, $"unsupported filter type \"{filter.Type}\""),
            };
            if (fatal is not null) return (null, fatal);
        }
        return (headers, null);
    }

    /// <summary>Headers of one filter into the operations of a route. Of one name the first entry counts.</summary>
    /// <returns>Why they can't be sent; null where they can.</returns>
    public static Problem? Merge(Operations operations, HTTPHeaderFilter? filter)
    {
        if (filter is null) return null;
        foreach (var header in filter.Set.Concat(filter.Add))
        {
            if (header.Value.AsSpan().IndexOfAny('\r', '\n', '\0') >= 0)
                return new Problem(Problem.InvalidFilter, $"value of header \"{header.Name}\" has a character that no header may have");
        }
        foreach (var header in filter.Set.DistinctBy(header => header.Name, StringComparer.OrdinalIgnoreCase))
            operations.Set[header.Name.ToLowerInvariant()] = header.Value;
        foreach (var header in filter.Add.DistinctBy(header => header.Name, StringComparer.OrdinalIgnoreCase))
            operations.Add[header.Name.ToLowerInvariant()] = header.Value;
        operations.Remove.Add(filter.Remove);
        return null;
    }

    private static HTTPRedirect Redirect(HTTPRequestRedirectFilter filter)
    {
        var redirect = new HTTPRedirect { RedirectCode = filter.HasStatusCode ? (uint)filter.StatusCode : 302 };
        if (filter.HasHostname) redirect.Authority = filter.Hostname;
        if (filter.HasScheme) redirect.Scheme = filter.Scheme;
        if (filter.HasPort) redirect.Port = (uint)filter.Port;
        // Without a port it is the scheme's, or that of the request when the scheme stays.
        else redirect.DerivePort = filter.HasScheme
            ? HTTPRedirect.Types.RedirectPortSelection.FromProtocolDefault : HTTPRedirect.Types.RedirectPortSelection.FromRequestPort;
        if (filter.Path?.Type == "ReplaceFullPath") redirect.Uri = filter.Path.ReplaceFullPath;
        else if (filter.Path?.Type == "ReplacePrefixMatch") redirect.Uri = "%PREFIX()%" + filter.Path.ReplacePrefixMatch;
        return redirect;
    }

    // One that changes nothing is none.
    private static HTTPRewrite? Rewrite(HTTPURLRewriteFilter filter)
    {
        var rewrite = new HTTPRewrite();
        if (filter.HasHostname) rewrite.Authority = filter.Hostname;
        if (filter.Path?.Type == "ReplaceFullPath")
            rewrite.UriRegexRewrite = new RegexRewrite { Match = "/.*", Rewrite = filter.Path.ReplaceFullPath };
        else if (filter.Path?.Type == "ReplacePrefixMatch") rewrite.Uri = filter.Path.ReplacePrefixMatch.EndsWith('/')
            ? filter.Path.ReplacePrefixMatch[..^1] : filter.Path.ReplacePrefixMatch;
        if (filter.Path?.Type == "ReplacePrefixMatch" && rewrite.Uri.Length == 0) rewrite.Uri = "/";
        return rewrite.CalculateSize() == 0 ? null : rewrite;
    }

    private (HTTPMirrorPolicy? Mirror, Problem? Problem) Mirror(HTTPRequestMirrorFilter filter, string kind, string ns)
    {
        var (destination, problem) = backends.Of(kind, ns, filter.BackendRef);
        if (problem is not null) return (null, problem);
        Percent? share = filter switch
        {
            { Fraction: { } fraction } =>
                new Percent { Value = 100.0 * fraction.Numerator / (fraction.HasDenominator ? fraction.Denominator : 100) },
            { HasPercent: true } => new Percent { Value = filter.Percent },
            _ => null,
        };
        return (new HTTPMirrorPolicy { Destination = destination, Percentage = share }, null);
    }

    private static CorsPolicy Cors(HTTPCORSFilter filter)
    {
        var policy = new CorsPolicy
        {
            UnmatchedPreflights = CorsPolicy.Types.UnmatchedPreflights.Ignore,
            MaxAge = filter.HasMaxAge ? Duration.FromTimeSpan(TimeSpan.FromSeconds(filter.MaxAge)) : null,
        };
        if (filter.HasAllowCredentials) policy.AllowCredentials = filter.AllowCredentials;
        policy.AllowMethods.Add(filter.AllowMethods);
        policy.AllowHeaders.Add(filter.AllowHeaders);
        policy.ExposeHeaders.Add(filter.ExposeHeaders);
        policy.AllowOrigins.Add(filter.AllowOrigins.Select(Origin));
        return policy;
    }

    private static StringMatch Origin(string origin) => origin switch
    {
        "*" => new StringMatch { Regex = ".*" },
        _ when origin.Contains('*', StringComparison.Ordinal) =>
            new StringMatch { Regex = "^" + Regex.Escape(origin).Replace("\\*", ".*", StringComparison.Ordinal) + "$" },
        _ => new StringMatch { Exact = origin },
    };
}
