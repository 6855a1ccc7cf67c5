using Envoy.Config.Accesslog.V3;
using Envoy.Extensions.AccessLoggers.File.V3;
using Envoy.Extensions.AccessLoggers.Grpc.V3;
using Envoy.Extensions.AccessLoggers.OpenTelemetry.V3;
using Envoy.Extensions.AccessLoggers.Stream.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Telemetry;
using Opentelemetry.Proto.Common.V1;
using Opentelemetry.Proto.Resource.V1;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Access logs: where to, which form, which records.</summary>
/// <param name="sink">Gives the sink of a path; the same path is the same sink.</param>
/// <param name="workers">Number of workers.</param>
/// <param name="runtime">Values that may change.</param>
internal sealed class AccessLogTranslator(Func<string, LogSink> sink, int workers, RuntimeValues runtime)
{
    /// <summary>One log; null with a rejection where it is not served.</summary>
    public Telemetry.AccessLog? Log(Envoy.Config.Accesslog.V3.AccessLog log, Rejections rejections)
    {
        LogFilter? filter = log.Filter is null ? null : Filter(log.Filter, runtime, rejections);
        switch (log.TypedConfig is null ? "" : ValueTranslator.TypeName(log.TypedConfig))
        {
            case "envoy.extensions.access_loggers.file.v3.FileAccessLog":
                return File(ValueTranslator.Unpack(log.TypedConfig!, FileAccessLog.Parser, rejections), filter, rejections);
            case "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog":
                return Stream("/dev/stdout", ValueTranslator.Unpack(log.TypedConfig!, StdoutAccessLog.Parser, rejections)?.LogFormat,
                    filter, rejections);
            case "envoy.extensions.access_loggers.stream.v3.StderrAccessLog":
                return Stream("/dev/stderr", ValueTranslator.Unpack(log.TypedConfig!, StderrAccessLog.Parser, rejections)?.LogFormat,
                    filter, rejections);
            case "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig":
                return ValueTranslator.Unpack(log.TypedConfig!, HttpGrpcAccessLogConfig.Parser, rejections) is { } http
                    ? Streamed(http.CommonConfig, false, [.. http.AdditionalRequestHeadersToLog], [.. http.AdditionalResponseHeadersToLog],
                        [.. http.AdditionalResponseTrailersToLog], filter, rejections) : null;
            case "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig":
                return ValueTranslator.Unpack(log.TypedConfig!, TcpGrpcAccessLogConfig.Parser, rejections) is { } tcp
                    ? Streamed(tcp.CommonConfig, true, [], [], [], filter, rejections) : null;
            case "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig":
                return ValueTranslator.Unpack(log.TypedConfig!, OpenTelemetryAccessLogConfig.Parser, rejections) is { } otel
                    ? Otel(otel, filter, rejections) : null;
            default:
                rejections.Add(
                    $"Didn't find a registered implementation for access logger '{log.Name}' with type URL: '{log.TypedConfig?.TypeUrl}'");
                return null;
        }
    }

    private StreamedLog? Streamed(CommonGrpcAccessLogConfig? common, bool tcp, string[] request, string[] response, string[] trailers,
        LogFilter? filter, Rejections rejections)
    {
        if (Common(common, StreamedLog.Path, "access_logs.grpc_access_log.", rejections) is not { } options)
            return null;
        Translation translation = Translation!;
        var node = new Core.Node(translation.Node)
        {
            UserAgentName = "envoy",
            UserAgentBuildVersion = new Core.BuildVersion { Version = new Envoy.Type.V3.SemanticVersion
            {
                MajorNumber = 1,
                MinorNumber = 40,
            } },
        };
        return new StreamedLog(options, new LogEntries(options.FilterState, options.Tags, Lower(request), Lower(response), Lower(trailers)),
            node, tcp, filter, workers);
    }

    private static string[] Lower(string[] names) => [.. names.Select(static n => n.ToLowerInvariant())];

    private RemoteLogOptions? Common(CommonGrpcAccessLogConfig? common, string path, string stats, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("common_config");
        if (common is null)
        {
            rejections.Add("is required");
            return null;
        }
        if (common.LogName.Length == 0)
            rejections.Add("log_name: value length must be at least 1 characters");
        if (common.GrpcService is not { } service)
        {
            rejections.Add("grpc_service is required");
            return null;
        }
        if (common.GrpcStreamRetryPolicy is not null)
            rejections.Note("grpc_stream_retry_policy has no effect: a stream is opened anew with the next records");
        Translation translation = Translation!;
        return SideTranslator.Grpc(service, path, 0, translation, rejections) is { } method && rejections.None
            ? new RemoteLogOptions(
                common.LogName, method with { Side = method.Side with { TimeoutMicros = 0 } },
                (int)Math.Min(common.BufferSizeBytes ?? 16384, 1 << 20), ValueTranslator.Micros(common.BufferFlushInterval, 1_000_000),
                [.. common.FilterStateObjectsToLog], TracingTranslator.Tags(common.CustomTags, rejections),
                translation.Statistics.Group(stats, RemoteLogOptions.Schema))
            : null;
    }

