using Istio.V1.Auth;
using Lateen.Api.Grpc;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Grpc;
using Lateen.ControlPlane.Metrics;
using Lateen.Pilot.Meaning;

namespace Lateen.ControlPlane.Certificates;

/// <summary>istiod's 15012: discovery for those who prove who they are, and certificates.</summary>
/// <param name="ads">Serves discovery.</param>
/// <param name="certificates">Issues certificates.</param>
/// <param name="callers">Tells who a caller is.</param>
/// <param name="time">The clock.</param>
/// <param name="say">Takes a line for the log.</param>
/// <param name="calls">Counts calls.</param>
/// <param name="features">Settings from the environment; all defaults when null.</param>
public sealed class SecureDoor(AdsDoor ads, CertificateService certificates, CallerAuthentication callers, TimeProvider time,
    Action<string> say, CallMetrics calls, Features? features = null)
{
    private const int RequestBytesMax = 256 << 10;

    // Signing takes a processor for a millisecond: as many at a time as there are processors, and a bounded crowd before the door.
    private const int WaitingMax = 5000;
    private static readonly SemaphoreSlim Signing = new(Environment.ProcessorCount);
    private readonly bool _asksWho = (features ?? Features.Default).Flag("XDS_AUTH", true),
        _certifies = (features ?? Features.Default).Flag("ENABLE_CA_SERVER", true);
    private int _waiting;

    /// <summary>Serves one gRPC call.</summary>
    public async Task AnswerAsync(GrpcCall call)
    {
        CallerEvidence evidence = EvidenceOf(call);
        if (call.Path == CertificateService.Path && _certifies)
        {
            long started = time.GetTimestamp();
            calls.Started(call.Path);
            GrpcStatus ended = await CertifyAsync(call, evidence);
            calls.Handled(call.Path, ended, time.GetElapsedTime(started));
            return;
        }
        if (!_asksWho || call.Path == CertificateService.Path)
        {
            await ads.AnswerAsync(call);
            return;
        }
        (Caller? caller, string problem) = await callers.AuthenticateAsync(evidence, time.GetUtcNow(), call.Aborted);
        if (caller is null)
        {
            say($"warn\tads\t{evidence.Peer} is refused: {problem}");
            call.End(new(GrpcStatus.Unauthenticated, "authentication failure"));
            return;
        }
        await ads.AnswerAsync(call, caller.Identities);
    }

    private async Task<GrpcStatus> CertifyAsync(GrpcCall call, CallerEvidence evidence)
    {
        GrpcRead<IstioCertificateRequest> read = await call.ReadAsync(IstioCertificateRequest.Parser, RequestBytesMax, call.Aborted);
        if (read.Message is not { } request)
        {
            GrpcEnding refusal = read.Ended ? new(GrpcStatus.Internal, "the call has no message") : read.Refusal;
            call.End(refusal);
            return refusal.Status;
        }
        CertificateAnswer answer = await InTurnAsync(request, evidence, call.Aborted);
        if (answer.Told.Length > 0) say($"warn\tcitadel\t{answer.Told}");
        if (answer.Response is { } response) await call.WriteAsync(response, call.Aborted);
        call.End(new(answer.Status, answer.Message));
        return answer.Status;
    }

    private async Task<CertificateAnswer> InTurnAsync(IstioCertificateRequest request, CallerEvidence evidence, CancellationToken cancel)
    {
        if (Interlocked.Increment(ref _waiting) > WaitingMax)
        {
            Interlocked.Decrement(ref _waiting);
            return new(null, GrpcStatus.ResourceExhausted, "too many certificates are asked for at once",
                $"{evidence.Peer}: {WaitingMax} requests wait already");
        }
        try
        {
            await Signing.WaitAsync(cancel);
            try
            {
                return await certificates.CreateAsync(request, evidence, time.GetUtcNow(), cancel);
            }
            finally
            {
                Signing.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private static CallerEvidence EvidenceOf(GrpcCall call) => new(call.Peer, call.ProvenNames, call.Headers);
}
