using System.Security.Cryptography.X509Certificates;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>A token in a file that somebody renews: a pod's service account, or <c>tokenFile</c> of a kubeconfig.</summary>
/// <remarks>It is read again each minute, as Kubernetes' own clients do, and at once when the server refused it.</remarks>
public sealed class TokenFile(string path, TimeProvider time, X509Certificate2? certificate = null) : ICredentialSource
{
    private static readonly TimeSpan Keep = TimeSpan.FromMinutes(1);
    private readonly Lock _reading = new();
    private Credential? _credential;
    private DateTimeOffset _readAt;

    public ValueTask<Credential> CurrentAsync(bool refused, CancellationToken cancel)
    {
        lock (_reading)
        {
            var now = time.GetUtcNow();
            if (_credential is null || refused || now - _readAt >= Keep) Read(now);
            return ValueTask.FromResult(_credential!);
        }
    }

    private void Read(DateTimeOffset now)
    {
        try
        {
            var token = File.ReadAllText(path).Trim();
            if (token.Length == 0) throw new IOException("it is empty");
            (_credential, _readAt) = (new Credential("Bearer " + token, certificate), now);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A file that is away for a moment does not end a token that is still good.
            if (_credential is null) throw new CredentialException($"the token file {path} cannot be read: {e.Message}", e);
        }
    }
}
