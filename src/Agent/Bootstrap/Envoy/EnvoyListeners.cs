using System.Globalization;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap.Envoy;

/// <summary>Listeners that are there from the start: metrics, over mutual TLS, too, where it is asked for, and readiness.</summary>
internal static class EnvoyListeners
{
    private const string Metrics = "/stats/prometheus", Admin = "prometheus_stats", Agent = "agent";
    private static readonly string[] Compressed = ["text/plain", "application/vnd.google.protobuf", "application/openmetrics-text",
        "application/openmetrics-protobuf"];
    private static readonly (string Name, string Type)[] Compressors =
    [
        ("brotli", "envoy.extensions.compression.brotli.compressor.v3.Brotli"),
        ("zstd", "envoy.extensions.compression.zstd.compressor.v3.Zstd"),
        ("gzip", "envoy.extensions.compression.gzip.compressor.v3.Gzip"),
    ];

    public static JsonArray All(EnvoyBootstrapOptions options)
    {
        bool compresses = options.ProxyConfig["statsCompression"]?.GetValue<bool>() ?? true;
        var listeners = new JsonArray { Plain(options, options.PrometheusPort, "stats", [(Metrics, Admin)], compresses) };
        if (options.SecureMetricsPort > 0)
            listeners.Add((JsonNode)Secure(options, options.SecureMetricsPort, "secure_stats", [(Metrics, Admin)]));
        if (options.SecureMergedMetricsPort > 0)
            listeners.Add((JsonNode)Secure(options, options.SecureMergedMetricsPort, "secure_merged_stats",
                [(Metrics, Agent), ("/metrics", Agent)]));
        listeners.Add((JsonNode)Plain(options, options.HealthPort, "agent", [("/healthz/ready", Agent)], false));
        return listeners;
    }

    private static JsonObject Plain(EnvoyBootstrapOptions options, int port, string prefix, (string Path, string Cluster)[] routes,
        bool compresses) =>
        Listener(options, port, new JsonObject { ["filters"] = new JsonArray(Manager(prefix, routes, compresses)) });

    private static JsonObject Secure(EnvoyBootstrapOptions options, int port, string prefix, (string Path, string Cluster)[] routes)
    {
        JsonObject listener = Listener(options, port, new JsonObject
        {
            ["filter_chain_match"] = new JsonObject { ["transport_protocol"] = "tls" },
            ["transport_socket"] = Parts.Typed("envoy.transport_sockets.tls",
                "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", new JsonObject
                {
                    ["require_client_certificate"] = true,
                    ["common_tls_context"] = new JsonObject
                    {
                        ["tls_certificate_sds_secret_configs"] = new JsonArray(Parts.Secret("default")),
                        ["combined_validation_context"] = new JsonObject
                        {
                            ["default_validation_context"] = new JsonObject(),
                            ["validation_context_sds_secret_config"] = Parts.Secret("ROOTCA"),
                        },
                    },
                }),
            ["filters"] = new JsonArray(Manager(prefix, routes, compresses: false)),
        });
        listener["listener_filters"] = new JsonArray(
            Parts.Typed("envoy.filters.listener.tls_inspector", "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"));
        return listener;
    }

    // Limits of connections are about the workload's traffic, not about those who look after it.
    private static JsonObject Listener(EnvoyBootstrapOptions options, int port, JsonObject chain) => new()
    {
        ["name"] = string.Create(CultureInfo.InvariantCulture, $"{options.AnyAddress}_{port}"),
        ["address"] = Parts.Socket(options.AnyAddress, port, saysTcp: true),
        ["ignore_global_conn_limit"] = true,
        ["bypass_overload_manager"] = true,
        ["filter_chains"] = new JsonArray(chain),
    };

    private static JsonObject Manager(string prefix, (string Path, string Cluster)[] routes, bool compresses)
    {
        var entries = routes.Select(
            route => new JsonObject
            {
                ["match"] = new JsonObject { ["prefix"] = route.Path },
                ["route"] = new JsonObject { ["cluster"] = route.Cluster },
            });
        JsonNode[] filters =
        [
            .. (compresses ? Compressors : []).Select(compressor => Compressor(compressor.Name, compressor.Type)),
            Parts.Typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
        ];
        return Parts.Typed("envoy.filters.network.http_connection_manager",
            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", new JsonObject
            {
                ["codec_type"] = "AUTO",
                ["stat_prefix"] = prefix,
                ["route_config"] = new JsonObject
                {
                    ["virtual_hosts"] = new JsonArray(new JsonObject
                    {
                        ["name"] = "backend",
                        ["domains"] = new JsonArray("*"),
                        ["routes"] = new JsonArray([.. entries]),
                    }),
                },
                ["http_filters"] = new JsonArray(filters),
            });
    }

    private static JsonObject Compressor(string name, string type) =>
        Parts.Typed("envoy.filters.http.compressor." + name, "envoy.extensions.filters.http.compressor.v3.Compressor", new JsonObject
        {
            ["compressor_library"] = Parts.Typed("stats_" + name, type),
            ["response_direction_config"] = new JsonObject
            {
                ["common_config"] = new JsonObject { ["content_type"] =
                    new JsonArray([.. Compressed.Select(kind => JsonValue.Create(kind))]) },
            },
        });
}
