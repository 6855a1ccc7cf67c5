using System.Text;
using System.Text.Json;
using Envoy.Config.Core.V3;
using Envoy.Service.ExtProc.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtProc;
using Lateen.Proxy.Formats;
using HeaderMap = Lateen.Proxy.Http.HeaderMap;
using WireMode = Envoy.Extensions.Filters.Http.ExtProc.V3.ProcessingMode;

namespace Lateen.Proxy.Remote;

/// <summary>What a gRPC processor is told beside the messages.</summary>
public sealed record GrpcProcessorOptions
{
    /// <summary>envoy.service.ext_proc.v3.ExternalProcessor/Process of a cluster.</summary>
    public required GrpcMethod Method { get; init; }

    /// <summary>Names of headers that go along; empty for all.</summary>
    public HeaderNames Sent { get; init; } = HeaderNames.None;

    /// <summary>Names that never go along.</summary>
    public HeaderNames Withheld { get; init; } = HeaderNames.None;

    /// <summary>Attributes that go with the request's head, by their expressions.</summary>
    public IReadOnlyList<(string Name, CelProgram Program)> RequestAttributes { get; init; } = [];

    /// <summary>Attributes that go with the response's head.</summary>
    public IReadOnlyList<(string Name, CelProgram Program)> ResponseAttributes { get; init; } = [];

    /// <summary>Namespaces of dynamic metadata that go along.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>It only watches.</summary>
    public bool Observes { get; init; }
}

/// <summary>What a route sets otherwise; null for what it leaves.</summary>
public sealed class GrpcProcessorOverrides : ProcessorOverrides
{
    /// <summary>Another method.</summary>
    public GrpcMethod? Method { get; init; }

    /// <summary>Further headers of the stream.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; } = [];

    /// <summary>Other attributes with the request's head.</summary>
    public IReadOnlyList<(string Name, CelProgram Program)>? RequestAttributes { get; init; }

    /// <summary>Other attributes with the response's head.</summary>
    public IReadOnlyList<(string Name, CelProgram Program)>? ResponseAttributes { get; init; }

    /// <summary>Other namespaces of dynamic metadata.</summary>
    public IReadOnlyList<string>? Namespaces { get; init; }
}

/// <summary>A processor that speaks gRPC (envoy.service.ext_proc.v3).</summary>
public sealed class GrpcProcessorService(GrpcProcessorOptions options) : ProcessorService
{
    private const string AttributeNamespace = "envoy.filters.http.ext_proc";

    // Made once a route and kept as long as it.
    private readonly System.Runtime.CompilerServices.ConditionalWeakTable<ProcessorOverrides, GrpcProcessorService> _ofRoutes = [];

    /// <inheritdoc/>
    public override ProcessorService With(ProcessorOverrides overrides) =>
        _ofRoutes.TryGetValue(overrides, out GrpcProcessorService? known) ? known : _ofRoutes.GetValue(overrides, Merged);

    private GrpcProcessorService Merged(ProcessorOverrides overrides)
    {
        var o = (GrpcProcessorOverrides)overrides;
        GrpcMethod method = o.Method ?? options.Method;
        return new GrpcProcessorService(options with
        {
            Method = o.Metadata.Count == 0
                ? method : method.WithMetadata([.. method.Metadata.Where(m => !o.Metadata.Any(n => n.Key == m.Key)), .. o.Metadata]),
            RequestAttributes = o.RequestAttributes ?? options.RequestAttributes,
            ResponseAttributes = o.ResponseAttributes ?? options.ResponseAttributes,
            Namespaces = o.Namespaces ?? options.Namespaces,
        });
    }

    /// <inheritdoc/>
    public override ProcessorStream NewStream(ProcessorReceiver receiver) => new Dialogue(options, receiver);

    private sealed class Dialogue : ProcessorStream
    {
        private readonly GrpcProcessorOptions _options;
        private readonly GrpcSideStream _stream;
        private ProtocolConfiguration? _first;

        public override void Begin(ProcessingMode mode) =>
            _first = new ProtocolConfiguration
            {
                RequestBodyMode = WireOf(mode.Request.Body),
                ResponseBodyMode = WireOf(mode.Response.Body),
            };

        public Dialogue(GrpcProcessorOptions options, ProcessorReceiver receiver)
        {
            _options = options;
            _stream = new GrpcSideStream(new Listener(receiver));
        }

        public override void SendHead(Exchange exchange, bool request, HeaderMap head, bool end)
        {
            var headers = new HttpHeaders { Headers = Wire(head), EndOfStream = end };
            ProcessingRequest message = request
                ? new ProcessingRequest { RequestHeaders = headers } : new ProcessingRequest { ResponseHeaders = headers };
            if (Attributes(exchange, request ? _options.RequestAttributes : _options.ResponseAttributes) is { } attributes)
                message.Attributes[AttributeNamespace] = attributes;
            Send(exchange, message);
        }

