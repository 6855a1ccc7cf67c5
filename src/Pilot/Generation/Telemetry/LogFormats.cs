using Envoy.Config.Core.V3;
using Envoy.Extensions.Formatter.ReqWithoutQuery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Pilot.Generation.Filters;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>Formats of access logs.</summary>
public static class LogFormats
{
    /// <summary>The text format without a setting.</summary>
    public const string DefaultText =
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
        + "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% \"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% "
        + "%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" "
        + "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% "
        + "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

    private const string WithoutQuery = "%REQ_WITHOUT_QUERY";

    private static readonly (string Key, string Value)[] DefaultLabels =
    [
        ("authority", "%REQ(:AUTHORITY)%"), ("bytes_received", "%BYTES_RECEIVED%"), ("bytes_sent", "%BYTES_SENT%"),
        ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"), ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
        ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"), ("duration", "%DURATION%"), ("method", "%REQ(:METHOD)%"),
        ("path", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"), ("protocol", "%PROTOCOL%"), ("request_id", "%REQ(X-REQUEST-ID)%"),
        ("requested_server_name", "%REQUESTED_SERVER_NAME%"), ("response_code", "%RESPONSE_CODE%"),
        ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
        ("response_flags", "%RESPONSE_FLAGS%"), ("route_name", "%ROUTE_NAME%"), ("start_time", "%START_TIME%"),
        ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"), ("upstream_host", "%UPSTREAM_HOST%"),
        ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
        ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
        ("upstream_transport_failure_reason", "%UPSTREAM_TRANSPORT_FAILURE_REASON%"),
        ("user_agent", "%REQ(USER-AGENT)%"), ("x_forwarded_for", "%REQ(X-FORWARDED-FOR)%"),
    ];

    /// <summary>A text format with a line end, or the default for the empty text.</summary>
    public static string TextOrDefault(string format) => format.Length == 0 ? DefaultText : format.EndsWith('\n') ? format : format + "\n";

    /// <summary>One line of text.</summary>
    public static SubstitutionFormatString Text(string format, bool omitEmpty = false)
    {
        var result = new SubstitutionFormatString
        {
            TextFormatSource = new DataSource { InlineString = format },
            OmitEmptyValues = omitEmpty,
        };
        result.Formatters.Add(Formatters([format]));
        return result;
    }

    /// <summary>One JSON object; null stands for the default labels.</summary>
    public static SubstitutionFormatString Json(Struct? labels, bool omitEmpty = false)
    {
        var format = labels is { Fields.Count: > 0 } ? labels : DefaultJson();
        var result = new SubstitutionFormatString
        {
            JsonFormat = format,
            JsonFormatOptions = new JsonFormatOptions(),
            OmitEmptyValues = omitEmpty,
        };
        result.Formatters.Add(Formatters(
            format.Fields.Values.Select(static v => v.KindCase == Value.KindOneofCase.StringValue ? v.StringValue : "")));
        return result;
    }

    /// <summary>The labels without a setting.</summary>
    public static Struct DefaultJson()
    {
        var result = new Struct();
        foreach (var (key, value) in DefaultLabels) result.Fields[key] = Value.ForString(value);
        return result;
    }

    /// <summary>Reads a JSON format of the mesh configuration; null when it is not an object.</summary>
    public static Struct? Parse(string json)
    {
        try
        {
            return json.Length == 0 ? null : Struct.Parser.ParseJson(json);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>Extensions that must be named for operators which are not built in.</summary>
    public static IEnumerable<TypedExtensionConfig> Formatters(IEnumerable<string> formats) =>
        formats.Any(static f => f.Contains(WithoutQuery, StringComparison.Ordinal))
            ? [new TypedExtensionConfig { Name = "envoy.formatter.req_without_query", TypedConfig = Wire.Pack(new ReqWithoutQuery()) }]
            : [];
}
