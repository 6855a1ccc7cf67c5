using Envoy.Config.Core.V3;
using Envoy.Config.Trace.V3;
using Envoy.Extensions.Tracers.Opentelemetry.ResourceDetectors.V3;
using Envoy.Extensions.Tracers.Opentelemetry.Samplers.V3;
using Google.Protobuf;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Enrichment = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.Types.OpenTelemetryTracingProvider.Types.ServiceAttributeEnrichment;
using HttpHeader = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider.Types.HttpHeader;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>Where spans go, as Envoy's tracer messages.</summary>
internal static class TraceProviders
{
    private const int DefaultZipkinSeconds = 5;

    /// <summary>A tracer.</summary>
    /// <param name="Tracer">Name and settings.</param>
    /// <param name="MaxTagLength">Longest tag; 0 for the proxy's setting.</param>
    /// <param name="HasUpstreamSpan">The upstream request gets a span of its own.</param>
    /// <param name="HasSampler">The tracer decides itself what is kept.</param>
    public sealed record Built(Tracing.Types.Http Tracer, uint MaxTagLength, bool HasUpstreamSpan, bool HasSampler);

    /// <summary>The tracer of a provider; null when it can't trace or its service is unknown.</summary>
    /// <param name="provider">Provider.</param>
    /// <param name="registry">Services.</param>
    /// <param name="node">The proxy.</param>
    /// <param name="speaksHttpService">The proxy knows the newer form of the Zipkin collector.</param>
    public static Built? Of(Provider provider, RegistryView registry, ProxyNode node, bool speaksHttpService) =>
        provider.ProviderCase switch
        {
            Provider.ProviderOneofCase.Zipkin => Zipkin(provider.Zipkin, registry, speaksHttpService),
            Provider.ProviderOneofCase.Datadog => Datadog(provider.Datadog, registry, node.ServiceCluster),
            Provider.ProviderOneofCase.Skywalking => SkyWalking(provider.Skywalking, registry),
            Provider.ProviderOneofCase.Opentelemetry => OpenTelemetry(provider.Opentelemetry, registry, node),
            _ => null,
        };

    private static Built? Zipkin(Provider.Types.ZipkinTracingProvider zipkin, RegistryView registry, bool speaksHttpService)
    {
        if (Providers.Cluster(registry, zipkin.Service, zipkin.Port) is not var (host, cluster)) return null;
        var path = zipkin.Path.Length > 0 ? zipkin.Path : "/api/v2/spans";
        var config = ZipkinSettings(!zipkin.Enable64BitTraceId, zipkin.TraceContextOption);
        if (speaksHttpService)
        {
            config.CollectorService =
                Http($"http://{host}{path}", cluster, zipkin.Timeout ?? Wire.Seconds(DefaultZipkinSeconds), zipkin.Headers);
        }
        else ApplyCollector(config, host, cluster, path);
        return new Built(Tracer("envoy.tracers.zipkin", config), zipkin.MaxTagLength, false, false);
    }

    /// <summary>Settings of a Zipkin tracer without its collector.</summary>
    internal static ZipkinConfig ZipkinSettings(bool has128Bits, Provider.Types.ZipkinTracingProvider.Types.TraceContextOption context) =>
        new()
        {
            CollectorEndpointVersion = ZipkinConfig.Types.CollectorEndpointVersion.HttpJson,
            TraceId128Bit = has128Bits,
            SharedSpanContext = false,
            TraceContextOption = context == Provider.Types.ZipkinTracingProvider.Types.TraceContextOption.UseB3WithW3CPropagation
                ? ZipkinConfig.Types.TraceContextOption.UseB3WithW3CPropagation
                : ZipkinConfig.Types.TraceContextOption.UseB3,
        };

    /// <summary>The collector as proxies before 1.29 know it.</summary>
    internal static void ApplyCollector(ZipkinConfig config, string host, string cluster, string path)
    {
        config.CollectorCluster = cluster;
        config.CollectorEndpoint = path;
        config.CollectorHostname = host;
    }

    private static Built? Datadog(Provider.Types.DatadogTracingProvider datadog, RegistryView registry, string serviceName)
    {
        if (Providers.Cluster(registry, datadog.Service, datadog.Port) is not var (host, cluster)) return null;
        var config = new DatadogConfig { CollectorCluster = cluster, CollectorHostname = host, ServiceName = serviceName };
        return new Built(Tracer("envoy.tracers.datadog", config), datadog.MaxTagLength, false, false);
    }