        public override void SendBody(Exchange exchange, bool request, ReadOnlySpan<byte> body, bool end)
        {
            var part = new HttpBody { Body = ByteString.CopyFrom(body), EndOfStream = end };
            Send(exchange, request ? new ProcessingRequest { RequestBody = part } : new ProcessingRequest { ResponseBody = part });
        }

        public override void SendTrailers(Exchange exchange, bool request, HeaderMap trailers)
        {
            var wire = new HttpTrailers { Trailers = Wire(trailers) };
            Send(exchange, request ? new ProcessingRequest { RequestTrailers = wire } : new ProcessingRequest { ResponseTrailers = wire });
        }

        public override void Close() => _stream.Cancel();

        private void Send(Exchange exchange, ProcessingRequest message)
        {
            message.ObservabilityMode = _options.Observes;
            (message.ProtocolConfig, _first) = (_first, null);
            foreach (string name in _options.Namespaces)
            {
                if (exchange.DynamicMetadata is { } metadata && metadata[name] is { ValueKind: JsonValueKind.Object } values)
                    (message.MetadataContext ??= new Envoy.Config.Core.V3.Metadata()).FilterMetadata[name] =
                        JsonParser.Default.Parse<Struct>(values.GetRawText());
            }
            if (!_stream.IsOpen)
                _stream.Open(exchange.Worker, _options.Method);
            _stream.Send(message);
        }

        private Envoy.Config.Core.V3.HeaderMap Wire(HeaderMap head)
        {
            var wire = new Envoy.Config.Core.V3.HeaderMap();
            for (int i = 0; i < head.End; i++)
            {
                if (head.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
                    && (_options.Sent.IsEmpty || _options.Sent.Includes(name)) && !_options.Withheld.Includes(name))
                    wire.Headers.Add(new HeaderValue { Key = Encoding.Latin1.GetString(name), RawValue = ByteString.CopyFrom(value) });
            }
            return wire;
        }

        private static Struct? Attributes(Exchange exchange, IReadOnlyList<(string Name, CelProgram Program)> attributes)
        {
            var values = new Struct();
            foreach ((string name, CelProgram program) in attributes)
            {
                var text = new ByteBuffer();
                CelKind kind = program.Print(exchange.Facts, text);
                string printed = Encoding.UTF8.GetString(text.Written);
                if (kind == CelKind.Bool)
                    values.Fields[name] = Value.ForBool(printed == "true");
                else if (kind is CelKind.Int or CelKind.Uint or CelKind.Double)
                    values.Fields[name] = Value.ForNumber(double.Parse(printed, System.Globalization.CultureInfo.InvariantCulture));
                else if (kind != CelKind.Error)
                    values.Fields[name] = Value.ForString(printed);
            }
            return values.Fields.Count == 0 ? null : values;
        }
    }

    private sealed class Listener(ProcessorReceiver receiver) : GrpcReceiver
    {
        public override void OnMessage(ReadOnlySpan<byte> message)
        {
            ProcessingResponse? response = null;
            try
            {
                response = ProcessingResponse.Parser.ParseFrom(message);
            }
            catch (Exception e) when (BrokenBytes.Shown(e))
            {
                // Not a ProcessingResponse: the server failed.
            }
            if (response is not null && Answer(response) is { } answer)
                receiver.OnAnswer(answer);
            else
                receiver.OnEnd(13);
        }

        public override void OnEnd(int status, string message) => receiver.OnEnd(status);
    }

    private static ProcessingAnswer? Answer(ProcessingResponse response)
    {
        if (response.OverrideMessageTimeout is { } more)
            return new ProcessingAnswer { Step = default, NeedsMicros = (more.Seconds * 1_000_000) + (more.Nanos / 1000) };
        ProcessingMode? mode = response.ModeOverride is { } wire ? ModeOf(wire) : null;
        Dictionary<string, JsonElement> metadata = Values(response.DynamicMetadata);
        return response.ResponseCase switch
        {
            ProcessingResponse.ResponseOneofCase.RequestHeaders =>
                Common(ProcessingStep.RequestHead, response.RequestHeaders.Response, mode, metadata),
            ProcessingResponse.ResponseOneofCase.ResponseHeaders =>
                Common(ProcessingStep.ResponseHead, response.ResponseHeaders.Response, mode, metadata),
            ProcessingResponse.ResponseOneofCase.RequestBody =>
                Common(ProcessingStep.RequestBody, response.RequestBody.Response, null, metadata),
            ProcessingResponse.ResponseOneofCase.ResponseBody =>
                Common(ProcessingStep.ResponseBody, response.ResponseBody.Response, null, metadata),
            ProcessingResponse.ResponseOneofCase.RequestTrailers =>
                Trailers(ProcessingStep.RequestTrailers, response.RequestTrailers.HeaderMutation, metadata),
            ProcessingResponse.ResponseOneofCase.ResponseTrailers =>
                Trailers(ProcessingStep.ResponseTrailers, response.ResponseTrailers.HeaderMutation, metadata),
            ProcessingResponse.ResponseOneofCase.ImmediateResponse => Immediate(response.ImmediateResponse, metadata),
            _ => null,
        };
    }

