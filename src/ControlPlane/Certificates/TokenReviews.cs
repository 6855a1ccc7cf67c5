using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Citadel.Tokens;
using Lateen.Config.Sources.Kubernetes;

namespace Lateen.ControlPlane.Certificates;

/// <summary>Tokens of a cluster: its API server knows its own (TokenReview), and whether the account and the pod that a token is bound to
/// are still there.</summary>
/// <param name="client">The API server.</param>
/// <param name="trustDomain">Of the identities that are proved.</param>
public sealed class TokenReviews(ApiClient client, Func<string> trustDomain) : TokenVerifier
{
    private const string Path = "/apis/authentication.k8s.io/v1/tokenreviews";
    private const int TokenCharsMax = 16 << 10;

    /// <inheritdoc/>
    public override string Name => "TokenReview";

    /// <inheritdoc/>
    public override async ValueTask<TokenVerdict> VerifyAsync(string token, DateTimeOffset now, CancellationToken cancel)
    {
        if (token.Length > TokenCharsMax) return TokenVerdict.No("the token is too large");
        var review = new JsonObject
        {
            ["apiVersion"] = "authentication.k8s.io/v1",
            ["kind"] = "TokenReview",
            ["spec"] = new JsonObject { ["token"] = token, ["audiences"] = new JsonArray(TokenIssuer.Audience) },
        };
        ApiResult<JsonDocument> answer = await client.SendAsync(HttpMethod.Post, Path, review.ToJsonString(), ApiClient.Json, cancel)
            .ConfigureAwait(false);
        if (answer.Value is not { } document) return TokenVerdict.No($"the API server does not tell: {answer.Failure}");
        using (document) return Read(document.RootElement);
    }

    private TokenVerdict Read(JsonElement review)
    {
        if (!review.TryGetProperty("status", out JsonElement status)) return TokenVerdict.No("the API server's answer has no status");
        if (status.TryGetProperty("error", out JsonElement error) && error.GetString() is { Length: > 0 } why) return TokenVerdict.No(why);
        if (!status.TryGetProperty("authenticated", out JsonElement good) || good.ValueKind != JsonValueKind.True)
            return TokenVerdict.No("the token is not authenticated");
        // A server that knows nothing of audiences would let every token pass.
        if (!status.TryGetProperty("audiences", out JsonElement audiences)
            || !audiences.EnumerateArray().Any(static a => a.GetString() == TokenIssuer.Audience))
            return TokenVerdict.No("the token is not meant for this authority (aud)");
        string user = status.TryGetProperty("user", out JsonElement who) && who.TryGetProperty("username", out JsonElement name)
            ? name.GetString() ?? "" : "";
        return AccountOf(user) is var (ns, account)
            ? new TokenVerdict($"spiffe://{trustDomain()}/ns/{ns}/sa/{account}", "") : TokenVerdict.No("the user is no service account");
    }
}
