using Envoy.Extensions.Filters.Common.SetFilterState.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Tcp;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds.Network;

/// <summary>set_filter_state.</summary>
internal static class FilterStateTranslator
{
    /// <summary>The network filter.</summary>
    public static FilterStateFilter? Filter(Any any, Rejections rejections) =>
        ValueTranslator.Unpack(any, Envoy.Extensions.Filters.Network.SetFilterState.V3.Config.Parser, rejections) is { } config
            ? new FilterStateFilter(Values(config.OnNewConnection, "on_new_connection", rejections)) : null;

    /// <summary>Values of a list.</summary>
    public static List<Proxy.Tcp.FilterStateValue> Values(
        IReadOnlyList<Envoy.Extensions.Filters.Common.SetFilterState.V3.FilterStateValue> values, string field, Rejections rejections)
    {
        var made = new List<Proxy.Tcp.FilterStateValue>();
        for (int i = 0; i < values.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"{field}[{i}]");
            if (Format(values[i].FormatString, rejections) is { } format)
                made.Add(new Proxy.Tcp.FilterStateValue(values[i].ObjectKey, format, values[i].SkipIfEmpty));
        }
        return made;
    }

    private static TextFormat? Format(Core.SubstitutionFormatString? message, Rejections rejections)
    {
        try
        {
            switch (message?.FormatCase)
            {
                case Core.SubstitutionFormatString.FormatOneofCase.TextFormatSource:
                    return TextFormat.Parse(System.Text.Encoding.UTF8.GetString(ValueTranslator.Data(message.TextFormatSource, rejections)
                        ?? []));
#pragma warning disable CS0612 // the older place of the text
                case Core.SubstitutionFormatString.FormatOneofCase.TextFormat:
                    return TextFormat.Parse(message.TextFormat);
#pragma warning restore CS0612
                default:
                    rejections.Add("format_string must be a text format");
                    return null;
            }
        }
        catch (FormatException e)
        {
            rejections.Add($"format_string: {e.Message}");
            return null;
        }
    }
}
