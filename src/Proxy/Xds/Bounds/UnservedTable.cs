using System.Collections.Frozen;

namespace Lateen.Proxy.Xds.Bounds;

/// <summary>
/// The fields that no translator reads, by message. Refused is what would change where traffic goes, who may pass or what is on the wire;
/// said is what only costs comfort: hints, reports, limits that are kept otherwise; moot is what is so anyway.
/// </summary>
public static class UnservedTable
{
    private const string Core = "envoy.config.core.v3.", Listener = "envoy.config.listener.v3.", Cluster = "envoy.config.cluster.v3.",
        Route = "envoy.config.route.v3.",
        Endpoint = "envoy.config.endpoint.v3.", Bootstrap = "envoy.config.bootstrap.v3.",
        Tls = "envoy.extensions.transport_sockets.tls.v3.", Http = "envoy.extensions.filters.http.",
        Network = "envoy.extensions.filters.network.", Manager = Network + "http_connection_manager.v3.HttpConnectionManager",
        Upstreams = "envoy.extensions.upstreams.http.v3.";

    /// <summary>A message with one of these is refused.</summary>
    public static IReadOnlyDictionary<string, string> Refused { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [Bootstrap + "Bootstrap"] =
            "node_context_params hds_config header_prefix default_config_source default_socket_interface certificate_provider_instances "
            + "xds_delegate_extension tracing",
        [Bootstrap + "Bootstrap.DynamicResources"] = "lds_resources_locator cds_resources_locator",
        [Bootstrap + "RuntimeLayer"] = "disk_layer",
        [Bootstrap + "ClusterManager"] = "upstream_bind_config",
        [Cluster + "Cluster"] = "upstream_config",
        [Cluster + "Cluster.CommonLbConfig"] = "ignore_new_hosts_until_first_hc",
        [Cluster + "OutlierDetection"] = "monitors",
        [Core + "SocketAddress"] = "resolver_name",
        [Core + "BindConfig"] = "additional_source_addresses local_address_selector",
        [Core + "ExtraSourceAddress"] = "socket_options",
        [Core + "ApiConfigSource"] = "cluster_names config_validators",
        [Core + "ConfigSource"] = "authorities self",
        [Core + "GrpcService"] = "google_grpc",
        [Core + "HealthCheck"] = "custom_health_check transport_socket_match_criteria",
        [Core + "HealthCheck.TcpHealthCheck"] = "proxy_protocol_config",
        [Core + "Http2ProtocolOptions"] = "allow_metadata stream_error_on_invalid_http_messaging",
        [Core + "SchemeHeaderTransformation"] = "match_upstream",
        [Endpoint + "ClusterLoadAssignment"] = "named_endpoints",
        [Endpoint + "LbEndpoint"] = "endpoint_name",
        [Endpoint + "LocalityLbEndpoints"] = "load_balancer_endpoints leds_cluster_locality_config",
        [Listener + "Listener"] = "enable_mptcp",
        [Listener + "FilterChain"] = "use_proxy_proto on_demand_configuration",
        [Route + "VirtualHost"] = "retry_policy_typed_config cors",
        [Route + "Route"] = "filter_action",
        [Route + "RouteAction"] = "retry_policy_typed_config internal_redirect_action cors",
        [Route + "RouteAction.UpgradeConfig.ConnectConfig"] = "proxy_protocol_config",
        [Route + "RetryPolicy"] = "retry_options_predicates",
        [Route + "RateLimit.Override"] = "dynamic_metadata",
        [Manager] = "scoped_routes",
        [Manager + ".UpgradeConfig"] = "filters",
        [Network + "mongo_proxy.v3.MongoProxy"] = "access_log",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings"] = "connection_rate_limit dns_cache_config",
        [Tls + "TlsParameters"] = "signature_algorithms",
        [Tls + "SubjectAltNameMatcher"] = "oid",
        [Tls + "CertificateValidationContext"] = "ca_certificate_provider_instance require_signed_certificate_timestamp",
        [Tls + "CommonTlsContext"] =
            "tls_certificate_provider_instance tls_certificate_certificate_provider tls_certificate_certificate_provider_instance "
            + "validation_context_certificate_provider validation_context_certificate_provider_instance",
        [Tls + "CommonTlsContext.CombinedCertificateValidationContext"] =
            "validation_context_certificate_provider validation_context_certificate_provider_instance",
        [Tls + "SPIFFECertValidatorConfig"] = "trust_bundles",
        [Tls + "UpstreamTlsContext"] = "allow_renegotiation",
        [Upstreams + "HttpProtocolOptions"] = "header_validation_config",
        [Upstreams + "HttpProtocolOptions.OutlierDetection"] = "error_matcher",
        [Http + "composite.v3.ExecuteFilterAction"] = "dynamic_config sample_percent",
        [Http + "dynamic_forward_proxy.v3.FilterConfig"] = "sub_cluster_config",
        ["envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest"] = "enable_full_scan",
    };

