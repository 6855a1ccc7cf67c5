using Envoy.Config.Trace.V3;
using Envoy.Extensions.Tracers.Opentelemetry.ResourceDetectors.V3;
using Envoy.Type.Tracing.V3;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tracing;
using Lateen.Proxy.Tracing.Datadog;
using Lateen.Proxy.Tracing.SkyWalking;
using Lateen.Proxy.Upstream.Calls;
using Core = Envoy.Config.Core.V3;
using Message = Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager.Types.Tracing;
using MetadataKind = Envoy.Type.Metadata.V3.MetadataKind;

namespace Lateen.Proxy.Xds;

/// <summary>Tracing of connection managers: Zipkin, OpenTelemetry, Datadog, SkyWalking.</summary>
internal static class TracingTranslator
{
    private const long CallMicros = 5_000_000;

    private const string OtelMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

    /// <summary>The tracer; null where there is no provider, or with a rejection.</summary>
    public static ExchangeTracer? Tracer(Message m, Translation translation, string prefix, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("tracing");
        if (m.Provider?.TypedConfig is not { } config)
            return null;
        var options = new TracerOptions
        {
            Stats = translation.Statistics.Group(prefix, TracerOptions.Schema),
            Runtime = translation.Runtime,
            Client = Percent(m.ClientSampling),
            Random = Percent(m.RandomSampling),
            Overall = Percent(m.OverallSampling),
            IsEgress = translation.IsOutbound,
            SpawnUpstream = m.SpawnUpstreamSpan ?? false,
            Verbose = m.Verbose,
            PathBytesMax = (int)(m.MaxPathTagLength ?? 256),
            NoPropagation = m.NoContextPropagation,
            Tags = Tags(m.CustomTags, rejections),
            Operation = Format(m.Operation, "operation", rejections),
            UpstreamOperation = Format(m.UpstreamOperation, "upstream_operation", rejections),
            NodeId = System.Text.Encoding.UTF8.GetBytes(translation.Node.Id),
        };
        switch (ValueTranslator.TypeName(config))
        {
            case "envoy.config.trace.v3.ZipkinConfig":
                return ValueTranslator.Unpack(config, ZipkinConfig.Parser, rejections) is { } zipkin
                    ? Zipkin(zipkin, options, translation, rejections) : null;
            case "envoy.config.trace.v3.OpenTelemetryConfig":
                return ValueTranslator.Unpack(config, OpenTelemetryConfig.Parser, rejections) is { } otel
                    ? Otel(otel, options, translation, rejections) : null;
            case "envoy.config.trace.v3.DatadogConfig":
                return ValueTranslator.Unpack(config, DatadogConfig.Parser, rejections) is { } datadog
                    ? Datadog(datadog, options, translation, rejections) : null;
            case "envoy.config.trace.v3.SkyWalkingConfig":
                return ValueTranslator.Unpack(config, SkyWalkingConfig.Parser, rejections) is { } sky
                    ? SkyWalking(sky, options, translation, rejections) : null;
            default:
                rejections.Add($"Didn't find a registered implementation for tracer '{m.Provider.Name}' with type URL: '{config.TypeUrl}'");
                return null;
        }
    }

    private static Fraction Percent(Envoy.Type.V3.Percent? percent) =>
        percent is null ? Fraction.All : new Fraction((uint)Math.Clamp(percent.Value * 100, 0, 10_000), 10_000);

    private static TextFormat? Format(string format, string field, Rejections rejections)
    {
        if (format.Length == 0)
            return null;
        try
        {
            return TextFormat.Parse(format);
        }
        catch (FormatException e)
        {
            rejections.Add($"{field}: {e.Message}");
            return null;
        }
    }

    // ---- Zipkin

