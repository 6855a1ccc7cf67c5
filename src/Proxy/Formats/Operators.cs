using Lateen.Proxy.Http;

namespace Lateen.Proxy.Formats;

/// <summary>A part that reads a value of the stream; static functions, so that making one is all that costs.</summary>
internal sealed class ValuePart(Func<IStreamFacts, ByteBuffer, bool> write, bool isNumber = false, int lengthMax = -1) : FormatPart
{
    public override JsonForm WriteJson(IStreamFacts facts, ByteBuffer to) =>
        !Write(facts, to) ? JsonForm.None : isNumber ? JsonForm.Value : JsonForm.Text;

    public override bool Write(IStreamFacts facts, ByteBuffer to)
    {
        int before = to.Length;
        if (!write(facts, to))
            return false;
        if (lengthMax >= 0)
            to.Truncate(before + lengthMax);
        return true;
    }
}

/// <summary>An expression's value. One that comes to an error, or to nothing, has none.</summary>
internal sealed class ExpressionPart(Cel.CelProgram program, bool typed, int lengthMax) : FormatPart
{
    public override bool Write(IStreamFacts facts, ByteBuffer to)
    {
        int before = to.Length;
        if (program.Print(facts, to) is Cel.CelKind.Error or Cel.CelKind.Null)
        {
            to.Truncate(before);
            return false;
        }
        if (lengthMax >= 0)
            to.Truncate(before + lengthMax);
        return true;
    }

    public override JsonForm WriteJson(IStreamFacts facts, ByteBuffer to)
    {
        int before = to.Length;
        Cel.CelKind kind = typed ? program.Export(facts, to) : program.Print(facts, to);
        if (kind is Cel.CelKind.Error or Cel.CelKind.Null)
        {
            to.Truncate(before);
            return JsonForm.None;
        }
        bool text = kind is Cel.CelKind.String or Cel.CelKind.Bytes or Cel.CelKind.Duration or Cel.CelKind.Timestamp;
        return typed && !text ? JsonForm.Value : JsonForm.Text;
    }
}

/// <summary>The table of all operators of Envoy's format strings, by name.</summary>
internal static partial class Operators
{
    /// <summary>The part of an operator; null for an unknown name.</summary>
    /// <exception cref="FormatException">The argument is wrong.</exception>
    public static FormatPart? Make(OperatorText op)
    {
        Func<IStreamFacts, ByteBuffer, bool>? number = Number(op);
        if (number is not null)
            return new ValuePart(number, isNumber: true);
        Func<IStreamFacts, ByteBuffer, bool>? text = Result(op) ?? Place(op) ?? Headers(op) ?? Times(op) ?? Tls(op);
        return text is not null ? new ValuePart(text, lengthMax: op.LengthMax) : op.Name is "CEL" or "TYPED_CEL"
            ? Expression(op) : State(op);
    }

    private static ExpressionPart Expression(OperatorText op)
    {
        try
        {
            return new ExpressionPart(Cel.CelProgram.Parse(Required(op)), op.Name == "TYPED_CEL", op.LengthMax);
        }
        catch (Cel.CelException e)
        {
            throw new FormatException($"operator %{op.Name}({op.Argument})%: {e.Message}");
        }
    }

    /// <summary>Writes a text; false where it is empty.</summary>
    internal static bool Put(ByteBuffer to, string text)
    {
        if (text.Length == 0)
            return false;
        to.Append(text);
        return true;
    }

    private static bool Put(ByteBuffer to, long number)
    {
        to.Append(number);
        return true;
    }

