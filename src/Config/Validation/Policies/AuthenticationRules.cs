// The rules of policies: who may call (AuthorizationPolicy), who is who (PeerAuthentication, RequestAuthentication), what is told
// (Telemetry), what is added (WasmPlugin, TrafficExtension, EnvoyFilter).
//
// A policy that cannot be evaluated is an error, because a policy that is half understood is a hole. Pure functions over the messages.
using Istio.Security.V1Beta1;
using Lateen.Api.Documents;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Policies;

/// <summary>PeerAuthentication and RequestAuthentication.</summary>
internal static class AuthenticationRules
{
    public static void CheckPeer(Findings f, PeerAuthentication policy)
    {
        Rules.Selector(f, "spec.selector", policy.Selector);
        f.ErrorIf(policy.PortLevelMtls.Count > 0 && (policy.Selector is null || policy.Selector.MatchLabels.Count == 0), Codes.PortMtls,
            "spec.portLevelMtls", "mTLS per port needs a selector with labels");
        foreach (var port in policy.PortLevelMtls.Keys) Rules.Port(f, "spec.portLevelMtls", port);
    }

    public static void CheckRequest(Findings f, RequestAuthentication policy, IReadOnlyDictionary<string, string> annotations)
    {
        Rules.Attachment(f, policy.Selector, policy.TargetRef, policy.TargetRefs);
        f.ErrorIf(annotations.ContainsKey("istio.io/dry-run"), Codes.BadAnnotation, "metadata.annotations",
            "istio.io/dry-run is not supported here");
        for (var i = 0; i < policy.JwtRules.Count; i++) Jwt(f, $"spec.jwtRules[{i}]", policy.JwtRules[i]);
    }

    private static void Jwt(Findings f, string path, JWTRule rule)
    {
        f.ErrorIf(rule.Issuer.Length == 0 && rule.JwksUri.Length == 0, Codes.JwtRule, path,
            "at least one of issuer or jwksUri must be set");
        f.ErrorIf(rule.Jwks.Length > 0 && rule.JwksUri.Length > 0, Codes.Exclusive, path, "only one of jwks or jwksUri can be set");
        f.ErrorIf(rule.Audiences.Any(a => a.Length == 0), Codes.JwtRule, path + ".audiences", "audience must be non-empty string");
        f.ErrorIf(rule.JwksUri.Length > 0 && !IsHttpUri(rule.JwksUri), Codes.JwtRule, path + ".jwksUri",
            $"\"{rule.JwksUri}\" is no http or https URI");
        if (rule.Jwks.Length > 0) Jwks(f, path + ".jwks", rule.Jwks);
        foreach (var header in rule.FromHeaders)
        {
            f.ErrorIf(header.Name.Length == 0, Codes.JwtRule, path + ".fromHeaders", "location header name must be non-empty string");
            Rules.NoControls(f, path + ".fromHeaders", header.Name);
            Rules.NoControls(f, path + ".fromHeaders", header.Prefix);
        }
        Rules.NoControls(f, path + ".outputPayloadToHeader", rule.OutputPayloadToHeader);
        f.ErrorIf(rule.FromParams.Any(p => p.Length == 0), Codes.JwtRule, path + ".fromParams", "location query must be non-empty string");
        f.ErrorIf(rule.FromCookies.Any(c => c.Length == 0), Codes.JwtRule, path + ".fromCookies",
            "location cookie must be non-empty string");
        f.ErrorIf(rule.SpaceDelimitedClaims.Any(c => c.Length == 0), Codes.JwtRule, path + ".spaceDelimitedClaims",
            "claim must be non-empty string");
        f.ErrorIf(rule.SpaceDelimitedClaims.Count > 64, Codes.OutOfRange, path + ".spaceDelimitedClaims", "more than 64 claims");
        Claims(f, path + ".outputClaimToHeaders", rule);
        Rules.Duration(f, path + ".timeout", rule.Timeout);
    }

    private static void Claims(Findings f, string path, JWTRule rule)
    {
        var headers = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var claim in rule.OutputClaimToHeaders)
        {
            f.ErrorIf(claim.Claim.Length == 0, Codes.JwtRule, path, "claim must be non-empty string");
            Rules.StrictHeaderName(f, path, claim.Header);
            f.ErrorIf(!headers.Add(claim.Header), Codes.Duplicate, path, $"duplicate header {claim.Header}");
        }
    }

    private static bool IsHttpUri(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
        && text.Contains("://", StringComparison.Ordinal) && HostOf(text).Length > 0;

    private static string HostOf(string text) => text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..].Split('/', '?', '#')[0];

    private static void Jwks(Findings f, string path, string jwks)
    {
        var keys = (DocumentReader.ReadSingle(jwks, "", []) as MappingNode)?["keys"] as SequenceNode;
        if (keys is null)
        {
            f.Error(Codes.JwtRule, path, "jwks is no JSON object with a list \"keys\"");
            return;
        }

        foreach (var key in keys.Items)
        {
            var fields = key as MappingNode;
            f.ErrorIf(fields?.Text("kty") is null, Codes.JwtRule, path, "a key has no \"kty\"");
            f.WarnIf(fields?["d"] is not null || fields?.Text("kty") == "oct", Codes.PrivateKey, path, "the key set holds a private key");
        }
    }
}
