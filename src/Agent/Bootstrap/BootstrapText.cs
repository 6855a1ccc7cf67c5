// Bootstrap: the first configuration of a proxy, in the form that Istio's agent writes for Envoy, so that any proxy of that kind can be
// started with it and every tool finds what it looks for: who the node is, the admin address, the control plane behind the agent's socket,
// the health and metrics listeners. What comes later comes over xDS.
using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap;

/// <summary>The bootstrap of a proxy as proto-JSON.</summary>
public static class BootstrapText
{
    /// <summary>The agent's socket for xDS, relative to its folder.</summary>
    public const string XdsSocket = "./etc/istio/proxy/XDS";

    private const string Types = "type.googleapis.com/";

    /// <summary>Composes it.</summary>
    public static string Compose(AgentOptions options) => new JsonObject
    {
        ["node"] = Node(options),
        ["layered_runtime"] = Runtime(),
        ["admin"] = new JsonObject { ["address"] = Socket(options.LocalAddress, options.AdminPort) },
        ["dynamic_resources"] = new JsonObject
        {
            ["lds_config"] = Ads(),
            ["cds_config"] = Ads(),
            ["ads_config"] = new JsonObject
            {
                ["api_type"] = "DELTA_GRPC",
                ["set_node_on_first_message_only"] = true,
                ["transport_api_version"] = "V3",
                ["grpc_services"] = new JsonArray(new JsonObject { ["envoy_grpc"] = new JsonObject { ["cluster_name"] = "xds-grpc" } }),
            },
        },
        ["static_resources"] = new JsonObject
        {
            ["clusters"] = new JsonArray(
                Static("prometheus_stats", "0.250s", Socket(options.LocalAddress, options.AdminPort)),
                Static("agent", "0.250s", Socket(options.LocalAddress, options.AgentPort)),
                Http2(Static("sds-grpc", "1s", Pipe("./var/run/secrets/workload-spiffe-uds/socket"))),
                Xds()),
            ["listeners"] = new JsonArray(
                Listener(options.Bind ?? "0.0.0.0", options.MetricsPort, "stats", "/stats/prometheus", "prometheus_stats"),
                Listener(options.Bind ?? "0.0.0.0", options.StatusPort, "agent", "/healthz/ready", "agent")),
        },
    }.ToJsonString();

    /// <summary>What the node says of itself.</summary>
    public static JsonObject MetadataOf(AgentOptions options)
    {
        var metadata = (JsonObject)options.Metadata.DeepClone();
        metadata["NAME"] = options.Name;
        metadata["NAMESPACE"] = options.Namespace;
        metadata["SERVICE_ACCOUNT"] = options.ServiceAccount;
        metadata["INSTANCE_IPS"] = options.Address;
        metadata["ISTIO_VERSION"] ??= "1.32.0";
        // This proxy puts its route tables together from virtual hosts that travel one by one; a control plane that knows nothing of it
        // sends whole tables.
        metadata["LATEEN_VIRTUAL_HOSTS"] ??= "true";
        metadata["ENVOY_STATUS_PORT"] = options.StatusPort;
        metadata["ENVOY_PROMETHEUS_PORT"] = options.MetricsPort;
        return metadata;
    }

    /// <summary>The cluster that the node is of: its application and namespace.</summary>
    public static string ClusterOf(AgentOptions options)
    {
        var labels = (options.Metadata["LABELS"] as JsonObject)?.ToDictionary(label => label.Key, label => label.Value?.ToString() ?? "")
            ?? [];
        var configured = (options.Metadata["PROXY_CONFIG"] as JsonObject)?["serviceCluster"]?.ToString() ?? "";
        return ServiceCluster.Of(configured, labels, options.Metadata["WORKLOAD_NAME"]?.ToString() ?? options.Name, options.Namespace);
    }

    private static JsonObject Node(AgentOptions options) => new()
    {
        ["id"] = options.NodeId,
        ["cluster"] = ClusterOf(options),
        ["locality"] = new JsonObject(),
        ["metadata"] = MetadataOf(options),
    };

