using Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>What this proxy serves, as servers are told who asks: Node.extensions, by Envoy's names, in the order in which a request meets
/// them.</summary>
internal static class NodeExtensions
{
    private static readonly (string Category, string[] Names)[] Served =
    [
        ("envoy.filters.listener",
            ["envoy.filters.listener.original_dst", "envoy.filters.listener.proxy_protocol", "envoy.filters.listener.tls_inspector",
                "envoy.filters.listener.http_inspector"]),
        ("envoy.transport_sockets.downstream", ["envoy.transport_sockets.raw_buffer", "envoy.transport_sockets.tls"]),
        ("envoy.filters.network",
        [
            "envoy.filters.network.connection_limit", "envoy.filters.network.direct_response", "envoy.filters.network.echo",
            "envoy.filters.network.ext_authz", "envoy.filters.network.http_connection_manager",
            "envoy.filters.network.local_ratelimit", "envoy.filters.network.rbac", "envoy.filters.network.redis_proxy",
            "envoy.filters.network.set_filter_state", "envoy.filters.network.sni_cluster",
            "envoy.filters.network.sni_dynamic_forward_proxy", "envoy.filters.network.tcp_proxy", "istio.metadata_exchange", "istio.stats",
        ]),
        ("envoy.filters.http",
        [
            "envoy.filters.http.adaptive_concurrency", "envoy.filters.http.admission_control", "envoy.filters.http.buffer",
            "envoy.filters.http.compressor", "envoy.filters.http.cors",
            "envoy.filters.http.credential_injector", "envoy.filters.http.csrf", "envoy.filters.http.custom_response",
            "envoy.filters.http.decompressor", "envoy.filters.http.dynamic_forward_proxy",
            "envoy.filters.http.ext_authz", "envoy.filters.http.ext_proc", "envoy.filters.http.fault", "envoy.filters.http.grpc_stats",
            "envoy.filters.http.grpc_web", "envoy.filters.http.header_mutation",
            "envoy.filters.http.header_to_metadata", "envoy.filters.http.health_check", "envoy.filters.http.ip_tagging",
            "envoy.filters.http.json_to_metadata", "envoy.filters.http.jwt_authn",
            "envoy.filters.http.local_ratelimit", "envoy.filters.http.lua", "envoy.filters.http.on_demand", "envoy.filters.http.ratelimit",
            "envoy.filters.http.rbac", "envoy.filters.http.router",
            "envoy.filters.http.set_filter_state", "envoy.filters.http.set_metadata", "envoy.filters.http.stateful_session", "istio.alpn",
            "istio.metadata_exchange", "istio.stats",
        ]),
        ("envoy.access_loggers",
            ["envoy.access_loggers.file", "envoy.access_loggers.http_grpc", "envoy.access_loggers.open_telemetry",
                "envoy.access_loggers.stderr", "envoy.access_loggers.stdout", "envoy.access_loggers.tcp_grpc"]),
        ("envoy.tracers", ["envoy.tracers.datadog", "envoy.tracers.opentelemetry", "envoy.tracers.skywalking", "envoy.tracers.zipkin"]),
        ("envoy.stats_sinks", ["envoy.stat_sinks.dog_statsd", "envoy.stat_sinks.statsd", "envoy.dog_statsd", "envoy.statsd"]),
    ];

    /// <summary>Adds them to a node that tells none.</summary>
    public static void AddTo(Node node)
    {
        if (node.Extensions.Count == 0)
            node.Extensions.Add(Served.SelectMany(
                static c => c.Names.Select(name => new Extension { Name = name, Category = c.Category })));
    }
}
