// Moments: what a proxy costs beside plain requests: connections that begin, a second core, configuration that changes. Each is a verb of
// the program (Program.cs) and a few rows of a table; each compares within one run. Refused: rows of these among the works, whose figure is
// a request.
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace Lateen.Bench.Load.Moments;

/// <summary>CPU of a new connection with mutual TLS, whole and resumed, beside nginx with the same libssl. The clients are <c>openssl
/// s_time</c>, one after the other.</summary>
internal static partial class HandshakeBench
{
    private static readonly (string Name, string[] Options)[] Kinds =
        [("TLS 1.3, full", ["-new", "-tls1_3"]), ("TLS 1.3, resumed", ["-reuse", "-tls1_3"]), ("TLS 1.2, full", ["-new", "-tls1_2"]),
            ("TLS 1.2, resumed", ["-reuse", "-tls1_2"])];

    /// <summary>The rows of the table.</summary>
    public static IEnumerable<string> Run(string lateen, int rounds, int seconds)
    {
        using var lab = new Lab();
        MakeCertificates(lab);
        int here = Lab.FreePort(), there = Lab.FreePort();
        Contestant[] all =
        [
            new("lateen", here, lab.Launch(Lab.ProxyCore,
                [lateen, "proxy", "-c", lab.Write("lateen.json", Bootstrap(lab.Folder, here)), "--concurrency", "1"], here), Lab.LoadCore),
            new("nginx", there, lab.Launch(Lab.ProxyCore, ["nginx", "-c", lab.Write("nginx.conf", Nginx(lab.Folder, there))], there),
                Lab.LoadCore),
        ];
        yield return "| new connections with mutual TLS | lateen, CPU µs each | nginx | ratio |";
        yield return "|---|---|---|---|";
        foreach ((string name, string[] options) in Kinds)
        {
            var costs = new List<double>[] { [], [] };
            // The first round warms both up.
            for (int round = 0; round <= rounds; round++)
            {
                for (int i = 0; i < all.Length; i++)
                {
                    double cost = Cost(lab.Folder, all[i], i == 0 ? here : there, options, seconds);
                    if (round > 0)
                        costs[i].Add(cost);
                }
            }
            double ours = Middle(costs[0]), nginx = Middle(costs[1]);
            yield return string.Create(CultureInfo.InvariantCulture, $"| {name} | {ours:F0} | {nginx:F0} | {ours / nginx:F2} |");
        }
    }

    private static double Cost(string folder, Contestant contestant, int port, string[] options, int seconds)
    {
        double before = contestant.CpuMicros();
        string[] command = ["-c", $"{Lab.LoadCore}", "openssl", "s_time", "-connect", $"127.0.0.1:{port}", "-cert", $"{folder}/client.pem",
            "-key", $"{folder}/client.key", "-CAfile", $"{folder}/ca.pem", "-www", "/", "-time", $"{seconds}", .. options];
        using Process client = Process.Start(
            new ProcessStartInfo("taskset", command) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = client.StandardError.ReadToEndAsync();
        string said = client.StandardOutput.ReadToEnd() + errors.Result;
        client.WaitForExit();
        return Connections().Match(said) is { Success: true } found
            ? (contestant.CpuMicros() - before) / double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException($"{contestant.Name}: s_time says {said}");
    }

    private static double Middle(List<double> values) => values.Order().ElementAt(values.Count / 2);

    // A root, and two workloads of it as the mesh names them.
    private static void MakeCertificates(Lab lab)
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var rootRequest = new CertificateRequest("O=root", rootKey, HashAlgorithmName.SHA256);
        rootRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 root = rootRequest.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        lab.Write("ca.pem", root.ExportCertificatePem());
        foreach (string name in (string[])["server", "client"])
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddUri(new Uri($"spiffe://cluster.local/ns/default/sa/{name}"));
            request.CertificateExtensions.Add(names.Build(critical: true));
            using X509Certificate2 certificate = request.Create(root, root.NotBefore, root.NotAfter, RandomNumberGenerator.GetBytes(8));
            lab.Write($"{name}.pem", certificate.ExportCertificatePem());
            lab.Write($"{name}.key", key.ExportPkcs8PrivateKeyPem());
        }
    }

    private static string Bootstrap(string folder, int port) => """
        {"static_resources":{"listeners":[{"name":"in","address":{"socket_address":{"address":"127.0.0.1","port_value":@PORT@}},"filter_chains":[{
          "transport_socket":{"name":"tls","typed_config":{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext","require_client_certificate":true,"common_tls_context":{"alpn_protocols":["h2","http/1.1"],
            "tls_certificates":[{"certificate_chain":{"filename":"@FOLDER@/server.pem"},"private_key":{"filename":"@FOLDER@/server.key"}}],
            "validation_context":{"trusted_ca":{"filename":"@FOLDER@/ca.pem"},"match_typed_subject_alt_names":[{"san_type":"URI","matcher":{"prefix":"spiffe://cluster.local/"}}]}}}},
          "filters":[{"name":"http","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"in","delayed_close_timeout":"0s",
            "http_protocol_options":{"accept_http_10":true,"default_host_for_http_10":"a"},"http_filters":[{"name":"router","typed_config":{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
            "route_config":{"virtual_hosts":[{"name":"all","domains":["*"],"routes":[{"match":{"prefix":"/"},"direct_response":{"status":200,"body":{"inline_string":"hello"}}}]}]}}}]}]}]}}
        """.Replace("@PORT@", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
        .Replace("@FOLDER@", folder, StringComparison.Ordinal);

    private static string Nginx(string folder, int port) =>
        $"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error; events {{ worker_connections 4096; }}\n"
        + $"http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/server.pem; "
            + $"ssl_certificate_key {folder}/server.key; ssl_client_certificate {folder}/ca.pem; "
        + "ssl_verify_client on; ssl_protocols TLSv1.2 TLSv1.3; location / { return 200 'hello'; } } }";

    [GeneratedRegex(@"(\d+) connections in \d+ real seconds")]
    private static partial Regex Connections();
}
