using Envoy.Extensions.Filters.Http.ExtProc.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtProc;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using Wire = Envoy.Extensions.Filters.Http.ExtProc.V3.ProcessingMode;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.ext_proc.</summary>
internal sealed class ExtProcTranslator : FilterTranslator
{
    private const string Path = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
    private const long MessageMicros = 200_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"];

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, ExtProcPerRoute.Parser, rejections) is not { } route)
            return null;
        if (route.OverrideCase == ExtProcPerRoute.OverrideOneofCase.Disabled)
            return new ExtProcRouteSettings(true, null);
        ExtProcOverrides overrides = route.Overrides ?? new ExtProcOverrides();
        if (overrides.GrpcService is not null || overrides.GrpcInitialMetadata.Count > 0 || overrides.MetadataOptions is not null || overrides.RequestAttributes.Count + overrides.ResponseAttributes.Count > 0)
            rejections.Add("overrides other than processing_mode are not served");
        return new ExtProcRouteSettings(false, overrides.ProcessingMode is null ? null : Mode(overrides.ProcessingMode, rejections));
    }

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, ExternalProcessor.Parser, rejections) is not { } m)
            return null;
        if (m.GrpcService is null)
            rejections.Add("grpc_service is required");
        if (m.GrpcService is null || SideTranslator.Grpc(m.GrpcService, Path, 0, translation, rejections) is not { } method)
            return null;
        MetadataOptions? metadata = m.MetadataOptions;
        var service = new GrpcProcessorService(new GrpcProcessorOptions
        {
            // The stream lives as long as its exchange; what is timed is each answer.
            Method = method with { Side = method.Side with { TimeoutMicros = 0 } },
            Sent = Names(m.ForwardRules?.AllowedHeaders, rejections),
            Withheld = Names(m.ForwardRules?.DisallowedHeaders, rejections),
            RequestAttributes = Attributes(m.RequestAttributes, translation, rejections),
            ResponseAttributes = Attributes(m.ResponseAttributes, translation, rejections),
            Namespaces = [.. metadata?.ForwardingNamespaces?.Untyped ?? []],
            Observes = m.ObservabilityMode,
        });
        return new ExtProcFilter(name, new ExtProcSettings
        {
            Service = service,
            Mode = Mode(m.ProcessingMode ?? new Wire(), rejections),
            FailureModeAllow = m.FailureModeAllow,
            MessageMicros = ValueTranslator.Micros(m.MessageTimeout, MessageMicros),
            Rules = m.MutationRules is { } rules ? ExtAuthzTranslator.Rules(rules, rejections) : new HeaderMutationRules(),
            AllowModeOverride = m.AllowModeOverride,
            NoImmediateAnswer = m.DisableImmediateResponse,
            Refresh = m.RouteCacheAction switch
            {
                ExternalProcessor.Types.RouteCacheAction.Clear => RouteRefresh.Always,
                ExternalProcessor.Types.RouteCacheAction.Retain => RouteRefresh.Never,
                _ => m.DisableClearRouteCache ? RouteRefresh.Never : RouteRefresh.Asked,
            },
            Observes = m.ObservabilityMode,
            Namespaces = (metadata?.ReceivingNamespaces?.Untyped ?? []).ToHashSet(StringComparer.Ordinal),
            Stats = translation.Statistics.Group(translation.HttpStatPrefix + (m.StatPrefix.Length > 0 ? $"ext_proc.{m.StatPrefix}." : "ext_proc."), ExtProcSettings.Schema),
        }) { DisabledByDefault = disabled };
    }

    private static Proxy.Filters.ExtProc.ProcessingMode Mode(Wire mode, Rejections rejections)
    {
        if (mode.RequestBodyMode == Wire.Types.BodySendMode.BufferedPartial || mode.ResponseBodyMode == Wire.Types.BodySendMode.BufferedPartial)
            rejections.Add("body mode BUFFERED_PARTIAL is not served: use BUFFERED or STREAMED");
        if (mode.RequestBodyMode == Wire.Types.BodySendMode.FullDuplexStreamed || mode.ResponseBodyMode == Wire.Types.BodySendMode.FullDuplexStreamed)
            rejections.Add("body mode FULL_DUPLEX_STREAMED is not served: use BUFFERED or STREAMED");
        return GrpcProcessorService.ModeOf(mode);
    }

    private static HeaderNames Names(Envoy.Type.Matcher.V3.ListStringMatcher? names, Rejections rejections) =>
        names is null ? HeaderNames.None : new HeaderNames([.. names.Patterns.Select(p => MatcherTranslator.String(p, rejections)).OfType<StringMatch>()]);

    private static List<(string, CelProgram)> Attributes(IEnumerable<string> names, Translation translation, Rejections rejections) =>
        [.. names.Select(n => (n, CelTranslator.Program(n, translation, rejections))).Where(static a => a.Item2 is not null).Select(static a => (a.n, a.Item2!))];
}
