using Lateen.Api.Schemas;
using Lateen.Proxy.Xds.Bounds;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Xds;

/// <summary>What is outside of what is served is refused by its name and path, or said; never passed over.</summary>
public sealed class UnservedTests
{
    [Theory]
    [InlineData("http.dynamic_forward_proxy.v3.FilterConfig", """ "sub_cluster_config":{} """, "sub_cluster_config is not served")]
    [InlineData("http.ext_authz.v3.ExtAuthz", """ "grpc_service":{"google_grpc":{"target_uri":"x","stat_prefix":"y"}} """,
        "grpc_service: google_grpc is not served")]
    [InlineData("http.ext_proc.v3.ExternalProcessor",
        """ "grpc_service":{"envoy_grpc":{"cluster_name":"up"}},"processing_mode":{"request_body_mode":"BUFFERED_PARTIAL"} """,
        "BUFFERED_PARTIAL is not served")]
    [InlineData("http.local_ratelimit.v3.LocalRateLimit", """ "stat_prefix":"l","local_cluster_rate_limit":{} """,
        "local_cluster_rate_limit is not served")]
    [InlineData("http.rbac.v3.RBAC",
        """ "rules":{"policies":{"p":{"permissions":[{"any":true}],"principals":[{"custom":{"name":"c","typed_config":{"@type":"type.googleapis.com/google.protobuf.Empty"}}}]}}} """, "policies[p]: principal Custom is not served")]
    [InlineData("http.rbac.v3.RBAC",
        """ "rules":{"audit_logging_options":{"audit_condition":"ON_DENY","logger_configs":[{"audit_logger":{"name":"mine","typed_config":{"@type":"type.googleapis.com/google.protobuf.Empty"}}}]}} """, "audit_logging_options: Didn't find a registered implementation for audit logger 'mine'")]
    [InlineData("http.grpc_json_transcoder.v3.GrpcJsonTranscoder", """ "proto_descriptor":"x","services":["a"] """,
        "Didn't find a registered implementation for 'one'")]
    [InlineData("http.wasm.v3.Wasm", "", "Didn't find a registered implementation for 'one'")]
    [InlineData("http.lua.v3.Lua", """ "inline_code":"function (" """, "inline_code")]
    public void An_HTTP_filter_is_refused_by_what_is_wrong(string type, string fields, string words)
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp(ConfiguredProxy.Filter(type, fields));
        Assert.Contains(words, proxy.Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("network.mongo_proxy.v3.MongoProxy", """ "stat_prefix":"m","access_log":"/tmp/x" """, "access_log is not served")]
    [InlineData("network.redis_proxy.v3.RedisProxy",
        """ "stat_prefix":"r","settings":{"op_timeout":"1s","connection_rate_limit":{"connection_rate_limit_per_sec":5}},"prefix_routes":{"catch_all_route":{"cluster":"up"}} """, "settings.connection_rate_limit is not served")]
    [InlineData("network.ratelimit.v3.RateLimit",
        """ "stat_prefix":"r","domain":"d","descriptors":[{"entries":[{"key":"a","value":"b"}]}],"rate_limit_service":{"transport_api_version":"V3","grpc_service":{"envoy_grpc":{"cluster_name":"up"}}} """, "Didn't find a registered implementation for 'one'")]
    public void A_network_filter_is_refused_by_what_is_wrong(string type, string fields, string words)
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfNetwork(ConfiguredProxy.Filter(type, fields));
        Assert.Contains(words, proxy.Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(""" "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"text_format_source":{"inline_string":"%REQ(A)% %NOSUCH%"}}}}], """, "unknown operator %NOSUCH% at position 9")]
    [InlineData(""" "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"text_format_source":{"inline_string":"x"},"formatters":[{"name":"mine","typed_config":{"@type":"type.googleapis.com/google.protobuf.Empty"}}]}}}], """, "Formatter not found: mine")]
    [InlineData(""" "access_log":[{"name":"f","typed_config":{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"/x","log_format":{"text_format_source":{"inline_string":"%FILTER_STATE(a:FIELD)%"}}}}], """, "FIELD should be used with the field name")]
    [InlineData(""" "tracing":{"provider":{"name":"ls","typed_config":{"@type":"type.googleapis.com/envoy.config.trace.v3.LightstepConfig","collector_cluster":"up","access_token_file":"x"}}}, """, "Didn't find a registered implementation for tracer 'ls'")]
    public void A_manager_is_refused_by_what_is_wrong(string manager, string words)
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp("", manager);
        Assert.Contains(words, proxy.Refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void What_has_no_effect_is_said()
    {
        using ConfiguredProxy proxy = ConfiguredProxy.OfHttp("", """ "append_local_overload":true, """);
        Assert.Equal("", proxy.Refusal);
        Assert.Contains(proxy.Said, static s => s.Contains("append_local_overload has no effect", StringComparison.Ordinal));
    }

    [Fact]
    public void Each_name_of_the_list_is_a_field()
    {
        foreach ((string message, string field) in UnservedTable.All)
            Assert.True(SchemaSet.Find(message)?.Field(field) is not null, $"{message}.{field}");
        HashSet<string> all = [.. UnservedTable.All.Select(static a => $"{a.Message}.{a.Field}")];
        Assert.DoesNotContain(UnservedTable.Why.Keys, k => !all.Contains(k));
    }
}
