using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>Roots that an authority makes for itself, and makes anew before they end. A rotated root keeps its key, so that what the old
/// one signed stays good.</summary>
public static class RootRotation
{
    /// <summary>A new root with a new key.</summary>
    /// <param name="organization">The trust domain, which is all that its name says.</param>
    /// <param name="options">Life and size.</param>
    /// <param name="now">The time.</param>
    public static SigningBundle First(string organization, AuthorityOptions options, DateTimeOffset now)
    {
        using RSA key = RSA.Create(options.KeyBits);
        using X509Certificate2 root = Root($"O={organization}", key, options, now);
        return Bundle(root, key, [root]);
    }

    /// <summary>When little of the root's life is left.</summary>
    public static bool IsDue(SigningBundle bundle, AuthorityOptions options, DateTimeOffset now)
    {
        TimeSpan life = bundle.Signer.NotAfter - bundle.Signer.NotBefore;
        return now.UtcDateTime >= bundle.Signer.NotAfter.ToUniversalTime() - (life * options.RootGracePercent / 100);
    }

    /// <summary>A new root for the key of the old one. Both are trusted until the old one ends.</summary>
    public static SigningBundle Next(SigningBundle old, AuthorityOptions options, DateTimeOffset now)
    {
        using RSA key = RSA.Create();
        key.ImportFromPem(old.KeyPem);
        using X509Certificate2 root = Root(old.Signer.Subject, key, options, now);
        return Bundle(root, key, [root, .. old.Roots.Where(r => r.NotAfter.ToUniversalTime() > now.UtcDateTime)]);
    }

    private static X509Certificate2 Root(string subject, RSA key, AuthorityOptions options, DateTimeOffset now)
    {
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        X509SignatureGenerator generator = X509SignatureGenerator.CreateForRSA(key, RSASignaturePadding.Pkcs1);
        // Clocks of a mesh differ by a little, and a root that is not good yet makes nothing good.
        DateTimeOffset begin = now - Authority.Backdating;
        return request.Create(request.SubjectName, generator, begin, begin + options.RootLife, Authority.Serial());
    }

    private static SigningBundle Bundle(X509Certificate2 root, RSA key, IEnumerable<X509Certificate2> trusted) =>
        SigningBundle.Create(root.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem(), "", SigningBundle.Pem(trusted),
            out string? problem)
        ?? throw new Lateen.Api.InvariantException($"a root that was just made is not good: {problem}");
}
