using System.Text.Json.Nodes;

namespace Lateen.Agent.Bootstrap.Envoy;

/// <summary>The tracer that ProxyConfig asks for: the cluster of its collector, and the provider that sends there.</summary>
internal sealed record EnvoyTracer(JsonObject Cluster, JsonObject Provider)
{
    public static EnvoyTracer? Of(EnvoyBootstrapOptions options, string serviceName)
    {
        if (options.ProxyConfig["tracing"] is not JsonObject tracing) return null;
        if (Address(tracing["zipkin"]) is { } zipkin)
        {
            JsonObject cluster = EnvoyClusters.Named("zipkin", zipkin, options, tracing["tlsSettings"]);
            cluster["dns_refresh_rate"] = "30s";
            return new EnvoyTracer(cluster, Parts.Typed("envoy.tracers.zipkin", "envoy.config.trace.v3.ZipkinConfig", new JsonObject
            {
                ["collector_cluster"] = "zipkin",
                ["collector_endpoint"] = "/api/v2/spans",
                ["collector_endpoint_version"] = "HTTP_JSON",
                ["trace_id_128bit"] = true,
                ["shared_span_context"] = false,
            }));
        }
        if (Address(tracing["lightstep"]) is { } lightstep)
        {
            return new EnvoyTracer(EnvoyClusters.Http2(EnvoyClusters.Named("lightstep", lightstep, options, tracing["tlsSettings"])),
                Parts.Typed("envoy.tracers.lightstep", "envoy.config.trace.v3.LightstepConfig",
                    new JsonObject
                    {
                        ["collector_cluster"] = "lightstep",
                        ["access_token_file"] = options.Text("configPath") + "/lightstep_access_token.txt",
                    }));
        }
        if (Address(tracing["datadog"]) is { } datadog)
        {
            return new EnvoyTracer(EnvoyClusters.Named("datadog_agent", datadog, options, tracing["tlsSettings"]),
                Parts.Typed("envoy.tracers.datadog", "envoy.config.trace.v3.DatadogConfig",
                    new JsonObject { ["collector_cluster"] = "datadog_agent", ["service_name"] = serviceName }));
        }
        return null;
    }

    private static HostPort? Address(JsonNode? provider) => HostPort.Parse(provider?["address"]?.ToString() ?? "");
}
