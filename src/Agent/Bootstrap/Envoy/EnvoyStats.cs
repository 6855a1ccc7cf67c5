using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap.Envoy;

/// <summary>Which statistics are kept, what labels they have, and where they are sent.</summary>
internal static class EnvoyStats
{
    private const string Annotation = "sidecar.istio.io/";
    private const int FlushSeconds = 5;

    private static readonly (string Tag, string Pattern)[] Tags =
    [
        ("cluster_name", @"^cluster(\.(.+);)"),
        ("http_conn_manager_prefix", @"^http\.(((?:[_.[:digit:]\w]*|[_\[\]aAbBcCdDeEfF[:digit:]\w\:]*));\.)"),
        ("thread_name", @"^server(\.(.+))\.watchdog"),
        ("tcp_prefix", @"^tcp\.((.*?)\.)\w+?$"),
        ("response_code", @"_rq(_(\d{3}))$"),
        ("response_code_class", @"_rq(_(\dxx))$"),
        ("http_conn_manager_listener_prefix", @"^listener(?=\.).*?\.http\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)"),
        ("listener_address", @"^listener\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)"),
        ("mongo_prefix", @"^mongo\.(.+?)\.(collection|cmd|cx_|op_|delays_|decoding_)(.*?)$"),
    ];

    private static readonly (string Tag, string Pattern)[] TagsOfExtensions =
    [
        ("cache", @"(cache\.(.+?)\.)"),
        ("component", @"(component\.(.+?)\.)"),
        ("tag", @"(tag\.(.+?);\.)"),
        ("wasm_filter", @"(wasm_filter\.(.+?)\.)"),
        ("authz_enforce_result", @"rbac(\.(allowed|denied))"),
        ("authz_dry_run_action", @"(\.istio_dry_run_(allow|deny)_)"),
        ("authz_dry_run_result", @"(\.shadow_(allowed|denied))"),
    ];

    public static JsonObject Config(EnvoyBootstrapOptions options, bool discoversMetadata)
    {
        // What the mesh's own statistics write into names, for tags that a user adds.
        var extra = (options.ProxyConfig["extraStatTags"] as JsonArray ?? []).Select(tag => tag!.ToString())
            .Concat(List(options, "extraStatTags"))
            .Distinct().Select(tag => (tag, $@"({tag}=\.=(.*?);\.;)"));
        var config = new JsonObject
        {
            ["use_all_default_tags"] = false,
            ["stats_tags"] = new JsonArray([.. Tags.Concat(extra).Concat(TagsOfExtensions)
                .Select(tag => new JsonObject { ["tag_name"] = tag.Item1, ["regex"] = tag.Item2 })]),
            ["stats_matcher"] = new JsonObject { ["inclusion_list"] =
                new JsonObject { ["patterns"] = Patterns(options, discoversMetadata) } },
        };
        if (Buckets(options) is { Count: > 0 } buckets) config["histogram_bucket_settings"] = buckets;
        return config;
    }

    public static JsonArray Sinks(EnvoyBootstrapOptions options)
    {
        var sinks = new JsonArray();
        if (options.ProxyConfig["envoyMetricsService"]?["address"] is not null)
        {
            sinks.Add(Parts.Typed("envoy.stat_sinks.metrics_service", "envoy.config.metrics.v3.MetricsServiceConfig", new JsonObject
            {
                ["transport_api_version"] = "V3",
                ["grpc_service"] = new JsonObject { ["envoy_grpc"] = new JsonObject { ["cluster_name"] = "envoy_metrics_service" } },
            }));
        }
        if (HostPort.Parse(options.Text("statsdUdpAddress")) is { } statsd)
            sinks.Add(Parts.Typed("envoy.stat_sinks.statsd", "envoy.config.metrics.v3.StatsdSink",
                new JsonObject { ["address"] = Parts.Socket(statsd.Host, statsd.Port) }));
        return sinks;
    }

    /// <summary>How often counters that nobody used are dropped; null for never, and where it is no multiple of the flush
    /// interval.</summary>
    public static string? EvictionInterval(EnvoyBootstrapOptions options)
    {
        string said = options.Annotations.GetValueOrDefault(Annotation + "statsEvictionInterval", "");
        return said.EndsWith('s') && int.TryParse(said[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out int seconds)
            && seconds > 0 && seconds % FlushSeconds == 0 ? said : null;
    }

    private static JsonArray Patterns(EnvoyBootstrapOptions options, bool discoversMetadata)
    {
        var matcher = options.ProxyConfig["proxyStatsMatcher"];
        IEnumerable<string> Wanted(string annotation, string member) =>
            List(options, annotation) is { Length: > 0 } own
                ? own : (matcher?[member] as JsonArray ?? []).Select(entry => entry!.ToString());
        IEnumerable<string> prefixes =
        [
            "reporter=", .. discoversMetadata ? (string[])["workload_discovery"] : [],
            .. Wanted("statsInclusionPrefixes", "inclusionPrefixes").SelectMany(prefix => OfPods(prefix, options)),
            "cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm",
        ];
        IEnumerable<string> suffixes = [.. Wanted("statsInclusionSuffixes", "inclusionSuffixes"), "rbac.allowed", "rbac.denied",
            "shadow_allowed", "shadow_denied"];
        IEnumerable<string> expressions = [.. Wanted("statsInclusionRegexps", "inclusionRegexps"), @"vhost\..*\.route\..*"];
        return
        [
            .. prefixes.Select(prefix => new JsonObject { ["prefix"] = prefix }),
            .. suffixes.Select(suffix => new JsonObject { ["suffix"] = suffix }),
            .. expressions.Select(expression => new JsonObject { ["safe_regex"] = new JsonObject { ["regex"] = expression } }),
            new JsonObject { ["prefix"] = "component" }, new JsonObject { ["prefix"] = "istio" },
        ];
    }

    private static IEnumerable<string> OfPods(string prefix, EnvoyBootstrapOptions options) =>
        prefix.Contains("{pod_ip}", StringComparison.Ordinal)
            ? options.InstanceIps.Distinct().Select(ip => prefix.Replace("{pod_ip}", ip, StringComparison.Ordinal)) : [prefix];

    private static JsonArray Buckets(EnvoyBootstrapOptions options)
    {
        if (!options.Annotations.TryGetValue(Annotation + "statsHistogramBuckets", out string? json)) return [];
        try
        {
            return
            [
                .. (JsonNode.Parse(json) as JsonObject ?? []).OrderBy(entry => entry.Key, StringComparer.Ordinal)
                    .Select(entry => new JsonObject
                    {
                        ["match"] = new JsonObject { ["prefix"] = entry.Key },
                        ["buckets"] = entry.Value?.DeepClone(),
                    }),
            ];
        }
        catch (JsonException)
        {
            // The defaults hold where the annotation cannot be read.
            return [];
        }
    }

    private static string[] List(EnvoyBootstrapOptions options, string annotation) =>
        options.Annotations.GetValueOrDefault(Annotation + annotation, "")
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

/// <summary>An address as settings write it.</summary>
internal sealed record HostPort(string Host, int Port)
{
    public static HostPort? Parse(string text)
    {
        int colon = text.LastIndexOf(':');
        return colon > 0 && int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            ? new HostPort(text[..colon].Trim('[', ']'), port) : null;
    }
}
