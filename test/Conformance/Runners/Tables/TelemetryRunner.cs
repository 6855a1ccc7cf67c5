using System.Text.Json;
using Envoy.Extensions.AccessLoggers.File.V3;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Istio.Telemetry.V1Alpha1;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Registry;
using Resource = Lateen.Config.Resources.Resource;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Telemetry API, access logs, tracing, metrics, statistic names.</summary>
internal sealed class TelemetryRunner : TableRunner
{
    private const string BuiltIn = """
        {"extensionProviders":[
         {"name":"envoy","envoyFileAccessLog":{"path":"/dev/stdout"}},
         {"name":"envoy-json","envoyFileAccessLog":{"path":"/dev/stdout","logFormat":{"labels":{}}}}],
         "defaultProviders":{"metrics":[]}}
        """;

    public TelemetryRunner() : base("telemetry")
    {
        Table("access-log-format", (row, _) => Rows.Same(LogFormats.TextOrDefault(row.Text("formatString")), row.Text("expected")));
        Table("access-logging", AccessLogging);
        Table("access-logging-filter", AccessLoggingFilter);
        Table("json-formatters", (row, _) => Messages.Difference(
            [.. LogFormats.Formatters(row.GetProperty("json").EnumerateObject().Select(p => p.Value.GetString()!))],
            [.. row.Items("expected")]));
        Table("listener-access-log", ListenerAccessLog);
        Table("merge-metrics", MergeMetrics);
        Table("telemetry-filters", Filters);
        Table("configure-tracing", Rules.TracingTables.Configure);
        Table("otel-service-name", Rules.TracingTables.OtelName);
        Table("zipkin-config", Rules.TracingTables.Zipkin);
        Table("dynatrace-sampler", Rules.TracingTables.Sampler);
        Table("tracing", Tracing);
        Table("trace-operation", (row, _) => Rows.Same(Wire.HostPort(row.Text("host"), row.Number("port")) + "/*", row.Text("match")));
        Table("reporting-interval", (row, _) => Messages.Difference(
            StatsFilters.Interval(Nanoseconds(row, "input"), Nanoseconds(row, "defaultVal")), row.Field("expected")));
        Table("inbound-stat-name", (row, _) =>
        {
            var tm = row.GetProperty("tm");
            return Rows.Same(
                StatNames.Inbound(
                    row.Text("statPattern"), tm.Text("instanceHostname"), tm.Text("kubernetesServiceName"),
                    tm.Text("kubernetesServiceNamespace"), row.Text("subset"),
                    row.Number("port"), row.Text("portName"), ""),
                row.Text("want"));
        });
        Table("outbound-stat-name", (row, _) =>
        {
            var service = Rows.Service(
                JsonDocument.Parse(
                    $$"""{"hostname":"{{row.Text("host")}}","attributes":{{row.GetProperty("attributes").GetRawText()}}}""").RootElement);
            var port = row.Field("port") is { } p ? Rows.Port(p) : null;
            return Rows.Same(StatNames.Outbound(row.Text("statPattern"), row.Text("host"), row.Text("subsetName"), port,
                row.Number("targetPort"), service, ""), row.Text("want"));
        });
    }

    private static ListenerClass Class(JsonElement row) => row.Text("class") switch
    {
        "ListenerClassSidecarInbound" => ListenerClass.SidecarInbound,
        "ListenerClassGateway" => ListenerClass.Gateway,
        _ => ListenerClass.SidecarOutbound,
    };

    private static MeshConfig MeshOf(JsonElement row, string kind)
    {
        var mesh = Rows.Mesh(JsonDocument.Parse(BuiltIn).RootElement);
        mesh.AccessLogFile = "";
        // Known, but none that a proxy could log to.
        mesh.ExtensionProviders.Add(new MeshConfig.Types.ExtensionProvider { Name = "stackdriver" });
        if (kind == "logs" && row.Field("defaultProviders") is { ValueKind: JsonValueKind.Array })
            mesh.DefaultProviders = new MeshConfig.Types.DefaultProviders { AccessLogging = { row.Texts("defaultProviders") } };
        if (kind == "tracing" && row.Field("defaultProviders") is { ValueKind: JsonValueKind.Array })
            mesh.DefaultProviders = new MeshConfig.Types.DefaultProviders { Tracing = { row.Texts("defaultProviders") } };
        if (kind == "metrics") mesh.DefaultProviders = row.Message<MeshConfig.Types.DefaultProviders>("defaultProviders")
            ?? new MeshConfig.Types.DefaultProviders();
        return mesh;
    }

