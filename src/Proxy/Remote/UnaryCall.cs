using System.Buffers.Binary;
using Google.Protobuf;
using Lateen.Api.Grpc;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Remote;

/// <summary>Who waits for a unary call.</summary>
public abstract class UnaryReceiver
{
    /// <summary>The answer's message; the span lives for this call.</summary>
    public abstract void OnReply(ReadOnlySpan<byte> message);

    /// <summary>There is none: the gRPC status, and what was said.</summary>
    public abstract void OnError(int status, string message);
}

/// <summary>One gRPC question and its answer, by a side call. Reused, one call at a time.</summary>
public sealed class UnaryCall : SideCallReceiver
{
    private const int FrameHead = 5;

    private readonly UnaryReceiver _receiver;
    private readonly SideCall _call;

    /// <summary>A call that its receiver may begin again and again.</summary>
    public UnaryCall(UnaryReceiver receiver)
    {
        _receiver = receiver;
        _call = new SideCall(this);
    }

    /// <summary>It has begun and not ended.</summary>
    public bool IsRunning => _call.IsRunning;

    /// <summary>Asks; the receiver hears of it on a later turn.</summary>
    public void Begin(Worker worker, GrpcMethod method, IMessage message)
    {
        _call.Clear();
        method.WriteHead(_call.RequestHead);
        if (method.Side.TimeoutMicros > 0)
            _call.RequestHead.Add(KnownHeader.GrpcTimeout, Timeout(method.Side.TimeoutMicros / 1000));
        _call.RequestBody.Append(GrpcFrame.ToArray(message));
        _call.Begin(worker, method.Side);
    }

    /// <summary>Gives it up; the receiver hears nothing. Harmless where it does not run.</summary>
    public void Cancel() => _call.Cancel();

    // At most eight digits and a unit (gRPC over HTTP/2).
    private static byte[] Timeout(long millis) => System.Text.Encoding.ASCII.GetBytes(
        millis < 100_000_000 ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{millis}m")
            : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Math.Min(millis / 1000, 99_999_999)}S"));

    /// <inheritdoc/>
    public override void OnAnswer(SideCall call)
    {
        if (call.Status != 200)
        {
            _receiver.OnError(Formats.GrpcStatus.FromHttp(call.Status), $"HTTP status {call.Status}");
            return;
        }
        HeaderMap end = call.ResponseTrailers.Count > 0 ? call.ResponseTrailers : call.ResponseHead;
        if (!Formats.GrpcStatus.Read(end, out int status))
            _receiver.OnError(2, "the answer has no status");
        else if (status != 0)
            _receiver.OnError(status, end.TryGet(KnownHeader.GrpcMessage, out ReadOnlySpan<byte> text)
                ? GrpcMessageText.Decode(System.Text.Encoding.UTF8.GetString(text)) : "");
        else if (call.ResponseBody is var body && body.Length >= FrameHead && body[0] == 0
            && BinaryPrimitives.ReadUInt32BigEndian(body[1..]) == body.Length - FrameHead)
            _receiver.OnReply(body[FrameHead..]);
        else
            _receiver.OnError(13, "the answer is not one plain message");
    }

    /// <inheritdoc/>
    public override void OnFailed(SideCall call, UpstreamCause cause) =>
        _receiver.OnError(ReferenceEquals(cause, SideFailures.Timeout) ? 4 : 14, cause.Text);
}
