using System.Text;
using System.Text.Json;
using Envoy.Config.Core.V3;
using Envoy.Service.Auth.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Documents;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Filters.ExtAuthz;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tcp;
using Address = Lateen.Proxy.Net.Address;
using HeaderMap = Lateen.Proxy.Http.HeaderMap;
using HttpVersion = Lateen.Proxy.Http.HttpVersion;

namespace Lateen.Proxy.Remote;

/// <summary>What a gRPC authorizer is told.</summary>
public sealed record GrpcAuthzOptions
{
    /// <summary>envoy.service.auth.v3.Authorization/Check of a cluster.</summary>
    public required GrpcMethod Method { get; init; }

    /// <summary>Names of request headers that go along; empty for all.</summary>
    public HeaderNames Sent { get; init; } = HeaderNames.None;

    /// <summary>Names that never go along.</summary>
    public HeaderNames Withheld { get; init; } = HeaderNames.None;

    /// <summary>Headers go as raw lines in place of a map.</summary>
    public bool RawHeaders { get; init; }

    /// <summary>The body goes as bytes, not as text.</summary>
    public bool BodyAsBytes { get; init; }

    /// <summary>The client's certificate goes along.</summary>
    public bool Certificate { get; init; }

    /// <summary>The TLS session goes along.</summary>
    public bool TlsSession { get; init; }

    /// <summary>Namespaces of dynamic metadata that go along.</summary>
    public IReadOnlyList<string> Namespaces { get; init; } = [];

    /// <summary>Namespaces of the route's metadata that go along.</summary>
    public IReadOnlyList<string> RouteNamespaces { get; init; } = [];

    /// <summary>Labels of this proxy.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();
}

/// <summary>An authorizer that speaks gRPC (envoy.service.auth.v3).</summary>
public sealed class GrpcAuthzService(GrpcAuthzOptions options) : AuthzService
{
    // The first message of a kind costs some milliseconds of preparation, which are nobody's request's.
    static GrpcAuthzService() => AuthzQuestions.Prepare();

    /// <inheritdoc/>
    public override AuthzCall NewCall(AuthzReceiver receiver) => new Call(options, receiver);

    private sealed class Call : AuthzCall
    {
        private readonly GrpcAuthzOptions _options;
        private readonly UnaryCall _call;

        public Call(GrpcAuthzOptions options, AuthzReceiver receiver)
        {
            _options = options;
            _call = new UnaryCall(new Reply(receiver));
        }

        public override void Cancel() => _call.Cancel();

        public override void Ask(TcpSession session) =>
            _call.Begin(session.Connection.Worker, _options.Method,
                new CheckRequest { Attributes = AuthzQuestions.OfConnection(session.Facts, _options) });

        public override void Ask(Exchange exchange, in AuthzContext context, ReadOnlySpan<byte> body) =>
            _call.Begin(exchange.Worker, _options.Method,
                new CheckRequest { Attributes = AuthzQuestions.OfRequest(exchange, _options, context, body) });
    }

    private sealed class Reply(AuthzReceiver receiver) : UnaryReceiver
    {
        public override void OnReply(ReadOnlySpan<byte> message)
        {
            CheckResponse? response = null;
            try
            {
                response = CheckResponse.Parser.ParseFrom(message);
            }
            catch (Exception e) when (BrokenBytes.Shown(e))
            {
                // Not a CheckResponse: the server failed.
            }
            receiver.OnAnswer(response is null ? AuthzAnswer.Failed : AuthzQuestions.Answer(response));
        }

        public override void OnError(int status, string message) => receiver.OnAnswer(AuthzAnswer.Failed);
    }
}

/// <summary>Questions and answers of envoy.service.auth.v3.</summary>
internal static class AuthzQuestions
{
    public static void Prepare()
    {
        var peer = new AttributeContext.Types.Peer { Address = Wire(Address.V4(0, 0)) };
        var http = new AttributeContext.Types.HttpRequest { Method = "GET" };
        http.Headers["x"] = "y";
        var context = new AttributeContext
        {
            Source = peer,
            Destination = peer,
            MetadataContext = new Envoy.Config.Core.V3.Metadata(),
            Request = new AttributeContext.Types.Request { Time = new Timestamp(), Http = http },
        };
        _ = new CheckRequest { Attributes = context }.ToByteArray();
        _ = Answer(CheckResponse.Parser.ParseFrom(
            new CheckResponse { Status = new Google.Rpc.Status(), OkResponse = new OkHttpResponse() }.ToByteArray()));
    }

