using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Remote;

/// <summary>A gRPC stream to a host of a named cluster, on a worker's own loop: messages both ways until an end. What is sent before a
/// connection is had waits. Reused after its end.</summary>
public sealed class GrpcSideStream(GrpcReceiver receiver) : SideStream
{
    private const int MessageBytesMax = 16 << 20;

    private readonly HeaderMap _head = new();
    private readonly ByteBuffer _waiting = new(0);
    private GrpcFrameReader _frames = new(MessageBytesMax);
    private bool _ended;

    /// <summary>Opens it; the receiver hears on later turns.</summary>
    public void Open(Worker worker, GrpcMethod method)
    {
        _head.Clear();
        method.WriteStreamHead(_head);
        _waiting.Clear();
        _ended = false;
        _frames = new GrpcFrameReader(MessageBytesMax);
        Open(worker, method.Side);
    }

    /// <summary>Sends a message; ignored when the stream is over.</summary>
    public void Send(IMessage message)
    {
        if (!IsOpen)
            return;
        if (Stream is { } stream)
            stream.SendBody(GrpcFrame.ToArray(message), end: false);
        else
            _waiting.Append(GrpcFrame.ToArray(message));
    }

    /// <summary>Ends it; the receiver hears nothing more.</summary>
    public void Cancel() => Close();

    /// <inheritdoc/>
    protected override void OnReady()
    {
        Stream!.SendHead(_head, end: false);
        if (_waiting.Length > 0)
            Stream?.SendBody(_waiting.Written, end: false);
    }

    /// <inheritdoc/>
    protected override void OnFailed(UpstreamCause cause) => Tell(14, cause.Text);

    /// <inheritdoc/>
    public override void OnResponseHead(bool end)
    {
        if (!ResponseHead[KnownHeader.Status].SequenceEqual("200"u8))
        {
            Close();
            Tell(14, "the server's HTTP status is not 200");
        }
        else if (end)
        {
            Finish(ResponseHead);
        }
    }

    /// <inheritdoc/>
    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
    {
        while (!body.IsEmpty && IsOpen)
        {
            switch (_frames.Read(ref body, out ReadOnlySpan<byte> message))
            {
                case GrpcFrameResult.Message:
                    receiver.OnMessage(message);
                    break;
                case GrpcFrameResult.NeedMore:
                    break;
                default:
                    Close();
                    Tell(13, "the server sent a message that is too large or compressed");
                    return;
            }
        }
        if (!end || !IsOpen)
            return;
        Finish();
        Tell(2, "the server ended the stream without a status");
    }

    /// <inheritdoc/>
    public override void OnResponseTrailers() => Finish(ResponseTrailers);

    private void Finish(HeaderMap end)
    {
        bool open = Stream is not null;
        int status = Formats.GrpcStatus.Read(end, out int code) ? code : 2;
        // Our own direction is still open: it is given up.
        if (open)
            Finish();
        Tell(status, "");
    }

    private void Tell(int status, string message)
    {
        if (_ended)
            return;
        _ended = true;
        receiver.OnEnd(status, message);
    }
}
