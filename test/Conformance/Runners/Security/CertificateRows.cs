using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Istio.V1.Auth;
using Lateen.Agent.Secrets;
using Lateen.Api.Grpc;
using Lateen.Citadel.Authorities;
using Lateen.Citadel.Callers;
using Lateen.Citadel.Service;
using Lateen.Citadel.Tokens;
using Lateen.Test.Conformance.Runners.Tables;

namespace Lateen.Test.Conformance.Runners.Security;

/// <summary>CreateCertificate as a live istiod answered it: the status, or what stands in each certificate.</summary>
internal static class CertificateRows
{
    private const string Ns = "shop", Account = "productpage";
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    private static readonly TokenIssuer Issuer = TokenIssuer.Create();
    private static readonly CertificateService Service = MakeService();

    public static string? Verdict(JsonElement row)
    {
        JsonElement request = row.GetProperty("request");
        bool isClear = request.Text("port") == "15010";
        CertificateAnswer answer = isClear
            ? new(null, GrpcStatus.Unimplemented, "unknown service istio.v1.auth.IstioCertificateService", "")
            : Service.CreateAsync(RequestOf(request), EvidenceOf(request), Now, default).AsTask().GetAwaiter().GetResult();
        if (row.TryGetProperty("error", out JsonElement error))
        {
            string code = error.Text("code").ToUpperInvariant(),
                given = GrpcStatuses.NameOf(answer.Status).Replace("_", "", StringComparison.Ordinal);
            return code == given && error.Text("message") == answer.Message
                ? null : $"wanted {code} {error.Text("message")}, given {given} {answer.Message}";
        }
        if (answer.Response is not { } response) return $"refused: {answer.Status} {answer.Message}";
        JsonElement[] wanted = [.. row.GetProperty("response").GetProperty("certChain").EnumerateArray()];
        if (wanted.Length != response.CertChain.Count) return $"{response.CertChain.Count} certificates";
        return wanted.Select((certificate, i) => Differing(certificate, response.CertChain[i], isLeaf: i == 0))
            .FirstOrDefault(static difference => difference is not null);
    }

    private static CertificateService MakeService()
    {
        KeySet keys = KeySet.Read(Issuer.KeySetText)!;
        var options = new AuthorityOptions();
        var tokens = new IssuedTokens(new TokenRule(TokenIssuer.Issuer, [TokenIssuer.Audience], static () => "cluster.local"), () => keys);
        return new CertificateService(new Authority(RootRotation.First("cluster.local", options, Now - TimeSpan.FromMinutes(20)), options),
            new CallerAuthentication([tokens], []), Impersonation.Nobody);
    }

    private static IstioCertificateRequest RequestOf(JsonElement request)
    {
        var asked = new IstioCertificateRequest
        {
            Csr = request.TryGetProperty("csr", out JsonElement raw)
                ? raw.GetString() : SigningRequests.Make(request.Text("csrKey"), NamesOf(request)),
            ValidityDuration = request.TryGetProperty("validityDurationSeconds", out JsonElement seconds) ? seconds.GetInt64() : 0,
            Metadata = new Struct(),
        };
        if (request.TryGetProperty("metadata.ImpersonatedIdentity", out JsonElement other))
            asked.Metadata.Fields["ImpersonatedIdentity"] = Value.ForString(other.GetString());
        return asked;
    }

    private static string[] NamesOf(JsonElement request) =>
        !request.TryGetProperty("csrSAN", out JsonElement names) ? [] : names.ValueKind switch
        {
            JsonValueKind.String => [names.GetString()!],
            JsonValueKind.Array => [.. names.EnumerateArray().Select(static n => n.GetString()!)],
            _ => [],
        };

    private static CallerEvidence EvidenceOf(JsonElement request)
    {
        var headers = new Dictionary<string, IReadOnlyList<string>>();
        string token = request.Text("token");
        if (token == "valid") headers["authorization"] = ["Bearer " + Issuer.Issue(Ns, Account, "p", Now)];
        else if (token == "valid, without Bearer") headers["authorization"] = [Issuer.Issue(Ns, Account, "p", Now)];
        else if (token != "none") headers["authorization"] = [token];
        return new CallerEvidence("10.10.0.21:4711",
            request.TryGetProperty("clientCertificate", out JsonElement shown) ? [shown.GetString()!] : [], headers);
    }

