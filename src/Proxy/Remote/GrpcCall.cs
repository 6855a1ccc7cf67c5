// Remote: calls that the proxy itself makes to servers beside its traffic: management servers now, and whoever filters ask. Calls run on
// the loop that makes them over our own HTTP/2, so that they work on the in-memory network, too. Protobuf is known here, since these calls
// carry it. Nothing here keeps configuration or decides a request.
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Remote;

/// <summary>Who hears what a gRPC stream brings.</summary>
public abstract class GrpcReceiver
{
    /// <summary>A message arrived; the span lives for this call.</summary>
    public abstract void OnMessage(ReadOnlySpan<byte> message);

    /// <summary>The stream is over; called once. Status 0 is an orderly end.</summary>
    public abstract void OnEnd(int status, string message);
}

/// <summary>One gRPC stream, both directions open, over a connection that speaks HTTP/2 (gRPC over HTTP2, PROTOCOL-HTTP2.md).</summary>
public sealed class GrpcCall : ResponseReceiver
{
    // Configuration of a large mesh comes in one message.
    private const int MessageBytesMax = 1 << 30;

    private readonly GrpcReceiver _receiver;
    private readonly GrpcFrameReader _frames = new(MessageBytesMax);
    private readonly UpstreamStream _stream;
    private bool _over;

    /// <summary>Opens the stream.</summary>
    /// <param name="connection">A connection with a free stream.</param>
    /// <param name="authority">The :authority.</param>
    /// <param name="path">/package.Service/Method.</param>
    /// <param name="metadata">Further headers, names in lower case.</param>
    /// <param name="receiver">Who hears.</param>
    public GrpcCall(UpstreamConnection connection, string authority, string path, IEnumerable<KeyValuePair<string, string>> metadata,
        GrpcReceiver receiver)
    {
        _receiver = receiver;
        _stream = connection.Begin(this);
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, "POST"u8);
        head.Add(KnownHeader.Scheme, "http"u8);
        head.Add(KnownHeader.Authority, System.Text.Encoding.UTF8.GetBytes(authority));
        head.Add(KnownHeader.Path, System.Text.Encoding.UTF8.GetBytes(path));
        head.Add(KnownHeader.Te, "trailers"u8);
        head.Add(KnownHeader.ContentType, "application/grpc"u8);
        foreach ((string name, string value) in metadata)
            head.Add(System.Text.Encoding.Latin1.GetBytes(name), System.Text.Encoding.UTF8.GetBytes(value));
        _stream.SendHead(head, end: false);
    }

    /// <summary>Sends a message; ignored when the stream is over.</summary>
    public void Send(IMessage message)
    {
        if (!_over)
            _stream.SendBody(GrpcFrame.ToArray(message), end: false);
    }

    /// <summary>Sends a message and ends our direction (unary calls).</summary>
    public void SendLast(IMessage message)
    {
        if (!_over)
            _stream.SendBody(GrpcFrame.ToArray(message), end: true);
    }

    /// <summary>Gives the stream up; the receiver hears nothing more.</summary>
    public void Cancel()
    {
        if (_over)
            return;
        _over = true;
        _stream.Reset(ResetReason.Local);
    }

    /// <inheritdoc/>
    public override void OnInformational()
    {
    }

    /// <inheritdoc/>
    public override void OnResponseHead(bool end)
    {
        ReadOnlySpan<byte> status = ResponseHead[KnownHeader.Status];
        if (end)
            End(ResponseHead);
        else if (!status.SequenceEqual("200"u8))
            Fail(14, $"the server answered with HTTP status {System.Text.Encoding.Latin1.GetString(status)}");
    }

    /// <inheritdoc/>
    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
    {
        while (!body.IsEmpty && !_over)
        {
            switch (_frames.Read(ref body, out ReadOnlySpan<byte> message))
            {
                case GrpcFrameResult.Message:
                    _receiver.OnMessage(message);
                    break;
                case GrpcFrameResult.NeedMore:
                    break;
                default:
                    Fail(13, "the server sent a message that is too large or compressed");
                    return;
            }
        }
        if (end && !_over)
            Fail(14, "the server ended the stream without a status");
    }

    /// <inheritdoc/>
    public override void OnResponseTrailers() => End(ResponseTrailers);

    /// <inheritdoc/>
    public override void OnResponseReset(ResetReason reason, string detail)
    {
        if (_over)
            return;
        _over = true;
        _receiver.OnEnd(14, detail.Length > 0 ? detail : reason.ToString());
    }

    /// <inheritdoc/>
    public override void OnSendable()
    {
    }

    private void Fail(int status, string message)
    {
        if (_over)
            return;
        _over = true;
        _stream.Reset(ResetReason.Local);
        _receiver.OnEnd(status, message);
    }

    private void End(HeaderMap trailers)
    {
        if (_over)
            return;
        _over = true;
        if (!Formats.GrpcStatus.Read(trailers, out int code))
            code = 2;
        string text = trailers.TryGet(KnownHeader.GrpcMessage, out ReadOnlySpan<byte> m)
            ? GrpcMessageText.Decode(System.Text.Encoding.UTF8.GetString(m)) : "";
        _receiver.OnEnd(code, text);
    }
}
