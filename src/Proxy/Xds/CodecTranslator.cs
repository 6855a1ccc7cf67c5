using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Http;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Codec options of both sides.</summary>
internal static class CodecTranslator
{
    /// <summary>HTTP/1 of either side.</summary>
    public static Http1Options Http1(Core.Http1ProtocolOptions? o, Rejections rejections)
    {
        if (o is null)
            return new Http1Options();
        return new Http1Options
        {
            StreamErrorOnInvalidMessage = o.OverrideStreamErrorOnInvalidHttpMessage,
            AcceptHttp10 = o.AcceptHttp10,
            DefaultHostForHttp10 = o.DefaultHostForHttp10,
            AllowAbsoluteUrl = o.AllowAbsoluteUrl ?? true,
            AllowChunkedLength = o.AllowChunkedLength,
            AllowCustomMethods = o.AllowCustomMethods,
            Trailers = o.EnableTrailers,
            Spelling = Spelling(o.HeaderKeyFormat, rejections),
            ForwardReason = ForwardReason(o.HeaderKeyFormat, rejections),
            SendFullUrl = o.SendFullyQualifiedUrl,
        };
    }

    private static HeaderSpelling Spelling(Core.Http1ProtocolOptions.Types.HeaderKeyFormat? format, Rejections rejections)
    {
        if (format is null)
            return HeaderSpelling.Lower;
        if (format.ProperCaseWords is not null)
            return HeaderSpelling.ProperCase;
        if (format.StatefulFormatter?.TypedConfig is { } any
            && ValueTranslator.TypeName(any) == "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig")
            return HeaderSpelling.Preserve;
        rejections.Add($"header_key_format {format.StatefulFormatter?.Name} is not served");
        return HeaderSpelling.Lower;
    }

    private static bool ForwardReason(Core.Http1ProtocolOptions.Types.HeaderKeyFormat? format, Rejections rejections) =>
        format?.StatefulFormatter?.TypedConfig is { } any
        && ValueTranslator.TypeName(any) == "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig"
        && (ValueTranslator.Unpack(any, Envoy.Extensions.Http.HeaderFormatters.PreserveCase.V3.PreserveCaseFormatterConfig.Parser,
            rejections)?.ForwardReasonPhrase ?? false);

    /// <summary>HTTP/2 of either side.</summary>
    public static Http2Options Http2(Core.Http2ProtocolOptions? o, Rejections rejections)
    {
        var defaults = new Http2Options();
        if (o is null)
            return defaults;
        if (o.CustomSettingsParameters.Count > 0)
            rejections.Note("custom_settings_parameters have no effect");
        return new Http2Options
        {
            StreamErrorOnInvalidMessage = o.OverrideStreamErrorOnInvalidHttpMessage,
            HeaderTableSize = (int)Math.Min(o.HpackTableSize ?? (uint)defaults.HeaderTableSize, int.MaxValue),
            ConcurrentStreamsMax = o.MaxConcurrentStreams ?? defaults.ConcurrentStreamsMax,
            StreamWindow = (int)Math.Min(o.InitialStreamWindowSize ?? (uint)defaults.StreamWindow, int.MaxValue),
            ConnectionWindow = (int)Math.Min(o.InitialConnectionWindowSize ?? (uint)defaults.ConnectionWindow, int.MaxValue),
            AllowConnect = o.AllowConnect,
            OutboundFramesMax = (int)(o.MaxOutboundFrames ?? (uint)defaults.OutboundFramesMax),
            OutboundControlFramesMax = (int)(o.MaxOutboundControlFrames ?? (uint)defaults.OutboundControlFramesMax),
            EmptyFramesMax = (int)(o.MaxConsecutiveInboundFramesWithEmptyPayload ?? (uint)defaults.EmptyFramesMax),
            PriorityFramesMax = (int)(o.MaxInboundPriorityFramesPerStream ?? (uint)defaults.PriorityFramesMax),
            WindowUpdatesPerDataFrame = (int)(o.MaxInboundWindowUpdateFramesPerDataFrameSent ?? (uint)defaults.WindowUpdatesPerDataFrame),
            KeepAliveMicros = ValueTranslator.Micros(o.ConnectionKeepalive?.Interval),
            KeepAliveTimeoutMicros = ValueTranslator.Micros(o.ConnectionKeepalive?.Timeout),
            KeepAliveJitterPercent = (uint)(o.ConnectionKeepalive?.IntervalJitter?.Value ?? 15),
            IdlePingMicros = ValueTranslator.Micros(o.ConnectionKeepalive?.ConnectionIdleInterval),
        };
    }
}
