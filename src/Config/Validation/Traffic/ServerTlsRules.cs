using Istio.Networking.V1Alpha3;
using Codes = Lateen.Config.Validation.ValidationCodes;
using Mode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;
using Version = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSProtocol;

namespace Lateen.Config.Validation.Traffic;

/// <summary>The TLS settings of a server: of a gateway, or of a Sidecar's ingress listener.</summary>
internal static class ServerTlsRules
{
    private static readonly HashSet<string> CipherSuites =
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA",
    ];

    public static void Check(Findings f, string path, ServerTLSSettings tls)
    {
        Ciphers(f, path, tls);
        var hasFiles = tls.ServerCertificate.Length > 0 && tls.PrivateKey.Length > 0;
        switch (tls.Mode)
        {
            case Mode.IstioMutual:
                IstioMutual(f, path, tls);
                return;
            case Mode.Passthrough or Mode.AutoPassthrough:
                var unused = tls.CredentialName.Length > 0 || tls.CredentialNames.Count > 0 || tls.TlsCertificates.Count > 0
                    || tls.ServerCertificate.Length > 0
                    || tls.PrivateKey.Length > 0 || tls.CaCertificates.Length > 0 || tls.CaCrl.Length > 0;
                f.WarnIf(unused, Codes.ServerTlsUnused, path,
                    $"{Name(tls.Mode)} mode does not use certificates, configured certificates will not take effect");
                return;
        }

        f.WarnIf(tls.CredentialNames.Count > 2 || tls.TlsCertificates.Count > 2, Codes.ServerTlsUnused, path,
            "more than two certificates: only the first of each key type is used");
        var sources = (tls.CredentialName.Length > 0 ? 1 : 0) + (tls.CredentialNames.Count > 0 ? 1 : 0)
            + (tls.TlsCertificates.Count > 0 ? 1 : 0) + (hasFiles ? 1 : 0);
        f.ErrorIf(sources > 1, Codes.ServerTls, path,
            "only one of credential_name, credential_names, tls_certificates, or server_certificate and private_key should be set");
        var hasCredential = tls.CredentialName.Length > 0 || tls.CredentialNames.Count > 0;
        f.ErrorIf(tls.CaCrl.Length > 0 && hasCredential, Codes.ServerTls, path + ".caCrl",
            "CRL is not supported with credentialName. CRL has to be specified in the secret");
        f.ErrorIf(tls.CaCrl.Length > 0 && tls.Mode == Mode.Simple, Codes.ServerTls, path + ".caCrl",
            "CRL is not supported with SIMPLE TLS");
        if (!hasCredential) Certificates(f, path, tls);
    }

    private static void IstioMutual(Findings f, string path, ServerTLSSettings tls)
    {
        f.ErrorIf(tls.ServerCertificate.Length > 0, Codes.ServerTls, path, "ISTIO_MUTUAL TLS cannot have associated server certificate");
        f.ErrorIf(tls.PrivateKey.Length > 0, Codes.ServerTls, path, "ISTIO_MUTUAL TLS cannot have associated private key");
        f.ErrorIf(tls.CaCertificates.Length > 0, Codes.ServerTls, path, "ISTIO_MUTUAL TLS cannot have associated CA bundle");
        f.ErrorIf(tls.CaCrl.Length > 0, Codes.ServerTls, path, "ISTIO_MUTUAL TLS cannot have associated CRL");
        f.ErrorIf(tls.CredentialName.Length > 0 || tls.CredentialNames.Count > 0, Codes.ServerTls, path,
            "ISTIO_MUTUAL TLS cannot have associated credentialName");
        f.ErrorIf(tls.TlsCertificates.Count > 0, Codes.ServerTls, path, "ISTIO_MUTUAL TLS cannot have associated tlsCertificates");
    }

    private static void Certificates(Findings f, string path, ServerTLSSettings tls)
    {
        var mode = Name(tls.Mode);
        if (tls.TlsCertificates.Count > 0)
        {
            foreach (var certificate in tls.TlsCertificates)
            {
                f.ErrorIf(certificate.ServerCertificate.Length == 0, Codes.ServerTls, path + ".tlsCertificates",
                    $"{mode} TLS requires a server certificate");
                f.ErrorIf(certificate.PrivateKey.Length == 0, Codes.ServerTls, path + ".tlsCertificates",
                    $"{mode} TLS requires a private key");
            }
        }
        else
        {
            f.ErrorIf(tls.ServerCertificate.Length == 0, Codes.ServerTls, path, $"{mode} TLS requires a server certificate");
            f.ErrorIf(tls.PrivateKey.Length == 0, Codes.ServerTls, path, $"{mode} TLS requires a private key");
        }

        var needsAuthority = tls.Mode is Mode.Mutual or Mode.OptionalMutual;
        f.ErrorIf(needsAuthority && tls.CaCertificates.Length == 0 && tls.CaCertCredentialName.Length == 0, Codes.ServerTls, path,
            $"{mode} TLS requires a client CA bundle");
    }

    private static void Ciphers(Findings f, string path, ServerTLSSettings tls)
    {
        var unknown = tls.CipherSuites.Where(c => !CipherSuites.Contains(c)).ToArray();
        f.WarnIf(unknown.Length > 0, Codes.ServerTlsUnused, path + ".cipherSuites",
            $"ignoring invalid cipher suites: {string.Join(", ", unknown)}");
        var twice = tls.CipherSuites.GroupBy(c => c).Where(g => g.Count() > 1).Select(g => g.Key).ToArray();
        f.WarnIf(twice.Length > 0, Codes.ServerTlsUnused, path + ".cipherSuites",
            $"ignoring duplicate cipher suites: {string.Join(", ", twice)}");
        var old = tls.MinProtocolVersion is Version.Tlsv10 or Version.Tlsv11 || tls.MaxProtocolVersion is Version.Tlsv10 or Version.Tlsv11;
        f.WarnIf(old && tls.CipherSuites.Count == 0, Codes.ServerTlsUnused, path,
            "TLS version below TLSV1_2 requires setting compatible ciphers, as by default they are no longer included");
    }

    private static string Name(Mode mode) => mode switch
    {
        Mode.Passthrough => "PASSTHROUGH",
        Mode.Simple => "SIMPLE",
        Mode.Mutual => "MUTUAL",
        Mode.AutoPassthrough => "AUTO_PASSTHROUGH",
        Mode.IstioMutual => "ISTIO_MUTUAL",
        _ => "OPTIONAL_MUTUAL",
    };
}
