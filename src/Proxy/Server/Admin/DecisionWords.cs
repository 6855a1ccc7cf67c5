using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Server;

/// <summary>What the filters of a remembered exchange decided, in words: read from its code details, so that nothing but them is kept for
/// it.</summary>
internal static class DecisionWords
{
    private const string Rbac = "rbac_access_denied_matched_policy[", Jwt = "jwt_authn_access_denied{";

    // Details of filters that answered, by their beginning.
    private static readonly (string Details, string Verdict)[] Answers =
    [
        ("ext_authz_denied", "the external authorizer refused"),
        ("ext_authz_error", "the external authorizer failed"),
        ("request_rate_limited", "over the limit of the rate limit service"),
        ("rate_limiter_error", "the rate limit service failed"),
        ("local_rate_limited", "over the local rate limit"),
        ("fault_filter_abort", "a fault was injected"),
        ("csrf_origin_mismatch", "refused for its origin (CSRF)"),
        ("lua_response", "answered by a Lua script"),
        ("ext_proc_error", "the external processor failed"),
        ("ext_proc", "answered by the external processor"),
        ("cors_response", "answered as a CORS preflight"),
        ("health_check", "answered as a health check"),
        ("admission_control", "refused by admission control"),
        ("overload", "refused: the proxy is overloaded"),
        ("request_payload_too_large", "the body is larger than a filter may hold"),
    ];

    /// <summary>The verdict of the filters.</summary>
    public static ExplainedStation Of(Decision d)
    {
        if (d.Details.StartsWith(Rbac, StringComparison.Ordinal))
            return Denied(d.Details[Rbac.Length..^1]);
        if (d.Details.StartsWith(Jwt, StringComparison.Ordinal))
            return new ExplainedStation("Filter", $"the token was refused: {d.Details[Jwt.Length..].TrimEnd('}').Replace('_', ' ')}");
        foreach ((string details, string verdict) in Answers)
        {
            if (d.Details.StartsWith(details, StringComparison.Ordinal))
                return new ExplainedStation("Filter", verdict);
        }
        return new ExplainedStation("Filter", "all let it pass");
    }

    // A policy of the control plane is called ns[NAMESPACE]-policy[NAME]-rule[NUMBER], perhaps with a prefix.
    private static ExplainedStation Denied(string policy)
    {
        if (policy == "none")
            return new ExplainedStation("Filter", "denied: no ALLOW policy matches");
        string ns = Part(policy, "ns["), name = Part(policy, "policy["), rule = Part(policy, "rule[");
        return ns.Length == 0 || name.Length == 0 ? new ExplainedStation("Filter", $"denied by policy {policy}")
            : new ExplainedStation("Filter", $"denied by AuthorizationPolicy {ns}/{name}, rule {rule}",
                $"/apis/security.istio.io/v1/namespaces/{ns}/authorization-policy/{name}");
    }

    private static string Part(string text, string start)
    {
        int from = text.IndexOf(start, StringComparison.Ordinal);
        if (from < 0)
            return "";
        from += start.Length;
        int end = text.IndexOf(']', from);
        return end < 0 ? "" : text[from..end];
    }
}