    /// <summary>Each of these is said to have no effect, once.</summary>
    public static IReadOnlyDictionary<string, string> Said { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [Bootstrap + "Bootstrap"] =
            "flags_path watchdog watchdogs enable_dispatcher_stats stats_server_version_override use_tcp_for_dns_lookups fatal_actions "
            + "perf_tracing_file_path xds_config_tracker_extension application_log_config dns_resolution_config typed_dns_resolver_config",
        [Bootstrap + "Admin"] = "access_log access_log_path socket_options",
        [Bootstrap + "ClusterManager"] = "outlier_detection load_stats_config",
        [Cluster + "Cluster"] = "use_tcp_for_dns_lookups lrs_server lrs_report_endpoint_metrics",
        [Cluster + "CircuitBreakers.Thresholds.RetryBudget"] = "budget_interval",
        [Cluster + "UpstreamConnectionOptions"] = "set_local_interface_name_on_upstream_connections happy_eyeballs_config",
        [Cluster + "TrackClusterStats"] = "request_response_sizes per_endpoint_stats",
        [Core + "Metadata"] = "typed_filter_metadata",
        [Core + "BindConfig"] = "freebind",
        [Core + "ApiConfigSource"] = "rate_limit_settings",
        [Core + "GrpcService.EnvoyGrpc"] = "max_receive_message_length skip_envoy_headers",
        [Core + "HealthCheck"] = "event_log_path event_logger event_service always_log_health_check_success",
        [Core + "DnsResolutionConfig"] = "dns_resolver_options",
        [Core + "DnsResolverOptions"] = "use_tcp_for_dns_lookups no_default_search_domain",
        [Listener + "Listener"] = "connection_balance_config",
        [Manager] =
            "typed_header_validation_config append_local_overload add_proxy_protocol_connection_state path_normalization_options "
            + "represent_ipv4_remote_address_as_ipv4_mapped_ipv6 http3_protocol_options",
        [Manager + ".HcmAccessLogOptions"] = "flush_log_on_tunnel_successfully_established",
        [Tls + "CommonTlsContext"] = "key_log",
        [Tls + "TlsCertificate"] = "ocsp_staple signed_certificate_timestamp",
        [Tls + "DownstreamTlsContext"] = "session_ticket_keys session_ticket_keys_sds_secret_config session_timeout ocsp_staple_policy",
        [Tls + "Secret"] = "session_ticket_keys",
        [Upstreams + "HttpProtocolOptions.AutoHttpConfig"] = "alternate_protocols_cache_options",
        [Http + "ext_proc.v3.ExternalProcessor"] = "deferred_close_timeout",
        [Http + "ext_proc.v3.ExtProcOverrides"] = "async_mode",
        [Http + "ext_proc.v3.MetadataOptions.MetadataNamespaces"] = "typed",
        [Http + "jwt_authn.v3.JwksAsyncFetch"] = "fast_listener",
        [Http + "ratelimit.v3.RateLimitConfig"] = "disable_key",
        [Http + "ratelimit.v3.RateLimitPerRoute"] = "override_option",
        [Http + "router.v3.Router"] = "dynamic_stats",
        ["envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue"] = "read_only shared_with_upstream",
        [Network + "mysql_proxy.v3.MySQLProxy"] = "access_log",
        [Network + "redis_proxy.v3.RedisProxy"] = "latency_in_micros",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings"] =
            "max_buffer_size_before_flush buffer_flush_timeout max_upstream_unknown_connections enable_command_stats",
        [Network + "tcp_proxy.v3.TcpProxy"] = "downstream_idle_timeout upstream_idle_timeout",
        [Network + "zookeeper_proxy.v3.ZooKeeperProxy"] = "access_log",
        ["envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig"] = "use_tcp_for_dns_lookups",
        ["envoy.extensions.compression.brotli.decompressor.v3.Brotli"] = "disable_ring_buffer_reallocation",
        ["envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"] = "enable_ja3_fingerprinting",
        ["envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"] =
            "use_resolvers_as_fallback filter_unroutable_families udp_max_queries",
        ["envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig"] = "use_request_id_for_trace_sampling",
        ["envoy.config.overload.v3.OverloadManager"] = "buffer_factory_config",
    };