    private static Built? SkyWalking(Provider.Types.SkyWalkingTracingProvider skyWalking, RegistryView registry)
    {
        if (Providers.Cluster(registry, skyWalking.Service, skyWalking.Port) is not var (host, cluster)) return null;
        return new Built(Tracer("envoy.tracers.skywalking", new SkyWalkingConfig { GrpcService = Grpc(cluster, host) }), 0, true, false);
    }

    private static Built? OpenTelemetry(Provider.Types.OpenTelemetryTracingProvider otel, RegistryView registry, ProxyNode node)
    {
        if (Providers.Cluster(registry, otel.Service, otel.Port) is not var (host, cluster)) return null;
        var follows = otel.ServiceAttributeEnrichment == Enrichment.OtelSemanticConventions;
        var config = new OpenTelemetryConfig { ServiceName = follows ? ServiceNames.Of(node) : node.ServiceCluster };
        if (otel.Http is { } http) config.HttpService = Http(Join(host, http.Path), cluster, http.Timeout, http.Headers);
        else
        {
            config.GrpcService = Grpc(cluster, host);
            config.GrpcService.Timeout = otel.Grpc?.Timeout;
            foreach (var header in otel.Grpc?.InitialMetadata ?? [])
            {
                config.GrpcService.InitialMetadata.Add(new HeaderValue { Key = header.Name, Value = header.Value });
            }
        }
        if (otel.ResourceDetectors?.Environment is not null)
            config.ResourceDetectors.Add(Detector("environment", new EnvironmentResourceDetectorConfig()));
        if (otel.ResourceDetectors?.Dynatrace is not null)
            config.ResourceDetectors.Add(Detector("dynatrace", new DynatraceResourceDetectorConfig()));
        var samples = otel.SamplingCase != Provider.Types.OpenTelemetryTracingProvider.SamplingOneofCase.None;
        if (samples)
        {
            if (Sampler(otel, host, cluster, registry) is not { } sampler) return null;
            config.Sampler = sampler;
        }
        return new Built(Tracer("envoy.tracers.opentelemetry", config), otel.MaxTagLength, false, samples);
    }

    // The sampler asks Dynatrace how much to keep: at an address of its own, or where the spans go.
    private static TypedExtensionConfig? Sampler(Provider.Types.OpenTelemetryTracingProvider otel, string host, string cluster,
        RegistryView registry)
    {
        var dynatrace = otel.DynatraceSampler;
        var config = new DynatraceSamplerConfig
        {
            Tenant = dynatrace.Tenant,
            ClusterId = dynatrace.ClusterId,
            RootSpansPerMinute = dynatrace.RootSpansPerMinute,
        };
        if (dynatrace.HttpService is { } own)
        {
            if (Providers.Cluster(registry, own.Service, own.Port) is not var (ownHost, ownCluster)) return null;
            config.HttpService = Http(Join(ownHost, own.Http?.Path ?? ""), ownCluster, own.Http?.Timeout, own.Http?.Headers ?? []);
        }
        else
        {
            if (otel.Http is not { } exporter) return null;
            config.HttpService = Http(Join(host, "api/v2/samplingConfiguration"), cluster, exporter.Timeout, exporter.Headers);
        }
        return new TypedExtensionConfig { Name = "envoy.tracers.opentelemetry.samplers.dynatrace", TypedConfig = Wire.Pack(config) };
    }

    private static string Join(string host, string path) => path.Length == 0 ? host : host.TrimEnd('/') + "/" + path.TrimStart('/');

    private static HttpService Http(string uri, string cluster, Google.Protobuf.WellKnownTypes.Duration? timeout,
        IEnumerable<HttpHeader> headers)
    {
        var result = new HttpService { HttpUri = new HttpUri { Uri = uri, Cluster = cluster, Timeout = timeout } };
        foreach (var header in headers)
        {
            result.RequestHeadersToAdd.Add(new HeaderValueOption
            {
                Header = new HeaderValue { Key = header.Name, Value = header.Value },
                AppendAction = HeaderValueOption.Types.HeaderAppendAction.OverwriteIfExistsOrAdd,
            });
        }
        return result;
    }

    private static GrpcService Grpc(string cluster, string authority) =>
        new() { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = cluster, Authority = authority } };

    private static TypedExtensionConfig Detector(string name, IMessage config) => new()
    {
        Name = "envoy.tracers.opentelemetry.resource_detectors." + name,
        TypedConfig = Wire.Pack(config),
    };

    private static Tracing.Types.Http Tracer(string name, IMessage config) => new() { Name = name, TypedConfig = Wire.Pack(config) };
}
