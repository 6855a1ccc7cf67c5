using Kubernetes.Gateway.V1;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.GatewayApi;

/// <summary>The filters of HTTP and gRPC routes.</summary>
internal static class FilterRules
{
    private static readonly string[] Repeatable = ["RequestMirror", "ExtensionRef"];
    private static readonly string[] OfGrpc = ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"];
    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];

    public static void Check(Findings f, string path, IReadOnlyList<HTTPRouteFilter> filters, bool isGrpc)
    {
        f.ErrorIf(filters.Count > 16, Codes.OutOfRange, path, "more than 16 filters");
        foreach (var type in filters.Select(x => x.Type).GroupBy(t => t).Where(g => g.Count() > 1 && !Repeatable.Contains(g.Key))
            .Select(g => g.Key))
        {
            f.Error(Codes.Filter, path, $"{type} filter cannot be repeated");
        }

        f.ErrorIf(filters.Any(x => x.Type == "RequestRedirect") && filters.Any(x => x.Type == "URLRewrite"), Codes.Filter, path,
            "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both");
        for (var i = 0; i < filters.Count; i++) Filter(f, $"{path}[{i}]", filters[i], isGrpc);
    }

    private static void Filter(Findings f, string path, HTTPRouteFilter filter, bool isGrpc)
    {
        (string Field, string Type, bool IsSet)[] parts =
        [
            ("requestHeaderModifier", "RequestHeaderModifier", filter.RequestHeaderModifier is not null),
            ("responseHeaderModifier", "ResponseHeaderModifier", filter.ResponseHeaderModifier is not null),
            ("requestMirror", "RequestMirror", filter.RequestMirror is not null),
            ("requestRedirect", "RequestRedirect", filter.RequestRedirect is not null),
            ("urlRewrite", "URLRewrite", filter.UrlRewrite is not null),
            ("cors", "CORS", filter.Cors is not null),
            ("externalAuth", "ExternalAuth", filter.ExternalAuth is not null),
            ("extensionRef", "ExtensionRef", filter.ExtensionRef is not null),
        ];
        f.ErrorIf(parts.All(p => p.Type != filter.Type) || (isGrpc && !OfGrpc.Contains(filter.Type)), Codes.Filter, path + ".type",
            $"\"{filter.Type}\" is no type of a filter here");
        foreach (var (field, type, isSet) in parts)
        {
            f.ErrorIf(isSet && filter.Type != type, Codes.Filter, path, $"filter.{field} must be nil if the filter.type is not {type}");
            f.ErrorIf(!isSet && filter.Type == type, Codes.Filter, path, $"filter.{field} must be specified for {type} filter.type");
        }

        Headers(f, path + ".requestHeaderModifier", filter.RequestHeaderModifier);
        Headers(f, path + ".responseHeaderModifier", filter.ResponseHeaderModifier);
        Mirror(f, path + ".requestMirror", filter.RequestMirror);
        Redirect(f, path + ".requestRedirect", filter.RequestRedirect);
        Modifier(f, path + ".urlRewrite.path", filter.UrlRewrite?.Path);
        f.ErrorIf(filter.UrlRewrite is { HasHostname: true } rewrite && !ApiNames.IsPreciseHostname(rewrite.Hostname), Codes.BadHost,
            path + ".urlRewrite.hostname", "hostname is not valid");
        Cors(f, path + ".cors", filter.Cors);
        ExternalAuth(f, path + ".externalAuth", filter.ExternalAuth);
    }

    private static void Headers(Findings f, string path, HTTPHeaderFilter? headers)
    {
        if (headers is null) return;
        foreach (var (list, where) in new[] { (headers.Set, ".set"), (headers.Add, ".add") })
        {
            f.ErrorIf(list.Count > 16, Codes.OutOfRange, path + where, "more than 16 headers");
            f.ErrorIf(list.GroupBy(h => h.Name).Any(g => g.Count() > 1), Codes.Duplicate, path + where,
                "Duplicate value: one header may be given once");
            f.ErrorIf(list.Any(h => !ApiNames.IsHeaderName(h.Name)), Codes.BadHeader, path + where, "a header name is not valid");
            f.ErrorIf(list.Any(h => !ApiNames.IsHeaderValue(h.Value)), Codes.BadHeader, path + where, "a header value is not valid");
        }

        f.ErrorIf(headers.Remove.Distinct().Count() < headers.Remove.Count, Codes.Duplicate, path + ".remove",
            "Duplicate value: one header may be removed once");
        f.ErrorIf(headers.Remove.Count > 16, Codes.OutOfRange, path + ".remove", "more than 16 headers");
    }

    private static void Mirror(Findings f, string path, HTTPRequestMirrorFilter? mirror)
    {
        if (mirror is null) return;
        RouteParts.Backend(f, path + ".backendRef", mirror.BackendRef);
        f.ErrorIf(mirror.HasPercent && mirror.Fraction is not null, Codes.Exclusive, path,
            "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter");
        f.ErrorIf(mirror.HasPercent && mirror.Percent is < 0 or > 100, Codes.BadPercent, path + ".percent",
            "percent must be from 0 to 100");
        if (mirror.Fraction is { } fraction)
        {
            var denominator = fraction.HasDenominator ? fraction.Denominator : 100;
            f.ErrorIf(denominator < 1 || fraction.Numerator < 0, Codes.OutOfRange, path + ".fraction",
                "should be greater than or equal to 1");
            f.ErrorIf(fraction.Numerator > denominator, Codes.OutOfRange, path + ".fraction",
                "numerator must be less than or equal to denominator");
        }
    }

    private static void Redirect(Findings f, string path, HTTPRequestRedirectFilter? redirect)
    {
        if (redirect is null) return;
        f.ErrorIf(redirect.HasScheme && redirect.Scheme is not ("http" or "https"), Codes.Filter, path + ".scheme",
            "scheme is http or https");
        f.ErrorIf(redirect.HasHostname && !ApiNames.IsPreciseHostname(redirect.Hostname), Codes.BadHost, path + ".hostname",
            "hostname is not valid");
        f.ErrorIf(redirect.HasStatusCode && redirect.StatusCode is not (301 or 302 or 303 or 307 or 308), Codes.Filter,
            path + ".statusCode", $"{redirect.StatusCode} is no redirect");
        if (redirect.HasPort) Rules.Port(f, path + ".port", redirect.Port);
        Modifier(f, path + ".path", redirect.Path);
    }

    private static void Modifier(Findings f, string path, HTTPPathModifier? modifier)
    {
        if (modifier is null) return;
        f.ErrorIf(modifier.Type is not ("ReplaceFullPath" or "ReplacePrefixMatch"), Codes.Filter, path + ".type",
            $"\"{modifier.Type}\" is neither ReplaceFullPath nor ReplacePrefixMatch");
        f.ErrorIf(modifier.Type == "ReplaceFullPath" && !modifier.HasReplaceFullPath, Codes.Filter, path,
            "replaceFullPath must be specified when type is set to 'ReplaceFullPath'");
        f.ErrorIf(modifier.Type != "ReplaceFullPath" && modifier.HasReplaceFullPath, Codes.Filter, path,
            "type must be 'ReplaceFullPath' when replaceFullPath is set");
        f.ErrorIf(modifier.Type == "ReplacePrefixMatch" && !modifier.HasReplacePrefixMatch, Codes.Filter, path,
            "replacePrefixMatch must be specified when type is set to 'ReplacePrefixMatch'");
        f.ErrorIf(modifier.Type != "ReplacePrefixMatch" && modifier.HasReplacePrefixMatch, Codes.Filter, path,
            "type must be 'ReplacePrefixMatch' when replacePrefixMatch is set");
    }

    private static void Cors(Findings f, string path, HTTPCORSFilter? cors)
    {
        if (cors is null) return;
        foreach (var (list, where, what) in new[] { (cors.AllowOrigins, ".allowOrigins", "AllowOrigins"),
            (cors.AllowMethods, ".allowMethods", "AllowMethods"), (cors.AllowHeaders, ".allowHeaders", "AllowHeaders") })
        {
            f.ErrorIf(list.Contains("*") && list.Count > 1, Codes.Cors, path + where, $"{what} cannot contain '*' alongside other entries");
        }

        f.ErrorIf(cors.AllowOrigins.Any(o => !ApiNames.IsOrigin(o)), Codes.Cors, path + ".allowOrigins",
            "an origin is *, or a scheme and a host");
        f.ErrorIf(cors.AllowMethods.Any(m => !Methods.Contains(m)), Codes.Cors, path + ".allowMethods",
            "Unsupported value: a method is not known");
        f.ErrorIf(cors.AllowHeaders.Concat(cors.ExposeHeaders).Any(h => !ApiNames.IsHeaderName(h)), Codes.Cors, path,
            "a header name is not valid");
        f.ErrorIf(cors.HasMaxAge && cors.MaxAge < 1, Codes.OutOfRange, path + ".maxAge", "should be greater than or equal to 1");
        f.ErrorIf(cors.AllowOrigins.GroupBy(o => o).Concat(cors.AllowMethods.GroupBy(m => m)).Concat(cors.AllowHeaders.GroupBy(h => h))
            .Any(g => g.Count() > 1), Codes.Duplicate, path, "Duplicate value");
    }

    private static void ExternalAuth(Findings f, string path, HTTPExternalAuthFilter? auth)
    {
        if (auth is null) return;
        RouteParts.Backend(f, path + ".backendRef", auth.BackendRef);
        f.ErrorIf(auth.Protocol is not ("HTTP" or "GRPC"), Codes.Filter, path + ".protocol", "protocol is HTTP or GRPC");
        f.ErrorIf(auth.Protocol == "GRPC" && auth.Grpc is null, Codes.Filter, path,
            "grpc must be specified when protocol is set to 'GRPC'");
        f.ErrorIf(auth.Protocol != "GRPC" && auth.Grpc is not null, Codes.Filter, path, "protocol must be 'GRPC' when grpc is set");
        f.ErrorIf(auth.Protocol == "HTTP" && auth.Http is null, Codes.Filter, path,
            "http must be specified when protocol is set to 'HTTP'");
        f.ErrorIf(auth.Protocol != "HTTP" && auth.Http is not null, Codes.Filter, path, "protocol must be 'HTTP' when http is set");
    }
}
