namespace Lateen.Proxy.Statistics.Tags;

/// <summary>The tags that Envoy finds in its own names (envoy.* tag names), in its order.</summary>
public static class DefaultTags
{
    private const string Address = @"(?:(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[[a-fA-F_\d]+\])_\d+)", Part = @"[^\.]+", Cipher = @"[\w-]+";

    /// <summary>Envoy's own.</summary>
    public static IReadOnlyList<TagExtractor> All { get; } =
    [
        new RegexTag("envoy.response_code", @"_rq(_(\d{3}))$", "_rq_", may: static n => char.IsDigit(n[^1])),
        new RegexTag("envoy.response_code_class", @"_rq_((\d))xx$", "_rq_", may: static n => n.EndsWith("xx", StringComparison.Ordinal)),
        new RegexTag("envoy.dynamo_partition_id", $@"^http\.{Part}\.dynamodb\.table\.{Part}\.capacity\.{Part}(\.__partition_id=(\w{{7}}))$",
            ".dynamodb.table."),
        new RegexTag("envoy.dynamo_operation", $@"^http\.{Part}\.dynamodb.(?:operation|table\.{Part}\.capacity)(\.({Part}))(?:\.|$)",
            ".dynamodb."),
        new PartTag("envoy.mongo_callsite", "mongo.*.collection.*.callsite.$.query.**"),
        new RegexTag("envoy.dynamo_table", $@"^http\.{Part}\.dynamodb.(?:table|error)\.(({Part})\.)", ".dynamodb."),
        new PartTag("envoy.mongo_collection", "mongo.*.collection.$.**.query.*"),
        new PartTag("envoy.mongo_cmd", "mongo.*.cmd.$.**"),
        new PartTag("envoy.grpc_bridge_method", "cluster.*.grpc.*.$.**"),
        new PartTag("envoy.http_user_agent", "http.*.user_agent.$.**"),
        new PartTag("envoy.virtual_cluster", "vhost.*.vcluster.$.**"),
        new PartTag("envoy.fault_downstream_cluster", "http.*.fault.$.**"),
        new RegexTag("envoy.ssl_cipher", $@"^listener\..*?\.ssl\.ciphers(\.({Cipher}))$", ".ssl.ciphers."),
        new RegexTag("envoy.ssl_curve", $@"^(?:listener|cluster)\..*?\.ssl\.curves(\.({Cipher}))$", ".ssl.curves."),
        new RegexTag("envoy.ssl_sigalg", $@"^(?:listener|cluster)\..*?\.ssl\.sigalgs(\.({Cipher}))$", ".ssl.sigalgs."),
        new RegexTag("envoy.ssl_version", @"^(?:listener|cluster)\..*?\.ssl\.versions(\.(TLSv\d\.\d))$", ".ssl.versions."),
        new RegexTag("cipher_suite", $@"^cluster\.{Part}\.ssl\.ciphers(\.({Cipher}))$", ".ssl.ciphers."),
        new PartTag("envoy.grpc_bridge_service", "cluster.*.grpc.$.**"),
        new PartTag("envoy.tcp_prefix", "tcp.$.**"),
        new PartTag("envoy.udp_prefix", "udp.$.**"),
        new PartTag("envoy.clientssl_prefix", "auth.clientssl.$.**"),
        new PartTag("envoy.ratelimit_prefix", "ratelimit.$.**"),
        new PartTag("envoy.cluster_name", "cluster.$.**"),
        new RegexTag("envoy.http_conn_manager_prefix", $@"^listener\..*?\.http\.(({Part})\.)", ".http."),
        new PartTag("envoy.ext_authz_prefix", "cluster.*.ext_authz.$.**"),
        new PartTag("envoy.ext_authz_prefix", "http.*.ext_authz.$.**"),
        new PartTag("envoy.http_conn_manager_prefix", "http.$.**"),
        new RegexTag("envoy.worker_id", $@"^(?:listener\.(?:{Address}|{Part})\.|server\.|listener_manager\.)worker_((\d+)\.)", "worker_"),
        new RegexTag("envoy.listener_address", $@"^listener\.(({Address}|{Part})\.)", "", "admin"),
        new PartTag("envoy.virtual_host", "vhost.$.**"),
        new PartTag("envoy.mongo_prefix", "mongo.$.**"),
        new RegexTag("envoy.rds_route_config", $@"^http\.{Part}\.rds\.(([\w\-\.]+)\.)\w+?$", ".rds."),
        new PartTag("envoy.scoped_rds_config", "http.*.scoped_rds.$.**"),
        new PartTag("envoy.route", "vhost.*.route.$.**"),
        new PartTag("envoy.thrift_prefix", "thrift.$.**"),
        new PartTag("envoy.redis_prefix", "redis.$.**"),
        new PartTag("envoy.local_http_ratelimit_prefix", "$.http_local_rate_limit.**"),
        new PartTag("envoy.local_network_ratelimit_prefix", "local_rate_limit.$.**"),
        new PartTag("envoy.local_listener_ratelimit_prefix", "listener_local_ratelimit.$.**"),
        new PartTag("envoy.dns_filter_prefix", "dns_filter.$.**"),
        new PartTag("envoy.connection_limit_prefix", "connection_limit.$.**"),
        new RegexTag("envoy.rbac_policy_name", @"^.*?\.rbac\.policy(\.(.*))\.(?:shadow_)?(?:allowed|denied)$", ".rbac.policy."),
        new PartTag("envoy.proxy_protocol_prefix", "proxy_proto.$.**"),
        new RegexTag("envoy.proxy_protocol_version", @"^proxy_proto\.(?:[^\.]+\.)?versions\.v((\d)\.)", ".versions."),
    ];
}
