using Envoy.Extensions.Http.OriginalIpDetection.CustomHeader.V3;
using Envoy.Extensions.Http.OriginalIpDetection.Xff.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using HttpFilter = Lateen.Proxy.Exchanges.HttpFilter;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Discovered;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Core = Envoy.Config.Core.V3;
using Message = Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpConnectionManager;

namespace Lateen.Proxy.Xds;

/// <summary>HTTP connection managers.</summary>
internal static class HttpTranslator
{
    /// <summary>The running options; null where the manager must not be accepted.</summary>
    public static HttpOptions? Options(Message m, Translation translation, Rejections rejections)
    {
        string prefix = m.StatPrefix.Replace(':', '_');
        translation.HttpStatPrefix = $"http.{prefix}.";
        FilterChain? filters = Filters(m, translation, rejections);
        RouteSource? routes = Routes(m, translation, rejections);
        if (m.CodecType == Message.Types.CodecType.Http3)
            rejections.Add("HTTP/3 (QUIC) is not served");
        if (filters is null || routes is null)
            return null;
        Core.HttpProtocolOptions? shared = m.CommonHttpProtocolOptions;
        return new HttpOptions
        {
            StatPrefix = m.StatPrefix,
            Stats = translation.Statistics.Group($"http.{prefix}.", HttpStats.Schema),
            ListenerStats = translation.Statistics.Group($"{translation.ListenerStatPrefix}http.{prefix}.", HttpStats.OfListener),
            CodecStatsOne = translation.Statistics.Group("http1.", CodecStats.One),
            CodecStatsTwo = translation.Statistics.Group("http2.", CodecStats.Two),
            OnlyVersion = m.CodecType switch
            {
                Message.Types.CodecType.Http1 => HttpVersion.Http11,
                Message.Types.CodecType.Http2 => HttpVersion.Http2,
                _ => null,
            },
            Codec = Codec(m, rejections),
            Filters = filters,
            Routes = routes,
            Recorders = [.. m.AccessLog.Select(l => translation.Logs.Log(l, rejections)).OfType<ExchangeRecorder>(), translation.Decisions],
#pragma warning disable CS0612 // the older places of the log's settings
            LogAtStart = m.AccessLogOptions?.FlushAccessLogOnNewRequest ?? m.FlushAccessLogOnNewRequest,
            LogIntervalMicros = ValueTranslator.Micros(m.AccessLogOptions?.AccessLogFlushInterval ?? m.AccessLogFlushInterval),
#pragma warning restore CS0612
            Overload = translation.Overload,
            Tracer = m.Tracing is null ? null : TracingTranslator.Tracer(m.Tracing, translation, $"http.{prefix}.tracing.", rejections),
            LocalReplies = LocalReplyTranslator.Rules(m.LocalReplyConfig, translation, rejections),
            ProxyStatus = ProxyStatus(m, translation),
            ServerName = m.ServerName.Length > 0 ? m.ServerName : "envoy",
            ServerHeader = (ServerHeaderMode)m.ServerHeaderTransformation,
            Via = m.Via,
            StreamIdleMicros = ValueTranslator.Micros(m.StreamIdleTimeout, 300_000_000),
            RequestTimeoutMicros = ValueTranslator.Micros(m.RequestTimeout),
            MaxStreamMicros = ValueTranslator.Micros(shared?.MaxStreamDuration),
            ConnectionIdleMicros = ValueTranslator.Micros(shared?.IdleTimeout, 3_600_000_000),
            MaxConnectionMicros = ValueTranslator.Micros(shared?.MaxConnectionDuration),
            DrainMicros = ValueTranslator.Micros(m.DrainTimeout, 5_000_000),
            MaxRequestsPerConnection = shared?.MaxRequestsPerConnection ?? 0,
            UseRemoteAddress = m.UseRemoteAddress ?? false,
            LocalAddress = translation.OwnAddress,
            TrustedHops = m.XffNumTrustedHops,
            SkipXffAppend = m.SkipXffAppend,
            IpDetections = [.. m.OriginalIpDetectionExtensions.Select(e => Detection(e, rejections)).OfType<IpDetection>()],
            UserAgent = m.AddUserAgent ?? false ? System.Text.Encoding.Latin1.GetBytes(translation.Node.Cluster) : null,
            NodeId = System.Text.Encoding.Latin1.GetBytes(translation.Node.Id),
            AppendForwardedPort = m.AppendXForwardedPort,
            InternalNetworks = [.. m.InternalAddressConfig?.CidrRanges.Select(r => ValueTranslator.Prefix(r, rejections)).OfType<Prefix>()
                ?? []],
            UnixSocketsInternal = m.InternalAddressConfig?.UnixSockets ?? false,
            GenerateRequestId = m.GenerateRequestId ?? true,
            PreserveExternalRequestId = m.PreserveExternalRequestId,
            AlwaysSetRequestId = m.AlwaysSetRequestIdInResponse,
            PackTraceReason = PackTraceReason(m, rejections),
            NormalizePath = m.NormalizePath ?? false,
            MergeSlashes = m.MergeSlashes,
            EscapedSlashes = m.PathWithEscapedSlashesAction switch
            {
                Message.Types.PathWithEscapedSlashesAction.RejectRequest => EscapedSlashes.Reject,
                Message.Types.PathWithEscapedSlashesAction.UnescapeAndRedirect => EscapedSlashes.UnescapeAndRedirect,
                Message.Types.PathWithEscapedSlashesAction.UnescapeAndForward => EscapedSlashes.UnescapeAndForward,
                _ => EscapedSlashes.Keep,
            },
            // Istio switches the rejection of fragments off at run time; Envoy's own default rejects them.
            StripFragment = translation.Runtime.GetValueOrDefault("envoy.reloadable_features.http_reject_path_with_fragment") == "false",
            StripMatchingPort = m.StripMatchingHostPort,
            StripAnyPort = m.StripAnyHostPort,
            StripTrailingDot = m.StripTrailingHostDot,
            ClientCert = (ClientCertMode)m.ForwardClientCertDetails,
            ClientCertFields = CertFields(m.SetCurrentClientCertDetails),
            SchemeOverride = m.SchemeHeaderTransformation?.SchemeToOverwrite ?? "",
            Upgrades = m.UpgradeConfigs.ToDictionary(u => u.UpgradeType.ToLowerInvariant(), u => u.Enabled ?? true),
            EarlyMutations = Early(m, rejections),
        };
    }

