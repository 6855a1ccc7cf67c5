using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Lateen.Citadel.Callers;
using Microsoft.AspNetCore.Connections;

namespace Lateen.ControlPlane.Hosting;

/// <summary>What a client proved in the handshake: URI names of its certificate; none without one.</summary>
public sealed record ProvenNames(IReadOnlyList<string> Uris);

/// <summary>
/// TLS of accepted connections: our serving certificate, and the client's where it shows one. A certificate that does not hold ends the
/// handshake; none at all is for the called service to judge. Kestrel's own TLS needs a service container, which this program does not
/// have.
/// </summary>
/// <param name="authority">Serves certificates, and says whom to trust; both as they are when a connection comes.</param>
/// <param name="time">The clock that certificates are judged by.</param>
/// <param name="ofWorkloads">Clients are workloads, which speak HTTP/2 and may show certificates of this authority; else API servers, which
/// speak HTTP/1.1 and are asked for none: theirs come from elsewhere.</param>
public sealed class SecureConnections(Certificates.ServingCertificates authority, TimeProvider time, bool ofWorkloads = true)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Shakes hands, then lets <paramref name="next"/> serve what is inside.</summary>
    public async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        IDuplexPipe wire = connection.Transport;
        await using var inside = new SslStream(new DuplexStream(wire));
        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed))
        {
            patience.CancelAfter(Patience);
            try
            {
                await inside.AuthenticateAsServerAsync(Options(), patience.Token);
            }
            catch (Exception refused) when (refused is AuthenticationException or IOException or OperationCanceledException)
            {
                return; // The client has been told by an alert, as far as it stayed to hear.
            }
        }
        connection.Features.Set(new ProvenNames(inside.RemoteCertificate is X509Certificate2 shown ? PeerCertificates.NamesOf(shown) : []));
        PipeReader input = PipeReader.Create(inside, new StreamPipeReaderOptions(leaveOpen: true));
        PipeWriter output = PipeWriter.Create(inside, new StreamPipeWriterOptions(leaveOpen: true));
        connection.Transport = new Pipes(input, output);
        try
        {
            await next(connection);
        }
        finally
        {
            await input.CompleteAsync();
            await output.CompleteAsync();
            connection.Transport = wire;
        }
    }

    private SslServerAuthenticationOptions Options() => new()
    {
        ServerCertificateContext = authority.Current,
        ClientCertificateRequired = ofWorkloads, // asked for; the validation decides whether its absence matters
        RemoteCertificateValidationCallback = IsGood,
        ApplicationProtocols = [ofWorkloads ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11],
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        // A resumed session does not show its certificate again.
        AllowTlsResume = false,
    };

    private bool IsGood(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        certificate is not X509Certificate2 shown
            || PeerCertificates.Problem(shown, chain?.ChainPolicy.ExtraStore ?? [], authority.Bundle, time.GetUtcNow()) is null;

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    // Reads from the one pipe, writes to the other.
    private sealed class DuplexStream(IDuplexPipe pipes) : Stream
    {
        private readonly Stream _input = pipes.Input.AsStream(leaveOpen: true), _output = pipes.Output.AsStream(leaveOpen: true);

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => _input.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _input.ReadAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => _output.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            _output.WriteAsync(buffer, cancellationToken);

        public override void Flush() => _output.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => _output.FlushAsync(cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