    /// <summary>These need nothing done: they ask for what is so anyway, or speak of what is not here to be set.</summary>
    public static IReadOnlyDictionary<string, string> Moot { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [Bootstrap + "Bootstrap"] =
            "deferred_stat_options bootstrap_extensions inline_headers default_regex_engine listener_manager "
            + "grpc_async_client_manager_config memory_allocator_manager",
        [Bootstrap + "Admin"] = "profile_path ignore_global_conn_limit",
        [Bootstrap + "ClusterManager"] = "enable_deferred_cluster_creation",
        [Core + "Node"] = "dynamic_parameters user_agent_version client_features listening_addresses",
        [Core + "ApiConfigSource"] = "transport_api_version refresh_delay set_node_on_first_message_only request_timeout",
        [Core + "SelfConfigSource"] = "transport_api_version",
        [Core + "ConfigSource"] = "resource_api_version",
        [Core + "Http1ProtocolOptions"] = "use_balsa_parser",
        [Core + "Http2ProtocolOptions"] = "use_oghttp2_codec",
        [Core + "SocketOption"] = "description",
        [Core + "JsonFormatOptions"] = "sort_properties",
        [Core + "SubstitutionFormatString"] = "json_format_options",
        [Core + "RemoteDataSource"] = "sha256",
        [Endpoint + "LocalityLbEndpoints"] = "proximity",
        [Listener + "Listener"] = "max_connections_to_accept_per_socket_event",
        [Network + "tcp_proxy.v3.TcpProxy.OnDemand"] = "odcds_config resources_locator timeout",
        [Route + "WeightedCluster"] = "runtime_key_prefix",
        [Route + "RouteAction"] = "early_data_policy",
        [Route + "HedgePolicy"] = "initial_requests additional_request_chance",
        [Bootstrap + "Runtime"] = "symlink_root subdirectory override_subdirectory base",
        [Core + "Extension"] = "type_descriptor",
        [Core + "RateLimitSettings"] = "fill_rate",
        [Core + "Http3ProtocolOptions"] = "quic_protocol_options allow_extended_connect",
        [Listener + "UdpListenerConfig"] = "downstream_socket_config quic_options udp_packet_packet_writer_config",
        [Route + "RateLimit"] = "disable_key",
        [Route + "ScopedRouteConfiguration.Key"] = "fragments",
        [Tls + "UpstreamTlsContext"] = "enforce_rsa_key_usage",
        [Tls + "DownstreamTlsContext"] = "disable_stateful_session_resumption full_scan_certs_on_sni_mismatch",
    };

