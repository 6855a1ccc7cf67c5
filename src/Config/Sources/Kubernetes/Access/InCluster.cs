using System.Security.Cryptography;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>What Kubernetes puts into a pod: the API server's address in the environment, a service account's token and authority in a
/// folder.</summary>
public static class InCluster
{
    /// <summary>Where the service account is mounted.</summary>
    public const string Folder = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <summary>The access of this pod; null outside of one.</summary>
    /// <param name="environment">Gives variables of the environment.</param>
    /// <param name="folder">Where the account is mounted.</param>
    /// <param name="time">For reading the token again.</param>
    /// <exception cref="IOException">This is a pod, and its account cannot be read.</exception>
    public static ClusterAccess? Find(Func<string, string?> environment, string folder, TimeProvider time)
    {
        var (host, port, token) =
            (environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"), Path.Combine(folder, "token"));
        if (string.IsNullOrEmpty(host) || string.IsNullOrEmpty(port) || !File.Exists(token)) return null;
        try
        {
            return new ClusterAccess
            {
                Name = "in-cluster",
                Server = new Uri($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}/"),
                Authorities = Pem.Authorities(File.ReadAllText(Path.Combine(folder, "ca.crt"))),
                Namespace = File.Exists(Path.Combine(folder, "namespace"))
                    ? File.ReadAllText(Path.Combine(folder, "namespace")).Trim() : "",
                Credentials = new TokenFile(token, time),
            };
        }
        catch (CryptographicException e)
        {
            throw new IOException($"the service account's authority {folder}/ca.crt cannot be read: {e.Message}", e);
        }
    }
}