    private static Func<IStreamFacts, ByteBuffer, bool>? Number(OperatorText op) => op.Name switch
    {
        "RESPONSE_CODE" => static (f, b) => Put(b, f.Status),
        "BYTES_RECEIVED" => static (f, b) => Put(b, f.BytesReceived),
        "BYTES_SENT" => static (f, b) => Put(b, f.BytesSent),
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => static (f, b) => Put(b, f.Attempts),
        "CONNECTION_ID" => static (f, b) => Put(b, f.ConnectionId),
        "UPSTREAM_CONNECTION_ID" => static (f, b) => Put(b, f.UpstreamConnectionId),
        "DURATION" => static (f, b) => Put(b, ((f.Times.End != 0 ? f.Times.End : f.Now) - f.Times.RequestBegin) / 1000),
        "REQUEST_DURATION" => static (f, b) => Span(b, f.Times.RequestBegin, f.Times.RequestEnd),
        "REQUEST_TX_DURATION" => static (f, b) => Span(b, f.Times.RequestBegin, f.Times.UpstreamSendEnd),
        "RESPONSE_DURATION" => static (f, b) => Span(b, f.Times.RequestBegin, f.Times.UpstreamReceiveBegin),
        "RESPONSE_TX_DURATION" =>
            static (f, b) => f.Times.UpstreamReceiveBegin != 0 && Span(b, f.Times.UpstreamReceiveBegin, f.Times.ResponseEnd),
        "DOWNSTREAM_HANDSHAKE_DURATION" =>
            static (f, b) => f.Times.DownstreamHandshakeEnd != 0
                && Span(b, f.Times.DownstreamConnectionBegin, f.Times.DownstreamHandshakeEnd),
        "ROUNDTRIP_DURATION" => static (_, _) => false,
        "UPSTREAM_CONNECTION_POOL_READY_DURATION" => static (f, b) => Span(b, f.Times.RequestBegin, f.Times.UpstreamPoolReady),
        "REQUEST_HEADERS_BYTES" => static (f, b) => Put(b, f.RequestHead?.ByteSize ?? 0),
        "RESPONSE_HEADERS_BYTES" => static (f, b) => Put(b, f.ResponseHead?.ByteSize ?? 0),
        "RESPONSE_TRAILERS_BYTES" => static (f, b) => Put(b, f.ResponseTrailers?.ByteSize ?? 0),
        "DOWNSTREAM_WIRE_BYTES_SENT" => static (f, b) => Put(b, f.DownstreamBytes.HeadSent + f.DownstreamBytes.BodySent),
        "DOWNSTREAM_WIRE_BYTES_RECEIVED" => static (f, b) => Put(b, f.DownstreamBytes.HeadReceived + f.DownstreamBytes.BodyReceived),
        "DOWNSTREAM_HEADER_BYTES_SENT" or "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT" =>
            static (f, b) => Put(b, f.DownstreamBytes.HeadSent - f.DownstreamBytes.PlainSent),
        "DOWNSTREAM_HEADER_BYTES_RECEIVED" or "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED" =>
            static (f, b) => Put(b, f.DownstreamBytes.HeadReceived - f.DownstreamBytes.PlainReceived),
        "UPSTREAM_WIRE_BYTES_SENT" => static (f, b) => Put(b, f.UpstreamBytes.HeadSent + f.UpstreamBytes.BodySent),
        "UPSTREAM_WIRE_BYTES_RECEIVED" => static (f, b) => Put(b, f.UpstreamBytes.HeadReceived + f.UpstreamBytes.BodyReceived),
        "UPSTREAM_HEADER_BYTES_SENT"
            or "UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT" => static (f, b) => Put(b, f.UpstreamBytes.HeadSent - f.UpstreamBytes.PlainSent),
        "UPSTREAM_HEADER_BYTES_RECEIVED" or "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED" =>
            static (f, b) => Put(b, f.UpstreamBytes.HeadReceived - f.UpstreamBytes.PlainReceived),
        "GRPC_STATUS_NUMBER" => static (f, b) => GrpcStatus.Find(f, out int code) && Put(b, code),
        "UPSTREAM_REMOTE_PORT" => static (f, b) => Port(b, f.UpstreamRemote),
        "UPSTREAM_LOCAL_PORT" => static (f, b) => Port(b, f.UpstreamLocal),
        "DOWNSTREAM_REMOTE_PORT" => static (f, b) => Port(b, f.DownstreamRemote),
        "DOWNSTREAM_DIRECT_REMOTE_PORT" => static (f, b) => Port(b, f.DownstreamDirectRemote),
        "DOWNSTREAM_LOCAL_PORT" => static (f, b) => Port(b, f.DownstreamLocal),
        "DOWNSTREAM_DIRECT_LOCAL_PORT" => static (f, b) => Port(b, f.DownstreamDirectLocal),
        "COMMON_DURATION" => CommonDuration(op),
        _ => null,
    };

    private static bool Span(ByteBuffer to, long from, long until) => until != 0 && Put(to, Math.Max(0, until - from) / 1000);

