using System.Collections.Frozen;
using Lateen.Api.Schemas;
using Lateen.Api.Schemas.Constraints;

namespace Lateen.Proxy.Xds;

/// <summary>
/// Fields of served messages that are not served: one list, so that none is forgotten in silence. What changes which traffic passes, or what becomes of it, refuses its resource by path; what does
/// not is said in the log, and so is a field that the schema does not have. What needs more thought than being set (a value among several) is the translators' own matter.
/// </summary>
public static class UnservedFields
{
    private const string Http = "envoy.extensions.filters.http.", Network = "envoy.extensions.filters.network.", Manager = Network + "http_connection_manager.v3.HttpConnectionManager.";
    private const string Redis = Network + "redis_proxy.v3.RedisProxy.", Tcp = Network + "tcp_proxy.v3.TcpProxy.";

    private static readonly FrozenDictionary<string, string> Refused = new Dictionary<string, string>
    {
        [Http + "dynamic_forward_proxy.v3.FilterConfig.sub_cluster_config"] = "names are looked up in one cluster",
        [Network + "mongo_proxy.v3.MongoProxy.access_log"] = "write access logs of the TCP proxy",
        [Redis + "ConnPoolSettings.connection_rate_limit"] = "connections to Redis servers are few",
        [Redis + "ConnPoolSettings.dns_cache_config"] = "redirections are not followed",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Said = new Dictionary<string, string>
    {
        [Http + "ext_proc.v3.ExternalProcessor.deferred_close_timeout"] = "streams that only observe end with their exchange",
        [Http + "ext_proc.v3.MetadataOptions.MetadataNamespaces.typed"] = "typed metadata is not had",
        [Http + "ext_proc.v3.ExtProcOverrides.async_mode"] = "nor has it in Envoy",
        [Http + "jwt_authn.v3.JwksAsyncFetch.fast_listener"] = "listeners never wait for keys, requests do",
        [Http + "ratelimit.v3.RateLimitConfig.disable_key"] = "runtime keys of single limits are not read",
        [Http + "router.v3.Router.dynamic_stats"] = "counters of clusters are always kept",
        [Network + "mysql_proxy.v3.MySQLProxy.access_log"] = "nor has it in Envoy",
        [Network + "zookeeper_proxy.v3.ZooKeeperProxy.access_log"] = "nor has it in Envoy",
        ["envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.read_only"] = "values of filter state may be set again",
        ["envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue.shared_with_upstream"] = "what upstream connections ask for is always shared",
        ["envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig.use_tcp_for_dns_lookups"] = "truncated answers are asked for over TCP",
        ["envoy.extensions.compression.brotli.decompressor.v3.Brotli.disable_ring_buffer_reallocation"] = "the runtime's decoder keeps its own window",
        [Manager + "HcmAccessLogOptions.flush_log_on_tunnel_successfully_established"] = "tunnels are logged at their start, at intervals and at their end",
        [Manager + "path_normalization_options"] = "nor has it in Envoy",
        [Manager + "typed_header_validation_config"] = "nor has it in Envoy as it is built",
        [Manager + "represent_ipv4_remote_address_as_ipv4_mapped_ipv6"] = "addresses are written as they are",
        [Manager + "append_local_overload"] = "overload is told by its details",
        [Manager + "add_proxy_protocol_connection_state"] = "addresses of PROXY protocol headers are those of the connection",
        [Manager + "http3_protocol_options"] = "HTTP/3 is not served",
        [Redis + "ConnPoolSettings.max_buffer_size_before_flush"] = "commands go at once",
        [Redis + "ConnPoolSettings.buffer_flush_timeout"] = "commands go at once",
        [Redis + "ConnPoolSettings.max_upstream_unknown_connections"] = "redirections are not followed",
        [Redis + "ConnPoolSettings.enable_command_stats"] = "commands are not counted by name",
        [Redis + "latency_in_micros"] = "commands are not counted by name",
        [Tcp + "downstream_idle_timeout"] = "nor has it in Envoy: idle_timeout has",
        [Tcp + "upstream_idle_timeout"] = "nor has it in Envoy: idle_timeout has",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    // Routes have a translator of their own, which looks at each field.
    private static readonly FieldFinder Finder = new(Refused.Keys.Concat(Said.Keys).ToHashSet(StringComparer.Ordinal), ["envoy.config.route.v3."]);

    /// <summary>All of them, and why.</summary>
    public static IEnumerable<KeyValuePair<string, string>> All => Refused.Concat(Said);

    /// <summary>Refuses or says what a message sets of them.</summary>
    public static void Check(MessageShape shape, ReadOnlySpan<byte> message, Rejections rejections)
    {
        foreach ((string path, string? field) in Finder.Find(shape, message))
        {
            if (field is null)
                rejections.Note($"unknown field {path} has no effect");
            else if (Refused.TryGetValue(field, out string? why))
                rejections.Add($"{path} is not served: {why}");
            else
                rejections.Note($"{path} has no effect: {Said[field]}");
        }
    }
}
