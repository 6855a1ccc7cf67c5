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
    /// <summary>Applies the filters; false when one is not served, as then the rule must not be served without it.</summary>
    public bool Apply(Route route, IEnumerable<HTTPRouteFilter> filters, string kind, string ns)
    {
        foreach (var filter in filters)
        {
            switch (filter.Type)
            {
                case "RequestHeaderModifier":
                    Merge((route.Headers ??= new Headers()).Request ??= new Operations(), filter.RequestHeaderModifier);
                    break;
                case "ResponseHeaderModifier":
                    Merge((route.Headers ??= new Headers()).Response ??= new Operations(), filter.ResponseHeaderModifier);
                    break;
                case "RequestRedirect":
                    route.Redirect = Redirect(filter.RequestRedirect);
                    break;
                case "URLRewrite":
                    route.Rewrite = Rewrite(filter.UrlRewrite);
                    break;
                case "RequestMirror":
                    route.Mirrors.Add(Mirror(filter.RequestMirror, kind, ns));
                    break;
                case "CORS":
                    route.CorsPolicy = Cors(filter.Cors);
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    /// <summary>Header filters of one backend; others can't be had for each.</summary>
    public static Headers? OfBackend(IEnumerable<HTTPRouteFilter> filters)
    {
        Headers? headers = null;
        foreach (var filter in filters)
        {
            if (filter.RequestHeaderModifier is { } request) Merge((headers ??= new Headers()).Request ??= new Operations(), request);
            if (filter.ResponseHeaderModifier is { } response) Merge((headers ??= new Headers()).Response ??= new Operations(), response);
        }
        return headers;
    }

    private static void Merge(Operations operations, HTTPHeaderFilter filter)
    {
        foreach (var header in filter.Set) operations.Set[header.Name] = header.Value;
        foreach (var header in filter.Add) operations.Add[header.Name] = header.Value;
        operations.Remove.Add(filter.Remove);
    }

    private static HTTPRedirect Redirect(HTTPRequestRedirectFilter filter)
    {
        var redirect = new HTTPRedirect { RedirectCode = filter.HasStatusCode ? (uint)filter.StatusCode : 302 };
        if (filter.HasHostname) redirect.Authority = filter.Hostname;
        if (filter.HasScheme) redirect.Scheme = filter.Scheme;
        if (filter.HasPort) redirect.Port = (uint)filter.Port;
        // Without a port it is the scheme's, or that of the request when the scheme stays.
        else redirect.DerivePort = filter.HasScheme ? HTTPRedirect.Types.RedirectPortSelection.FromProtocolDefault : HTTPRedirect.Types.RedirectPortSelection.FromRequestPort;
        if (filter.Path?.Type == "ReplaceFullPath") redirect.Uri = filter.Path.ReplaceFullPath;
        else if (filter.Path?.Type == "ReplacePrefixMatch") redirect.Uri = "%PREFIX()%" + filter.Path.ReplacePrefixMatch;
        return redirect;
    }

    private static HTTPRewrite Rewrite(HTTPURLRewriteFilter filter)
    {
        var rewrite = new HTTPRewrite();
        if (filter.HasHostname) rewrite.Authority = filter.Hostname;
        if (filter.Path?.Type == "ReplaceFullPath") rewrite.UriRegexRewrite = new RegexRewrite { Match = "/.*", Rewrite = filter.Path.ReplaceFullPath };
        else if (filter.Path?.Type == "ReplacePrefixMatch") rewrite.Uri = filter.Path.ReplacePrefixMatch.TrimEnd('/') is { Length: > 0 } prefix ? prefix : "/";
        return rewrite;
    }

    private HTTPMirrorPolicy Mirror(HTTPRequestMirrorFilter filter, string kind, string ns)
    {
        var share = filter switch
        {
            { Fraction: { } fraction } => 100.0 * fraction.Numerator / (fraction.HasDenominator ? fraction.Denominator : 100),
            { HasPercent: true } => filter.Percent,
            _ => 100.0,
        };
        return new HTTPMirrorPolicy { Destination = backends.Of(kind, ns, filter.BackendRef), Percentage = new Percent { Value = share } };
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
        _ when origin.Contains('*', StringComparison.Ordinal) => new StringMatch { Regex = "^" + Regex.Escape(origin).Replace("\\*", ".*", StringComparison.Ordinal) + "$" },
        _ => new StringMatch { Exact = origin },
    };
}
