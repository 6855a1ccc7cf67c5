using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;
using Envoy.Config.Trace.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.Tracers.Opentelemetry.Samplers.V3;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using CustomTag = Istio.Telemetry.V1Alpha1.Tracing.Types.CustomTag;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;

namespace Lateen.Test.Conformance.Runners.Tables.Rules;

/// <summary>Where spans go and what they say.</summary>
internal static class TracingTables
{
    public static string? Configure(JsonElement row, JsonElement context)
    {
        var options = row.GetProperty("opts");
        var proxy = options.GetProperty("proxy");
        var settings = Rows.Settings(Clean(options.GetProperty("push").GetProperty("mesh")));
        if (proxy.Field("metadata")?.Field("proxyConfig") is { } config)
            settings.Mesh.DefaultConfig = MeshConfigs.Overlay(new ProxyConfig(), Clean(config).GetRawText(), "row", []);
        var version = proxy.GetProperty("istioVersion");
        var node = Rows.Node(proxy) with
        {
            Version = (version.Number("major"), version.Number("minor"), version.Number("patch")),
            ServiceCluster = proxy.Field("xdsNode")?.Text("cluster") ?? "",
        };
        var selection = row.Field("inSpec") is { } spec
            ? new TracingSelection(Side(spec.Field("clientSpec")), Side(spec.Field("serverSpec"))) : null;
        var services = Services(selection?.Client.Provider);
        var snapshot = Rows.Snapshot(Rows.Registry(services), settings);
        var traces = TraceSettings.Of(new ProxyInputs(new ScopeBuilder(snapshot).ScopeOf(node)), selection, ListenerClass.SidecarOutbound);
        var have = traces.Settings is null ? null : Renamed(traces.Settings, services);
        if (Messages.Difference(have, row.Field("want") is { } wanted ? Renamed(wanted) : null) is { } difference) return difference;
        return row.Field("wantReqIDExtCtx") is { } want ? Rows.Same(traces.UsesRequestId, want.Flag("useRequestIDForTraceSampling")) : null;
    }

    public static string? OtelName(JsonElement row, JsonElement context)
    {
        if (row.Field("proxy") is not { } proxy) return Rows.Same(ServiceNames.Of(null), row.Text("expected"));
        var metadata = proxy.Field("metadata") ?? default;
        var node = new ProxyNode
        {
            Id = "row",
            Type = ProxyType.Sidecar,
            WorkloadId = proxy.Text("id"),
            Labels = proxy.Labels("labels"),
            Metadata = new NodeMetadata
            {
                WorkloadName = metadata.Text("workloadName"),
                Annotations = metadata.Labels("annotations"),
                Raw = metadata.Message<Google.Protobuf.WellKnownTypes.Struct>("raw") ?? new(),
            },
        };
        return Rows.Same(ServiceNames.Of(node), row.Text("expected"));
    }

    public static string? Zipkin(JsonElement row, JsonElement context)
    {
        var option = row.Text("traceContextOption") == "USE_B3_WITH_W3C_PROPAGATION"
            ? Provider.Types.ZipkinTracingProvider.Types.TraceContextOption.UseB3WithW3CPropagation
            : Provider.Types.ZipkinTracingProvider.Types.TraceContextOption.UseB3;
        var config = TraceProviders.ZipkinSettings(row.Flag("enable128BitTraceID"), option);
        TraceProviders.ApplyCollector(config, row.Text("hostname"), row.Text("cluster"), row.Text("endpoint"));
        return Messages.Difference(config, Renamed(row.GetProperty("expectedConfig")));
    }

    public static string? Sampler(JsonElement row, JsonElement context)
    {
        var provider = new Provider
        {
            Name = "otel",
            Opentelemetry = new Provider.Types.OpenTelemetryTracingProvider
            {
                Service = "otel-collector",
                Port = 4317,
                Http = new Provider.Types.HttpService { Path = "/v1/traces" },
                DynatraceSampler = new Provider.Types.OpenTelemetryTracingProvider.Types.DynatraceSampler
                {
                    Tenant = row.Text("dtTenant"),
                    ClusterId = row.Number("dtClusterID"),
                    RootSpansPerMinute = (uint)row.Number("spansPerMin"),
                },
            },
        };
        var services = Services(provider);
        var built = TraceProviders.Of(provider, Rows.Registry(services), new ProxyNode { Id = "row", Type = ProxyType.Sidecar }, true);
        var sampler = built?.Tracer.TypedConfig.Unpack<OpenTelemetryConfig>().Sampler?.TypedConfig.Unpack<DynatraceSamplerConfig>();
        return Rows.Same(
            (sampler?.Tenant, sampler?.ClusterId, sampler?.RootSpansPerMinute,
                sampler?.HttpService.HttpUri.Uri.Replace("otel-collector", "testhost", StringComparison.Ordinal)),
            (row.Text("dtTenant"), row.Number("dtClusterID"), (uint)row.Number("spansPerMin"), row.Text("expectedURI")));
    }

