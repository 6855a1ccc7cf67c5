// Envoy: the first configuration of Envoy itself, as Istio's agent writes it: everything that ProxyConfig, the pod's annotations and its
// environment can ask for (metrics and access-log services, tracers, statistics, limits). Our own proxy is content with the smaller text
// beside this folder.
//
// Pure functions from options to proto-JSON. Files, sockets and the environment are read by whoever makes the options.
// Refused: a text template. A value that somebody writes could end a string and begin a member; here values are values.
using System.Globalization;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap.Envoy;

/// <summary>What the bootstrap of an Envoy depends on.</summary>
public sealed record EnvoyBootstrapOptions
{
    /// <summary>The node's id.</summary>
    public required string NodeId { get; init; }

    /// <summary>ProxyConfig as proto-JSON.</summary>
    public required JsonObject ProxyConfig { get; init; }

    /// <summary>Variables of the process, of which ISTIO_META_*, ISTIO_METAJSON_*, POD_NAME and POD_NAMESPACE count.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<string> InstanceIps { get; init; } = [];

    public IReadOnlyList<string> ControlPlaneSans { get; init; } = [];

    /// <summary>The proxy's version, where the environment names none.</summary>
    public string Version { get; init; } = "";

    /// <summary>Where outlier detection writes its events; empty for nowhere.</summary>
    public string OutlierLogPath { get; init; } = "";

    /// <summary>The file of the socket on which the workload's identity is served.</summary>
    public string IdentitySocketFile { get; init; } = "socket";

    public string XdsSocket { get; init; } = BootstrapText.XdsSocket;

    public int PrometheusPort { get; init; } = 15090;

    public int HealthPort { get; init; } = 15021;

    /// <summary>Metrics over mutual TLS: Envoy's own, and those that the agent merges; 0 for none.</summary>
    public int SecureMetricsPort { get; init; }

    public int SecureMergedMetricsPort { get; init; }

    internal bool IsIPv6Only => InstanceIps.Count > 0 && InstanceIps.All(ip => ip.Contains(':', StringComparison.Ordinal));

    internal string Loopback => IsIPv6Only ? "::1" : "127.0.0.1";

    internal string AnyAddress => IsIPv6Only ? "::" : "0.0.0.0";

    internal string Text(string name, string otherwise = "") => ProxyConfig[name]?.ToString() is { Length: > 0 } said ? said : otherwise;

    internal int Number(string name, int otherwise) =>
        ProxyConfig[name] is JsonValue value && value.TryGetValue(out int said) && said != 0 ? said : otherwise;
}

/// <summary>Composes the bootstrap.</summary>
public static class EnvoyBootstrap
{
    private const string MaxConnections = "GLOBAL_DOWNSTREAM_MAX_CONNECTIONS",
        MaxConnectionsFlag = "overload.global_downstream_max_connections";

    /// <summary>The bootstrap as proto-JSON.</summary>
    public static JsonObject Compose(EnvoyBootstrapOptions options)
    {
        var node = new EnvoyNode(options);
        var tracer = EnvoyTracer.Of(options, node.Cluster);
        var root = new JsonObject
        {
            ["application_log_config"] =
                new JsonObject { ["log_format"] =
                    new JsonObject { ["text_format"] = "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t" } },
            ["node"] = node.Message,
            ["layered_runtime"] = Runtime(options),
            ["bootstrap_extensions"] = Extensions(node.DiscoversMetadata),
            ["stats_config"] = EnvoyStats.Config(options, node.DiscoversMetadata),
            ["admin"] = Admin(options),
            ["dynamic_resources"] = Dynamic(),
            ["static_resources"] = new JsonObject
            {
                ["clusters"] = EnvoyClusters.All(options, tracer),
                ["listeners"] = EnvoyListeners.All(options),
            },
            ["cluster_manager"] = ClusterManager(options),
            ["deferred_stat_options"] = new JsonObject { ["enable_deferred_creation_stats"] = true },
        };
        if (Overload(options, node) is { } overload) root["overload_manager"] = overload;
        if (EnvoyStats.EvictionInterval(options) is { } interval) root["stats_eviction_interval"] = interval;
        if (tracer is not null) root["tracing"] = new JsonObject { ["http"] = tracer.Provider };
        if (EnvoyStats.Sinks(options) is { Count: > 0 } sinks) root["stats_sinks"] = sinks;
        return root;
    }

