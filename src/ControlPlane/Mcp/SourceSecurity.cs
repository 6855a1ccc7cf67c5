using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Istio.Networking.V1Alpha3;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;
using Lateen.ControlPlane.Certificates;
using TlsMode = Istio.Networking.V1Alpha3.ClientTLSSettings.Types.TLSmode;

namespace Lateen.ControlPlane.Mcp;

/// <summary>How the connection to another control plane is secured.</summary>
/// <remarks>
/// A server has to be somebody in every mode but DISABLE: one of the names given, else the name that it is called by; with ISTIO_MUTUAL an
/// istiod of the root namespace will do, since only the authority gives such names away. We are known there as istiod's account.
/// </remarks>
/// <param name="authority">The mesh's authority, whose trust is shared in ISTIO_MUTUAL.</param>
/// <param name="trustDomain">The mesh's.</param>
/// <param name="rootNamespace">Where istiods live.</param>
/// <param name="time">The clock of certificates that are made here.</param>
public sealed class SourceSecurity(Authority authority, string trustDomain, string rootNamespace, TimeProvider time)
{
    /// <summary>Options for each new connection; null for clear text. What can't be read throws when a connection is made, which is tried
    /// again.</summary>
    /// <param name="tls">What is asked for; null for clear text.</param>
    /// <param name="host">The name or address that is called.</param>
    public Func<SslClientAuthenticationOptions>? For(ClientTLSSettings? tls, string host) =>
        tls is null or { Mode: TlsMode.Disable } ? null : () => Options(tls, host);

    private SslClientAuthenticationOptions Options(ClientTLSSettings tls, string host)
    {
        string called = tls.Sni.Length > 0 ? tls.Sni : host;
        IEnumerable<string> names = tls.SubjectAltNames.Count > 0 ? tls.SubjectAltNames
            : tls.Mode == TlsMode.IstioMutual ? ServingCertificates.HostsOf(rootNamespace).Append(called) : [called];
        string[] expected = [.. names];
        return new SslClientAuthenticationOptions
        {
            TargetHost = called,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CertificateChainPolicy = Trusted(tls),
            ClientCertificateContext = Shown(tls),
            RemoteCertificateValidationCallback = (_, certificate, _, errors) => tls.InsecureSkipVerify == true
                || ((errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None
                    && certificate is X509Certificate2 shown && IsOneOf(shown, expected)),
        };
    }

    private static bool IsOneOf(X509Certificate2 certificate, string[] names) =>
        Array.Exists(names, name => name.Contains("://", StringComparison.Ordinal)
            ? PeerCertificates.NamesOf(certificate).Contains(name)
            : certificate.MatchesHostname(name, allowCommonName: false));

    // Null is what the machine trusts.
    private X509ChainPolicy? Trusted(ClientTLSSettings tls)
    {
        if (tls.Mode != TlsMode.IstioMutual && tls.CaCertificates.Length == 0) return null;
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        if (tls.Mode == TlsMode.IstioMutual) policy.CustomTrustStore.AddRange(authority.Bundle.Roots.ToArray());
        else policy.CustomTrustStore.ImportFromPemFile(tls.CaCertificates);
        return policy;
    }

    private SslStreamCertificateContext? Shown(ClientTLSSettings tls)
    {
        if (tls.Mode == TlsMode.IstioMutual)
            return ServingCertificates.Make(authority, [$"spiffe://{trustDomain}/ns/{rootNamespace}/sa/istiod"], time.GetUtcNow());
        if (tls.Mode != TlsMode.Mutual) return null;
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(tls.ClientCertificate);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(tls.ClientCertificate, tls.PrivateKey), chain,
            offline: true);
    }
}