    public static AttributeContext OfConnection(IStreamFacts facts, GrpcAuthzOptions options)
    {
        var context = new AttributeContext
        {
            Source = Source(facts, "", options.Certificate),
            Destination = Destination(facts, options.Labels),
            MetadataContext = Context(facts.DynamicMetadata, options.Namespaces),
        };
        if (options.TlsSession)
            context.TlsSession = new AttributeContext.Types.TLSSession { Sni = facts.RequestedServerName };
        return context;
    }

    public static AttributeContext OfRequest(Exchange exchange, GrpcAuthzOptions options, in AuthzContext asked, ReadOnlySpan<byte> body)
    {
        IStreamFacts facts = exchange.Facts;
        AttributeContext context = OfConnection(facts, options);
        context.Source.Service = Text(exchange.RequestHead[KnownHeader.XEnvoyDownstreamServiceCluster]);
        context.RouteMetadataContext = Context(facts.RouteMetadata, options.RouteNamespaces);
        foreach ((string key, string value) in asked.Extensions)
            context.ContextExtensions[key] = value;
        context.Request = new AttributeContext.Types.Request
        {
            Time = new Timestamp { Seconds = facts.StartedAt / 1_000_000, Nanos = (int)(facts.StartedAt % 1_000_000 * 1000) },
            Http = Http(exchange, options, asked, body),
        };
        return context;
    }

    private static AttributeContext.Types.HttpRequest Http(Exchange exchange, GrpcAuthzOptions options, in AuthzContext asked,
        ReadOnlySpan<byte> body)
    {
        HeaderMap head = exchange.RequestHead;
        var http = new AttributeContext.Types.HttpRequest
        {
            Id = exchange.Random.ToString(System.Globalization.CultureInfo.InvariantCulture),
            Method = Text(head[KnownHeader.Method]),
            Path = Text(head[KnownHeader.Path]),
            Host = Text(head[KnownHeader.Authority]),
            Scheme = Text(head[KnownHeader.Scheme]),
            Size = exchange.BytesReceived,
            Protocol = exchange.Stream.Version switch { HttpVersion.Http10 => "HTTP/1.0", HttpVersion.Http2 => "HTTP/2", _ => "HTTP/1.1" },
        };
        if (options.RawHeaders)
            http.HeaderMap = new Envoy.Config.Core.V3.HeaderMap();
        for (int i = 0; i < head.End; i++)
        {
            if (head.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) && Sends(options, name))
                Put(http, Text(name), value);
        }
        if (!asked.SendsBody)
            return http;
        if (options.BodyAsBytes)
            http.RawBody = ByteString.CopyFrom(body);
        else
            http.Body = Text(body);
        http.Headers["x-envoy-auth-partial-body"] = asked.BodyIsCut ? "true" : "false";
        return http;
    }

    private static bool Sends(GrpcAuthzOptions options, ReadOnlySpan<byte> name) =>
        !name.SequenceEqual("x-envoy-auth-partial-body"u8) && (options.Sent.IsEmpty || options.Sent.Includes(name))
            && !options.Withheld.Includes(name);

    private static void Put(AttributeContext.Types.HttpRequest http, string name, ReadOnlySpan<byte> value)
    {
        if (http.HeaderMap is { } raw)
            raw.Headers.Add(new HeaderValue { Key = name, RawValue = ByteString.CopyFrom(value) });
        else
            http.Headers[name] = http.Headers.TryGetValue(name, out string? before) ? $"{before},{Text(value)}" : Text(value);
    }

    // What is no UTF-8 cannot stand in a protobuf string; Envoy writes an exclamation mark for each such byte.
    private static string Text(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        var text = new StringBuilder();
        while (!bytes.IsEmpty)
        {
            bool good = Rune.DecodeFromUtf8(bytes, out Rune rune, out int used) == System.Buffers.OperationStatus.Done;
            text.Append(good ? rune.ToString() : new string('!', used));
            bytes = bytes[used..];
        }
        return text.ToString();
    }

    private static AttributeContext.Types.Peer Source(IStreamFacts facts, string service, bool certificate)
    {
        var peer = new AttributeContext.Types.Peer { Address = Wire(facts.DownstreamDirectRemote), Service = service };
        if (facts.DownstreamTls is not { } tls)
            return peer;
        peer.Principal = tls.PeerUris.Count > 0 ? tls.PeerUris[0] : tls.PeerDnsNames.Count > 0 ? tls.PeerDnsNames[0] : tls.PeerSubject;
        if (certificate)
            peer.Certificate = Uri.EscapeDataString(tls.PeerPem);
        return peer;
    }

    private static AttributeContext.Types.Peer Destination(IStreamFacts facts, IReadOnlyDictionary<string, string> labels)
    {
        var peer = new AttributeContext.Types.Peer { Address = Wire(facts.DownstreamLocal) };
        if (facts.DownstreamTls is { } tls)
            peer.Principal = tls.LocalUris.Count > 0 ? tls.LocalUris[0] : tls.LocalDnsNames.Count > 0
                ? tls.LocalDnsNames[0] : tls.LocalSubject;
        foreach ((string key, string value) in labels)
            peer.Labels[key] = value;
        return peer;
    }

    private static Envoy.Config.Core.V3.Address Wire(in Address address) => address.IsIp
        ? new Envoy.Config.Core.V3.Address { SocketAddress = new SocketAddress { Address = address.Host, PortValue = address.Port } }
        : new Envoy.Config.Core.V3.Address { Pipe = new Pipe { Path = address.Name } };

    private static Envoy.Config.Core.V3.Metadata Context(Metadata? metadata, IReadOnlyList<string> namespaces)
    {
        var context = new Envoy.Config.Core.V3.Metadata();
        foreach (string name in namespaces)
        {
            if (metadata is not null && metadata[name] is { ValueKind: JsonValueKind.Object } values)
                context.FilterMetadata[name] = JsonParser.Default.Parse<Struct>(values.GetRawText());
        }
        return context;
    }

    // ---- answers

    public static AuthzAnswer Answer(CheckResponse response)
    {
        Dictionary<string, JsonElement>? metadata = Values(response.DynamicMetadata);
        if ((response.Status?.Code ?? 0) == 0)
        {
            OkHttpResponse ok = response.OkResponse ?? new OkHttpResponse();
#pragma warning disable CS0612 // the older place of the metadata
            metadata ??= Values(ok.DynamicMetadata);
#pragma warning restore CS0612
            return new AuthzAnswer
            {
                Verdict = AuthzVerdict.Allowed,
                Headers = [.. ok.Headers.Select(static h => Header(h, Legacy(h)))],
                HeadersToRemove = [.. ok.HeadersToRemove.Select(static n => Encoding.Latin1.GetBytes(n.ToLowerInvariant()))],
                ResponseHeaders = [.. ok.ResponseHeadersToAdd.Select(static h => Header(h, Action(h)))],
                QueryToSet = [.. ok.QueryParametersToSet.Select(
                    static q => (Encoding.UTF8.GetBytes(q.Key), Encoding.UTF8.GetBytes(q.Value)))],
                QueryToRemove = [.. ok.QueryParametersToRemove.Select(Encoding.UTF8.GetBytes)],
                Metadata = metadata,
            };
        }
        DeniedHttpResponse denied = response.DeniedResponse ?? new DeniedHttpResponse();
        return new AuthzAnswer
        {
            Verdict = AuthzVerdict.Denied,
            Status = denied.Status is { } status && (int)status.Code != 0 ? (int)status.Code : 403,
            Body = Encoding.UTF8.GetBytes(denied.Body),
            Headers = [.. denied.Headers.Select(static h => Header(h, HeaderEditAction.Add))],
            Metadata = metadata,
        };
    }

    private static HeaderEdit Header(HeaderValueOption option, HeaderEditAction action) =>
        new(action, Encoding.Latin1.GetBytes((option.Header?.Key ?? "").ToLowerInvariant()),
            option.Header is not { } header ? [] : header.RawValue.Length > 0
                ? header.RawValue.ToByteArray() : Encoding.UTF8.GetBytes(header.Value));

