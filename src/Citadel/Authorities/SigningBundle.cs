using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>What an authority signs with, and what others trust it by. Immutable.</summary>
public sealed class SigningBundle
{
    private readonly AsymmetricAlgorithm _key;

    private SigningBundle(X509Certificate2 signer, AsymmetricAlgorithm key, string chainPem, string rootsPem,
        IReadOnlyList<X509Certificate2> roots) =>
        (Signer, _key, ChainPem, RootsPem, Roots) = (signer, key, chainPem, rootsPem, roots);

    /// <summary>The certificate whose key signs: a root, or an intermediate.</summary>
    public X509Certificate2 Signer { get; }

    /// <summary>PEM of the certificates between leaf and root, the signer first; empty where the signer is a root.</summary>
    public string ChainPem { get; }

    /// <summary>PEM of all that is trusted: the newest root first.</summary>
    public string RootsPem { get; }

    /// <summary>The same, read.</summary>
    public IReadOnlyList<X509Certificate2> Roots { get; }

    /// <summary>PEM of the private key (PKCS #8).</summary>
    public string KeyPem => _key.ExportPkcs8PrivateKeyPem();

    /// <summary>Puts a bundle together and looks whether its parts fit.</summary>
    /// <param name="signerPem">The signing certificate.</param>
    /// <param name="keyPem">Its private key.</param>
    /// <param name="chainPem">The certificates between it and the root, may be empty.</param>
    /// <param name="rootsPem">All that is trusted.</param>
    /// <param name="problem">What does not fit.</param>
    public static SigningBundle? Create(string signerPem, string keyPem, string chainPem, string rootsPem, out string? problem)
    {
        try
        {
            X509Certificate2 signer = X509Certificate2.CreateFromPem(signerPem);
            IReadOnlyList<X509Certificate2> roots = Certificates(rootsPem), chain = Certificates(chainPem);
            AsymmetricAlgorithm? key = KeyOf(signer, keyPem);
            problem = ProblemOf(signer, key, chain, roots);
            if (problem is not null) return null;
            bool isRoot = roots.Any(root => root.RawDataMemory.Span.SequenceEqual(signer.RawDataMemory.Span));
            string between = isRoot ? "" : chain.Count > 0 ? Pem(chain) : Pem([signer]);
            return new SigningBundle(signer, key!, between, Pem(roots), roots);
        }
        catch (Exception unreadable) when (unreadable is CryptographicException or ArgumentException)
        {
            problem = $"certificates or key can't be read: {unreadable.Message}";
            return null;
        }
    }

    /// <summary>The same signer, and other roots to trust.</summary>
    internal SigningBundle Trusting(IReadOnlyList<X509Certificate2> roots) => new(Signer, _key, ChainPem, Pem(roots), roots);

    /// <summary>Makes signatures. Not for two threads at once.</summary>
    internal X509SignatureGenerator Generator() => _key switch
    {
        RSA rsa => X509SignatureGenerator.CreateForRSA(rsa, RSASignaturePadding.Pkcs1),
        ECDsa elliptic => X509SignatureGenerator.CreateForECDsa(elliptic),
        _ => throw new Lateen.Api.InvariantException("a signing key of an unknown kind"),
    };

    internal static string Pem(IEnumerable<X509Certificate2> certificates) =>
        string.Concat(certificates.Select(static c => c.ExportCertificatePem() + "\n"));

    internal static IReadOnlyList<X509Certificate2> Certificates(string pem)
    {
        var all = new X509Certificate2Collection();
        all.ImportFromPem(pem);
        return [.. all];
    }

    private static AsymmetricAlgorithm? KeyOf(X509Certificate2 signer, string pem)
    {
        using RSA? rsaPublic = signer.GetRSAPublicKey();
        if (rsaPublic is not null)
        {
            RSA rsa = RSA.Create();
            rsa.ImportFromPem(pem);
            return rsa.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(rsaPublic.ExportSubjectPublicKeyInfo()) ? rsa : null;
        }
        using ECDsa? ellipticPublic = signer.GetECDsaPublicKey();
        if (ellipticPublic is null) return null;
        ECDsa elliptic = ECDsa.Create();
        elliptic.ImportFromPem(pem);
        return elliptic.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(ellipticPublic.ExportSubjectPublicKeyInfo()) ? elliptic : null;
    }

    private static string? ProblemOf(X509Certificate2 signer, AsymmetricAlgorithm? key, IReadOnlyList<X509Certificate2> chain,
        IReadOnlyList<X509Certificate2> roots)
    {
        if (roots.Count == 0) return "there is no root certificate";
        if (key is null) return "the private key is not that of the signing certificate";
        if (signer.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: true })
            return "the signing certificate is not that of an authority";
        return Trust.Problem(signer, chain, roots, purpose: null, signer.NotBefore) is { } broken
            ? $"the signing certificate does not lead to a root: {broken}" : null;
    }
}