    private static Func<IStreamFacts, ByteBuffer, bool>? Result(OperatorText op) => op.Name switch
    {
        "PROTOCOL" => static (f, b) => f.Protocol is { } p && Put(b, Name(p)),
        "UPSTREAM_PROTOCOL" => static (f, b) => f.UpstreamProtocol is { } p && Put(b, Name(p)),
        // Spaces in details would break a log's columns.
        "RESPONSE_CODE_DETAILS" when op.Argument == "ALLOW_WHITESPACES" => static (f, b) => f.HasDetails && (Put(b, f.Details) || true),
        "RESPONSE_CODE_DETAILS" =>
            static (f, b) => f.HasDetails
                && (Put(b, f.Details.Contains(' ', StringComparison.Ordinal) ? f.Details.Replace(' ', '_') : f.Details) || true),
        "RESPONSE_FLAGS" => static (f, b) => ResponseFlagNames.Write(f.Flags, b, order: f.FlagOrder) || Put(b, "-"),
        "RESPONSE_FLAGS_LONG" => static (f, b) => ResponseFlagNames.Write(f.Flags, b, longNames: true, order: f.FlagOrder) || Put(b, "-"),
        "CONNECTION_TERMINATION_DETAILS" => static (f, b) => Put(b, f.TerminationDetails),
        "GRPC_STATUS" => Grpc(op),
        "LOCAL_REPLY_BODY" => static (f, b) => { b.Append(f.LocalReplyBody); return true; },
        "UPSTREAM_TRANSPORT_FAILURE_REASON" =>
            static (f, b) => Put(b, f.UpstreamTransportFailure.Contains(' ', StringComparison.Ordinal)
                ? f.UpstreamTransportFailure.Replace(' ', '_') : f.UpstreamTransportFailure),
        "DOWNSTREAM_TRANSPORT_FAILURE_REASON" =>
            static (f, b) => Put(b, f.DownstreamTransportFailure.Contains(' ', StringComparison.Ordinal)
                ? f.DownstreamTransportFailure.Replace(' ', '_') : f.DownstreamTransportFailure),
        "ROUTE_NAME" => static (f, b) => Put(b, f.RouteName),
        "VIRTUAL_CLUSTER_NAME" => static (f, b) => Put(b, f.VirtualClusterName),
        "VIRTUAL_HOST_NAME" => static (f, b) => Put(b, f.VirtualHostName),
        "FILTER_CHAIN_NAME" => static (f, b) => Put(b, f.FilterChainName),
        "ACCESS_LOG_TYPE" => static (f, b) => Put(b, f.LogType),
        "UPSTREAM_CLUSTER" => static (f, b) => Put(b, f.ClusterStatName.Length > 0 ? f.ClusterStatName : f.ClusterName),
        "UPSTREAM_CLUSTER_RAW" => static (f, b) => Put(b, f.ClusterName),
        "STREAM_ID" => static (f, b) => Put(b, Uuid(f.StreamId)),
        "UNIQUE_ID" => static (f, b) => Put(b, Guid.NewGuid().ToString()),
        "HOSTNAME" => static (f, b) => Put(b, Environment.MachineName),
        "ENVIRONMENT" => FromEnvironment(op),
        "TRACE_ID" => static (f, b) => Put(b, f.TraceIds.Trace),
        "SPAN_ID" => static (f, b) => Put(b, f.TraceIds.Span),
        "DOWNSTREAM_DETECTED_CLOSE_TYPE" => static (f, b) => Put(b, f.DownstreamCloseType),
        "UPSTREAM_DETECTED_CLOSE_TYPE" =>
            static (f, b) => (f.Protocol is null || f.UpstreamHost.Kind != Net.AddressKind.None) && Put(b, f.UpstreamCloseType),
        "DOWNSTREAM_LOCAL_CLOSE_REASON" => static (f, b) => Put(b, f.LocalCloseReason),
        "CUSTOM_FLAGS" => static (_, _) => true,
        "UPSTREAM_LOCAL_CLOSE_REASON"
            or "BYTES_RETRANSMITTED" or "PACKETS_RETRANSMITTED" or "TLS_JA3_FINGERPRINT" or "TLS_JA4_FINGERPRINT" => static (_, _) => false,
        _ => null,
    };

    private static string Uuid(ulong id) => new Guid((int)id, (short)(id >> 32), (short)(id >> 48), 0x80, 0, 0, 0, 0, 0, 0, 1).ToString();

    private static string Name(HttpVersion version) => version switch
    {
        HttpVersion.Http10 => "HTTP/1.0",
        HttpVersion.Http11 => "HTTP/1.1",
        _ => "HTTP/2",
    };

    private static Func<IStreamFacts, ByteBuffer, bool> FromEnvironment(OperatorText op)
    {
        string value = Environment.GetEnvironmentVariable(Required(op)) ?? "-";
        return (_, b) => Put(b, value);
    }

    private static Func<IStreamFacts, ByteBuffer, bool> Grpc(OperatorText op)
    {
        string form = op.Argument ?? "CAMEL_STRING";
        if (form is not ("CAMEL_STRING" or "SNAKE_STRING" or "NUMBER"))
            throw new FormatException($"operator %GRPC_STATUS({form})%: the form is CAMEL_STRING, SNAKE_STRING or NUMBER");
        return (f, b) => GrpcStatus.Find(f, out int code)
            && Put(b, form == "NUMBER"
                ? code.ToString(System.Globalization.CultureInfo.InvariantCulture) : GrpcStatus.Name(code, form == "SNAKE_STRING"));
    }

    internal static string Required(OperatorText op) =>
        string.IsNullOrEmpty(op.Argument) ? throw new FormatException($"operator %{op.Name}% needs an argument in brackets") : op.Argument;
}