    private static TelemetryScope ScopeOf(JsonElement row, PolicyTarget target)
    {
        var snapshot = Rows.Snapshot(RegistryView.Empty, Rows.Settings(),
            [.. row.Items("cfgs").Select((item, i) => (Resource)Rows.Resource(Kinds.Telemetry, item, i))]);
        return TelemetryScope.Of(snapshot.Telemetry, target, "istio-system");
    }

    private static PolicyTarget TargetOf(JsonElement row)
    {
        var proxy = row.GetProperty("proxy");
        Service? service = null;
        if (row.Field("service")?.Field("attributes") is { } attributes)
        {
            service = new Service
            {
                Hostname = attributes.Text("name"),
                Name = attributes.Text("name"),
                Namespace = attributes.Text("namespace"),
                Source = attributes.Text("serviceRegistry") == "Kubernetes" ? ServiceSource.Kubernetes : ServiceSource.ServiceEntry,
                Resolution = ServiceResolution.ClientSide,
                Declaration = $"ServiceEntry/{attributes.Text("namespace")}/{attributes.Text("name")}",
            };
        }
        return new PolicyTarget(proxy.Text("configNamespace"), proxy.Labels("labels"), proxy.Text("type") == "waypoint", service);
    }

    private static string? AccessLogging(JsonElement row, JsonElement context)
    {
        var mesh = MeshOf(row, "logs");
        var choices = AccessLogSelection.Of(ScopeOf(row, TargetOf(row)), mesh, Class(row));
        var have = choices?.Where(c => Providers.Find(mesh, c.Name) is { } provider && AccessLogs.CanLog(provider)).Select(c => c.Name)
            .ToList();
        if (row.Field("want") is null) return have is null ? null : $"have {string.Join(",", have)}, want not configured";
        return have is null ? "have not configured"
            : Rows.SameList(have.Order(StringComparer.Ordinal), row.Texts("want").Order(StringComparer.Ordinal));
    }

    private static string? AccessLoggingFilter(JsonElement row, JsonElement context)
    {
        var mesh = MeshOf(row, "logs");
        var logs = new AccessLogs(mesh, RegistryView.Empty, ScopeOf(row, TargetOf(row))).For(LogPlace.Http, ListenerClass.SidecarOutbound);
        var expected = row.Items("excepted").ToList();
        if (logs.Count != expected.Count) return $"have {logs.Count}, want {expected.Count}";
        for (var i = 0; i < expected.Count; i++)
        {
            var log = logs[i].Clone();
            var filter = log.Filter;
            log.Filter = null;
            if (Messages.Difference(log, expected[i].Field("accessLog")) is { } difference) return difference;
            var expression = expected[i].Field("filter")?.Text("expression") ?? "";
            if (expression.Length > 0 && filter is null) return "no filter";
            var cel =
                filter?.ExtensionFilter?.TypedConfig.Unpack<Envoy.Extensions.AccessLoggers.Filters.Cel.V3.ExpressionFilter>().Expression
                    ?? "";
            if (Rows.Same(cel, expression) is { } other) return other;
        }
        return null;
    }

    private static string? ListenerAccessLog(JsonElement row, JsonElement context)
    {
        var mesh = Rows.Mesh(null);
        mesh.AccessLogFile = "/dev/stdout";
        mesh.AccessLogFormat = row.Text("format");
        mesh.AccessLogEncoding = Enum.Parse<MeshConfig.Types.AccessLogEncoding>(row.Text("encoding"), true);
        var log = new AccessLogs(mesh, RegistryView.Empty, new TelemetryScope([])).For(LogPlace.Listener,
            ListenerClass.SidecarOutbound)[0].TypedConfig.Unpack<FileAccessLog>();
        if (row.Text("encoding") == "TEXT") return Rows.Same(log.LogFormat.TextFormatSource.InlineString, row.Text("wantFormat"));
        var want = JsonDocument.Parse(row.Text("wantFormat")).RootElement;
        return Rows.SameList(
            log.LogFormat.JsonFormat.Fields.Select(f => $"{f.Key}={f.Value.StringValue}").Order(StringComparer.Ordinal),
            want.EnumerateObject().Select(f => $"{f.Name}={f.Value}").Order(StringComparer.Ordinal));
    }