    private static string? Differing(JsonElement wanted, string pem, bool isLeaf)
    {
        using X509Certificate2 given = X509Certificate2.CreateFromPem(pem);
        (string Name, string Wanted, string Given)[] parts =
        [
            ("critical extensions", Sorted(wanted.GetProperty("criticalExtensions")),
                string.Join(',', given.Extensions.Where(static e => e.Critical).Select(NameOf).Order(StringComparer.Ordinal))),
            ("subject", wanted.Text("subject"), given.Subject),
            ("issuer", wanted.Text("issuer"), given.Issuer),
            ("URIs", Sorted(wanted.GetProperty("uris")), string.Join(',', PeerCertificates.NamesOf(given).Order(StringComparer.Ordinal))),
            ("key usage", Sorted(wanted.GetProperty("keyUsage")), isLeaf ? "digitalSignature,keyEncipherment" : "certSign"),
            ("key usage", isLeaf ? "DigitalSignature, KeyEncipherment" : "KeyCertSign", UsagesOf(given)),
            ("purposes", Sorted(wanted.GetProperty("extKeyUsage")),
                given.Extensions.OfType<X509EnhancedKeyUsageExtension>().Any() ? "clientAuth,serverAuth" : ""),
            ("lifetime", wanted.GetProperty("lifetimeSeconds").GetInt64().ToString(System.Globalization.CultureInfo.InvariantCulture),
                ((long)(given.NotAfter - given.NotBefore).TotalSeconds).ToString(System.Globalization.CultureInfo.InvariantCulture)),
            ("authority", wanted.GetProperty("isCA").GetBoolean().ToString(),
                given.Extensions.OfType<X509BasicConstraintsExtension>().Any(static b => b.CertificateAuthority).ToString()),
            ("signature", wanted.Text("signature"),
                given.SignatureAlgorithm.FriendlyName == "sha256RSA" ? "SHA256-RSA" : given.SignatureAlgorithm.FriendlyName ?? ""),
            ("key", wanted.Text("publicKey"), given.PublicKey.Oid.Value switch
            {
                "1.2.840.113549.1.1.1" => "RSA",
                "1.2.840.10045.2.1" => "ECDSA",
                "1.3.101.112" => "Ed25519",
                var other => other ?? "",
            }),
        ];
        return parts.Where(static p => p.Wanted != p.Given).Select(static p => $"{p.Name}: wanted {p.Wanted}, given {p.Given}")
            .FirstOrDefault();
    }

    // .NET writes its flags from the highest to the lowest.
    private static string UsagesOf(X509Certificate2 certificate) =>
        string.Join(", ", certificate.Extensions.OfType<X509KeyUsageExtension>().Single().KeyUsages.ToString().Split(", ")
            .Order(StringComparer.Ordinal));

    private static string Sorted(JsonElement list) => list.ValueKind == JsonValueKind.Array
        ? string.Join(',', list.EnumerateArray().Select(static e => e.GetString()).Order(StringComparer.Ordinal)) : "";

    private static string NameOf(X509Extension extension) => extension.Oid?.Value switch
    {
        "2.5.29.15" => "keyUsage",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.17" => "subjectAltName",
        var other => other ?? "",
    };
}

/// <summary>Signing requests of every kind of key.</summary>
internal static class SigningRequests
{
    public static string Make(string key, IReadOnlyList<string> names)
    {
        string wanted = string.Join(',', names.Select(static n => n.StartsWith("DNS:", StringComparison.Ordinal) ? n : "URI:" + n));
        if (key == "Ed25519") return WorkloadKey.Make("ED25519", null, 0, wanted).RequestPem;
        return key.StartsWith("RSA", StringComparison.Ordinal) ? WorkloadKey.Make("RSA", null, 2048, wanted).RequestPem
            : WorkloadKey.Make("EC", key == "ECDSA-P384" ? "P-384" : "P-256", 0, wanted).RequestPem;
    }
}
