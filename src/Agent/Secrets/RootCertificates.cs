using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Agent.Secrets;

/// <summary>PEM bundles of trusted certificates.</summary>
internal static class RootCertificates
{
    /// <summary>All certificates of some bundles, each once, in order; what can't be read is left out.</summary>
    public static string Union(params IEnumerable<string> bundles)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var union = new System.Text.StringBuilder();
        foreach (string bundle in bundles)
        {
            var certificates = new X509Certificate2Collection();
            try { certificates.ImportFromPem(bundle); }
            catch (CryptographicException) { continue; }
            foreach (X509Certificate2 one in certificates)
            {
                string pem = one.ExportCertificatePem();
                one.Dispose();
                if (seen.Add(pem)) union.Append(pem).Append('\n');
            }
        }
        return union.ToString();
    }
}
