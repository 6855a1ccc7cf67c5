// Jwt: who asks, by JSON Web Tokens (RFC 7515, 7519; envoy.extensions.filters.http.jwt_authn.v3). A rule's requirement is a tree over
// providers; a provider says where its tokens stand, whose keys sign them, and what of them goes on. A token that was verified is kept by
// its bytes with everything made from it (claims, headers, metadata), per worker and bounded, so that a warm request parses and verifies
// nothing and allocates nothing; a new set of keys forgets them. Keys of a server are fetched by a side call: the request waits, its worker
// does not. Statuses and their words are Envoy's, since clients and logs show them. Refused: .NET's token libraries (they allocate and
// throw).
namespace Lateen.Proxy.Filters.Jwt;

/// <summary>What came of a token, in Envoy's order (the numbers go to metadata).</summary>
public enum JwtStatus : byte
{
    Ok,
    Missing,
    NotYetValid,
    Expired,
    BadFormat,
    HeaderBadBase64,
    HeaderBadJson,
    HeaderBadAlg,
    HeaderUnknownAlg,
    HeaderBadKid,
    PayloadBadBase64,
    PayloadBadJson,
    IssNotString,
    SubNotString,
    IatNotInteger,
    IatOutOfRange,
    NbfNotInteger,
    NbfOutOfRange,
    ExpNotInteger,
    ExpOutOfRange,
    JtiNotString,
    AudNotString,
    SignatureBadBase64,
    Ed25519WrongLength,
    UnknownIssuer,
    AudienceNotAllowed,
    VerificationFails,
    NoValidKeys,
    KidAlgMismatch,
    FetchFailed,

    /// <summary>Keys must be fetched before it can be told. Never seen outside.</summary>
    NeedsKeys,
}

/// <summary>The statuses' words.</summary>
public static class JwtTexts
{
    private static readonly string[] Texts =
    [
        "OK", "Jwt is missing", "Jwt not yet valid", "Jwt is expired",
        "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
        "Jwt header is an invalid Base64url encoded", "Jwt header is an invalid JSON",
        "Jwt header [alg] field is required and must be a string", "Jwt header [alg] is not supported",
        "Jwt header [kid] field is not a string", "Jwt payload is an invalid Base64url encoded", "Jwt payload is an invalid JSON",
        "Jwt payload [iss] field is not a string",
        "Jwt payload [sub] field is not a string", "Jwt payload [iat] field is not an integer",
        "Jwt payload [iat] field is not a positive 64 bit integer",
        "Jwt payload [nbf] field is not an integer", "Jwt payload [nbf] field is not a positive 64 bit integer",
        "Jwt payload [exp] field is not an integer",
        "Jwt payload [exp] field is not a positive 64 bit integer", "Jwt payload [jti] field is not a string",
        "Jwt payload [aud] field is not a string or string list",
        "Jwt signature is an invalid Base64url encoded", "Jwt ED25519 signature is wrong length", "Jwt issuer is not configured",
        "Audiences in Jwt are not allowed",
        "Jwt verification fails", "Jwks doesn't have any valid public key", "Jwks doesn't have key to match kid or alg from Jwt",
        "Jwks remote fetch is failed", "",
    ];

    private static readonly byte[][] Bytes = [.. Texts.Select(System.Text.Encoding.UTF8.GetBytes)];

    private static readonly string[] AllDetails = [.. Texts.Select(t => $"jwt_authn_access_denied{{{t.Replace(' ', '_')}}}")];

    /// <summary>For people.</summary>
    public static string Of(JwtStatus status) => Texts[(int)status];

    /// <summary>For bodies.</summary>
    public static ReadOnlySpan<byte> BodyOf(JwtStatus status) => Bytes[(int)status];

    /// <summary>For logs.</summary>
    public static string DetailsOf(JwtStatus status) => AllDetails[(int)status];
}