    private static IpDetection? Detection(Core.TypedExtensionConfig extension, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In("original_ip_detection_extensions");
        switch (ValueTranslator.TypeName(extension.TypedConfig))
        {
            case "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig":
                if (ValueTranslator.Unpack(extension.TypedConfig, XffConfig.Parser, rejections) is not { } xff)
                    return null;
                if (xff.XffTrustedCidrs is not null && xff.XffNumTrustedHops > 0)
                    rejections.Add("Cannot set both xff_num_trusted_hops and xff_trusted_cidrs");
                return new IpDetection([], true, 0, xff.XffNumTrustedHops,
                    [.. xff.XffTrustedCidrs?.Cidrs.Select(r => ValueTranslator.Prefix(r, rejections)).OfType<Prefix>() ?? []],
                    !(xff.SkipXffAppend ?? true));
            case "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig":
                if (ValueTranslator.Unpack(extension.TypedConfig, CustomHeaderConfig.Parser, rejections) is not { } header)
                    return null;
                int status = header.RejectWithStatus is null ? 0 : (int)header.RejectWithStatus.Code is >= 400 and < 600 and var code
                    ? code : 403;
                return new IpDetection(System.Text.Encoding.Latin1.GetBytes(header.HeaderName.ToLowerInvariant()),
                    header.AllowExtensionToSetAddressAsTrusted, status, 0, [], false);
            default:
                rejections.Add($"Didn't find a registered implementation for name: '{extension.Name}'");
                return null;
        }
    }

    private static Exchanges.Heads.ProxyStatusOptions? ProxyStatus(Message m, Translation translation) =>
        m.ProxyStatusConfig is not { } told ? null : new()
        {
            Name = told.ProxyNameCase switch
            {
                Message.Types.ProxyStatusConfig.ProxyNameOneofCase.UseNodeId => translation.Node.Id,
                Message.Types.ProxyStatusConfig.ProxyNameOneofCase.LiteralProxyName => told.LiteralProxyName,
                _ => m.ServerName.Length > 0 ? m.ServerName : "envoy",
            },
            Details = !told.RemoveDetails,
            TerminationDetails = !told.RemoveConnectionTerminationDetails,
            Flags = !told.RemoveResponseFlags,
            SetRecommendedStatus = told.SetRecommendedResponseCode,
        };

    private static FilterChain? Filters(Message m, Translation translation, Rejections rejections)
    {
        var filters = new List<HttpFilter>();
        for (int i = 0; i < m.HttpFilters.Count; i++)
        {
            if (One(m.HttpFilters[i], i, translation, rejections) is { } filter)
                filters.Add(filter);
        }
        if (!rejections.None)
            return null;
        int terminal = filters.FindIndex(f => f.IsTerminal);
        if (terminal < 0)
            rejections.Add("Error: terminal filter is missing: the last HTTP filter must be the router");
        else if (terminal != filters.Count - 1)
            rejections.Add($"Error: terminal filter named {filters[terminal].Name} must be the last filter in a http filter chain.");
        else if (filters.Count <= 64)
            return new FilterChain(filters);
        else
            rejections.Add("a chain has at most 64 HTTP filters");
        return null;
    }

