using Istio.Networking.V1Alpha3;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Routing;

/// <summary>One HTTP route of a VirtualService.</summary>
internal static class HttpRouteRules
{
    private const int BodyBytesMax = 1024 * 1024;
    private const int BodyBytesLarge = 100 * 1024;

    public static void Check(Findings f, string path, HTTPRoute route, bool isDelegate, bool forGateway)
    {
        if (route.Delegate is not null) Root(f, path, route, isDelegate);
        else Action(f, path, route);
        for (var i = 0; i < route.Match.Count; i++) Match(f, $"{path}.match[{i}]", route.Match[i], forGateway);
        Headers(f, path + ".headers", route.Headers);
        Mirror(f, path, route);
        Fault(f, path + ".fault", route.Fault);
        HttpPolicyRules.Cors(f, path + ".corsPolicy", route.CorsPolicy);
        HttpPolicyRules.Retries(f, path + ".retries", route.Retries);
        HttpPolicyRules.Rewrite(f, path + ".rewrite", route.Rewrite);
        Rules.Duration(f, path + ".timeout", route.Timeout, zeroAllowed: true);
        for (var i = 0; i < route.Route.Count; i++)
        {
            var destination = route.Route[i];
            Headers(f, $"{path}.route[{i}].headers", destination.Headers);
            VirtualServiceRules.Weighted(f, $"{path}.route[{i}]", destination.Destination, destination.Weight);
        }

        VirtualServiceRules.TotalWeight(f, path, route.Route.Count, route.Route.Sum(r => (long)Math.Max(r.Weight, 0)));
        var sets = (route.Headers?.Request?.Set.Keys ?? []).Count(IsAuthority) + (string.IsNullOrEmpty(route.Rewrite?.Authority) ? 0 : 1);
        f.ErrorIf(sets > 1, Codes.Exclusive, path, "the authority is set by headers and by rewrite");
    }

    private static bool IsAuthority(string name) =>
        name.Equals(":authority", StringComparison.OrdinalIgnoreCase) || name.Equals("host", StringComparison.OrdinalIgnoreCase);

    private static void Root(Findings f, string path, HTTPRoute route, bool isDelegate)
    {
        f.ErrorIf(isDelegate, Codes.Delegation, path + ".delegate", "a delegate's route cannot delegate again");
        f.ErrorIf(route.Route.Count > 0, Codes.Delegation, path + ".route", "a route that delegates cannot have destinations");
        f.ErrorIf(route.Redirect is not null, Codes.Delegation, path + ".redirect", "a route that delegates cannot redirect");
        f.ErrorIf(route.DirectResponse is not null, Codes.Delegation, path + ".directResponse", "a route that delegates cannot answer");
        f.ErrorIf(route.Delegate.Name.Length == 0, Codes.Delegation, path + ".delegate.name", "delegate must have a name");
    }

    private static void Action(Findings f, string path, HTTPRoute route)
    {
        if (route.Redirect is not null)
        {
            NothingBeside(f, path, route, "redirect");
            HttpPolicyRules.Redirect(f, path + ".redirect", route.Redirect);
            PrefixRewrite(f, path, route);
        }

        if (route.DirectResponse is not null)
        {
            NothingBeside(f, path, route, "direct_response");
            DirectResponse(f, path + ".directResponse", route.DirectResponse);
        }

        f.ErrorIf(route.Redirect is not null && route.DirectResponse is not null, Codes.HttpRoute, path,
            "HTTP route cannot contain both direct_response and redirect");
        f.ErrorIf(route.Redirect is null && route.DirectResponse is null && route.Route.Count == 0, Codes.Required, path,
            "HTTP route, redirect or direct_response is required");
    }

    private static void NothingBeside(Findings f, string path, HTTPRoute route, string what)
    {
        f.ErrorIf(route.Route.Count > 0, Codes.HttpRoute, path, $"HTTP route cannot contain both route and {what}");
        f.ErrorIf(route.Fault is not null, Codes.HttpRoute, path, $"HTTP route cannot contain both fault and {what}");
        f.ErrorIf(route.Rewrite is not null, Codes.HttpRoute, path, $"HTTP route cannot contain both rewrite and {what}");
    }

    /// <summary>A prefix can be replaced only where a prefix was matched; a match without path matches the prefix /.</summary>
    private static void PrefixRewrite(Findings f, string path, HTTPRoute route)
    {
        if (route.Redirect.PrefixRewrite.Length == 0) return;
        var exact = route.Match.Any(m => m.Uri is not null && m.Uri.MatchTypeCase != StringMatch.MatchTypeOneofCase.Prefix);
        f.ErrorIf(exact, Codes.Redirect, path + ".redirect.prefixRewrite", "prefixRewrite needs a prefix match in every match");
    }

    public static void DirectResponse(Findings f, string path, HTTPDirectResponse? response)
    {
        if (response is null) return;
        var size = response.Body?.SpecifierCase switch
        {
            HTTPBody.SpecifierOneofCase.String => System.Text.Encoding.UTF8.GetByteCount(response.Body.String),
            HTTPBody.SpecifierOneofCase.Bytes => response.Body.Bytes.Length,
            _ => 0,
        };
        f.ErrorIf(size > BodyBytesMax, Codes.OutOfRange, path + ".body", $"body of {size} bytes; {BodyBytesMax} are allowed");
        f.WarnIf(size is > BodyBytesLarge and <= BodyBytesMax, Codes.LargeBody, path + ".body",
            $"large direct responses may impact proxy performance: {size} bytes");
        Rules.HttpStatus(f, path + ".status", response.Status);
    }