    private static JsonObject Runtime() => new()
    {
        ["layers"] = new JsonArray(
            new JsonObject
            {
                ["name"] = "global config",
                ["static_layer"] = new JsonObject
                {
                    ["envoy.deprecated_features:envoy.config.listener.v3.Listener.hidden_envoy_deprecated_use_original_dst"] = true,
                    ["envoy.reloadable_features.http_reject_path_with_fragment"] = false,
                    ["re2.max_program_size.error_level"] = "32768",
                },
            },
            new JsonObject { ["name"] = "admin", ["admin_layer"] = new JsonObject() }),
    };

    private static JsonObject Ads() =>
        new() { ["ads"] = new JsonObject(), ["initial_fetch_timeout"] = "0s", ["resource_api_version"] = "V3" };

    private static JsonObject Xds()
    {
        JsonObject cluster = Http2(Static("xds-grpc", "1s", Pipe(XdsSocket)));
        cluster["circuit_breakers"] = new JsonObject { ["thresholds"] = new JsonArray(Wide("DEFAULT"), Wide("HIGH")) };
        cluster["upstream_connection_options"] = new JsonObject { ["tcp_keepalive"] = new JsonObject { ["keepalive_time"] = 300 } };
        return cluster;
    }

    private static JsonObject Wide(string priority) =>
        new() { ["priority"] = priority, ["max_connections"] = 100_000, ["max_pending_requests"] = 100_000, ["max_requests"] = 100_000 };

    private static JsonObject Http2(JsonObject cluster)
    {
        const string options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        cluster["typed_extension_protocol_options"] = new JsonObject
        {
            [options] = new JsonObject
            {
                ["@type"] = Types + options,
                ["explicit_http_config"] = new JsonObject { ["http2_protocol_options"] = new JsonObject() },
            },
        };
        return cluster;
    }

    private static JsonObject Static(string name, string timeout, JsonObject address) => new()
    {
        ["name"] = name,
        ["alt_stat_name"] = name + ";",
        ["type"] = "STATIC",
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

    private static JsonObject Listener(string address, int port, string statPrefix, string path, string cluster)
    {
        const string manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
        return new JsonObject
        {
            ["name"] = $"{address}_{port}",
            ["address"] = Socket(address, port),
            ["ignore_global_conn_limit"] = true,
            ["bypass_overload_manager"] = true,
            ["filter_chains"] = new JsonArray(new JsonObject
            {
                ["filters"] = new JsonArray(new JsonObject
                {
                    ["name"] = "envoy.filters.network.http_connection_manager",
                    ["typed_config"] = new JsonObject
                    {
                        ["@type"] = Types + manager,
                        ["codec_type"] = "AUTO",
                        ["stat_prefix"] = statPrefix,
                        ["route_config"] = new JsonObject
                        {
                            ["virtual_hosts"] = new JsonArray(new JsonObject
                            {
                                ["name"] = "backend",
                                ["domains"] = new JsonArray("*"),
                                ["routes"] = new JsonArray(
                                    new JsonObject
                                    {
                                        ["match"] = new JsonObject { ["prefix"] = path },
                                        ["route"] = new JsonObject { ["cluster"] = cluster },
                                    }),
                            }),
                        },
                        ["http_filters"] = new JsonArray(new JsonObject
                        {
                            ["name"] = "envoy.filters.http.router",
                            ["typed_config"] = new JsonObject { ["@type"] = Types + "envoy.extensions.filters.http.router.v3.Router" },
                        }),
                    },
                }),
            }),
        };
    }

    private static JsonObject Socket(string address, int port) =>
        new() { ["socket_address"] = new JsonObject { ["protocol"] = "TCP", ["address"] = address, ["port_value"] = port } };

    private static JsonObject Pipe(string path) => new() { ["pipe"] = new JsonObject { ["path"] = path } };
}