    private static TracingSide Side(JsonElement? spec)
    {
        if (spec is not { } given) return new TracingSide { IsDisabled = true };
        var provider = given.Field("provider") is { } written ? Rows.Message<Provider>(written) : null;
        var tags = new MapField<string, CustomTag>();
        foreach (var tag in given.Field("customTags")?.EnumerateObject() ?? default)
        {
            if (tag.Value.ValueKind != JsonValueKind.Null) tags[tag.Name] = Rows.Message<CustomTag>(tag.Value);
        }
        return new TracingSide
        {
            Provider = provider,
            IsDisabled = given.Flag("disabled"),
            Sampling = given.Field("randomSamplingPercentage")?.GetDouble(),
            CustomTags = given.Field("customTags") is null ? null : tags,
            UsesRequestId = given.Flag("useRequestIDForTraceSampling"),
            HasIstioTags = given.Flag("enableIstioTags"),
            StopsPropagation = given.Flag("disableContextPropagation"),
        };
    }

    // A map with nothing for a key is one without the key.
    private static JsonElement Clean(JsonElement value)
    {
        var node = JsonNode.Parse(value.GetRawText());
        Prune(node);
        return JsonSerializer.SerializeToElement(node);

        static void Prune(JsonNode? at)
        {
            if (at is JsonArray list)
            {
                foreach (var item in list) Prune(item);
            }
            if (at is not JsonObject map) return;
            foreach (var key in map.Where(pair => pair.Value is null).Select(pair => pair.Key).ToList()) map.Remove(key);
            foreach (var (_, inner) in map) Prune(inner);
        }
    }

    // The recorded lookup answers every service with one host and cluster.
    private static List<Service> Services(Provider? provider)
    {
        if (provider is null) return [];
        var text = JsonFormatter.Default.Format(provider);
        using var document = JsonDocument.Parse(text);
        var settings = document.RootElement.EnumerateObject().FirstOrDefault(p => p.Value.ValueKind == JsonValueKind.Object).Value;
        if (settings.ValueKind != JsonValueKind.Object || settings.Text("service") is not { Length: > 0 } name) return [];
        return
        [
            Rows.Service(JsonDocument.Parse(
                $$"""{"hostname":"{{name}}","attributes":{"name":"{{name}}","namespace":"default","exportTo":["*"]},"ports":[{"name":"port","port":{{settings.Number("port")}},"protocol":"TCP"}]}""").RootElement),
        ];
    }

    private static HttpConnectionManager.Types.Tracing Renamed(HttpConnectionManager.Types.Tracing settings, List<Service> services)
    {
        var text = Messages.Text(settings);
        foreach (var service in services)
        {
            text = text.Replace($"outbound|{service.Ports[0].Number}||{service.Hostname}", "testcluster", StringComparison.Ordinal)
                .Replace($"\"{service.Hostname}", "\"testhost", StringComparison.Ordinal)
                .Replace($"//{service.Hostname}", "//testhost", StringComparison.Ordinal);
        }
        return Messages.Parse<HttpConnectionManager.Types.Tracing>(JsonDocument.Parse(text).RootElement);
    }

    // Go's JSON keeps the underscore in front of a digit. Tags are compared as a set.
    private static JsonElement Renamed(JsonElement value)
    {
        var node = JsonNode.Parse(value.GetRawText().Replace("traceId_128Bit", "traceId128bit", StringComparison.Ordinal))!;
        if (node["customTags"] is JsonArray tags)
            node["customTags"] = new JsonArray(
                [.. tags.OrderBy(tag => tag!["tag"]!.ToString(), StringComparer.Ordinal).Select(tag => tag!.DeepClone())]);
        return JsonSerializer.SerializeToElement(node);
    }
}
