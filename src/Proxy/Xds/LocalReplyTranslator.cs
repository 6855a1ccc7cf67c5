using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Telemetry;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Rules for answers that the proxy makes itself (local_reply_config).</summary>
internal static class LocalReplyTranslator
{
    /// <summary>The rules; null where none are set.</summary>
    public static LocalReplyRules? Rules(LocalReplyConfig? config, Translation translation, Rejections rejections)
    {
        if (config is null)
            return null;
        using Rejections.Scope scope = rejections.In("local_reply_config");
        var mappers = new List<ReplyMapper>();
        foreach (ResponseMapper mapper in config.Mappers)
        {
            LogFilter? filter = mapper.Filter is null ? null : AccessLogTranslator.Filter(mapper.Filter, translation.Runtime, rejections);
            byte[]? body = ValueTranslator.Data(mapper.Body, rejections);
            mappers.Add(new ReplyMapper(filter, (int?)mapper.StatusCode, body, Body(mapper.BodyFormatOverride, rejections),
                RouteTranslator.Mutations(mapper.HeadersToAdd, [], rejections)));
        }
        return new ReplyRules(mappers, Body(config.BodyFormat, rejections));
    }

    /// <summary>Whether the operators of further formatters are among those that are built in; others are refused by name.</summary>
    public static bool Formatters(IEnumerable<Core.TypedExtensionConfig> formatters, Rejections rejections)
    {
        bool all = true;
        foreach (Core.TypedExtensionConfig formatter in formatters)
        {
            if (formatter.TypedConfig is { } config
                && ValueTranslator.TypeName(config) is "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"
                    or "envoy.extensions.formatter.metadata.v3.Metadata" or "envoy.extensions.formatter.cel.v3.Cel"
                    or "envoy.extensions.formatter.xfcc_value.v3.XfccValue")
                continue;
            rejections.Add($"Formatter not found: {formatter.Name}");
            all = false;
        }
        return all;
    }

    /// <summary>A body made by a format.</summary>
    public static ReplyBody? Body(Core.SubstitutionFormatString? format, Rejections rejections)
    {
        if (format is null || !Formatters(format.Formatters, rejections))
            return null;
        try
        {
            switch (format.FormatCase)
            {
                case Core.SubstitutionFormatString.FormatOneofCase.JsonFormat:
                    return new ReplyBody(null, ValueTranslator.Json(format.JsonFormat), format.OmitEmptyValues,
                        format.ContentType.Length > 0 ? format.ContentType : "application/json");
                case Core.SubstitutionFormatString.FormatOneofCase.TextFormatSource:
                    string text = System.Text.Encoding.UTF8.GetString(ValueTranslator.Data(format.TextFormatSource, rejections) ?? []);
                    return new ReplyBody(TextFormat.Parse(text), default, format.OmitEmptyValues,
                        format.ContentType.Length > 0 ? format.ContentType : null);
                default:
#pragma warning disable CS0612
                    return new ReplyBody(TextFormat.Parse(format.TextFormat), default, format.OmitEmptyValues,
                        format.ContentType.Length > 0 ? format.ContentType : null);
#pragma warning restore CS0612
            }
        }
        catch (FormatException e)
        {
            rejections.Add(e.Message);
            return null;
        }
    }
}