    private static string? MergeMetrics(JsonElement row, JsonElement context)
    {
        var mesh = row.Message<MeshConfig>("mesh") ?? new MeshConfig();
        var merged = MetricSelection.Of(row.Items("metrics").Select(Rows.Message<Metrics>), mesh);
        var have = merged.Select(p => $"{p.Key}: client {Side(p.Value.Client)} server {Side(p.Value.Server)}")
            .Order(StringComparer.Ordinal);
        var want = row.GetProperty("expected").EnumerateObject()
            .Select(p => $"{p.Name}: client {Wanted(p.Value.Field("clientMetrics"))} server {Wanted(p.Value.Field("serverMetrics"))}")
            .Order(StringComparer.Ordinal);
        return Rows.SameList(have, want);

        static string Side(MetricSide side) => side.IsDisabled
            ? "off"
            : "["
                + string.Join(" ",
                    side.Overrides.Select(o =>
                        $"{o.Name}{(o.IsDisabled ? "!" : "")}({string.Join(",", o.Tags.Select(t => t.Key + "=" + t.Value).Order(StringComparer.Ordinal))})").Order(StringComparer.Ordinal)) + "]";
        static string Wanted(JsonElement? side) => side?.Flag("disabled") == true
            ? "off"
            : "["
                + string.Join(" ",
                    (side?.Items("overrides")
                        ?? []).Select(
                            o =>
                                $"{o.Text("name")}{(o.Flag("disabled") ? "!" : "")}({string.Join(",", o.Items("tags").Select(t => t.Text("name") + "=" + t.Text("value")).Order(StringComparer.Ordinal))})").Order(StringComparer.Ordinal)) + "]";
    }

    private static string? Filters(JsonElement row, JsonElement context)
    {
        var mesh = MeshOf(row, "metrics");
        mesh.ExtensionProviders.Add(new MeshConfig.Types.ExtensionProvider { Name = "prometheus", Prometheus = new() });
        var target = TargetOf(row);
        var stats = new StatsFilters(mesh, ScopeOf(row, target), target.IsWaypoint);
        var have = row.Text("protocol") == "ListenerProtocolTCP"
            ? stats.Tcp(Class(row)).Select(f => (f.Name, f.TypedConfig)).ToList()
            : stats.Http(Class(row)).Select(f => (f.Name, f.TypedConfig)).ToList();
        var want = row.GetProperty("want").EnumerateObject().ToList();
        if (have.Count != want.Count) return $"have {have.Count} filters, want {want.Count}";
        foreach (var (name, config) in have)
        {
            var expected = want.FirstOrDefault(w => w.Name == name);
            if (expected.Value.ValueKind == JsonValueKind.Undefined) return $"{name}: not wanted";
            var text = expected.Value.ValueKind == JsonValueKind.String ? expected.Value.GetString()! : context.Text("cfg");
            if (Messages.Difference(config.Unpack<Stats.PluginConfig>(),
                JsonDocument.Parse(text.Length == 0 ? "{}" : text).RootElement) is { } difference) return difference;
        }
        return null;
    }

    private static string? Tracing(JsonElement row, JsonElement context)
    {
        var mesh = MeshOf(row, "tracing");
        foreach (var name in new[] { "stackdriver", "zipkin" })
        {
            if (Providers.Find(mesh, name) is null) mesh.ExtensionProviders.Add(new MeshConfig.Types.ExtensionProvider { Name = name });
        }
        var selection = TracingSelection.Of(ScopeOf(row, TargetOf(row)).Levels.SelectMany(l => l.Tracing), mesh);
        if (row.Field("want") is not { } want) return selection is null ? null : "have tracing, want none";
        if (selection is null) return "have none";
        return Side("client", selection.Client, want.Field("clientSpec") ?? default)
            ?? Side("server", selection.Server, want.Field("serverSpec") ?? default);

        static string? Side(string name, TracingSide have, JsonElement want)
        {
            var difference = Rows.Same(have.Provider?.Name ?? "", want.Field("provider")?.Text("name") ?? "")
                ?? Rows.Same(have.IsDisabled, want.Flag("disabled"))
                ?? Rows.Same(have.UsesRequestId, want.Flag("useRequestIDForTraceSampling"))
                ?? Rows.Same(have.HasIstioTags, want.Flag("enableIstioTags"))
                ?? Rows.Same(have.StopsPropagation, want.Flag("disableContextPropagation"))
                ?? Rows.Same(have.Sampling, want.Field("randomSamplingPercentage")?.GetDouble())
                ?? Rows.SameList(have.CustomTags?.Keys.Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>(),
                    want.Field("customTags")?.EnumerateObject().Select(t => t.Name).Order(StringComparer.Ordinal)
                        ?? Enumerable.Empty<string>());
            return difference is null ? null : $"{name}: {difference}";
        }
    }

    private static TimeSpan Nanoseconds(JsonElement row, string name) =>
        TimeSpan.FromTicks((row.Field(name)?.GetInt64() ?? 0) / TimeSpan.NanosecondsPerTick);
}
