using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Lateen.Citadel.Authorities;

/// <summary>Whether a certificate leads to one of some roots.</summary>
internal static class Trust
{
    /// <summary>Null where it does; otherwise why not.</summary>
    /// <param name="leaf">The certificate.</param>
    /// <param name="between">Certificates that may stand between it and a root.</param>
    /// <param name="roots">What is trusted; nothing of the machine's own is.</param>
    /// <param name="purpose">What it must be made for; null for anything.</param>
    /// <param name="now">The time to judge it by.</param>
    public static string? Problem(X509Certificate2 leaf, IEnumerable<X509Certificate2> between, IEnumerable<X509Certificate2> roots,
        Oid? purpose, DateTime now)
    {
        using var chain = new X509Chain();
        X509ChainPolicy policy = chain.ChainPolicy;
        policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        policy.RevocationMode = X509RevocationMode.NoCheck;
        policy.DisableCertificateDownloads = true;
        policy.VerificationTime = now;
        policy.VerificationTimeIgnored = false;
        if (purpose is not null) policy.ApplicationPolicy.Add(purpose);
        foreach (X509Certificate2 root in roots) policy.CustomTrustStore.Add(root);
        foreach (X509Certificate2 one in between) policy.ExtraStore.Add(one);
        bool good = chain.Build(leaf);
        string? problem = good ? null : string.Join("; ", chain.ChainStatus.Select(static s => s.StatusInformation.Trim()).Distinct());
        foreach (X509ChainElement element in chain.ChainElements) element.Certificate.Dispose();
        return problem;
    }
}
