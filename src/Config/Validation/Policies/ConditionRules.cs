using Istio.Security.V1Beta1;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Policies;

/// <summary>The conditions (<c>when</c>) of an authorization rule.</summary>
internal static class ConditionRules
{
    private static readonly string[] CustomForbidden =
        ["source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal", "request.auth.principal",
            "request.auth.audiences", "request.auth.presenter", "request.auth.claims"];

    public static void Check(Findings f, string path, Condition condition, bool isCustom)
    {
        var (key, values) = (condition.Key, condition.Values.Concat(condition.NotValues).ToArray());
        if (key.Length == 0)
        {
            f.Error(Codes.Rule, path + ".key", "key must not be empty");
            return;
        }

        f.ErrorIf(values.Length == 0, Codes.Rule, path, $"at least one of values and notValues must be set for {key}");
        f.ErrorIf(values.Any(v => v.Length == 0), Codes.Rule, path, "empty value not allowed");
        f.ErrorIf(Problem(key, values), Codes.Rule, path + ".key");
        f.ErrorIf(isCustom && CustomForbidden.Any(c => key == c || key.StartsWith(c + "[", StringComparison.Ordinal)), Codes.Custom,
            path + ".key", $"CUSTOM rules cannot use the key {key}");
    }

    /// <summary>Why the key is none, or its values do not fit it; null when all is well.</summary>
    public static string? Problem(string key, IReadOnlyList<string> values) => key switch
    {
        "source.ip" or "remote.ip"
            or "destination.ip" => values.Where(v => v.Length > 0).Select(NameRules.Subnet).FirstOrDefault(r => r is not null),
        "destination.port" =>
            values.FirstOrDefault(v =>
                !int.TryParse(v, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var port)
                    || port is < 1 or > 65535) is { } bad
                ? $"invalid port \"{bad}\"" : null,
        "source.serviceAccount" => SourceRules.AccountProblem(values.Where(v => v.Length > 0)),
        "source.trustDomain" => SourceRules.TrustDomainProblem(values.Where(v => v.Length > 0)),
        "source.namespace" or "source.principal" or "request.auth.principal" or "request.auth.audiences" or "request.auth.presenter"
            or "connection.sni" => null,
        _ when key.StartsWith("request.headers", StringComparison.Ordinal) =>
            Bracketed(key["request.headers".Length..], nestedAllowed: false) ? null : $"{key} is not of the form request.headers[name]",
        _ when key.StartsWith("request.auth.claims", StringComparison.Ordinal) =>
            Bracketed(key["request.auth.claims".Length..], nestedAllowed: true)
                ? null : $"{key} is not of the form request.auth.claims[name]",
        _ when key.StartsWith("experimental.envoy.filters.", StringComparison.Ordinal) => IsMapKey(key)
            ? null : $"{key} is not of the form experimental.envoy.filters.name[key]",
        _ => $"unknown attribute: {key}",
    };

    private static bool IsMapKey(string key) => key.EndsWith(']') && key.IndexOf('[') is > 0 and var open && open < key.Length - 2;

    private static bool Bracketed(string text, bool nestedAllowed)
    {
        var parts = text.Split('[', StringSplitOptions.None);
        return parts.Length >= 2 && (nestedAllowed || parts.Length == 2) && parts[0].Length == 0
            && parts.Skip(1).All(p => p.Length > 1 && p.EndsWith(']') && p.IndexOf(']', StringComparison.Ordinal) == p.Length - 1);
    }
}
