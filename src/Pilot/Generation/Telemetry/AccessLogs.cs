using Envoy.Config.Accesslog.V3;
using Envoy.Config.Core.V3;
using Envoy.Extensions.AccessLoggers.File.V3;
using Envoy.Extensions.AccessLoggers.Filters.Cel.V3;
using Envoy.Extensions.AccessLoggers.Grpc.V3;
using Envoy.Extensions.AccessLoggers.OpenTelemetry.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Registry;
using Opentelemetry.Proto.Common.V1;
using KeyValue = Opentelemetry.Proto.Common.V1.KeyValue;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>The place in a listener that logs.</summary>
public enum LogPlace
{
    /// <summary>HTTP requests.</summary>
    Http,

    /// <summary>TCP connections.</summary>
    Tcp,

    /// <summary>Connections that found no filter chain.</summary>
    Listener,
}

/// <summary>Access logs of one proxy.</summary>
public sealed class AccessLogs
{
    private const string FileName = "envoy.access_loggers.file";
    private const string HttpGrpcName = "envoy.access_loggers.http_grpc";
    private const string TcpGrpcName = "envoy.tcp_grpc_access_log";
    private const string OtelName = "envoy.access_loggers.open_telemetry";
    private const string CelName = "envoy.access_loggers.extension_filters.cel";
    private const string StaticAlsCluster = "envoy_accesslog_service";
    private static readonly string[] PeerState = ["upstream_peer", "downstream_peer"];

    private static readonly string[] LongPeerState =
        [.. PeerState, "wasm.upstream_peer", "wasm.upstream_peer_id", "wasm.downstream_peer", "wasm.downstream_peer_id"];

    private readonly MeshConfig _mesh;
    private readonly RegistryView _registry;
    private readonly TelemetryScope _scope;

    /// <summary>Access logs as the scope asks for them.</summary>
    public AccessLogs(MeshConfig mesh, RegistryView registry, TelemetryScope scope) => (_mesh, _registry, _scope) = (mesh, registry, scope);

    /// <summary>The logs of one place.</summary>
    public IReadOnlyList<AccessLog> For(LogPlace place, ListenerClass listenerClass)
    {
        if (place == LogPlace.Listener && _mesh.DisableEnvoyListenerLog) return [];
        var choices = AccessLogSelection.Of(_scope, _mesh, listenerClass);
        // Without a usable provider the older mesh settings count, unless logging was switched off on purpose.
        if (choices is null) return FromMesh(place);
        var logs = new List<AccessLog>();
        foreach (var choice in choices)
        {
            if (Providers.Find(_mesh, choice.Name) is not { } provider || Log(provider) is not { } log) continue;
            log.Filter = And(PlaceFilter(place), choice.Filter.Length > 0 ? Cel(choice.Filter) : null);
            logs.Add(log);
        }
        return logs;
    }

    // ---- the older settings of the mesh configuration

    private List<AccessLog> FromMesh(LogPlace place)
    {
        var logs = new List<AccessLog>();
        if (_mesh.AccessLogFile.Length > 0) logs.Add(MeshFile(_mesh.AccessLogFile));
        if (_mesh.EnableEnvoyAccessLogService) logs.Add(MeshService(place));
        foreach (var log in logs) log.Filter = PlaceFilter(place);
        return logs;
    }

    private AccessLog MeshFile(string path)
    {
        var format = _mesh.AccessLogEncoding == MeshConfig.Types.AccessLogEncoding.Json
            ? LogFormats.Json(LogFormats.Parse(_mesh.AccessLogFormat))
            : LogFormats.Text(LogFormats.TextOrDefault(_mesh.AccessLogFormat));
        return Named(FileName, new FileAccessLog { Path = path, LogFormat = format });
    }

    private static AccessLog MeshService(LogPlace place) => place == LogPlace.Http
        ? Named(HttpGrpcName,
            new HttpGrpcAccessLogConfig { CommonConfig = Grpc("http_envoy_accesslog", StaticAlsCluster, "", LongPeerState) })
        : Named(TcpGrpcName, new TcpGrpcAccessLogConfig
        {
            CommonConfig = Grpc(place == LogPlace.Listener ? "listener_envoy_accesslog" : "tcp_envoy_accesslog", StaticAlsCluster, "",
                LongPeerState),
        });

    // ---- providers

    /// <summary>Whether a provider is one that proxies can log to.</summary>
    internal static bool CanLog(Provider provider) => provider.ProviderCase is Provider.ProviderOneofCase.EnvoyFileAccessLog
        or Provider.ProviderOneofCase.EnvoyHttpAls or Provider.ProviderOneofCase.EnvoyTcpAls or Provider.ProviderOneofCase.EnvoyOtelAls;

    private AccessLog? Log(Provider provider) => provider.ProviderCase switch
    {
        Provider.ProviderOneofCase.EnvoyFileAccessLog => File(provider.Name, provider.EnvoyFileAccessLog),
        Provider.ProviderOneofCase.EnvoyHttpAls => Http(provider.EnvoyHttpAls),
        Provider.ProviderOneofCase.EnvoyTcpAls => Tcp(provider.EnvoyTcpAls),
        Provider.ProviderOneofCase.EnvoyOtelAls => Otel(provider.EnvoyOtelAls),
        _ => null,
    };

