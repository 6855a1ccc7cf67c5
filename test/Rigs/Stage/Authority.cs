using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Lateen.Test.Rigs.Stage;

/// <summary>A certificate authority of the stage: workload identities for pods that take part in mutual TLS, server certificates for
/// gateways. Keys are fresh on every run.</summary>
internal sealed class Authority
{
    // The virtual clock begins in 2026 and runs for hours.
    private static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), Until = new(2099, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;
    private int _serial;

    public Authority(string name)
    {
        var request = new CertificateRequest($"O={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        _root = request.CreateSelfSigned(From, Until);
    }

    /// <summary>PEM of the root.</summary>
    public string RootPem => _root.ExportCertificatePem();

    /// <summary>The identity of a service account.</summary>
    public (string Chain, string Key) Workload(string ns, string account) =>
        Issue(names => names.AddUri(new Uri($"spiffe://cluster.local/ns/{ns}/sa/{account}")));

    /// <summary>A server's certificate for names.</summary>
    public (string Chain, string Key) Server(params IEnumerable<string> hosts) => Issue(names =>
    {
        foreach (string host in hosts) names.AddDnsName(host);
    });

    /// <summary>The two secrets that a sidecar gets from its agent, as Envoy's messages.</summary>
    public IEnumerable<JsonObject> AgentSecrets(string ns, string account)
    {
        (string chain, string key) = Workload(ns, account);
        yield return Certificate("default", chain, key);
        yield return Trust("ROOTCA", RootPem);
    }

    public static JsonObject Certificate(string name, string chain, string key) => new()
    {
        ["name"] = name,
        ["tls_certificate"] = new JsonObject
        {
            ["certificate_chain"] = new JsonObject { ["inline_string"] = chain },
            ["private_key"] = new JsonObject { ["inline_string"] = key },
        },
    };

    public static JsonObject Trust(string name, string roots) => new()
    {
        ["name"] = name,
        ["validation_context"] = new JsonObject { ["trusted_ca"] = new JsonObject { ["inline_string"] = roots } },
    };

    private (string Chain, string Key) Issue(Action<SubjectAlternativeNameBuilder> name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        name(names);
        request.CertificateExtensions.Add(names.Build(critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        using X509Certificate2 issued = request.Create(_root, From, Until, BitConverter.GetBytes(++_serial));
        return (issued.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