    private OtelLog? Otel(OpenTelemetryAccessLogConfig c, LogFilter? filter, Rejections rejections)
    {
        string prefix = "access_logs.open_telemetry_access_log." + (c.StatPrefix.Length > 0 ? c.StatPrefix + "." : "");
        if (Common(c.CommonConfig, OtelLog.Path, prefix, rejections) is not { } options)
            return null;
        LocalReplyTranslator.Formatters(c.Formatters, rejections);
        var resource = new Resource();
        void Add(string key, AnyValue value) => resource.Attributes.Add(new KeyValue { Key = key, Value = value });
        if (!c.DisableBuiltinLabels)
        {
            Core.Node node = Translation!.Node;
            Add("log_name", new AnyValue { StringValue = options.Name });
            Add("zone_name", new AnyValue { StringValue = node.Locality?.Zone ?? "" });
            Add("cluster_name", new AnyValue { StringValue = node.Cluster });
            Add("node_name", new AnyValue { StringValue = node.Id });
        }
        foreach (KeyValue attribute in c.ResourceAttributes?.Values ?? [])
            Add(attribute.Key, attribute.Value);
        try
        {
            return new OtelLog(options, resource, c.Body is null ? null : new OtelValue(c.Body),
                [.. c.Attributes?.Values.Select(static a => (a.Key, new OtelValue(a.Value))) ?? []], filter, workers);
        }
        catch (FormatException e)
        {
            rejections.Add(e.Message);
            return null;
        }
    }

    /// <summary>The sink of a path; the same path is the same sink.</summary>
    public LogSink Sink(string path) => sink(path);

    /// <summary>What logs of services need besides; set before the first is translated.</summary>
    public Translation? Translation { get; set; }

    private Telemetry.AccessLog? File(FileAccessLog? file, LogFilter? filter, Rejections rejections)
    {
        if (file is null)
            return null;
        switch (file.AccessLogFormatCase)
        {
#pragma warning disable CS0612 // the older spellings of the format
            case FileAccessLog.AccessLogFormatOneofCase.Format:
                return Text(file.Path, file.Format, filter, false, rejections);
            case FileAccessLog.AccessLogFormatOneofCase.JsonFormat:
                return Json(file.Path, file.JsonFormat, filter, false, rejections);
            case FileAccessLog.AccessLogFormatOneofCase.TypedJsonFormat:
                return Json(file.Path, file.TypedJsonFormat, filter, false, rejections);
#pragma warning restore CS0612
            case FileAccessLog.AccessLogFormatOneofCase.LogFormat:
                return Stream(file.Path, file.LogFormat, filter, rejections);
            default:
                return Text(file.Path, Telemetry.AccessLog.EnvoyDefault, filter, false, rejections);
        }
    }

    private Telemetry.AccessLog? Stream(string path, Core.SubstitutionFormatString? format, LogFilter? filter, Rejections rejections)
    {
        if (!LocalReplyTranslator.Formatters(format?.Formatters ?? [], rejections))
            return null;
        switch (format?.FormatCase)
        {
            case null:
                return Text(path, Telemetry.AccessLog.EnvoyDefault, filter, false, rejections);
            case Core.SubstitutionFormatString.FormatOneofCase.TextFormatSource:
                byte[] text = ValueTranslator.Data(format.TextFormatSource, rejections) ?? [];
                return Text(path, System.Text.Encoding.UTF8.GetString(text), filter, format.OmitEmptyValues, rejections);
            case Core.SubstitutionFormatString.FormatOneofCase.JsonFormat:
                return Json(path, format.JsonFormat, filter, format.OmitEmptyValues, rejections);
            default:
#pragma warning disable CS0612
                return Text(path, format!.TextFormat, filter, format.OmitEmptyValues, rejections);
#pragma warning restore CS0612
        }
    }

    private Telemetry.AccessLog? Text(string path, string format, LogFilter? filter, bool omitEmpty, Rejections rejections)
    {
        try
        {
            return new LineLog(TextFormat.Parse(format), null, filter, sink(path), omitEmpty, workers);
        }
        catch (FormatException e)
        {
            rejections.Add(e.Message);
            return null;
        }
    }

    private Telemetry.AccessLog? Json(string path, Struct format, LogFilter? filter, bool omitEmpty, Rejections rejections)
    {
        try
        {
            // Each worker has its own: a format keeps a scratch buffer.
            System.Text.Json.JsonElement template = ValueTranslator.Json(format);
            JsonFormat[] formats = [.. Enumerable.Range(0, workers).Select(_ => new JsonFormat(template, omitEmpty))];
            return new LineLog(null, formats, filter, sink(path), omitEmpty, workers);
        }
        catch (FormatException e)
        {
            rejections.Add(e.Message);
            return null;
        }
    }