    private static HttpFilter? One(Envoy.Extensions.Filters.Network.HttpConnectionManager.V3.HttpFilter filter, int index,
        Translation translation, Rejections rejections)
    {
        using Rejections.Scope scope = rejections.In($"http_filters[{index}]");
        if (filter.TypedConfig is not null)
            return translation.Filters.Filter(filter.Name, filter.TypedConfig, filter.IsOptional, filter.Disabled, rejections);
        if (filter.ConfigDiscovery is { } discovery)
        {
            return new DiscoveredFilter(
                filter.Name,
                translation.Extensions.Http(filter.Name, discovery,
                    (any, r) => translation.Filters.Filter(filter.Name, any, optional: false, disabled: false, r),
                    rejections)) { DisabledByDefault = filter.Disabled };
        }
        rejections.Add($"filter {filter.Name} has no configuration that is served");
        return null;
    }

    private static RouteSource? Routes(Message m, Translation translation, Rejections rejections)
    {
        switch (m.RouteSpecifierCase)
        {
            case Message.RouteSpecifierOneofCase.RouteConfig:
                using (rejections.In("route_config"))
                    return new RouteSource(m.RouteConfig.Name, translation.Routes.Table(m.RouteConfig, rejections, isInline: true));
            case Message.RouteSpecifierOneofCase.Rds:
                translation.RoutesPrefix(m.Rds.RouteConfigName);
                return translation.RouteSource(m.Rds.RouteConfigName);
            default:
                rejections.Add($"route specifier {m.RouteSpecifierCase} is not served");
                return null;
        }
    }

    private static CodecOptions Codec(Message m, Rejections rejections)
    {
        bool streamErrors = m.StreamErrorOnInvalidHttpMessage ?? false;
        Http2Options two = CodecTranslator.Http2(m.Http2ProtocolOptions, rejections);
        return new CodecOptions
        {
            HeadBytesMax = (int)(m.MaxRequestHeadersKb ?? 60) * 1024,
            HeaderCountMax = (int)(m.CommonHttpProtocolOptions?.MaxHeadersCount ?? 100),
            Underscores = (UnderscoreAction)(m.CommonHttpProtocolOptions?.HeadersWithUnderscoresAction ?? 0),
            StreamErrorOnInvalidMessage = streamErrors,
            Proxy100Continue = m.Proxy100Continue,
            DelayedCloseMicros = ValueTranslator.Micros(m.DelayedCloseTimeout, 1_000_000),
            HeadTimeoutMicros = ValueTranslator.Micros(m.RequestHeadersTimeout),
            One = CodecTranslator.Http1(m.HttpProtocolOptions, rejections),
            Two = two with { AllowConnect = two.AllowConnect },
        };
    }

    private static bool PackTraceReason(Message m, Rejections rejections)
    {
        if (m.RequestIdExtension?.TypedConfig is not { } any)
            return true;
        if (ValueTranslator.TypeName(any) != "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig")
        {
            rejections.Add($"request_id_extension {any.TypeUrl} is not served");
            return true;
        }
        return ValueTranslator.Unpack(any, Envoy.Extensions.RequestId.Uuid.V3.UuidRequestIdConfig.Parser, rejections)?.PackTraceReason
            ?? true;
    }

    private static ClientCertFields CertFields(Message.Types.SetCurrentClientCertDetails? details) =>
        details is null ? ClientCertFields.None
        : ((details.Subject ?? false) ? ClientCertFields.Subject : 0) | (details.Cert ? ClientCertFields.Cert : 0)
            | (details.Chain ? ClientCertFields.Chain : 0)
            | (details.Dns ? ClientCertFields.Dns : 0) | (details.Uri ? ClientCertFields.Uri : 0);

    private static HeaderMutations Early(Message m, Rejections rejections)
    {
        var remove = new List<byte[]>();
        var add = new List<HeaderAddition>();
        foreach (Core.TypedExtensionConfig extension in m.EarlyHeaderMutationExtensions)
        {
            if (ValueTranslator.TypeName(
                extension.TypedConfig) != "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation")
            {
                rejections.Add($"early_header_mutation_extensions {extension.Name} is not served");
                continue;
            }
            var mutation = ValueTranslator.Unpack(extension.TypedConfig,
                Envoy.Extensions.Http.EarlyHeaderMutation.HeaderMutation.V3.HeaderMutation.Parser, rejections);
            foreach (Envoy.Config.Common.MutationRules.V3.HeaderMutation one in mutation?.Mutations ?? [])
            {
                HeaderMutations translated = RouteTranslator.Mutations(one.Append is null ? [] : [one.Append],
                    one.Remove.Length > 0 ? [one.Remove] : [], rejections);
                remove.AddRange(translated.Remove);
                add.AddRange(translated.Add);
            }
        }
        return remove.Count + add.Count == 0 ? HeaderMutations.None : new HeaderMutations(remove, add);
    }
}
