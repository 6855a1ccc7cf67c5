using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap.Envoy;

/// <summary>Clusters that are there from the start: the agent, the control plane behind it, and services that ProxyConfig names.</summary>
internal static class EnvoyClusters
{
    private const string MetricsService = "envoy_metrics_service", AccessLogService = "envoy_accesslog_service";
    private const int Many = 100_000, KeepaliveSeconds = 300;

    public static JsonArray All(EnvoyBootstrapOptions options, EnvoyTracer? tracer)
    {
        JsonArray clusters =
        [
            Static("prometheus_stats", "0.250s", Parts.Socket(options.Loopback, options.Number("proxyAdminPort", 15000), saysTcp: true)),
            Static("agent", "0.250s", Parts.Socket(options.Loopback, options.Number("statusPort", 15020), saysTcp: true)),
            Http2(Static("sds-grpc", "1s", Pipe("./var/run/secrets/workload-spiffe-uds/" + options.IdentitySocketFile))),
            Xds(options),
        ];
        if (tracer is not null) clusters.Add((JsonNode)tracer.Cluster);
        foreach ((string member, string name) in new[] { ("envoyMetricsService", MetricsService),
            ("envoyAccessLogService", AccessLogService) })
        {
            if (options.ProxyConfig[member] is not JsonObject service
                || HostPort.Parse(service["address"]?.ToString() ?? "") is not { } address) continue;
            JsonObject cluster = Http2(Named(name, address, options, service["tlsSettings"], "h2"));
            if (Keepalive(service["tcpKeepalive"]) is { } keepalive) cluster["upstream_connection_options"] = keepalive;
            clusters.Add((JsonNode)cluster);
        }
        return clusters;
    }

    /// <summary>A cluster of a name that DNS resolves.</summary>
    public static JsonObject Named(string name, HostPort address, EnvoyBootstrapOptions options, JsonNode? tls, params string[] alpn)
    {
        JsonObject cluster = Cluster(name, "STRICT_DNS", "1s", Parts.Socket(address.Host, address.Port));
        cluster["respect_dns_ttl"] = true;
        cluster["dns_lookup_family"] = options.IsIPv6Only ? "V6_ONLY" : "V4_ONLY";
        if (Tls(tls, alpn) is { } socket) cluster["transport_socket"] = socket;
        return cluster;
    }

    public static JsonObject Http2(JsonObject cluster)
    {
        const string options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        cluster["typed_extension_protocol_options"] = new JsonObject
        {
            [options] = new JsonObject
            {
                ["@type"] = Parts.Type(options),
                ["explicit_http_config"] = new JsonObject { ["http2_protocol_options"] = new JsonObject() },
            },
        };
        return cluster;
    }

    private static JsonObject Xds(EnvoyBootstrapOptions options)
    {
        static JsonObject Threshold(string priority) =>
            new() { ["priority"] = priority, ["max_connections"] = Many, ["max_pending_requests"] = Many, ["max_requests"] = Many };
        JsonObject cluster = Http2(Static("xds-grpc", "1s", Pipe(options.XdsSocket)));
        cluster["circuit_breakers"] = new JsonObject { ["thresholds"] = new JsonArray(Threshold("DEFAULT"), Threshold("HIGH")) };
        cluster["upstream_connection_options"] =
            new JsonObject { ["tcp_keepalive"] = new JsonObject { ["keepalive_time"] = KeepaliveSeconds } };
        cluster["max_requests_per_connection"] = 1;
        return cluster;
    }

    private static JsonObject Static(string name, string timeout, JsonObject address) => Cluster(name, "STATIC", timeout, address);

    private static JsonObject Cluster(string name, string type, string timeout, JsonObject address) => new()
    {
        ["name"] = name,
        // The semicolon ends the name in statistics, where names have dots.
        ["alt_stat_name"] = name + ";",
        ["type"] = type,
        ["connect_timeout"] = timeout,
        ["lb_policy"] = "ROUND_ROBIN",
        ["load_assignment"] = new JsonObject
        {
            ["cluster_name"] = name,
            ["endpoints"] = new JsonArray(
                new JsonObject { ["lb_endpoints"] =
                    new JsonArray(new JsonObject { ["endpoint"] = new JsonObject { ["address"] = address } }) }),
        },
    };

    private static JsonObject Pipe(string path) => new() { ["pipe"] = new JsonObject { ["path"] = path } };

    private static JsonObject? Tls(JsonNode? settings, string[] alpn)
    {
        string Said(string member) => settings?[member]?.ToString() ?? "";
        string mode = Said("mode");
        if (mode is not ("SIMPLE" or "MUTUAL" or "ISTIO_MUTUAL")) return null;
        bool isMesh = mode == "ISTIO_MUTUAL";
        var validation = new JsonObject { ["default_validation_context"] = Names(settings) };
        if (isMesh) validation["validation_context_sds_secret_config"] = Parts.Secret("ROOTCA");
        else if (Said("caCertificates") is { Length: > 0 } root)
            validation["validation_context_sds_secret_config"] = Parts.Secret("file-root:" + root);
        var common = new JsonObject { ["combined_validation_context"] = validation };
        if (alpn.Length > 0) common["alpn_protocols"] = new JsonArray([.. alpn.Select(protocol => JsonValue.Create(protocol))]);
        if (mode != "SIMPLE") common["tls_certificate_sds_secret_configs"] =
            new JsonArray(Parts.Secret(isMesh ? "default" : $"file-cert:{Said("clientCertificate")}~{Said("privateKey")}"));
        var context = new JsonObject { ["common_tls_context"] = common };
        if (Said("sni") is { Length: > 0 } sni) context["sni"] = sni;
        return Parts.Typed("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context);
    }

    private static JsonObject Names(JsonNode? settings)
    {
        if (settings?["subjectAltNames"] is not JsonArray { Count: > 0 } names) return [];
        return new JsonObject { ["match_subject_alt_names"] =
            new JsonArray([.. names.Select(name => new JsonObject { ["exact"] = name!.ToString() })]) };
    }

    private static JsonObject? Keepalive(JsonNode? settings)
    {
        if (settings is not JsonObject said) return null;
        var keepalive = new JsonObject();
        if (said["probes"] is { } probes) keepalive["keepalive_probes"] = probes.DeepClone();
        foreach ((string member, string name) in new[] { ("time", "keepalive_time"), ("interval", "keepalive_interval") })
        {
            if (said[member]?.ToString().TrimEnd('s') is { } text && int.TryParse(text, out int seconds)) keepalive[name] = seconds;
        }
        return new JsonObject { ["tcp_keepalive"] = keepalive };
    }
}
