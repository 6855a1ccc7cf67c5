// Secrets: the workload's own identity. A key is made here and never leaves this process but to the proxy beside it; the authority signs it
// for whoever the token or the certificate shown says we are; the proxy gets key, certificate and trust anchors over a unix socket (SDS),
// and anew when they are renewed.
//
// State: `WorkloadIdentity` owns the secret of the moment and when it is renewed. All of it lives on one event loop, the proxy's main one,
// with its clock and its chance: renewals of a day run in a moment under a virtual clock.
//
// Never here: a key on disk (unless OUTPUT_CERTS asks for it), a decision about whom to let in, traffic.
//
// Refused: SslStream and HttpClient for the few calls to the authority (several megabytes a sidecar, threads of their own): the proxy's TLS
// and HTTP/2 are here anyway.
using System.Globalization;
using Lateen.Api.Documents;

namespace Lateen.Agent.Secrets;

/// <summary>Where the identity comes from and how it is kept; names and defaults are those of Istio's agent.</summary>
public sealed record IdentityOptions
{
    private const string Folder = "./var/run/secrets";

    /// <summary>CA_ADDR: the authority; empty where it is the control plane.</summary>
    public string AuthorityAddress { get; init; } = "";

    /// <summary>The token that is shown to the authority.</summary>
    public string TokenFile { get; init; } = Folder + "/tokens/istio-token";

    /// <summary>XDS_ROOT_CA, CA_ROOT_CA: PEM of the roots that control plane and authority are trusted by.</summary>
    public string RootsFile { get; init; } = Folder + "/istio/root-cert.pem";

    /// <summary>Certificates that somebody else puts there in place of the authority (FILE_MOUNTED_CERTS, or because they exist).</summary>
    public string MountedFolder { get; init; } = Folder + "/workload-spiffe-credentials";

    /// <summary>The socket on which the proxy gets its secrets.</summary>
    public string Socket { get; init; } = Folder + "/workload-spiffe-uds/socket";

    /// <summary>OUTPUT_CERTS: a folder into which every renewed certificate is written; empty for none.</summary>
    public string OutputFolder { get; init; } = "";

    /// <summary>PROV_CERT: a folder with a certificate that is shown in place of a token; empty for none.</summary>
    public string ProvisionedFolder { get; init; } = "";

    /// <summary>SECRET_TTL: how long a certificate is asked for.</summary>
    public TimeSpan Life { get; init; } = TimeSpan.FromHours(24);

    /// <summary>SECRET_GRACE_PERIOD_RATIO: how much of its life is left when it is renewed.</summary>
    public double GraceRatio { get; init; } = 0.5;

    /// <summary>SECRET_GRACE_PERIOD_RATIO_JITTER: by how much that varies, so that a mesh does not renew at once.</summary>
    public double GraceJitter { get; init; } = 0.01;

    /// <summary>The kind of key.</summary>
    public KeyKind Key { get; init; } = KeyKind.EllipticP256;

    /// <summary>WORKLOAD_RSA_KEY_SIZE, for RSA keys.</summary>
    public int RsaBits { get; init; } = 2048;

    /// <summary>The authority's name in its certificate (ISTIOD_SAN); empty for the host that is called.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>Headers for the authority (CA_HEADER_name).</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads an environment.</summary>
    public static IdentityOptions From(IReadOnlyDictionary<string, string> environment)
    {
        var preset = new IdentityOptions();
        string Text(string name, string otherwise) =>
            environment.TryGetValue(name, out string? value) && value.Length > 0 ? value : otherwise;
        double Number(string name, double otherwise) =>
            double.TryParse(Text(name, ""), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
                ? number : otherwise;
        bool asksForRsa = environment.ContainsKey("WORKLOAD_RSA_KEY_SIZE") && Text("ECC_SIGNATURE_ALGORITHM", "").Length == 0;
        return preset with
        {
            AuthorityAddress = Text("CA_ADDR", ""),
            RootsFile = Text("CA_ROOT_CA", Text("XDS_ROOT_CA", preset.RootsFile)),
            OutputFolder = Text("OUTPUT_CERTS", ""),
            ProvisionedFolder = Text("PROV_CERT", ""),
            Life = Durations.TryParse(Text("SECRET_TTL", "24h"), out var life) && life.Seconds > 0 ? life.ToTimeSpan() : preset.Life,
            GraceRatio = Math.Clamp(Number("SECRET_GRACE_PERIOD_RATIO", preset.GraceRatio), 0, 1),
            GraceJitter = Math.Clamp(Number("SECRET_GRACE_PERIOD_RATIO_JITTER", preset.GraceJitter), 0, 1),
            Key = asksForRsa ? KeyKind.Rsa : Text("ECC_CURVE", "P256") == "P384" ? KeyKind.EllipticP384 : KeyKind.EllipticP256,
            RsaBits = (int)Math.Clamp(Number("WORKLOAD_RSA_KEY_SIZE", preset.RsaBits), 2048, 8192),
            ServerName = Text("ISTIOD_SAN", ""),
        };
    }
}

/// <summary>Kinds of private keys.</summary>
public enum KeyKind
{
    /// <summary>NIST P-256: the default, because a handshake costs a tenth of RSA's.</summary>
    EllipticP256,

    /// <summary>NIST P-384.</summary>
    EllipticP384,

    /// <summary>RSA.</summary>
    Rsa,
}
