using Envoy.Extensions.Filters.Http.ExtProc.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtProc;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Routing;
using ProcessingMode = Lateen.Proxy.Filters.ExtProc.ProcessingMode;
using Wire = Envoy.Extensions.Filters.Http.ExtProc.V3.ProcessingMode;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.ext_proc.</summary>
internal sealed class ExtProcTranslator : FilterTranslator
{
    private const string Path = "/envoy.service.ext_proc.v3.ExternalProcessor/Process";
    private const long MessageMicros = 200_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"];

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, ExtProcPerRoute.Parser, rejections) is not { } route)
            return null;
        if (route.OverrideCase == ExtProcPerRoute.OverrideOneofCase.Disabled)
            return new ExtProcRouteSettings(true, null);
        ExtProcOverrides overrides = route.Overrides ?? new ExtProcOverrides();
        ProcessingMode? mode = overrides.ProcessingMode is null
            ? null : Mode(overrides.ProcessingMode, overrides.FailureModeAllow ?? false, rejections);
        GrpcMethod? method = overrides.GrpcService is null ? null : Method(overrides.GrpcService, translation, rejections);
        MetadataOptions? metadata = overrides.MetadataOptions;
        return new ExtProcRouteSettings(false, mode)
        {
            Overrides = new GrpcProcessorOverrides
            {
                Method = method,
                Metadata = [.. overrides.GrpcInitialMetadata.Select(static h => KeyValuePair.Create(h.Key.ToLowerInvariant(), h.Value))],
                RequestAttributes = overrides.RequestAttributes.Count == 0
                    ? null : Attributes(overrides.RequestAttributes, translation, rejections),
                ResponseAttributes = overrides.ResponseAttributes.Count == 0
                    ? null : Attributes(overrides.ResponseAttributes, translation, rejections),
                Namespaces = metadata?.ForwardingNamespaces is { } sent ? [.. sent.Untyped] : null,
            },
            FailureModeAllow = overrides.FailureModeAllow,
            Namespaces = metadata?.ReceivingNamespaces is { } taken ? taken.Untyped.ToHashSet(StringComparer.Ordinal) : null,
        };
    }

    // The stream lives as long as its exchange; what is timed is each answer.
    private static GrpcMethod? Method(Envoy.Config.Core.V3.GrpcService service, Translation translation, Rejections rejections) =>
        SideTranslator.Grpc(service, Path, 0, translation, rejections) is { } method
            ? method with { Side = method.Side with { TimeoutMicros = 0 } } : null;

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, ExternalProcessor.Parser, rejections) is not { } m)
            return null;
        if (m.GrpcService is null)
            rejections.Add("grpc_service is required");
        if (m.GrpcService is null || Method(m.GrpcService, translation, rejections) is not { } method)
            return null;
        if (m.FilterMetadata is not null)
            rejections.Note("filter_metadata has no effect");
        MetadataOptions? metadata = m.MetadataOptions;
        var service = new GrpcProcessorService(new GrpcProcessorOptions
        {
            Method = method,
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
            Mode = Mode(m.ProcessingMode ?? new Wire(), m.FailureModeAllow, rejections),
            FailureModeAllow = m.FailureModeAllow,
            MessageMicros = ValueTranslator.Micros(m.MessageTimeout, MessageMicros),
            MessageMicrosMax = ValueTranslator.Micros(m.MaxMessageTimeout),
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
            Stats = translation.Statistics.Group(
                translation.HttpStatPrefix + (m.StatPrefix.Length > 0 ? $"ext_proc.{m.StatPrefix}." : "ext_proc."), ExtProcSettings.Schema),
        }) { DisabledByDefault = disabled };
    }

    private static ProcessingMode Mode(Wire mode, bool failureModeAllow, Rejections rejections)
    {
        const Wire.Types.BodySendMode Partial = Wire.Types.BodySendMode.BufferedPartial,
            Duplex = Wire.Types.BodySendMode.FullDuplexStreamed;
        if (mode.RequestBodyMode == Partial || mode.ResponseBodyMode == Partial)
            rejections.Add("body mode BUFFERED_PARTIAL is not served: use BUFFERED or STREAMED");
        if (mode.RequestBodyMode == Duplex && mode.RequestTrailerMode != Wire.Types.HeaderSendMode.Send)
            rejections.Add("If the ext_proc filter has the request_body_mode set to FULL_DUPLEX_STREAMED, then the request_trailer_mode "
                + "has to be set to SEND");
        if (mode.ResponseBodyMode == Duplex && mode.ResponseTrailerMode != Wire.Types.HeaderSendMode.Send)
            rejections.Add("If the ext_proc filter has the response_body_mode set to FULL_DUPLEX_STREAMED, then the "
                + "response_trailer_mode has to be set to SEND");
        // A server that was sent a body and fails takes it along; what of it has not begun yet goes on without it.
        if ((mode.RequestBodyMode == Duplex || mode.ResponseBodyMode == Duplex) && failureModeAllow)
            rejections.Note("failure_mode_allow holds until the first part of a body went to the processor (FULL_DUPLEX_STREAMED)");
        return GrpcProcessorService.ModeOf(mode);
    }

    private static HeaderNames Names(Envoy.Type.Matcher.V3.ListStringMatcher? names, Rejections rejections) =>
        names is null ? HeaderNames.None
            : new HeaderNames([.. names.Patterns.Select(p => MatcherTranslator.String(p, rejections)).OfType<StringMatch>()]);

    private static List<(string, CelProgram)> Attributes(IEnumerable<string> names, Translation translation, Rejections rejections) =>
        [.. names.Select(n => (n, CelTranslator.Program(n, translation, rejections))).Where(static a => a.Item2 is not null)
            .Select(static a => (a.n, a.Item2!))];
}
