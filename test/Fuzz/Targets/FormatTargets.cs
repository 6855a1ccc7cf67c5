using System.Globalization;
using System.Text;
using System.Text.Json;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Telemetry;
using Lateen.Test.Fuzz.Frame;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Expressions: refused by position, or compiled and asked of a stream of which everything is known and of one of which
/// nothing is.</summary>
internal sealed class ExpressionTarget : FuzzTarget
{
    public override string Name => "cel";

    // Constant regular expressions are compiled; who writes one is an operator.
    public override long AllocationMax(int length) => 40_000_000;

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "request.headers['a']", " && ", " || ", "!", "(", ")", "[", "]", "{", "}", ".matches('", "'(a+)+$'", ".size()",
            "duration('1h')", "timestamp('", "has(", "re.extract(", "0x", "1e400", "18446744073709551615u", "b'", "r\"", "'''", " ? 1 : ",
            " in ", "-9223372036854775808" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [.. new[] { "request.path.startsWith('/a') && source.port > 80",
            "has(request.headers['x']) ? {'a': 1}['a'] == 1 : [1u, 2u][0] in [3u]",
            "re.capture(connection.requested_server_name, '([a-z]+)') == 'x'" }.Select(Encoding.ASCII.GetBytes)];

    public override string Play(byte[] input, Chance? cuts)
    {
        CelProgram program;
        try
        {
            program = CelProgram.Parse(Encoding.UTF8.GetString(input));
        }
        catch (CelException e)
        {
            return e.Message.Length > 0 ? "refused\n" + e.Message : throw new InvalidOperationException("refused without a reason");
        }
        return "compiled\n" + Ask(program, SampleStream.Rich) + "\n" + Ask(program, SampleStream.Bare);
    }

    private static string Ask(CelProgram program, SampleStream stream)
    {
        var text = new ByteBuffer();
        CelKind kind = program.Print(stream, text);
        bool holds = program.Matches(stream), isTrue = kind == CelKind.Bool && text.Written.SequenceEqual("true"u8);
        if (holds != isTrue || (kind == CelKind.Error && text.Length > 0))
            throw new InvalidOperationException($"holds: {holds}, prints {kind} {Encoding.UTF8.GetString(text.Written)}");
        return $"{kind} {holds}";
    }

    // Mostly of kinds that fit, so that they come far.
    private static readonly string[] Atoms =
    [
        "1", "0", "-1", "2u", "0u", "1.5", "1e308", "-0.0", "9223372036854775807", "18446744073709551615u", "0x7f", "'a'", "''",
        "'\\u00fc'",
        "b'\\xff'", "true", "false", "null", "[1,'a',2u]", "[]", "{'a':1,2:'b'}", "{}", "duration('1h2m3.5s')", "duration('-1ns')",
        "timestamp('2026-01-02T03:04:05Z')", "request.headers['x-n']", "request.headers", "request.path", "request.time", "request.size",
        "request.duration", "request.query", "request.total_size", "response.code", "response.flags", "response.headers['none']",
        "response.grpc_status", "connection.mtls", "connection.id", "source.address", "source.port", "upstream.address", "metadata",
        "metadata.filter_metadata['istio.demo'].key.inner", "filter_state['k']", "xds.route_name", "xds.route_metadata", "nothing.here",
    ];

    private static readonly string[] Infix =
        [" && ", " || ", " == ", " != ", " < ", " <= ", " > ", " >= ", " + ", " - ", " * ", " / ", " % ", " in "];

    private static readonly string[] Calls =
    [
        "size(@)", "int(@)", "uint(@)", "double(@)", "string(@)", "bytes(@)", "bool(@)", "dyn(@)", "duration(@)", "timestamp(@)", "!@",
        "-@",
        "@.size()", "@.getFullYear()", "@.getDayOfWeek()", "@.getMilliseconds()", "@.getHours()", "@.matches('^[a-z/]+$')",
        "@.contains(@)", "@.startsWith(@)", "@.endsWith(@)", "@[@]", "@[0]", "@['a']", "@.a", "has(@.a)", "(@ ? @ : @)", "[@, @]", "{@: @}",
        "re.extract(@, '(.)(.)', '\\\\2\\\\1')", "re.capture(@, '(b+)')",
    ];

    public override byte[] Make(Chance chance, InputPool pool) => Encoding.UTF8.GetBytes(Some(chance, 4));

    private static string Some(Chance chance, int depth)
    {
        if (depth == 0 || chance.Hits(1, 4))
            return Atoms[chance.Below((uint)Atoms.Length)];
        if (chance.Hits(1, 2))
            return "(" + Some(chance, depth - 1) + Infix[chance.Below((uint)Infix.Length)] + Some(chance, depth - 1) + ")";
        string[] parts = Calls[chance.Below((uint)Calls.Length)].Split('@');
        return string.Concat(parts.Select((p, i) => i == 0 ? p : Some(chance, depth - 1) + p));
    }
}

/// <summary>Formats of logs and headers: refused by name and position, or taken and written of a stream of which everything is known and
/// of one of which nothing is: as a line that values can't break, and as JSON.</summary>
internal sealed class FormatTarget : FuzzTarget
{
    public override string Name => "log-format";

    public override bool HasPieces => false;

