// Callers: who asks. A caller proves itself with a client certificate of the mesh, with a token that somebody vouches for, or by a gateway
// in front that is trusted to tell. The first proof that holds counts; the order is Istio's.
//
// State: none but the keys of those who issue tokens. What is wrong with a proof is for the log: the caller hears one and the same
// sentence, so that nobody learns how far a guess came.
//
// Never here: deciding what a caller may do. A name goes out, and what it may do is said where it asks.
using Lateen.Citadel.Tokens;

namespace Lateen.Citadel.Callers;

/// <summary>What a request shows of its sender.</summary>
/// <param name="Peer">Address and port of the other side.</param>
/// <param name="CertificateNames">URI names of the client certificate that was verified in the handshake; empty without one.</param>
/// <param name="Headers">Headers by lower-case name.</param>
public sealed record CallerEvidence(string Peer, IReadOnlyList<string> CertificateNames,
    IReadOnlyDictionary<string, IReadOnlyList<string>> Headers);

/// <summary>Finds out who a caller is.</summary>
/// <param name="tokens">Those who can tell good tokens, in the order they are asked.</param>
/// <param name="trustedGateways">Networks of gateways whose word about certificates is taken (TRUSTED_GATEWAY_CIDR).</param>
public sealed class CallerAuthentication(IReadOnlyList<TokenVerifier> tokens, IReadOnlyList<string> trustedGateways)
{
    /// <summary>The caller, or why nothing it showed proves who it is.</summary>
    public async ValueTask<(Caller? Caller, string Problem)> AuthenticateAsync(CallerEvidence evidence, DateTimeOffset now,
        CancellationToken cancel)
    {
        if (evidence.CertificateNames.Count > 0) return (new Caller(CallerProof.ClientCertificate, evidence.CertificateNames), "");
        var problems = new List<string> { "no verified client certificate" };
        if (BearerTokens.Find(evidence.Headers, out string? missing) is { } token)
        {
            foreach (TokenVerifier verifier in tokens)
            {
                TokenVerdict verdict = await verifier.VerifyAsync(token, now, cancel).ConfigureAwait(false);
                if (verdict.Identity is { } identity) return (new Caller(CallerProof.Token, [identity]), "");
                problems.Add($"{verifier.Name}: {verdict.Problem}");
            }
        }
        else if (tokens.Count > 0) problems.Add(missing!);
        if (trustedGateways.Count == 0) return (null, string.Join("; ", problems));
        string forwarded = evidence.Headers.TryGetValue(ForwardedCertificates.Header, out IReadOnlyList<string>? values) ? values[0] : "";
        if (ForwardedCallers.Authenticate(evidence.Peer, forwarded, trustedGateways, out string? why) is { } caller) return (caller, "");
        problems.Add(why!);
        return (null, string.Join("; ", problems));
    }
}
