using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Lateen.Agent;
using Lateen.Agent.Status;
using Lateen.Test.Rigs.Stage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Plays <c>agent</c>: status server, probes, merged metrics.</summary>
internal sealed class AgentRunner : TableRunner
{
    private const string Loopback = "127.0.0.1";

    public AgentRunner() : base("agent")
    {
        Table("accept-header", (row, _) => Rows.Same(MetricsFormat.Of(row.Text("acceptHeader")), row.Text("want")));
        Table("app-probers-validation", (row, _) =>
        {
            (AppProbes? probes, string error) = AppProbes.Read(row.Text("probe"), Loopback);
            return row.Text("err") is { Length: > 0 } want
                ? error.Contains(want, StringComparison.Ordinal) ? null : $"have '{error}', want '{want}'" : probes is null
                ? $"have '{error}'" : null;
        });
        Table("ca-headers", (row, _) =>
            Rows.Same(Pairs(AgentOptions.From("sidecar", row.Labels("envVars")).AuthorityHeaders), Pairs(row.Labels("expectedCAHeaders"))));
        Table("envoy-ready", (row, _) => Rows.Same(Readiness.WhyNotConfigured(row.Text("stats")) ?? "", row.Text("result")));
        Table("metrics-merge", (row, _) =>
        {
            string text = MergedMetrics.Merge(MergedMetrics.Own(), row.Text("envoy"), row.Text("app") is { Length: > 0 } app ? [app] : []);
            return text.Contains(row.Text("output"), StringComparison.Ordinal) ? null : $"have {text}";
        });
        Table("probe-header", ProbeHeaders);
        Table("prometheus-normalization", (row, _) =>
        {
            (ScrapeTargets? read, string error) = ScrapeTargets.Read(row.Text("envJSON"));
            if (row.Flag("wantErr")) return read is null ? null : "have no error";
            return read is null ? error
                : Rows.Same(read.Port, row.Text("wantPort"))
                    ?? Rows.SameList(read.Targets.Select(Spelled), row.Items("wantTargets").Select(Spelled));
        });
        Table("scrape-targets", (row, _) =>
        {
            (IReadOnlyList<ScrapeTarget> targets, string error) = ScrapeTargets.ParseList(row.Text("input"));
            return Rows.Same(error.Length > 0, row.Flag("wantErr"))
                ?? (row.Flag("wantErr") ? null : Rows.SameList(targets.Select(Spelled), row.Items("want").Select(Spelled)));
        });
        Table("quit", (row, _) =>
        {
            var options = new AgentOptions { Name = "test" };
            using AppProbes probes = AppProbes.Read("", Loopback).Probes!;
            var server = new StatusServer(options, new Readiness(options, () => true), probes, () => { });
            return Rows.Same(server.Answer(row.Text("method"), "/quitquitquit", row.Text("remoteAddr") == Loopback, []).Status,
                row.Number("expected"));
        });
        Table("https-probe", (row, _) => HttpsProbe(row));
    }

    private static string? ProbeHeaders(JsonElement row, JsonElement context)
    {
        static string Spelled(IEnumerable<(string Name, string Value)> headers) =>
            string.Join("; ", headers.GroupBy(h => h.Name.ToLowerInvariant()).OrderBy(g => g.Key, StringComparer.Ordinal)
                .Select(g => $"{g.Key}={string.Join(',', g.Select(h => h.Value))}"));
        IEnumerable<(string, string)> Headers(string field) =>
            row.GetProperty(field).EnumerateObject().SelectMany(h => h.Value.EnumerateArray().Select(v => (h.Name, v.GetString()!)));
        return Rows.Same(Spelled(AppProbes.Forwarded(Headers("originHeaders"))), Spelled(Headers("want")));
    }

    // An application behind TLS that tells which protocol it was asked in.
    private static string? HttpsProbe(JsonElement row)
    {
        string[] alpns = row.Texts("alpns");
        string asked = "";
        (string chain, string key) = new Authority("app").Server("localhost");
        using X509Certificate2 pem = X509Certificate2.CreateFromPem(chain, key);
        using X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = alpns.Contains("h2") ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = certificate;
                https.OnAuthenticate = (_, options) =>
                {
                    if (alpns.Length > 0) options.ApplicationProtocols = [.. alpns.Select(name => new SslApplicationProtocol(name))];
                };
            });
        }));
        WebApplication app = builder.Build();
        app.Run(context =>
        {
            asked = context.Request.Protocol == "HTTP/2" ? "HTTP/2.0" : context.Request.Protocol;
            return Task.CompletedTask;
        });
        app.StartAsync().GetAwaiter().GetResult();
        int port = new Uri(app.Urls.First()).Port;
        using AppProbes probes = AppProbes.Read($$"""
            {
              "/app-health/hello-world/readyz": { "httpGet": { "path": "/hello/sunnyvale", "port": {{port}}, "scheme": "HTTPS" } },
              "/app-health/hello-world/livez": { "httpGet": { "port": {{port}}, "scheme": "HTTPS" } }
            }
            """, Loopback).Probes!;
        var options = new AgentOptions { Name = "test" };
        int status = new StatusServer(options, new Readiness(options, () => true), probes, () => { }).Answer("GET",
            "/" + row.Text("probePath"), true, []).Status;
        app.StopAsync().GetAwaiter().GetResult();
        return Rows.Same(status, row.Number("statusCode"))
            ?? (row.Text("expectedProtocol") is { Length: > 0 } want ? Rows.Same(asked, want) : null);
    }

    private static string Spelled(ScrapeTarget target) => $"{target.Port}:{target.Path}";

    private static string Spelled(JsonElement target) => $"{target.Text("port")}:{target.Text("path")}";

    private static string Pairs(IEnumerable<KeyValuePair<string, string>> pairs) =>
        string.Join(';', pairs.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}"));
}
