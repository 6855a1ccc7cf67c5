// The rules of VirtualService: hosts, matches, actions, and what one HTTP route may carry. A root and its delegates are judged each on its
// own, since either may be written first.
//
// Pure functions over the messages; nothing here knows gateways, services or subsets that exist.
using System.Globalization;
using Istio.Networking.V1Alpha3;
using Lateen.Api.Grpc;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Routing;

/// <summary>The policies of an HTTP route: faults, retries, CORS, redirects and rewrites.</summary>
internal static class HttpPolicyRules
{
    private static readonly HashSet<string> RetryConditions =
    [
        "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx", "refused-stream",
        "retriable-status-codes", "retriable-headers",
        "envoy-ratelimited", "http3-post-connect-failure", "cancelled", "deadline-exceeded", "internal", "resource-exhausted",
        "unavailable",
    ];

    private static readonly HashSet<string> Methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "*"];

    public static void Abort(Findings f, string path, HTTPFaultInjection.Types.Abort? abort)
    {
        if (abort is null) return;
        Rules.Percent(f, path + ".percentage", abort.Percentage?.Value ?? 0);
        switch (abort.ErrorTypeCase)
        {
            case HTTPFaultInjection.Types.Abort.ErrorTypeOneofCase.HttpStatus:
                Rules.HttpStatus(f, path + ".httpStatus", abort.HttpStatus);
                break;
            case HTTPFaultInjection.Types.Abort.ErrorTypeOneofCase.GrpcStatus:
                f.ErrorIf(!GrpcStatuses.TryParse(abort.GrpcStatus, out _), Codes.Fault, path + ".grpcStatus",
                    $"gRPC status \"{abort.GrpcStatus}\" is not supported");
                break;
            case HTTPFaultInjection.Types.Abort.ErrorTypeOneofCase.Http2Error:
                f.Error(Codes.Fault, path + ".http2Error", "HTTP/2 abort fault injection is not supported");
                break;
            default:
                f.Warn(Codes.NoEffect, path, "abort configured, but error type not specified");
                break;
        }
    }

    public static void Delay(Findings f, string path, HTTPFaultInjection.Types.Delay? delay)
    {
        if (delay is null) return;
        Rules.IntegerPercent(f, path + ".percent", delay.Percent);
        f.WarnIf(delay.Percent > 0, Codes.Deprecated, path + ".percent", "\"percent\" is deprecated, use \"percentage\"");
        Rules.Percent(f, path + ".percentage", delay.Percentage?.Value ?? 0);
        Rules.Duration(f, path + ".fixedDelay", delay.FixedDelay);
        f.ErrorIf(delay.ExponentialDelay is not null, Codes.Fault, path + ".exponentialDelay", "exponentialDelay is not supported");
    }

    public static void Retries(Findings f, string path, HTTPRetry? retries)
    {
        if (retries is null) return;
        f.ErrorIf(retries.Attempts < 0, Codes.Retries, path + ".attempts", "attempts cannot be negative");
        var configured = retries.PerTryTimeout is not null || retries.RetryOn.Length > 0 || retries.RetryRemoteLocalities is not null
            || retries.Backoff is not null;
        f.ErrorIf(retries.Attempts == 0 && configured, Codes.Retries, path,
            "http retry policy configured when attempts are set to 0 (disabled)");
        Rules.Duration(f, path + ".perTryTimeout", retries.PerTryTimeout);
        Rules.Duration(f, path + ".backoff", retries.Backoff);
        RetryOn(f, path + ".retryOn", retries.RetryOn);
    }

    public static void RetryOn(Findings f, string path, string conditions)
    {
        foreach (var part in conditions.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var condition = part.Trim();
            var isStatus = int.TryParse(condition, NumberStyles.None, CultureInfo.InvariantCulture, out var status)
                && status is >= 100 and <= 599;
            f.ErrorIf(!isStatus && !RetryConditions.Contains(condition), Codes.Retries, path,
                $"\"{condition}\" is not a valid retryOn "
                + $"policy{Lateen.Api.Diagnostics.Suggestions.DidYouMean(condition, RetryConditions)}");
        }
    }

    public static void Cors(Findings f, string path, CorsPolicy? policy)
    {
        if (policy is null) return;
        f.WarnIf(policy.AllowOrigin.Count > 0, Codes.Deprecated, path + ".allowOrigin",
            "\"allowOrigin\" is deprecated, use \"allowOrigins\"");
        for (var i = 0; i < policy.AllowOrigins.Count; i++) Origin(f, $"{path}.allowOrigins[{i}]", policy.AllowOrigins[i]);
        foreach (var method in policy.AllowMethods)
            f.ErrorIf(!Methods.Contains(method), Codes.Cors, path + ".allowMethods", $"\"{method}\" is not a supported HTTP method");
        foreach (var name in policy.AllowHeaders) Rules.HeaderName(f, path + ".allowHeaders", name);
        foreach (var name in policy.ExposeHeaders) Rules.HeaderName(f, path + ".exposeHeaders", name);
        Rules.Duration(f, path + ".maxAge", policy.MaxAge);
        f.ErrorIf(policy.MaxAge is { Nanos: not 0 }, Codes.Cors, path + ".maxAge",
            "max_age duration is accurate only to seconds precision");
    }

    private static void Origin(Findings f, string path, StringMatch origin)
    {
        var (text, kind) = origin.MatchTypeCase switch
        {
            StringMatch.MatchTypeOneofCase.Exact => (origin.Exact, "exact"),
            StringMatch.MatchTypeOneofCase.Prefix => (origin.Prefix, "prefix"),
            StringMatch.MatchTypeOneofCase.Regex => (origin.Regex, "regex"),
            _ => ("", "origin"),
        };
        f.ErrorIf(text.Length == 0, Codes.Cors, path, $"the {kind} of an allowed origin must not be empty");
        if (kind == "regex" && text.Length > 0) Rules.Regex(f, path, text, "corsPolicy");
    }

    public static void Redirect(Findings f, string path, HTTPRedirect redirect)
    {
        var says = redirect.Uri.Length > 0 || redirect.PrefixRewrite.Length > 0 || redirect.Authority.Length > 0
            || redirect.Scheme.Length > 0
            || redirect.RedirectPortCase != HTTPRedirect.RedirectPortOneofCase.None;
        f.ErrorIf(!says, Codes.Redirect, path, "redirect must specify URI, authority, scheme, or port");
        f.ErrorIf(redirect.Uri.Length > 0 && redirect.PrefixRewrite.Length > 0, Codes.Exclusive, path,
            "redirect cannot have both uri and prefixRewrite");
        f.ErrorIf(redirect.RedirectCode is not 0 and (< 300 or > 399), Codes.Redirect, path + ".redirectCode",
            $"redirect code {redirect.RedirectCode} is not 3xx");
        f.ErrorIf(redirect.Scheme is not ("" or "http" or "https"), Codes.Redirect, path + ".scheme",
            $"redirect scheme must be http or https, not \"{redirect.Scheme}\"");
        if (redirect.RedirectPortCase == HTTPRedirect.RedirectPortOneofCase.Port) Rules.Port(f, path + ".port", redirect.Port);
    }

    public static void Rewrite(Findings f, string path, HTTPRewrite? rewrite)
    {
        if (rewrite is null) return;
        f.ErrorIf(rewrite.Uri.Length > 0 && rewrite.UriRegexRewrite is not null, Codes.Exclusive, path,
            "rewrite may only contain one of uri or uri_regex_rewrite");
        f.ErrorIf(rewrite.Uri.Length == 0 && rewrite.Authority.Length == 0 && rewrite.UriRegexRewrite is null, Codes.Redirect, path,
            "rewrite must specify uri, uri_regex_rewrite or authority");
        RegexRewrite(f, path + ".uriRegexRewrite", rewrite.UriRegexRewrite);
    }

    public static void RegexRewrite(Findings f, string path, RegexRewrite? rewrite)
    {
        if (rewrite is null) return;
        f.ErrorIf(rewrite.Match.Length == 0 || rewrite.Rewrite.Length == 0, Codes.Redirect, path,
            "uri_regex_rewrite requires both rewrite and match fields to be specified");
        if (rewrite.Match.Length > 0) Rules.Regex(f, path + ".match", rewrite.Match, "uriRegexRewrite");
    }
}
