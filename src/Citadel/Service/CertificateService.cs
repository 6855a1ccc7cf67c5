// Service: what the authority does for a caller over the wire (istio.v1.auth.IstioCertificateService), without a wire: a request and the
// evidence of its sender go in, an answer or a gRPC status goes out. Ports are the control plane's.
using Google.Protobuf.WellKnownTypes;
using Istio.V1.Auth;
using Lateen.Api.Grpc;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;

namespace Lateen.Citadel.Service;

/// <summary>Answers CreateCertificate. May be used from several threads.</summary>
/// <param name="authority">Signs.</param>
/// <param name="callers">Tells who asks.</param>
/// <param name="impersonation">Tells who may ask for others.</param>
public sealed class CertificateService(Authority authority, CallerAuthentication callers, Impersonation impersonation)
{
    /// <summary>The method's path.</summary>
    public const string Path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

    private const string ImpersonatedIdentity = "ImpersonatedIdentity";

    /// <summary>What was asked and how it ended.</summary>
    public CertificateCounts Counts { get; } = new();

    /// <summary>Answers one request.</summary>
    public async ValueTask<CertificateAnswer> CreateAsync(IstioCertificateRequest request, CallerEvidence evidence, DateTimeOffset now,
        CancellationToken cancel)
    {
        Counts.Asked();
        (Caller? caller, string problem) = await callers.AuthenticateAsync(evidence, now, cancel).ConfigureAwait(false);
        if (caller is null)
        {
            Counts.Unauthenticated();
            return Refused(GrpcStatus.Unauthenticated, "request authenticate failure", $"caller {evidence.Peer}: {problem}");
        }
        IReadOnlyList<string> identities = caller.Identities;
        if (TextOf(request.Metadata, ImpersonatedIdentity) is { Length: > 0 } other)
        {
            if (impersonation.Problem(caller, other) is { } forbidden)
            {
                Counts.Unauthenticated();
                return Refused(GrpcStatus.Unauthenticated, "request impersonation authentication failure",
                    $"{string.Join(", ", identities)} for {other}: {forbidden}");
            }
            identities = [other];
        }
        return Sign(request, identities, now);
    }

    private CertificateAnswer Sign(IstioCertificateRequest request, IReadOnlyList<string> identities, DateTimeOffset now)
    {
        // A span of seconds that does not fit is longer than anything that is signed.
        TimeSpan life = request.ValidityDuration < (long)TimeSpan.MaxValue.TotalSeconds
            ? TimeSpan.FromSeconds(Math.Max(0, request.ValidityDuration)) : TimeSpan.MaxValue;
        if (authority.Sign(request.Csr, identities, life, now, out SigningProblem? problem) is not { } chain)
        {
            Counts.Failed(problem!.Fault);
            return Refused(problem.Fault == SigningFault.NotReady ? GrpcStatus.Internal : GrpcStatus.InvalidArgument,
                $"CSR signing error ({problem.Text})", $"{string.Join(", ", identities)}: {problem.Text}");
        }
        Counts.Issued();
        var response = new IstioCertificateResponse();
        response.CertChain.Add(chain);
        return new CertificateAnswer(response, GrpcStatus.Ok, "", "");
    }

    private static CertificateAnswer Refused(GrpcStatus status, string message, string told) => new(null, status, message, told);

    private static string TextOf(Struct? metadata, string name) =>
        metadata is not null && metadata.Fields.TryGetValue(name, out Value? value) ? value.StringValue : "";
}

/// <summary>How a request ended.</summary>
/// <param name="Response">The certificates; null where it was refused.</param>
/// <param name="Status">gRPC status.</param>
/// <param name="Message">What the caller hears.</param>
/// <param name="Told">What the log hears; empty where there is nothing to say.</param>
public sealed record CertificateAnswer(IstioCertificateResponse? Response, GrpcStatus Status, string Message, string Told);
