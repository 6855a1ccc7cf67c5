using System.Security.Cryptography.X509Certificates;
using Envoy.Admin.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Server;
using CertificateMessage = Envoy.Admin.V3.Certificate;

namespace Lateen.Proxy.Xds.Admin;

/// <summary>/certs: the certificates in use, with their names and times. Keys are not looked at. Main loop.</summary>
internal sealed class CertificatePage(ProxyServer server, ProxyAssembly assembly)
{
    /// <summary>Answers.</summary>
    public AdminAnswer Answer(AdminRequest request)
    {
        var message = new Certificates();
        foreach (Tls.TlsOptions options in assembly.Tls.InUse)
        {
            var one = new CertificateMessage();
            one.CaCert.AddRange(Details(options.Validation?.TrustedCa ?? default, options.Validation?.Origin ?? ""));
            foreach (Tls.TlsCertificate certificate in options.Certificates)
                one.CertChain.AddRange(Details(certificate.Chain, certificate.Origin));
            if (one.CaCert.Count + one.CertChain.Count > 0)
                message.Certificates_.Add(one);
        }
        return AdminAnswer.Json(MessageWriter.ToJson(message, options: WriterOptions.Envoy with { Defaults = true }));
    }

    // Every certificate of a bundle.
    private IEnumerable<CertificateDetails> Details(ReadOnlyMemory<byte> pem, string path)
    {
        if (pem.IsEmpty)
            return [];
        var all = new X509Certificate2Collection();
        try
        {
            all.ImportFromPem(System.Text.Encoding.ASCII.GetString(pem.Span));
        }
        catch (System.Security.Cryptography.CryptographicException)
        {
            // What libssl takes and the framework does not is served, and not told here.
            return [];
        }
        return [.. all.Select(c => One(c, path))];
    }

    private CertificateDetails One(X509Certificate2 certificate, string path)
    {
        Tls.Certificates.CertificateNames names = Tls.Certificates.CertificateNames.Read(certificate.RawData);
        var details = new CertificateDetails
        {
            Path = path,
            SerialNumber = names.Serial.TrimStart('0'),
            ValidFrom = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeSeconds(names.ValidFrom)),
            ExpirationTime = Timestamp.FromDateTimeOffset(DateTimeOffset.FromUnixTimeSeconds(names.ValidTo)),
            DaysUntilExpiration = (ulong)Math.Max(0, (names.ValidTo - server.Main.WallClock / 1_000_000) / 86_400),
        };
        // By kind: DNS names, then URIs, then addresses.
        foreach (Tls.Certificates.SubjectName name in names.Names.OrderBy(
            static n => n.Kind switch { Tls.SanKind.Dns => 0, Tls.SanKind.Uri => 1, _ => 2 }))
        {
            SubjectAlternateName? told = name.Kind switch
            {
                Tls.SanKind.Dns => new SubjectAlternateName { Dns = name.Text },
                Tls.SanKind.Uri => new SubjectAlternateName { Uri = name.Text },
                Tls.SanKind.Ip => new SubjectAlternateName { IpAddress = name.Text },
                _ => null,
            };
            if (told is not null)
                details.SubjectAltNames.Add(told);
        }
        return details;
    }
}