    /// <summary>Why, or what holds in its place, where that is worth a word; by the field's full name.</summary>
    public static IReadOnlyDictionary<string, string> Why { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        [Core + "GrpcService.google_grpc"] = "use envoy_grpc with a cluster",
        [Listener + "Listener.connection_balance_config"] = "the kernel spreads connections over workers",
        [Manager + ".add_proxy_protocol_connection_state"] = "addresses of PROXY protocol headers are those of the connection",
        [Manager + ".append_local_overload"] = "overload is told by its details",
        [Manager + ".http3_protocol_options"] = "HTTP/3 is not served",
        [Manager + ".path_normalization_options"] = "nor has it in Envoy",
        [Manager + ".represent_ipv4_remote_address_as_ipv4_mapped_ipv6"] = "addresses are written as they are",
        [Manager + ".typed_header_validation_config"] = "nor has it in Envoy as it is built",
        [Manager + ".HcmAccessLogOptions.flush_log_on_tunnel_successfully_established"] =
            "tunnels are logged at their start, at intervals and at their end",
        [Http + "dynamic_forward_proxy.v3.FilterConfig.sub_cluster_config"] = "names are looked up in one cluster",
        [Http + "ext_proc.v3.ExternalProcessor.deferred_close_timeout"] = "streams that only observe end with their exchange",
        [Http + "ext_proc.v3.MetadataOptions.MetadataNamespaces.typed"] = "typed metadata is not had",
        [Http + "ext_proc.v3.ExtProcOverrides.async_mode"] = "nor has it in Envoy",
        [Http + "jwt_authn.v3.JwksAsyncFetch.fast_listener"] = "listeners never wait for keys, requests do",
        [Http + "ratelimit.v3.RateLimitConfig.disable_key"] = "runtime keys of single limits are not read",
        [Http + "router.v3.Router.dynamic_stats"] = "counters of clusters are always kept",
        [Network + "mongo_proxy.v3.MongoProxy.access_log"] = "write access logs of the TCP proxy",
        [Network + "mysql_proxy.v3.MySQLProxy.access_log"] = "nor has it in Envoy",
        [Network + "redis_proxy.v3.RedisProxy.latency_in_micros"] = "commands are not counted by name",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings.buffer_flush_timeout"] = "commands go at once",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings.connection_rate_limit"] = "connections to Redis servers are few",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings.dns_cache_config"] = "redirections are not followed",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings.enable_command_stats"] = "commands are not counted by name",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings.max_buffer_size_before_flush"] = "commands go at once",
        [Network + "redis_proxy.v3.RedisProxy.ConnPoolSettings.max_upstream_unknown_connections"] = "redirections are not followed",
        [Network + "tcp_proxy.v3.TcpProxy.downstream_idle_timeout"] = "nor has it in Envoy: idle_timeout has",
        [Network + "tcp_proxy.v3.TcpProxy.upstream_idle_timeout"] = "nor has it in Envoy: idle_timeout has",
        [Network + "zookeeper_proxy.v3.ZooKeeperProxy.access_log"] = "nor has it in Envoy",
        ["envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig.use_tcp_for_dns_lookups"] =
            "names are asked over UDP, with room for large answers (EDNS)",
        ["envoy.extensions.compression.brotli.decompressor.v3.Brotli.disable_ring_buffer_reallocation"] =
            "the runtime's decoder keeps its own window",
        ["envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.read_only"] = "values of filter state may be set again",
        ["envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.shared_with_upstream"] =
            "what upstream connections ask for is always shared",
    };

    /// <summary>Every field of the tables: its message, and its name.</summary>
    public static IEnumerable<(string Message, string Field)> All =>
        new[] { Refused, Said, Moot }.SelectMany(t => t).SelectMany(e => e.Value.Split(' ').Select(f => (e.Key, f)));

    private static readonly FrozenDictionary<(string, string), ServedVerdict> Verdicts = Listed().ToFrozenDictionary();

    /// <summary>What happens to a field.</summary>
    internal static ServedVerdict Of(string message, string field) => Verdicts.GetValueOrDefault((message, field));

    private static Dictionary<(string, string), ServedVerdict> Listed()
    {
        var all = new Dictionary<(string, string), ServedVerdict>();
        foreach ((IReadOnlyDictionary<string, string> table, ServedVerdict verdict) in new[] { (Refused, ServedVerdict.Refused),
            (Said, ServedVerdict.Said) })
        {
            foreach ((string message, string fields) in table)
            {
                foreach (string field in fields.Split(' '))
                    all.Add((message, field), verdict);
            }
        }
        return all;
    }
}
