using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Lateen.Test.Conformance.Runners.Xds;

/// <summary>A key pair of this run in place of those that recorded manifests leave out.</summary>
internal static class TestKeys
{
    private static readonly Lazy<(string Key, string Certificate)> Pair = new(() =>
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch.AddYears(50), DateTimeOffset.UnixEpoch.AddYears(120));
        return (key.ExportPkcs8PrivateKeyPem(), certificate.ExportCertificatePem());
    });

    /// <summary>The text with keys in it.</summary>
    public static string In(string text) => text
        .Replace("${TEST_TLS_KEY}", Base64(Pair.Value.Key), StringComparison.Ordinal)
        .Replace("${TEST_TLS_CERT_PEM}", Pair.Value.Certificate.Replace("\n", "\\n", StringComparison.Ordinal), StringComparison.Ordinal)
        .Replace("${TEST_TLS_CERT}", Base64(Pair.Value.Certificate), StringComparison.Ordinal);

    private static string Base64(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));
}
