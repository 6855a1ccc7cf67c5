using Istio.V1.Auth;
using Lateen.Api.Grpc;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.ControlPlane.Ads;
using Lateen.ControlPlane.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lateen.ControlPlane.Certificates;

/// <summary>istiod's 15012: discovery for those who prove who they are, and certificates.</summary>
public sealed class SecureDoor(AdsDoor ads, CertificateService certificates, CallerAuthentication callers, TimeProvider time, Action<string> say)
{
    private const int RequestBytesMax = 256 << 10;

    // Signing takes a processor for a millisecond: as many at a time as there are processors, and a bounded crowd before the door.
    private const int WaitingMax = 5000;
    private static readonly SemaphoreSlim Signing = new(Environment.ProcessorCount);
    private int waiting;

    /// <summary>Serves one gRPC call.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        CallerEvidence evidence = EvidenceOf(context);
        if (context.Request.Path.Value == CertificateService.Path)
        {
            await CertifyAsync(context, evidence);
            return;
        }
        (Caller? caller, string problem) = await callers.AuthenticateAsync(evidence, time.GetUtcNow(), context.RequestAborted);
        if (caller is null)
        {
            say($"warn\tads\t{evidence.Peer} is refused: {problem}");
            await GrpcCalls.RefuseAsync(context, new(GrpcStatus.Unauthenticated, "authentication failure"));
            return;
        }
        await ads.AnswerAsync(context, caller.Identities);
    }

    private async Task CertifyAsync(HttpContext context, CallerEvidence evidence)
    {
        GrpcRead<IstioCertificateRequest> read = await GrpcFrames.ReadAsync(context.Request.BodyReader, IstioCertificateRequest.Parser, RequestBytesMax, context.RequestAborted);
        if (read.Message is not { } request)
        {
            await GrpcCalls.RefuseAsync(context, read.Ended ? new(GrpcStatus.Internal, "the call has no message") : read.Refusal);
            return;
        }
        CertificateAnswer answer = await InTurnAsync(request, evidence, context.RequestAborted);
        if (answer.Told.Length > 0) say($"warn\tcitadel\t{answer.Told}");
        context.Response.ContentType = "application/grpc";
        if (answer.Response is { } response) await GrpcFrames.WriteAsync(context.Response.BodyWriter, response, context.RequestAborted);
        new GrpcEnding(answer.Status, answer.Message).WriteTo(context.Response);
        await context.Response.CompleteAsync();
    }

    private async Task<CertificateAnswer> InTurnAsync(IstioCertificateRequest request, CallerEvidence evidence, CancellationToken cancel)
    {
        if (Interlocked.Increment(ref waiting) > WaitingMax)
        {
            Interlocked.Decrement(ref waiting);
            return new(null, GrpcStatus.ResourceExhausted, "too many certificates are asked for at once", $"{evidence.Peer}: {WaitingMax} requests wait already");
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
            Interlocked.Decrement(ref waiting);
        }
    }

    private static CallerEvidence EvidenceOf(HttpContext context) => new(
        GrpcCalls.PeerOf(context),
        context.Features.Get<ProvenNames>()?.Uris ?? [],
        context.Request.Headers.ToDictionary(static h => h.Key.ToLowerInvariant(), static h => (IReadOnlyList<string>)[.. h.Value.Select(static v => v ?? "")]));
}