    private static Tracer? Zipkin(ZipkinConfig c, TracerOptions options, Translation translation, Rejections rejections)
    {
        string cluster = c.CollectorCluster, host = c.CollectorHostname.Length > 0
            ? c.CollectorHostname : c.CollectorCluster, path = c.CollectorEndpoint;
        long timeout = 5_000_000;
        if (c.CollectorService is { HttpUri: { } uri } service)
        {
            cluster = uri.Cluster;
            (host, path) = SideTranslator.Split(uri.Uri);
            timeout = ValueTranslator.Micros(uri.Timeout, timeout);
        }
        if (cluster.Length == 0 || path.Length == 0)
            rejections.Add("collector_cluster and collector_endpoint must be specified when not using collector_service");
        if (c.CollectorService is null && c.CollectorEndpointVersion != ZipkinConfig.Types.CollectorEndpointVersion.HttpJson)
            rejections.Add($"collector_endpoint_version {c.CollectorEndpointVersion} is not served: spans go as HTTP_JSON");
        if (!rejections.None)
            return null;
        var reporter = new ZipkinReporter(
            SideTranslator.Target(cluster, timeout, translation), host, path, translation.Node.Cluster, translation.Runtime,
            translation.Statistics.Group("tracing.zipkin.", ZipkinReporter.Schema), translation.Workers)
        {
            Headers = Headers(c.CollectorService),
        };
        var context = new B3(c.TraceId128Bit, c.SharedSpanContext ?? true,
            c.TraceContextOption == ZipkinConfig.Types.TraceContextOption.UseB3WithW3CPropagation);
#pragma warning disable CS0612 // the older place of spawn_upstream_span
        return new Tracer(c.SplitSpansForRequest ? options with { SpawnUpstream = true } : options, context, reporter, namesHost: true,
            null, translation.Workers);
#pragma warning restore CS0612
    }

    private static List<KeyValuePair<string, string>> Headers(Core.HttpService? service) =>
        [.. (service?.RequestHeadersToAdd ?? []).Where(static h => h.Header is not null)
            .Select(static h => KeyValuePair.Create(h.Header.Key.ToLowerInvariant(), h.Header.Value))];

    // ---- Datadog, SkyWalking

    private static Tracer? Datadog(DatadogConfig c, TracerOptions options, Translation translation, Rejections rejections)
    {
        if (c.RemoteConfig is not null)
            rejections.Note("remote_config has no effect: the agent does not rule the proxy");
        if (c.CollectorCluster.Length == 0)
            rejections.Add("collector_cluster is required");
        var reporter = new DatadogReporter(SideTranslator.Target(c.CollectorCluster, CallMicros, translation),
            c.CollectorHostname.Length > 0 ? c.CollectorHostname : c.CollectorCluster,
            c.ServiceName.Length > 0 ? c.ServiceName
                : "envoy", translation.Statistics.Group("tracing.datadog.", DatadogReporter.Schema), translation.Workers);
        return new Tracer(options, new DatadogContext(), reporter, namesHost: false, null, translation.Workers);
    }

    private static Tracer? SkyWalking(SkyWalkingConfig c, TracerOptions options, Translation translation, Rejections rejections)
    {
        const string Unnamed = "EnvoyProxy";
        ClientConfig client = c.ClientConfig ?? new ClientConfig();
        if (SideTranslator.Grpc(c.GrpcService ?? new Core.GrpcService(), SkyWalkingReporter.Path, CallMicros, translation,
            rejections) is not { } method)
            return null;
        if (client.BackendToken.Length > 0)
            method = method.WithMetadata([.. method.Metadata, KeyValuePair.Create("authentication", client.BackendToken)]);
        if (client.MaxCacheSize is not null)
            rejections.Note("client_config.max_cache_size has no effect: what waits is bounded by bytes");
        string service = FirstOf(client.ServiceName, translation.Node.Cluster, Unnamed),
            instance = FirstOf(client.InstanceName, translation.Node.Id, Unnamed);
        var reporter = new SkyWalkingReporter(method, service, instance,
            translation.Statistics.Group("tracing.skywalking.", SkyWalkingReporter.Schema), translation.Workers);
        return new Tracer(options, new SkyWalkingContext(service, instance), reporter, namesHost: false, null, translation.Workers);
    }

    private static string FirstOf(params ReadOnlySpan<string> texts)
    {
        foreach (string text in texts)
        {
            if (text.Length > 0)
                return text;
        }
        return "";
    }

    // ---- OpenTelemetry

    private static Tracer? Otel(OpenTelemetryConfig c, TracerOptions options, Translation translation, Rejections rejections)
    {
        if (c.Sampler is { TypedConfig: { } sampler }
            && ValueTranslator.TypeName(sampler) != "envoy.extensions.tracers.opentelemetry.samplers.v3.AlwaysOnSamplerConfig")
            rejections.Add($"sampler {c.Sampler.Name} is not served");
        List<KeyValuePair<string, string>> resource = Resource(c, rejections);
        OtelReporter? reporter = null;
        if (c.HttpService is { } http && http.HttpUri is { } uri)
        {
            using Rejections.Scope scope = rejections.In("http_service");
            (string host, string path) = SideTranslator.Split(uri.Uri);
            if (SideTranslator.Target(uri, translation, rejections) is { } target)
                reporter = New(target, host, path, Headers(http), grpc: false);
        }
        else if (c.GrpcService is { } grpc)
        {
            if (SideTranslator.Grpc(grpc, OtelMethod, 0, translation, rejections) is { } method)
                reporter = New(method.Side with { TimeoutMicros = 0 }, method.Authority, OtelMethod, method.Metadata, grpc: true);
        }
        else
        {
            rejections.Note("without http_service or grpc_service no span is exported");
            reporter = New(SideTranslator.Target("", 0, translation), "", "", [], grpc: false);
        }
        return reporter is null || !rejections.None ? null
            : new Tracer(options, new TraceParent(), reporter, namesHost: false,
                System.Text.Encoding.UTF8.GetBytes(translation.Node.Locality?.Zone ?? ""), translation.Workers);

        OtelReporter New(SideTarget target, string host, string path, IReadOnlyList<KeyValuePair<string, string>> headers, bool grpc) =>
            new(target, host, path, headers, grpc, resource, translation.Runtime,
                translation.Statistics.Group("tracing.opentelemetry.", OtelReporter.Schema), translation.Workers);
    }

