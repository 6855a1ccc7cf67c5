using System.Security.Cryptography.X509Certificates;
using Lateen.Citadel.Authorities;

namespace Lateen.Citadel.Callers;

/// <summary>Client certificates of the mesh.</summary>
public static class PeerCertificates
{
    /// <summary>Why a client certificate is not taken; null where it is.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="sent">Certificates that came with it.</param>
    /// <param name="bundle">What is trusted.</param>
    /// <param name="now">The time.</param>
    public static string? Problem(X509Certificate2 certificate, IEnumerable<X509Certificate2> sent, SigningBundle bundle,
        DateTimeOffset now) =>
        Trust.Problem(certificate, sent, bundle.Roots, KeyPurposes.Client, now.UtcDateTime);

    /// <summary>The names that a verified certificate gives its holder.</summary>
    public static IReadOnlyList<string> NamesOf(X509Certificate2 certificate) => SubjectNames.UrisOf(certificate);
}