    /// <summary>Which records; what is not served is refused.</summary>
    public static LogFilter? Filter(AccessLogFilter filter, RuntimeValues runtime, Rejections rejections)
    {
        switch (filter.FilterSpecifierCase)
        {
            case AccessLogFilter.FilterSpecifierOneofCase.StatusCodeFilter:
                return Number(static f => f.Status, filter.StatusCodeFilter.Comparison, runtime);
            case AccessLogFilter.FilterSpecifierOneofCase.DurationFilter:
                return Number(static f => ((f.Times.End != 0 ? f.Times.End : f.Now) - f.Times.RequestBegin) / 1000,
                    filter.DurationFilter.Comparison, runtime);
            case AccessLogFilter.FilterSpecifierOneofCase.NotHealthCheckFilter:
                return new Telemetry.NotHealthCheckFilter();
            case AccessLogFilter.FilterSpecifierOneofCase.TraceableFilter:
                return new Telemetry.TraceableFilter();
            case AccessLogFilter.FilterSpecifierOneofCase.RuntimeFilter:
                return new ShareFilter(ValueTranslator.Fraction(filter.RuntimeFilter.PercentSampled, new Fraction(0, 100)),
                    filter.RuntimeFilter.UseIndependentRandomness, runtime, filter.RuntimeFilter.RuntimeKey);
            case AccessLogFilter.FilterSpecifierOneofCase.AndFilter:
                return new CombinedFilter([.. filter.AndFilter.Filters.Select(f => Filter(f, runtime, rejections)).OfType<LogFilter>()],
                    all: true);
            case AccessLogFilter.FilterSpecifierOneofCase.OrFilter:
                return new CombinedFilter([.. filter.OrFilter.Filters.Select(f => Filter(f, runtime, rejections)).OfType<LogFilter>()],
                    all: false);
            case AccessLogFilter.FilterSpecifierOneofCase.HeaderFilter:
                return new Telemetry.HeaderFilter(MatcherTranslator.Header(filter.HeaderFilter.Header, rejections));
            case AccessLogFilter.FilterSpecifierOneofCase.ResponseFlagFilter:
                return Flags(filter.ResponseFlagFilter.Flags, rejections);
            case AccessLogFilter.FilterSpecifierOneofCase.GrpcStatusFilter:
                return new Telemetry.GrpcStatusFilter(filter.GrpcStatusFilter.Statuses.Select(s => (int)s).ToHashSet(),
                    filter.GrpcStatusFilter.Exclude);
            case AccessLogFilter.FilterSpecifierOneofCase.LogTypeFilter:
                return new Telemetry.LogTypeFilter(filter.LogTypeFilter.Types_.Select(t => t.ToString()).ToHashSet(),
                    filter.LogTypeFilter.Exclude);
            case AccessLogFilter.FilterSpecifierOneofCase.MetadataFilter when filter.MetadataFilter.Matcher is null:
                // Nothing is looked for, so nothing is found.
                return new Telemetry.MetadataFilter(new Routing.MetadataMatch("", [], new Routing.ValueMatch { Present = true }, false),
                    filter.MetadataFilter.MatchIfKeyNotFound ?? true);
            case AccessLogFilter.FilterSpecifierOneofCase.MetadataFilter:
                return new Telemetry.MetadataFilter(MatcherTranslator.Metadata(filter.MetadataFilter.Matcher, rejections),
                    filter.MetadataFilter.MatchIfKeyNotFound ?? true);
            case AccessLogFilter.FilterSpecifierOneofCase.ExtensionFilter:
                return Extension(filter.ExtensionFilter, rejections);
            default:
                rejections.Add($"access log filter {filter.FilterSpecifierCase} is not served");
                return null;
        }
    }

    private static CelFilter? Extension(ExtensionFilter filter, Rejections rejections)
    {
        if (filter.TypedConfig is null
            || ValueTranslator.TypeName(filter.TypedConfig) != "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter")
        {
            rejections.Add($"Didn't find a registered implementation for access log filter '{filter.Name}' with type URL: "
                + $"'{filter.TypedConfig?.TypeUrl}'");
            return null;
        }
        return ValueTranslator.Unpack(filter.TypedConfig, Envoy.Extensions.AccessLoggers.Filters.Cel.V3.ExpressionFilter.Parser,
            rejections) is { } cel
            && CelTranslator.Program(cel.Expression, null, rejections) is { } program ? new CelFilter(program) : null;
    }

    private static FlagFilter Flags(IEnumerable<string> letters, Rejections rejections)
    {
        ResponseFlags flags = ResponseFlags.None;
        foreach (string letter in letters)
        {
            ResponseFlags flag = ResponseFlagNames.Parse(letter);
            if (flag == ResponseFlags.None)
                rejections.Add($"unknown response flag {letter}");
            flags |= flag;
        }
        return new FlagFilter(flags);
    }

    private static NumberFilter Number(Func<IStreamFacts, long> number, ComparisonFilter comparison, RuntimeValues runtime) =>
        new(number, (Comparison)comparison.Op, comparison.Value?.DefaultValue ?? 0, runtime, comparison.Value?.RuntimeKey ?? "");
}