    private static List<KeyValuePair<string, string>> Resource(OpenTelemetryConfig c, Rejections rejections)
    {
        var found = new Dictionary<string, string>
        {
            ["service.name"] = c.ServiceName.Length > 0 ? c.ServiceName : "unknown_service:envoy",
            ["telemetry.sdk.language"] = "dotnet",
            ["telemetry.sdk.name"] = "envoy",
            ["telemetry.sdk.version"] = OtelReporter.Version,
        };
        foreach (Core.TypedExtensionConfig detector in c.ResourceDetectors)
        {
            switch (ValueTranslator.TypeName(detector.TypedConfig))
            {
                case "envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig":
                    foreach (string pair in (Environment.GetEnvironmentVariable("OTEL_RESOURCE_ATTRIBUTES")
                        ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
                    {
                        int equals = pair.IndexOf('=', StringComparison.Ordinal);
                        if (equals > 0)
                            found[pair[..equals]] = pair[(equals + 1)..];
                    }
                    break;
                case "envoy.extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig":
                    foreach ((string key, string value) in ValueTranslator.Unpack(detector.TypedConfig,
                        StaticConfigResourceDetectorConfig.Parser, rejections)?.Attributes ?? [])
                        found[key] = value;
                    break;
                default:
                    rejections.Add($"resource detector {detector.Name} is not served");
                    break;
            }
        }
        return [.. found];
    }

    // ---- tags

    /// <summary>Tags of spans.</summary>
    public static IReadOnlyList<SpanTag> Tags(IEnumerable<CustomTag> tags, Rejections rejections) =>
        [.. tags.Select(t => Tag(t, rejections)).OfType<SpanTag>()];

    private static SpanTag? Tag(CustomTag tag, Rejections rejections)
    {
        switch (tag.TypeCase)
        {
            case CustomTag.TypeOneofCase.Literal:
                return new FixedTag(tag.Tag, tag.Literal.Value);
            case CustomTag.TypeOneofCase.Environment:
                return new FixedTag(tag.Tag, Environment.GetEnvironmentVariable(tag.Environment.Name) ?? tag.Environment.DefaultValue);
            case CustomTag.TypeOneofCase.RequestHeader:
                return new HeaderTag(tag.Tag, tag.RequestHeader.Name, tag.RequestHeader.DefaultValue);
            case CustomTag.TypeOneofCase.Metadata:
                return Metadata(tag.Tag, tag.Metadata, rejections);
            case CustomTag.TypeOneofCase.Value:
                return Format(tag.Value, $"custom_tags[{tag.Tag}].value", rejections) is { } format
                    ? new FormattedTag(tag.Tag, format) : null;
            default:
                rejections.Add($"custom tag {tag.Tag} has no type");
                return null;
        }
    }

    private static MetadataTag? Metadata(string name, CustomTag.Types.Metadata m, Rejections rejections)
    {
        Func<IStreamFacts, Metadata?>? kind = m.Kind?.KindCase switch
        {
            MetadataKind.KindOneofCase.Request => static f => f.DynamicMetadata,
            MetadataKind.KindOneofCase.Route => static f => f.RouteMetadata,
            MetadataKind.KindOneofCase.Cluster => static f => f.ClusterMetadata,
            MetadataKind.KindOneofCase.Host => static f => f.UpstreamHostMetadata,
            _ => null,
        };
        if (kind is null)
        {
            rejections.Add($"custom tag {name} has no kind of metadata");
            return null;
        }
        return new MetadataTag(name, kind, m.MetadataKey.Key, [.. m.MetadataKey.Path.Select(static p => p.Key)], m.DefaultValue);
    }
}