#pragma warning disable CS0612 // append is deprecated, and the one that counts for requests (observed)
    private static HeaderEditAction Legacy(HeaderValueOption option) =>
        option.Append ?? false ? HeaderEditAction.AppendIfPresent : HeaderEditAction.Set;

    private static HeaderEditAction Action(HeaderValueOption option)
    {
        if (option.Append is { } append)
            return append ? HeaderEditAction.Add : HeaderEditAction.Set;
        return option.AppendAction switch
        {
            HeaderValueOption.Types.HeaderAppendAction.AddIfAbsent => HeaderEditAction.AddIfAbsent,
            HeaderValueOption.Types.HeaderAppendAction.OverwriteIfExists => HeaderEditAction.OverwriteIfPresent,
            HeaderValueOption.Types.HeaderAppendAction.OverwriteIfExistsOrAdd => HeaderEditAction.Set,
            _ => HeaderEditAction.Add,
        };
    }
#pragma warning restore CS0612

    private static Dictionary<string, JsonElement>? Values(Struct? values)
    {
        if (values is null || values.Fields.Count == 0)
            return null;
        using JsonDocument document = JsonDocument.Parse(JsonFormatter.Default.Format(values));
        return StructJson.Sorted(document.RootElement).EnumerateObject()
            .ToDictionary(static p => p.Name, static p => p.Value, StringComparer.Ordinal);
    }
}
