using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lateen.Proxy.Tls;

namespace Lateen.Test.Unit.Proxy.Tls;

/// <summary>A small authority for tests.</summary>
internal sealed class Authority
{
    private static int s_serial = 1000;
    private readonly X509Certificate2 _certificate;

    public Authority(string name, Authority? parent = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("O=mesh, CN=" + name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        _certificate = parent is null
            ? request.CreateSelfSigned(From, To)
            : request.Create(parent._certificate, From, To, Serial()).CopyWithPrivateKey(key);
    }

    public static DateTimeOffset From { get; } = new(2024, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static DateTimeOffset To { get; } = new(2044, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public byte[] Pem => Encoding.ASCII.GetBytes(_certificate.ExportCertificatePem() + "\n");

    private static byte[] Serial() => BitConverter.GetBytes(IPAddress.HostToNetworkOrder(++s_serial));

    /// <summary>Issues a certificate. Names: "DNS:x", "URI:x", "email:x", "IP:x".</summary>
    public TlsCertificate Issue(string subject, string[] names, DateTimeOffset? until = null, bool rsa = false, string? usage = null,
        Authority? via = null)
    {
        using AsymmetricAlgorithm key = rsa ? RSA.Create(2048) : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = rsa
            ? new CertificateRequest(subject, (RSA)key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest(subject, (ECDsa)key, HashAlgorithmName.SHA256);
        if (names.Length > 0)
            request.CertificateExtensions.Add(Names(names));
        if (usage is not null)
            request.CertificateExtensions.Add(
                new X509EnhancedKeyUsageExtension([new Oid(usage == "server" ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")], false));
        var generator = _certificate.GetECDsaPrivateKey()!;
        X509Certificate2 made = request.Create(_certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(generator), From,
            until ?? To, Serial());
        string pem = made.ExportCertificatePem() + "\n" + (via is null ? "" : _certificate.ExportCertificatePem() + "\n");
        return new TlsCertificate(Encoding.ASCII.GetBytes(pem), Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()));
    }

    private static X509Extension Names(string[] names)
    {
        var builder = new SubjectAlternativeNameBuilder();
        foreach (string name in names)
        {
            string text = name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..];
            if (name.StartsWith("DNS:", StringComparison.Ordinal))
                builder.AddDnsName(text);
            else if (name.StartsWith("URI:", StringComparison.Ordinal))
                builder.AddUri(new Uri(text));
            else if (name.StartsWith("IP:", StringComparison.Ordinal))
                builder.AddIpAddress(IPAddress.Parse(text));
            else
                builder.AddEmailAddress(text);
        }
        return builder.Build();
    }

    /// <summary>A list that revokes one certificate.</summary>
    public byte[] Revoke(TlsCertificate revoked)
    {
        var builder = new CertificateRevocationListBuilder();
        builder.AddEntry(Load(revoked).SerialNumberBytes.Span);
        byte[] der = builder.Build(_certificate, 1, To, HashAlgorithmName.SHA256, thisUpdate: From);
        return Encoding.ASCII.GetBytes(PemEncoding.WriteString("X509 CRL", der) + "\n");
    }

    public static X509Certificate2 Load(TlsCertificate certificate) =>
        X509Certificate2.CreateFromPem(Encoding.ASCII.GetString(certificate.Chain.Span));
}
