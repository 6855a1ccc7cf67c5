// Tokens: service account tokens in the form of Kubernetes (JWT, RFC 7519). Whoever issues them vouches for an account of a namespace; what
// a token says is believed after its signature, issuer, audience and times were looked at, and nothing is believed of its header but which
// key to try.
//
// State: the keys of issuers. Verdicts are not kept: a token is shown once a certificate, and a certificate renews itself.
//
// Never here: tokens of users (those are the proxy's, JWT filter), encrypted tokens, symmetric keys (who can check them can make them).
namespace Lateen.Citadel.Tokens;

/// <summary>Tells whether a token is good, and for whom.</summary>
public abstract class TokenVerifier
{
    /// <summary>What it is called in the log.</summary>
    public abstract string Name { get; }

    /// <summary>Looks at a token.</summary>
    public abstract ValueTask<TokenVerdict> VerifyAsync(string token, DateTimeOffset now, CancellationToken cancel);

    /// <summary>Takes <c>system:serviceaccount:NAMESPACE:ACCOUNT</c> apart.</summary>
    protected static (string Namespace, string Account)? AccountOf(string subject) =>
        subject.Split(':') is ["system", "serviceaccount", { Length: > 0 } ns, { Length: > 0 } account] ? (ns, account) : null;
}

/// <summary>What became of a token.</summary>
/// <param name="Identity">The SPIFFE identity that it proves; null where it proves none.</param>
/// <param name="Problem">Why not; empty where it does.</param>
public readonly record struct TokenVerdict(string? Identity, string Problem)
{
    /// <summary>It proves nothing.</summary>
    public static TokenVerdict No(string problem) => new(null, problem);
}
