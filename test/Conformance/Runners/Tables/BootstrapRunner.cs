using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Lateen.Agent.Bootstrap.Envoy;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Plays <c>bootstrap</c>: ProxyConfig, annotations and environment to Envoy's first configuration.</summary>
public sealed class BootstrapRunner : RowsRunner
{
    private string _path = "";

    /// <inheritdoc/>
    public override string Folder => "bootstrap";

    /// <inheritdoc/>
    public override IEnumerable<CaseResult> Run(string path)
    {
        _path = path;
        return base.Run(path);
    }

    /// <inheritdoc/>
    protected override void PlayAll() => Play("cases.json", row =>
    {
        ProxyConfig config = ProtoText.Parse<ProxyConfig>(File.ReadAllText(Path.Combine(_path, row.Text("proxyConfig"))));
        // What the recording's test sets whatever the file says.
        (config.ConfigPath, config.CustomConfigFile, config.StatusPort) =
            ("/tmp/bootstrap/" + row.Text("name"), "envoy_bootstrap.json", 15020);
        JsonObject made = EnvoyBootstrap.Compose(new EnvoyBootstrapOptions
        {
            NodeId = "sidecar~1.2.3.4~foo~bar",
            ProxyConfig = JsonNode.Parse(JsonFormatter.Default.Format(config))!.AsObject(),
            Environment = row.Map("envVars") ?? [],
            Annotations = row.Map("annotations") ?? [],
            InstanceIps = ["10.3.3.3", "10.4.4.4", "10.5.5.5", "10.6.6.6", "10.4.4.4"],
            ControlPlaneSans = ["spiffe://cluster.local/ns/istio-system/sa/istio-pilot-service-account"],
            OutlierLogPath = "/dev/stdout",
            Version = "binary-1.0",
            IdentitySocketFile = "test.sock",
            XdsSocket = "/tmp/XDS",
            SecureMetricsPort = row.Number("secureMetricsPort"),
            SecureMergedMetricsPort = row.Number("secureMergedMetricsPort"),
        });
        return Difference("", Portable(JsonNode.Parse(File.ReadAllText(Path.Combine(_path, row.Text("want"))))!), Portable(made));
    });

    // Paths of the recording's folder are its own, and some of its tests hand variables over as metadata of the configuration besides.
    private static JsonNode Portable(JsonNode bootstrap)
    {
        bootstrap["node"]!["metadata"]!["PROXY_CONFIG"]!.AsObject().Remove("proxyMetadata");
        bootstrap["node"]!["metadata"]!["PROXY_CONFIG"]!.AsObject().Remove("configPath");
        if (bootstrap["tracing"]?["http"]?["typed_config"]?["access_token_file"] is not null)
            bootstrap["tracing"]!["http"]!["typed_config"]!["access_token_file"] = "token";
        return bootstrap;
    }

    private static string? Difference(string path, JsonNode? want, JsonNode? have)
    {
        if (JsonNode.DeepEquals(want, have)) return null;
        if (want is JsonObject a && have is JsonObject b)
            return a.Select(m => m.Key).Union(b.Select(m => m.Key)).Select(name => Difference($"{path}.{name}", a[name], b[name]))
                .FirstOrDefault(d => d is not null);
        if (want is JsonArray c && have is JsonArray d2 && c.Count == d2.Count)
            return Enumerable.Range(0, c.Count).Select(i => Difference($"{path}[{i}]", c[i], d2[i])).FirstOrDefault(d => d is not null);
        // Numbers are equal by value.
        if (want is JsonValue && have is JsonValue && want.GetValueKind() == JsonValueKind.Number
            && want.ToJsonString() == have.ToJsonString()) return null;
        return $"{path}: want {want?.ToJsonString() ?? "nothing"}, have {have?.ToJsonString() ?? "nothing"}";
    }
}
