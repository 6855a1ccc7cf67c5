// Access: how an API server is reached and who asks it. A kubeconfig, or what Kubernetes puts into a pod, becomes one `ClusterAccess`, a
// value;
// `ApiConnection` makes an HTTP client out of it. All forms that kubectl reads are read here, and one that is not is refused by name: to go
// on without a credential would be told by the API server as a riddle.
//
// Secrets stay inside of these objects: nothing here prints a token or a key, and no diagnostic quotes a value.
// Refused: the KubernetesClient package (generated classes of every kind beside our own messages, and informers with their own idea of
// time), see docs/decisions/0009-kubernetes-api.md.
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>One API server and one user of it.</summary>
public sealed record ClusterAccess
{
    /// <summary>Base address; paths of the API come behind its own path.</summary>
    public required Uri Server { get; init; }

    /// <summary>How it is called in messages: the context's name, or <c>in-cluster</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The namespace of the context, or of the pod; empty when none is told.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>Who may have signed the server's certificate; null for whom the machine trusts.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    /// <summary>Accept any certificate of the server.</summary>
    public bool IsInsecure { get; init; }

    /// <summary>The name that the server's certificate must carry, where it is not the address's; empty for that.</summary>
    public string TlsServerName { get; init; } = "";

    /// <summary>The proxy to go through (http, https or socks5); null for what the environment says.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>Do not ask for compressed answers.</summary>
    public bool DisableCompression { get; init; }

    /// <summary>What proves the user.</summary>
    public ICredentialSource Credentials { get; init; } = FixedCredential.None;

    /// <summary>Headers of impersonation, as <c>Impersonate-User</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Impersonation { get; init; } = [];
}

/// <summary>What is shown to an API server.</summary>
/// <param name="Authorization">The whole header, as <c>Bearer …</c>; null for none.</param>
/// <param name="Certificate">A client certificate with its key; null for none.</param>
public sealed record Credential(string? Authorization, X509Certificate2? Certificate)
{
    public static readonly Credential None = new(null, null);

    /// <summary>Never the secret itself.</summary>
    public override string ToString() => (Authorization, Certificate) switch
    {
        (null, null) => "no credential",
        (null, _) => "a client certificate",
        (_, null) => "a token",
        _ => "a token and a client certificate",
    };
}

/// <summary>Where a credential comes from, each time anew as far as it can change.</summary>
public interface ICredentialSource
{
    /// <summary>The credential to use now.</summary>
    /// <param name="refused">The last one was answered with 401: do not give it again if there can be another.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="CredentialException">There is none; the message says why.</exception>
    ValueTask<Credential> CurrentAsync(bool refused, CancellationToken cancel);
}

/// <summary>No credential can be had.</summary>
public sealed class CredentialException(string message, Exception? inner = null) : IOException(message, inner);

/// <summary>One that never changes.</summary>
public sealed class FixedCredential(Credential credential) : ICredentialSource
{
    public static readonly FixedCredential None = new(Credential.None);

    public ValueTask<Credential> CurrentAsync(bool refused, CancellationToken cancel) => ValueTask.FromResult(credential);
}
