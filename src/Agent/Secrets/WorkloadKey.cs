using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Agent.Secrets;

/// <summary>A fresh key and the request that asks for its certificate.</summary>
/// <param name="KeyPem">PEM of the private key (PKCS #8).</param>
/// <param name="RequestPem">PEM of the certificate signing request, which names the identity that is hoped for; the authority knows better.</param>
internal sealed record WorkloadKey(string KeyPem, string RequestPem)
{
    /// <summary>Makes both.</summary>
    public static WorkloadKey Make(IdentityOptions options, string identity)
    {
        if (options.Key == KeyKind.Rsa)
        {
            using RSA rsa = RSA.Create(options.RsaBits);
            return new(rsa.ExportPkcs8PrivateKeyPem() + "\n", Request(new CertificateRequest(NoName, rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1), identity));
        }
        using ECDsa elliptic = ECDsa.Create(options.Key == KeyKind.EllipticP384 ? ECCurve.NamedCurves.nistP384 : ECCurve.NamedCurves.nistP256);
        return new(elliptic.ExportPkcs8PrivateKeyPem() + "\n", Request(new CertificateRequest(NoName, elliptic, HashAlgorithmName.SHA256), identity));
    }

    private static X500DistinguishedName NoName => new([0x30, 0x00]);

    private static string Request(CertificateRequest request, string identity)
    {
        var names = new AsnWriter(AsnEncodingRules.DER);
        using (names.PushSequence()) names.WriteCharacterString(UniversalTagNumber.IA5String, identity, new Asn1Tag(TagClass.ContextSpecific, 6));
        request.CertificateExtensions.Add(new X509Extension("2.5.29.17", names.Encode(), critical: true));
        return request.CreateSigningRequestPem() + "\n";
    }
}