    private static ProcessingAnswer Common(ProcessingStep step, CommonResponse? common, ProcessingMode? mode,
        Dictionary<string, JsonElement> metadata) => new()
        {
            Step = step,
            Edits = Edits(common?.HeaderMutation),
            Remove = Removed(common?.HeaderMutation),
            Body = common?.BodyMutation is not { } body ? null : BodyOf(body),
            IsStreamed = common?.BodyMutation?.StreamedResponse is not null,
            EndsStream = common?.BodyMutation?.StreamedResponse?.EndOfStream ?? false,
            ReplacesAll = common?.Status == CommonResponse.Types.ResponseStatus.ContinueAndReplace,
            ClearRoute = common?.ClearRouteCache ?? false,
            Mode = mode,
            Metadata = metadata,
        };

    private static byte[]? BodyOf(BodyMutation body) => body.MutationCase switch
    {
        BodyMutation.MutationOneofCase.Body => body.Body.ToByteArray(),
        BodyMutation.MutationOneofCase.StreamedResponse => body.StreamedResponse.Body.ToByteArray(),
        _ => body.ClearsBody ? [] : null,
    };

    private static ProcessingAnswer Trailers(ProcessingStep step, HeaderMutation? mutation, Dictionary<string, JsonElement> metadata) =>
        new() { Step = step, Edits = Edits(mutation), Remove = Removed(mutation), Metadata = metadata };

    private static ProcessingAnswer Immediate(ImmediateResponse response, Dictionary<string, JsonElement> metadata) => new()
    {
        Step = ProcessingStep.Immediate,
        Edits = Edits(response.Headers),
        Remove = Removed(response.Headers),
        Body = response.Body.ToByteArray(),
        Status = response.Status is { } status && (int)status.Code != 0 ? (int)status.Code : 200,
        GrpcStatus = response.GrpcStatus is { } grpc ? (int)grpc.Status : null,
        Details = response.Details,
        Metadata = metadata,
    };

#pragma warning disable CS0612 // append is deprecated, and the one that counts here
    private static HeaderEdit[] Edits(HeaderMutation? mutation) => [.. (mutation?.SetHeaders ?? []).Select(static o => new HeaderEdit(
        o.Append ?? false ? HeaderEditAction.Add : HeaderEditAction.Set, Encoding.Latin1.GetBytes((o.Header?.Key ?? "").ToLowerInvariant()),
        o.Header is not { } header ? [] : header.RawValue.Length > 0
            ? header.RawValue.ToByteArray() : Encoding.UTF8.GetBytes(header.Value)))];
#pragma warning restore CS0612

    private static byte[][] Removed(HeaderMutation? mutation) =>
        [.. (mutation?.RemoveHeaders ?? []).Select(static n => Encoding.Latin1.GetBytes(n.ToLowerInvariant()))];

    private static Dictionary<string, JsonElement> Values(Struct? values)
    {
        if (values is null || values.Fields.Count == 0)
            return [];
        using JsonDocument document = JsonDocument.Parse(JsonFormatter.Default.Format(values));
        return StructJson.Sorted(document.RootElement).EnumerateObject()
            .ToDictionary(static p => p.Name, static p => p.Value, StringComparer.Ordinal);
    }

    /// <summary>A mode of the wire; heads go along unless skipped, trailers only where asked. A body cut at the limit is served as a whole
    /// one.</summary>
    internal static ProcessingMode ModeOf(WireMode mode) => new(
        new DirectionMode(mode.RequestHeaderMode != WireMode.Types.HeaderSendMode.Skip, BodyOf(mode.RequestBodyMode),
            mode.RequestTrailerMode == WireMode.Types.HeaderSendMode.Send),
        new DirectionMode(mode.ResponseHeaderMode != WireMode.Types.HeaderSendMode.Skip, BodyOf(mode.ResponseBodyMode),
            mode.ResponseTrailerMode == WireMode.Types.HeaderSendMode.Send));

    private static BodyMode BodyOf(WireMode.Types.BodySendMode mode) => mode switch
    {
        WireMode.Types.BodySendMode.None => BodyMode.None,
        WireMode.Types.BodySendMode.Streamed => BodyMode.Streamed,
        WireMode.Types.BodySendMode.FullDuplexStreamed => BodyMode.Duplex,
        _ => BodyMode.Buffered,
    };

    private static WireMode.Types.BodySendMode WireOf(BodyMode mode) => mode switch
    {
        BodyMode.None => WireMode.Types.BodySendMode.None,
        BodyMode.Streamed => WireMode.Types.BodySendMode.Streamed,
        BodyMode.Duplex => WireMode.Types.BodySendMode.FullDuplexStreamed,
        _ => WireMode.Types.BodySendMode.Buffered,
    };
}