    private static JsonObject Runtime(EnvoyBootstrapOptions options)
    {
        var values = new JsonObject
        {
            ["envoy.deprecated_features:envoy.config.listener.v3.Listener.hidden_envoy_deprecated_use_original_dst"] = true,
            ["envoy.reloadable_features.coalesce_lb_rebuilds_on_batch_update"] = false,
            ["envoy.reloadable_features.fixed_heap_use_allocated"] = true,
            ["envoy.reloadable_features.http_reject_path_with_fragment"] = false,
            ["re2.max_program_size.error_level"] = "32768",
        };
        foreach ((string flag, JsonNode? value) in options.ProxyConfig["runtimeValues"] as JsonObject ?? [])
            values[flag] = value?.DeepClone();
        return new JsonObject
        {
            ["layers"] = new JsonArray(
                new JsonObject { ["name"] = "global config", ["static_layer"] = values },
                new JsonObject { ["name"] = "admin", ["admin_layer"] = new JsonObject() }),
        };
    }

    private static JsonArray Extensions(bool discoversMetadata)
    {
        JsonArray extensions = [Extension("envoy.bootstrap.internal_listener",
            "envoy.extensions.bootstrap.internal_listener.v3.InternalListener", new JsonObject { ["buffer_size_kb"] = 64 })];
        if (discoversMetadata)
            extensions.Insert(0, Extension("metadata_discovery", "istio.workload.BootstrapExtension",
                new JsonObject { ["config_source"] = new JsonObject { ["ads"] = new JsonObject() } }));
        return extensions;
    }

    // A struct with its type's name beside it: an Envoy that does not know the extension's message can still read the file.
    private static JsonObject Extension(string name, string type, JsonObject value) => new()
    {
        ["name"] = name,
        ["typed_config"] = new JsonObject
        {
            ["@type"] = Parts.Type("udpa.type.v1.TypedStruct"),
            ["type_url"] = Parts.Type(type),
            ["value"] = value,
        },
    };

    private static JsonObject Admin(EnvoyBootstrapOptions options) => new()
    {
        ["access_log"] = new JsonArray(
            Parts.Typed("envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog",
                new JsonObject { ["path"] = "/dev/null" })),
        ["profile_path"] = "/var/lib/istio/data/envoy.prof",
        ["address"] = Parts.Socket(options.Loopback, options.Number("proxyAdminPort", 15000)),
    };

    private static JsonObject Dynamic()
    {
        static JsonObject Ads() => new() { ["ads"] = new JsonObject(), ["initial_fetch_timeout"] = "0s", ["resource_api_version"] = "V3" };
        return new JsonObject
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
        };
    }

    private static JsonObject ClusterManager(EnvoyBootstrapOptions options)
    {
        var manager = new JsonObject { ["enable_deferred_cluster_creation"] = true };
        if (options.OutlierLogPath.Length > 0)
            manager["outlier_detection"] = new JsonObject { ["event_log_path"] = options.OutlierLogPath };
        return manager;
    }

    // The setting before the variable before no limit; where only the old runtime flag sets one, Envoy would refuse both.
    private static JsonObject? Overload(EnvoyBootstrapOptions options, EnvoyNode node)
    {
        string? limit = options.ProxyConfig["connectionSettings"]?["globalDownstreamConnectionLimit"]?.ToString()
            ?? node.Text(MaxConnections);
        if (limit is null && (options.ProxyConfig["runtimeValues"] as JsonObject)?.ContainsKey(MaxConnectionsFlag) == true) return null;
        long most = long.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out long said) && said > 0 ? said : int.MaxValue;
        return new JsonObject
        {
            ["resource_monitors"] = new JsonArray(Parts.Typed("envoy.resource_monitors.global_downstream_max_connections",
                "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                new JsonObject { ["max_active_downstream_connections"] = most })),
        };
    }
}

/// <summary>Pieces that come again and again.</summary>
internal static class Parts
{
    public static string Type(string message) => "type.googleapis.com/" + message;

    public static JsonObject Typed(string name, string type, JsonObject? content = null)
    {
        var config = new JsonObject { ["@type"] = Type(type) };
        foreach ((string member, JsonNode? value) in content ?? []) config[member] = value?.DeepClone();
        return new JsonObject { ["name"] = name, ["typed_config"] = config };
    }

    public static JsonObject Socket(string address, int port, bool saysTcp = false)
    {
        var socket = new JsonObject { ["address"] = address, ["port_value"] = port };
        if (saysTcp) socket["protocol"] = "TCP";
        return new JsonObject { ["socket_address"] = socket };
    }

    /// <summary>A secret that the agent serves.</summary>
    public static JsonObject Secret(string name) => new()
    {
        ["name"] = name,
        ["sds_config"] = new JsonObject
        {
            ["api_config_source"] = new JsonObject
            {
                ["api_type"] = "GRPC",
                ["grpc_services"] = new JsonArray(new JsonObject { ["envoy_grpc"] = new JsonObject { ["cluster_name"] = "sds-grpc" } }),
                ["set_node_on_first_message_only"] = true,
                ["transport_api_version"] = "V3",
            },
            ["resource_api_version"] = "V3",
        },
    };
}