    private static void Match(Findings f, string path, HTTPMatchRequest match, bool forGateway)
    {
        // An empty prefix of a path is everything, which is what its writer means.
        if (match.Uri is { MatchTypeCase: StringMatch.MatchTypeOneofCase.Regex } uri) Rules.Regex(f, path + ".uri", uri.Regex, "uri");
        StringMatches(f, path + ".scheme", match.Scheme, "scheme");
        StringMatches(f, path + ".method", match.Method, "method");
        StringMatches(f, path + ".authority", match.Authority, "authority");
        foreach (var (name, value) in match.Headers)
        {
            Rules.HeaderName(f, path + ".headers", name);
            StringMatches(f, path + ".headers", value, name);
            f.ErrorIf(name.StartsWith("@request.auth.", StringComparison.Ordinal) && !forGateway && match.Gateways.Count == 0,
                Codes.HttpRoute, path + ".headers",
                $"JWT claim based routing ({name}) is only supported for gateways");
        }

        foreach (var (name, value) in match.QueryParams)
        {
            f.ErrorIf(name.Length == 0, Codes.BadHeader, path + ".queryParams", "query parameter name cannot be empty");
            StringMatches(f, path + ".queryParams", value, name);
        }

        foreach (var name in match.WithoutHeaders.Keys) Rules.HeaderName(f, path + ".withoutHeaders", name);
        if (match.Port != 0) Rules.Port(f, path + ".port", match.Port);
        Rules.Labels(f, path + ".sourceLabels", match.SourceLabels);
        Rules.GatewayNames(f, path + ".gateways", match.Gateways);
    }

    /// <summary>A prefix or an expression that says nothing would match everything without looking so.</summary>
    private static void StringMatches(Findings f, string path, StringMatch? match, string where)
    {
        switch (match?.MatchTypeCase)
        {
            case StringMatch.MatchTypeOneofCase.Prefix when match.Prefix.Length == 0:
                f.Error(Codes.Empty, path, $"\"{where}\": prefix string match should not be empty");
                break;
            case StringMatch.MatchTypeOneofCase.Regex:
                Rules.Regex(f, path, match.Regex, where);
                break;
        }
    }

    private static void Headers(Findings f, string path, Headers? headers)
    {
        Operations(f, path + ".request", headers?.Request, isRequest: true);
        Operations(f, path + ".response", headers?.Response, isRequest: false);
    }

    private static void Operations(Findings f, string path, Headers.Types.HeaderOperations? operations, bool isRequest)
    {
        if (operations is null) return;
        foreach (var (name, value) in operations.Set)
        {
            Rules.HeaderOperationName(f, path + ".set", name, authorityAllowed: isRequest);
            f.ErrorIf(Rules.HeaderValue(value), Codes.BadHeader, path + ".set");
        }

        foreach (var (name, value) in operations.Add)
        {
            Rules.HeaderOperationName(f, path + ".add", name, authorityAllowed: false);
            f.ErrorIf(Rules.HeaderValue(value), Codes.BadHeader, path + ".add");
        }

        foreach (var name in operations.Remove) Rules.HeaderOperationName(f, path + ".remove", name, authorityAllowed: false);
    }

    private static void Mirror(Findings f, string path, HTTPRoute route)
    {
        f.ErrorIf(route.Mirror is not null && route.Mirrors.Count > 0, Codes.Exclusive, path,
            "HTTP route cannot contain both mirror and mirrors");
        if (route.Mirror is not null) VirtualServiceRules.Destination(f, path + ".mirror", route.Mirror);
        for (var i = 0; i < route.Mirrors.Count; i++)
        {
            var (mirror, at) = (route.Mirrors[i], $"{path}.mirrors[{i}]");
            if (mirror.Destination is null) f.Error(Codes.Required, at, "destination is required for mirrors");
            else VirtualServiceRules.Destination(f, at + ".destination", mirror.Destination);
            Rules.Percent(f, at + ".percentage", mirror.Percentage?.Value ?? 0);
        }

        if (route.MirrorPercent is { } percent)
        {
            f.ErrorIf(percent > 100, Codes.BadPercent, path + ".mirrorPercent",
                $"mirror_percent must have a max value of 100 (it has {percent})");
            f.Warn(Codes.Deprecated, path + ".mirrorPercent",
                "using deprecated setting \"mirrorPercent\", use \"mirrorPercentage\" instead");
        }

        Rules.Percent(f, path + ".mirrorPercentage", route.MirrorPercentage?.Value ?? 0);
    }

    private static void Fault(Findings f, string path, HTTPFaultInjection? fault)
    {
        if (fault is null) return;
        f.ErrorIf(fault.Abort is null && fault.Delay is null, Codes.Fault, path, "HTTP fault injection must have an abort and/or a delay");
        HttpPolicyRules.Abort(f, path + ".abort", fault.Abort);
        HttpPolicyRules.Delay(f, path + ".delay", fault.Delay);
    }
}
