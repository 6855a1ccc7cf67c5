// Authorities: the certificate authority itself. It answers one question - does this key belong to that name - by signing, and keeps
// nothing about what it signed: identities come from whoever authenticated the caller (Callers, Tokens), never from the request.
//
// State: one `SigningBundle`, immutable and replaced as a whole when keys are plugged in anew or the root is rotated (`RootRotation`).
// Files belong to `KeyFolder`; time is an argument everywhere, so that a day of renewals runs in a moment of a test.
//
// Never here: private keys of workloads, a list of issued certificates, a clock, a socket.
//
// Refused: revocation lists of our own. Certificates live for a day; who must go sooner loses the account, not the certificate.
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>Signs certificates. May be used from several threads.</summary>
public sealed class Authority
{
    // Clocks of a mesh differ by a little: a certificate is good from two minutes before it was asked for.
    internal static readonly TimeSpan Backdating = TimeSpan.FromMinutes(2);

    private const int SerialBytes = 16;
    private readonly Lock _signing = new();
    private readonly AuthorityOptions _options;
    private volatile SigningBundle _bundle;

    /// <summary>An authority that signs with a bundle.</summary>
    public Authority(SigningBundle bundle, AuthorityOptions options) => (_bundle, _options) = (bundle, options);

    /// <summary>What is signed with now.</summary>
    public SigningBundle Bundle => _bundle;

    /// <summary>Bounds of what is signed.</summary>
    public AuthorityOptions Options => _options;

    /// <summary>Called with the new bundle after each replacement; on the replacing thread.</summary>
    public event Action<SigningBundle>? Replaced;

    /// <summary>Signs with another bundle from now on.</summary>
    public void Replace(SigningBundle fresh)
    {
        _bundle = fresh;
        Replaced?.Invoke(fresh);
    }

    /// <summary>Signs a workload's key.</summary>
    /// <param name="requestPem">The certificate signing request; its key is taken, and nothing else of it.</param>
    /// <param name="identities">The verified names of the caller: SPIFFE URIs, or DNS names.</param>
    /// <param name="asked">How long it is to be good; zero or less for the default.</param>
    /// <param name="now">The time.</param>
    /// <param name="problem">Why nothing was signed.</param>
    /// <returns>PEM of leaf, intermediates where there are any, and roots; null where nothing was signed.</returns>
    public IReadOnlyList<string>? Sign(string requestPem, IReadOnlyList<string> identities, TimeSpan asked, DateTimeOffset now,
        out SigningProblem? problem)
    {
        SigningBundle with = _bundle;
        TimeSpan life = asked > TimeSpan.Zero ? asked : _options.WorkloadLife;
        if (SigningRequest.Read(requestPem, out problem) is not { } key) return null;
        if (life > _options.WorkloadLifeMax)
            problem = new(SigningFault.Life,
                $"requested TTL {GoDurations.Of(life)} is greater than the max allowed TTL {GoDurations.Of(_options.WorkloadLifeMax)}");
        else if (with.Signer.NotAfter <= now.UtcDateTime)
            problem = new(SigningFault.NotReady, "the signing certificate has expired");
        if (problem is not null) return null;
        using X509Certificate2 leaf = Issue(with, key, SubjectNames.Of(identities), life, now);
        string pem = leaf.ExportCertificatePem() + "\n";
        return with.ChainPem.Length == 0 ? [pem, with.RootsPem] : [pem, with.ChainPem, with.RootsPem];
    }

    /// <summary>Makes a key and a certificate for a server of the control plane, good for as long as the authority's own.</summary>
    /// <param name="hosts">Its DNS names.</param>
    /// <param name="now">The time.</param>
    public X509Certificate2 Serving(IEnumerable<string> hosts, DateTimeOffset now)
    {
        SigningBundle with = _bundle;
        using RSA key = RSA.Create(_options.KeyBits);
        using X509Certificate2 leaf = Issue(with, new PublicKey(key), SubjectNames.Of(hosts), with.Signer.NotAfter - now.UtcDateTime, now);
        return leaf.CopyWithPrivateKey(key);
    }

    private X509Certificate2 Issue(SigningBundle with, PublicKey key, X509Extension names, TimeSpan life, DateTimeOffset now)
    {
        var request = new CertificateRequest(new X500DistinguishedName([0x30, 0x00]), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyEncipherment, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([KeyPurposes.Server, KeyPurposes.Client], critical: false));
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        if (with.Signer.Extensions.OfType<X509SubjectKeyIdentifierExtension>().FirstOrDefault() is { } signer)
            request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(signer));
        request.CertificateExtensions.Add(names);
        DateTimeOffset end = now + life < with.Signer.NotAfter.ToUniversalTime() ? now + life : with.Signer.NotAfter.ToUniversalTime();
        // One key, one signature at a time: .NET promises nothing of several.
        lock (_signing) return request.Create(with.Signer.SubjectName, with.Generator(), now - Backdating, end, Serial());
    }

    internal static byte[] Serial()
    {
        byte[] serial = RandomNumberGenerator.GetBytes(SerialBytes);
        // Positive, and with its first byte not zero (RFC 5280 4.1.2.2, X.690 8.3.2).
        serial[0] = (byte)((serial[0] & 0x7f) | 0x40);
        return serial;
    }
}
