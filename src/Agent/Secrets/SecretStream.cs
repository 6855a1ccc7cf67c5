using System.Globalization;
using System.Text;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Service.Discovery.V3;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Lateen.Api.Grpc;
using Lateen.Proxy;
using Lateen.Proxy.Http;

namespace Lateen.Agent.Secrets;

/// <summary>One stream of secrets, in either form of xDS: names are asked for, and each is sent when it is there and whenever it has
/// changed.</summary>
internal sealed class SecretStream : RequestReceiver
{
    private const string TypeUrl = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
    private const int RequestBytesMax = 1 << 20, NamesMax = 1000;
    private readonly DownstreamStream _stream;
    private readonly SecretShelf _shelf;
    private readonly GrpcFrameReader _frames = new(RequestBytesMax);
    private readonly SortedDictionary<string, ByteString?> _sent = new(StringComparer.Ordinal);
    private readonly Action _changed;
    private long _responses;
    private bool _delta, _over;

    public SecretStream(DownstreamStream stream, SecretShelf shelf) =>
        (_stream, _shelf, _changed) = (stream, shelf, () => Send(answers: false));

    public override void OnRequestHead(bool end)
    {
        string path = Encoding.ASCII.GetString(RequestHead[KnownHeader.Path]);
        _delta = path.EndsWith("/DeltaSecrets", StringComparison.Ordinal);
        var head = new HeaderMap();
        head.Add(KnownHeader.Status, "200"u8);
        head.Add(KnownHeader.ContentType, "application/grpc"u8);
        _stream.SendHead(head, end: false);
        if (!_delta && !path.EndsWith("/StreamSecrets", StringComparison.Ordinal))
            End(GrpcStatus.Unimplemented, "only StreamSecrets and DeltaSecrets are served");
        else _shelf.Listen(_changed);
    }

    public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
    {
        while (!_over && !body.IsEmpty)
        {
            GrpcFrameResult result = _frames.Read(ref body, out ReadOnlySpan<byte> message);
            if (result == GrpcFrameResult.NeedMore) break;
            if (result != GrpcFrameResult.Message || !Take(message)) End(GrpcStatus.InvalidArgument, "this is no discovery request");
        }
        if (end) End(GrpcStatus.Ok, "");
    }

    public override void OnRequestTrailers() => End(GrpcStatus.Ok, "");

    public override void OnRequestReset(ResetReason reason, string detail) => Leave();

    public override void OnBadRequest(int status, string detail, FailureKind kind) => Leave();

    public override void OnSendable()
    {
    }

    public override void OnStreamDone() => Leave();

    private bool Take(ReadOnlySpan<byte> message)
    {
        try
        {
            bool asks = _delta ? Take(DeltaDiscoveryRequest.Parser.ParseFrom(message)) : Take(DiscoveryRequest.Parser.ParseFrom(message));
            if (_sent.Count > NamesMax) return false;
            if (asks) Send(answers: true);
            return true;
        }
        catch (InvalidProtocolBufferException)
        {
            return false;
        }
    }

    private bool Take(DeltaDiscoveryRequest request)
    {
        foreach (string name in request.ResourceNamesUnsubscribe) _sent.Remove(name);
        foreach (string name in request.ResourceNamesSubscribe) _sent[name] = null;
        return request.ResourceNamesSubscribe.Count > 0;
    }

    // An answer to what was sent names the same; whoever names more, or nothing was sent to, asks.
    private bool Take(DiscoveryRequest request)
    {
        bool news = false;
        foreach (string name in _sent.Keys.Except(request.ResourceNames).ToList()) _sent.Remove(name);
        foreach (string name in request.ResourceNames) news |= _sent.TryAdd(name, null);
        return news;
    }

    // What is not there yet is sent when it is; nobody waits for another's secret.
    private void Send(bool answers)
    {
        if (_over) return;
        var fresh = new List<(string Name, Any Body)>();
        foreach ((string name, ByteString? before) in _sent.ToArray())
        {
            if (_shelf.Find(name) is not { } secret) continue;
            // Not Any.Pack: it asks for the message's descriptor, and a sidecar that loads descriptors pays for them with a third of its
            // start.
            var body = new Any { TypeUrl = TypeUrl, Value = secret.ToByteString() };
            if (before == body.Value) continue;
            _sent[name] = body.Value;
            fresh.Add((name, body));
        }
        if (fresh.Count == 0 && !(answers && _delta && _responses > 0)) return;
        _stream.SendBody(GrpcFrame.ToArray(Response(fresh)), end: false);
    }

    private IMessage Response(List<(string Name, Any Body)> fresh)
    {
        string version = (++_responses).ToString(CultureInfo.InvariantCulture);
        if (!_delta)
        {
            var whole = new DiscoveryResponse { TypeUrl = TypeUrl, VersionInfo = version, Nonce = version };
            whole.Resources.Add(fresh.Select(static f => f.Body));
            return whole;
        }
        var response = new DeltaDiscoveryResponse { TypeUrl = TypeUrl, SystemVersionInfo = version, Nonce = version };
        response.Resources.Add(fresh.Select(f => new Resource { Name = f.Name, Version = version, Resource_ = f.Body }));
        return response;
    }

    private void End(GrpcStatus status, string message)
    {
        if (_over) return;
        Leave();
        var trailers = new HeaderMap();
        trailers.Add(KnownHeader.GrpcStatus, Encoding.ASCII.GetBytes(((int)status).ToString(CultureInfo.InvariantCulture)));
        if (message.Length > 0) trailers.Add(KnownHeader.GrpcMessage, Encoding.ASCII.GetBytes(GrpcMessageText.Encode(message)));
        _stream.SendTrailers(trailers);
    }

    private void Leave()
    {
        if (_over) return;
        _over = true;
        _shelf.Unlisten(_changed);
    }
}
