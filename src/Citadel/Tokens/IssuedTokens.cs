using System.Text.Json;
using Lateen.Citadel.Callers;

namespace Lateen.Citadel.Tokens;

/// <summary>Who may issue tokens, and for whom.</summary>
/// <param name="Issuer">Claim <c>iss</c>.</param>
/// <param name="Audiences">One of these must be meant (<c>aud</c>).</param>
/// <param name="TrustDomain">Of the identities that are proved, as the mesh is configured now.</param>
public sealed record TokenRule(string Issuer, IReadOnlyList<string> Audiences, Func<string> TrustDomain);

/// <summary>Tokens of an issuer whose public keys are known: the one of `lateen up`, or an OpenID provider (JWT_RULE).</summary>
/// <param name="rule">What is accepted.</param>
/// <param name="keys">The issuer's keys as they are now.</param>
public sealed class IssuedTokens(TokenRule rule, Func<KeySet> keys) : TokenVerifier
{
    private const int TokenCharsMax = 16 << 10;

    // The clock of an issuer may be a little ahead.
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    public override string Name => "tokens of " + rule.Issuer;

    /// <inheritdoc/>
    public override ValueTask<TokenVerdict> VerifyAsync(string token, DateTimeOffset now, CancellationToken cancel) =>
        new(Verify(token, now));

    private TokenVerdict Verify(string token, DateTimeOffset now)
    {
        if (token.Length > TokenCharsMax) return TokenVerdict.No("the token is too large");
        if (!keys().IsSigned(token, out string? problem)) return TokenVerdict.No(problem!);
        if (TokenClaims.Read(token) is not { } claims) return TokenVerdict.No("the token can't be read");
        if (Text(claims, "iss") != rule.Issuer) return TokenVerdict.No("another issuer");
        if (!(TokenClaims.AudiencesOf(token) ?? []).Intersect(rule.Audiences).Any())
            return TokenVerdict.No("the token is not meant for this authority (aud)");
        if (Time(claims, "exp") is not { } end || end <= now.ToUnixTimeSeconds())
            return TokenVerdict.No("the token has expired, or never does");
        if (Time(claims, "nbf") is { } begin && begin > (now + Skew).ToUnixTimeSeconds())
            return TokenVerdict.No("the token is not good yet");
        if (AccountOf(Text(claims, "sub")) is not var (ns, account)) return TokenVerdict.No("the subject is no service account");
        return new TokenVerdict($"spiffe://{rule.TrustDomain()}/ns/{ns}/sa/{account}", "");
    }

    private static string Text(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static double? Time(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
