using System.Text.Json.Nodes;

namespace Lateen.Bench.Load;

/// <summary>What the proxy is told: Envoy's bootstrap, as istiod would fill a sidecar's listeners.</summary>
internal static class Bootstrap
{
    private const string Types = "type.googleapis.com/envoy.extensions.";

    private const string LogFormat =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
        + "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
            + "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
                + "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" "
            + "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% "
                + "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

    /// <summary>The bootstrap as JSON.</summary>
    public static string Text(string folder, Work work, int port, int backend, int admin) => new JsonObject
    {
        ["node"] = new JsonObject { ["id"] = "bench", ["cluster"] = "bench" },
        ["admin"] = new JsonObject { ["address"] = Socket(admin) },
        ["static_resources"] = new JsonObject
        {
            ["listeners"] = new JsonArray(new JsonObject
            {
                ["name"] = "in", ["address"] = Socket(port),
                ["filter_chains"] = new JsonArray(
                    new JsonObject { ["filters"] = new JsonArray(work.IsTcp ? TcpProxy() : Connections(folder, work)) }),
            }),
            ["clusters"] = new JsonArray(Cluster(backend)),
        },
    }.ToJsonString();

    private static JsonObject Socket(int port) =>
        new() { ["socket_address"] = new JsonObject { ["address"] = "127.0.0.1", ["port_value"] = port } };

    private static JsonObject Cluster(int backend) => new()
    {
        ["name"] = "up", ["type"] = "STATIC", ["connect_timeout"] = "10s",
        ["circuit_breakers"] = new JsonObject { ["thresholds"] =
            new JsonArray(new JsonObject
            {
                ["max_connections"] = uint.MaxValue,
                ["max_pending_requests"] = uint.MaxValue,
                ["max_requests"] = uint.MaxValue,
                ["max_retries"] = uint.MaxValue,
            }) },
        ["load_assignment"] = new JsonObject
        {
            ["cluster_name"] = "up",
            ["endpoints"] = new JsonArray(
                new JsonObject { ["lb_endpoints"] =
                    new JsonArray(new JsonObject { ["endpoint"] = new JsonObject { ["address"] = Socket(backend) } }) }),
        },
    };

    private static JsonObject TcpProxy() =>
        Extension("envoy.filters.network.tcp_proxy", "filters.network.tcp_proxy.v3.TcpProxy",
            new JsonObject { ["stat_prefix"] = "t", ["cluster"] = "up" });

    private static JsonObject Connections(string folder, Work work)
    {
        var filters = new JsonArray();
        if (work.IsFull)
        {
            filters.Add(Extension("envoy.filters.http.grpc_stats", "filters.http.grpc_stats.v3.FilterConfig",
                new JsonObject { ["emit_filter_state"] = true, ["stats_for_all_methods"] = false }));
            filters.Add(Extension("envoy.filters.http.fault", "filters.http.fault.v3.HTTPFault", []));
            filters.Add(Extension("envoy.filters.http.cors", "filters.http.cors.v3.Cors", []));
        }
        filters.Add(Extension("envoy.filters.http.router", "filters.http.router.v3.Router", []));
        var settings = new JsonObject
        {
            ["stat_prefix"] = "in", ["http_filters"] = filters, ["stream_idle_timeout"] = "0s", ["normalize_path"] =
                work.IsFull, ["generate_request_id"] = work.IsFull,
            ["route_config"] = new JsonObject { ["name"] = "r", ["virtual_hosts"] = Hosts(work) },
        };
        if (work.IsFull)
            settings["access_log"] = new JsonArray(
                Extension("envoy.access_loggers.file", "access_loggers.file.v3.FileAccessLog", new JsonObject
                {
                    ["path"] = folder + "/access.log",
                    ["log_format"] = new JsonObject { ["text_format_source"] = new JsonObject { ["inline_string"] = LogFormat } },
                }));
        return Extension("envoy.filters.network.http_connection_manager",
            "filters.network.http_connection_manager.v3.HttpConnectionManager", settings);
    }

    private static JsonArray Hosts(Work work)
    {
        var hosts = new JsonArray();
        for (int i = 0; work.IsFull && i < 20; i++)
        {
            JsonNode[] routes =
                [
                    Route(new JsonObject
                    {
                        ["prefix"] = "/x/",
                        ["headers"] = new JsonArray(
                            new JsonObject { ["name"] = "end-user", ["string_match"] = new JsonObject { ["exact"] = "jason" } }),
                    }),
                    .. Enumerable.Range(1, 3).Select(j => Route(new JsonObject { ["path_separated_prefix"] = $"/v{j}" })),
                    Route(new JsonObject { ["prefix"] = "/" })];
            hosts.Add(new JsonObject
            {
                ["name"] = $"s{i}",
                ["domains"] = new JsonArray($"s{i}.default.svc.cluster.local", $"s{i}", $"s{i}.default", $"10.0.0.{i}"),
                ["routes"] = new JsonArray(routes),
            });
        }
        hosts.Add(new JsonObject
        {
            ["name"] = "any",
            ["domains"] = new JsonArray("*"),
            ["routes"] = new JsonArray(Route(new JsonObject { ["prefix"] = "/" })),
        });
        return hosts;
    }

    private static JsonObject Route(JsonObject match) => new()
    {
        ["match"] = match,
        ["route"] = new JsonObject
        {
            ["cluster"] = "up",
            ["timeout"] = "0s",
            ["retry_policy"] = new JsonObject
            {
                ["retry_on"] = "connect-failure,refused-stream,unavailable,cancelled",
                ["num_retries"] = 2,
            },
        },
    };

    private static JsonObject Extension(string name, string type, JsonObject settings)
    {
        settings.Insert(0, "@type", Types + type);
        return new JsonObject { ["name"] = name, ["typed_config"] = settings };
    }
}