    public override IReadOnlyList<byte[]> Words =>
        [.. new[] { "%REQ(", "%RESP(A?B):", "%START_TIME(%Y %3f %E6f)%", "%DYNAMIC_METADATA(a:b)", "%FILTER_STATE(a:FIELD:b)%",
            "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:ms)%", "%CEL(request.path)%", "%PATH(NQ:ORIG)%", "%%", ")%", "):5%", "%QUERY_PARAM(",
            "%TRACE_ID%", ":99999999999%" }.Select(Encoding.ASCII.GetBytes)];

    public override IEnumerable<byte[]> Seeds =>
        [
            "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_SENT% \"%UPSTREAM_HOST%\"\n"u8.ToArray()];

    public override string Play(byte[] input, Chance? cuts)
    {
        string written = Encoding.UTF8.GetString(input);
        TextFormat format;
        try
        {
            format = TextFormat.Parse(written);
        }
        catch (FormatException e)
        {
            return e.Message.Length > 0 ? "refused\n" + e.Message : throw new InvalidOperationException("refused without a reason");
        }
        var json = new JsonFormat(JsonSerializer.SerializeToElement(new Dictionary<string, string> { ["a"] = written }), omitEmpty: false);
        return Write(format, json, SampleStream.Rich, written) + "\n" + Write(format, json, SampleStream.Bare, written);
    }

    private static string Write(TextFormat format, JsonFormat json, SampleStream stream, string written)
    {
        var line = new ByteBuffer();
        format.WriteLine(stream, line);
        bool own = written.AsSpan().IndexOfAnyInRange('\0', '\x1f') >= 0 || written.Contains('\x7f', StringComparison.Ordinal);
        if (!own && line.Written.IndexOfAnyInRange((byte)0, (byte)0x1f) >= 0)
            throw new InvalidOperationException("a value broke the line: " + Convert.ToHexString(line.Written));
        var record = new ByteBuffer();
        json.Write(stream, record);
        using JsonDocument parsed = JsonDocument.Parse(record.Memory);
        JsonElement value = parsed.RootElement.TryGetProperty("a", out JsonElement a) ? a : default;
        return string.Join(' ', format.Parts.Select(static p => p.GetType().Name)) + "\n" + value.ValueKind;
    }

    private static readonly string[] Operators =
    [
        "REQ(@)", "RESP(@)", "TRAILER(@)", "REQ_WITHOUT_QUERY(@)", "QUERY_PARAM(@)", "QUERY_PARAMS", "PATH(@)", "START_TIME",
        "START_TIME(@)",
        "START_TIME_LOCAL(@)", "EMIT_TIME(@)", "PROTOCOL", "RESPONSE_CODE", "RESPONSE_FLAGS", "RESPONSE_FLAGS_LONG",
        "RESPONSE_CODE_DETAILS",
        "BYTES_RECEIVED", "DURATION", "COMMON_DURATION(@)", "UPSTREAM_HOST", "UPSTREAM_CLUSTER", "DOWNSTREAM_REMOTE_ADDRESS",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(@)", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "DOWNSTREAM_LOCAL_PORT", "DYNAMIC_METADATA(@)",
        "METADATA(@)", "CLUSTER_METADATA(@)", "FILTER_STATE(@)", "GRPC_STATUS", "GRPC_STATUS(@)", "GRPC_STATUS_NUMBER", "CEL(@)",
        "TYPED_CEL(@)",
        "LOCAL_REPLY_BODY", "CONNECTION_TERMINATION_DETAILS", "STREAM_ID", "TRACE_ID", "DOWNSTREAM_PEER_SUBJECT",
        "DOWNSTREAM_PEER_CERT_V_START(@)",
        "UPSTREAM_TRANSPORT_FAILURE_REASON", "ENVIRONMENT(@)", "UPSTREAM_HOST_NAME", "CUSTOM_FLAGS", "NO_SUCH",
    ];

    private static readonly string[] Arguments =
    [
        ":path", "x-none?x-twice", "x-line", "a", "", "NQ:ORIG", "WQ", "%Y-%m-%dT%H:%M:%S.%3fZ", "%E9S %9f %s %q %",
        "DS_RX_BEG:DS_TX_END:ns",
        "US_TX_END:US_RX_BEG:us", "MASK_PREFIX_LEN=33", "MASK_PREFIX_LEN=0", "istio.demo", "istio.demo:text", "istio.demo:key:list",
        "ROUTE:istio.demo:a",
        "k:PLAIN", "long:TYPED", "k:FIELD:x", "SNAKE_STRING", "request.headers", "request.headers['x-line'] + ')%'", "response.code / 0",
    ];

    public override byte[] Make(Chance chance, InputPool pool)
    {
        var text = new StringBuilder();
        for (uint n = 1 + chance.Below(4); n > 0; n--)
        {
            text.Append(chance.Hits(1, 3) ? "a %% \"" : "").Append('%')
                .Append(Operators[chance.Below((uint)Operators.Length)].Replace("@", Arguments[chance.Below((uint)Arguments.Length)],
                    StringComparison.Ordinal))
                .Append(chance.Hits(1, 4) ? string.Create(CultureInfo.InvariantCulture, $":{chance.Below(6)}") : "")
                .Append('%');
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