    private AccessLog File(string name, Provider.Types.EnvoyFileAccessLogProvider file)
    {
        // The built-in provider takes its format from the mesh configuration.
        if (name == "envoy" && file.LogFormat is null && !file.OmitEmptyValues) return MeshFile(file.Path);
        var format = file.LogFormat?.LogFormatCase == Provider.Types.EnvoyFileAccessLogProvider.Types.LogFormat.LogFormatOneofCase.Labels
            ? LogFormats.Json(file.LogFormat.Labels, file.OmitEmptyValues)
            : LogFormats.Text(LogFormats.TextOrDefault(file.LogFormat?.Text ?? ""), file.OmitEmptyValues);
        return Named(FileName, new FileAccessLog { Path = file.Path.Length > 0 ? file.Path : "/dev/stdout", LogFormat = format });
    }

    private AccessLog? Http(Provider.Types.EnvoyHttpGrpcV3LogProvider als)
    {
        if (Providers.Cluster(_registry, als.Service, als.Port) is not var (host, cluster)) return null;
        var config = new HttpGrpcAccessLogConfig { CommonConfig =
            Grpc(Or(als.LogName, "http_envoy_accesslog"), cluster, host, State(als.FilterStateObjectsToLog)) };
        config.AdditionalRequestHeadersToLog.Add(als.AdditionalRequestHeadersToLog);
        config.AdditionalResponseHeadersToLog.Add(als.AdditionalResponseHeadersToLog);
        config.AdditionalResponseTrailersToLog.Add(als.AdditionalResponseTrailersToLog);
        return Named(HttpGrpcName, config);
    }

    private AccessLog? Tcp(Provider.Types.EnvoyTcpGrpcV3LogProvider als) =>
        Providers.Cluster(_registry, als.Service, als.Port) is not var (host, cluster)
            ? null
            : Named(TcpGrpcName,
                new TcpGrpcAccessLogConfig { CommonConfig =
                    Grpc(Or(als.LogName, "tcp_envoy_accesslog"), cluster, host, State(als.FilterStateObjectsToLog)) });

    private AccessLog? Otel(Provider.Types.EnvoyOpenTelemetryLogProvider als)
    {
        if (Providers.Cluster(_registry, als.Service, als.Port) is not var (host, cluster)) return null;
        var text = als.LogFormat is { Text.Length: > 0 } format ? format.Text : LogFormats.DefaultText;
        var config = new OpenTelemetryAccessLogConfig
        {
            DisableBuiltinLabels = true,
            Body = new AnyValue { StringValue = text },
        };
#pragma warning disable CS0612 // the proxies that this speaks to all read the common part
        config.CommonConfig = Grpc(Or(als.LogName, "otel_envoy_accesslog"), cluster, host, LongPeerState);
#pragma warning restore CS0612
        var texts = new List<string> { text };
        if (als.LogFormat?.Labels is { Fields.Count: > 0 } labels)
        {
            config.Attributes = new KeyValueList();
            foreach (var (key, value) in labels.Fields.OrderBy(static l => l.Key, StringComparer.Ordinal))
            {
                config.Attributes.Values.Add(new KeyValue { Key = key, Value = new AnyValue { StringValue = value.StringValue } });
                texts.Add(value.StringValue);
            }
        }
        config.Formatters.Add(LogFormats.Formatters(texts));
        return Named(OtelName, config);
    }

    private static string Or(string text, string otherwise) => text.Length > 0 ? text : otherwise;

    private static IReadOnlyList<string> State(IReadOnlyList<string> own) => own.Count > 0 ? own : PeerState;

    private static CommonGrpcAccessLogConfig Grpc(string logName, string cluster, string authority, IEnumerable<string> state)
    {
        var config = new CommonGrpcAccessLogConfig
        {
            LogName = logName,
            GrpcService = new GrpcService { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = cluster, Authority = authority } },
            TransportApiVersion = ApiVersion.V3,
        };
        config.FilterStateObjectsToLog.Add(state);
        return config;
    }

    private static AccessLog Named(string name, IMessage config) => new() { Name = name, TypedConfig = Wire.Pack(config) };

    // ---- conditions

    private static AccessLogFilter? PlaceFilter(LogPlace place) =>
        place == LogPlace.Listener ? new AccessLogFilter { ResponseFlagFilter = new ResponseFlagFilter { Flags = { "NR" } } } : null;

    private static AccessLogFilter Cel(string expression) => new()
    {
        ExtensionFilter = new ExtensionFilter { Name = CelName, TypedConfig = Wire.Pack(new ExpressionFilter { Expression = expression }) },
    };

    private static AccessLogFilter? And(AccessLogFilter? first, AccessLogFilter? second)
    {
        if (first is null || second is null) return first ?? second;
        return new AccessLogFilter { AndFilter = new AndFilter { Filters = { first, second } } };
    }
}
