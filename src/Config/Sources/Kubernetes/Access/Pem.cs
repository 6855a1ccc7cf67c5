using System.Security.Cryptography.X509Certificates;

namespace Lateen.Config.Sources.Kubernetes.Access;

/// <summary>Certificates out of PEM texts.</summary>
internal static class Pem
{
    /// <summary>The first certificate with its key, and the rest of the chain left alone.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">They do not belong together, or are no PEM.</exception>
    public static X509Certificate2 WithKey(string certificate, string key) => X509Certificate2.CreateFromPem(certificate, key);

    /// <summary>All certificates of the text.</summary>
    public static X509Certificate2Collection Authorities(string text)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(text);
        return all;
    }
}
