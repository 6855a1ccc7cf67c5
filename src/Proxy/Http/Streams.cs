// Http: bytes <-> messages, and nothing of what a message means. A codec (One/, Two/) turns a Transport's bytes into calls on a receiver
// and a sender's calls into bytes. A downstream codec makes a RequestReceiver (the Exchange) for each request; an upstream codec is given a
// ResponseReceiver (an attempt) for each. Heads are HeaderMaps that the receiver owns and the codec fills. Bodies are shown as spans that
// live for the call. Flow control: a sender that returns false from CanSend has more than its watermark waiting; the receiver pauses its
// other side until OnSendable. Codecs own framing, limits and protocol errors; they never route, time or log.
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http;

/// <summary>The protocol of one connection.</summary>
public enum HttpVersion : byte
{
    Http10,
    Http11,
    Http2,
}

/// <summary>Why a stream ended before its end. The HTTP/2 codec maps it to RST_STREAM codes (RFC 9113 7), HTTP/1 ends the
/// connection.</summary>
public enum ResetReason : byte
{
    None,

    /// <summary>The peer reset the stream (any code but those below).</summary>
    RemoteReset,

    /// <summary>The peer refused it before any processing (REFUSED_STREAM, or GOAWAY with a lower last stream): safe to retry.</summary>
    RemoteRefused,

    /// <summary>The connection ended under the stream.</summary>
    ConnectionTerminated,

    /// <summary>The connection could not be made.</summary>
    ConnectionFailure,

    /// <summary>The peer broke the protocol.</summary>
    ProtocolError,

    /// <summary>A limit of ours.</summary>
    Overflow,

    /// <summary>We end it: no interest any more (CANCEL / NO_ERROR).</summary>
    Local,

    /// <summary>We end it because something on our side failed (INTERNAL_ERROR).</summary>
    LocalFailure,

    /// <summary>CONNECT_ERROR.</summary>
    ConnectError,
}

/// <summary>
/// One request as the downstream codec offers it to the proxy: how to answer it. All calls on the worker's turn. Codecs use these objects
/// again: once the receiver was told of the end (or has called <see cref="Reset"/>), nothing may be called on the stream any more.
/// </summary>
public abstract class DownstreamStream
{
    /// <summary>The protocol of the client's side.</summary>
    public abstract HttpVersion Version { get; }

    /// <summary>The client's connection.</summary>
    public abstract Transport Transport { get; }

    /// <summary>The stream's number (HTTP/2), 0 for HTTP/1.</summary>
    public virtual uint StreamId => 0;

    /// <summary>False while more waits for the client than the watermark allows.</summary>
    public abstract bool CanSend { get; }

    /// <summary>Bytes of this response that left as body, header bytes on the wire (for logs).</summary>
    public abstract StreamBytes Bytes { get; }

    /// <summary>A 1xx head went out, the codec's own 100 or one of <see cref="SendInformational"/>: no second one follows.</summary>
    public bool Informed { get; protected set; }

    /// <summary>A 1xx head (100, 103). 101 is a final head. One a request goes through, as with Envoy: a flood of them is nobody's
    /// need.</summary>
    public abstract void SendInformational(HeaderMap head);

    /// <summary>The response's head; <paramref name="end"/> where nothing follows. The codec adds framing headers only; the head stays the
    /// caller's.</summary>
    public abstract void SendHead(HeaderMap head, bool end);

    /// <summary>A part of the body. Always taken whole.</summary>
    public abstract void SendBody(ReadOnlySpan<byte> body, bool end);

    /// <summary>Trailers; they end the stream.</summary>
    public abstract void SendTrailers(HeaderMap trailers);

    /// <summary>Ends the stream without an orderly end. HTTP/1 ends the connection. The receiver hears nothing more, not even
    /// <see cref="RequestReceiver.OnStreamDone"/>.</summary>
    public abstract void Reset(ResetReason reason);

    /// <summary>Stops and resumes the request body (HTTP/2: no WINDOW_UPDATE; HTTP/1: no reading).</summary>
    public abstract bool BodyPaused { get; set; }

    /// <summary>The connection shall end after this response (Connection: close, or GOAWAY).</summary>
    public abstract void CloseAfterResponse();

    /// <summary>The connection will be drained: HTTP/1 says Connection: close, yet goes on serving until the manager ends it, so that a
    /// request on its way is not lost; HTTP/2 has its own words.</summary>
    public virtual void AnnounceClose()
    {
    }
}

/// <summary>Who handles one request: the Exchange. The codec fills <see cref="RequestHead"/> (and <see cref="RequestTrailers"/>) and then
/// calls.</summary>
public abstract class RequestReceiver
{
    /// <summary>Filled by the codec before <see cref="OnRequestHead"/>.</summary>
    public HeaderMap RequestHead { get; } = new();

    /// <summary>Filled by the codec before <see cref="OnRequestTrailers"/>.</summary>
    public HeaderMap RequestTrailers { get; } = new();

    /// <summary>The head is complete.</summary>
    public abstract void OnRequestHead(bool end);

    /// <summary>A part of the body.</summary>
    public abstract void OnRequestBody(ReadOnlySpan<byte> body, bool end);

    /// <summary>Trailers arrived; the request is complete.</summary>
    public abstract void OnRequestTrailers();

    /// <summary>The client is gone or broke the protocol in the middle; no answer can reach it any more. Nothing follows.</summary>
    public abstract void OnRequestReset(ResetReason reason, string detail);

    /// <summary>The codec met a malformed or too large request and wants this answer to be given (status, details for logs as Envoy names
    /// them); the connection closes after it.</summary>
    public abstract void OnBadRequest(int status, string detail, FailureKind kind);

    /// <summary><see cref="DownstreamStream.CanSend"/> became true again.</summary>
    public abstract void OnSendable();

    /// <summary>
    /// The response has left whole and the request was complete or is not wanted any more: the receiver may be reused. Called once, last;
    /// it comes from inside the <c>Send…</c> that ended the response. After <see cref="OnRequestReset"/> and after
    /// <see cref="DownstreamStream.Reset"/> it does not come.
    /// </summary>
    public abstract void OnStreamDone();
}

/// <summary>Makes receivers, one a request: the HTTP connection's other half.</summary>
public abstract class RequestAcceptor
{
    /// <summary>A request begins.</summary>
    public abstract RequestReceiver OnRequest(DownstreamStream stream);

    /// <summary>The codec ended the connection because of the peer (bad preface, flood, framing); for counters and logs.
    /// <paramref name="detail"/> in Envoy's words.</summary>
    public abstract void OnConnectionError(string detail, FailureKind kind);

    /// <summary>Something that has a counter of its own.</summary>
    public virtual void OnCodecEvent(CodecEvent what)
    {
    }

    /// <summary>The connection is over; its requests were told before. Called once, last.</summary>
    public virtual void OnConnectionClosed(DownstreamConnection connection, CloseReason reason)
    {
    }
}

/// <summary>What codecs count (Envoy's <c>http1.*</c> and <c>http2.*</c> of the same names).</summary>
public enum CodecEvent : byte
{
    RejectedUnderscore,
    DroppedUnderscore,
    HeaderOverflow,
    HeadersCallbackFailure,
    InboundEmptyFramesFlood,
    InboundPriorityFramesFlood,
    InboundWindowUpdateFramesFlood,
    OutboundFlood,
    OutboundControlFlood,
    RxMessagingError,
    RxReset,
    TxReset,
    KeepAliveTimeout,
    Trailers,
    RequestRejected,
    TooManyPrematureResets,
    DelayedCloseTimeout,
}

/// <summary>One client's connection with its codec: what the HTTP connection manager may ask of it. Timers (idle, duration, drain) are the
/// manager's, not the codec's.</summary>
public abstract class DownstreamConnection : TransportHandler
{
    /// <summary>Its transport.</summary>
    public abstract Transport Transport { get; }

    /// <summary>The protocol spoken.</summary>
    public abstract HttpVersion Version { get; }

    /// <summary>Requests that are not answered whole yet.</summary>
    public abstract int ActiveStreams { get; }

    /// <summary>First step of a drain: HTTP/2 says GOAWAY with the largest stream id and goes on taking requests; HTTP/1 has no such word
    /// and does nothing.</summary>
    public abstract void NoticeShutdown();

    /// <summary>Second step: no request behind those under way is taken (HTTP/2: GOAWAY with the last id; HTTP/1: Connection: close); ends
    /// with the last answer, at once where there is none.</summary>
    public abstract void GoAway();

    /// <summary>Ends the connection when what waits for the peer has left; requests under way are told.</summary>
    public abstract void Close();
}

/// <summary>
/// One request to an upstream, as its codec offers it. Codecs use these objects again: once the receiver was told of the response's end or
/// reset (or has called <see cref="Reset"/>), nothing may be called on the stream any more, though the request was not sent whole.
/// </summary>
public abstract class UpstreamStream
{
    /// <summary>The protocol of the upstream's side.</summary>
    public abstract HttpVersion Version { get; }

    /// <summary>The upstream's connection.</summary>
    public abstract Transport Transport { get; }

    /// <summary>False while more waits than the watermark allows.</summary>
    public abstract bool CanSend { get; }

    /// <summary>Bytes both ways (for logs).</summary>
    public abstract StreamBytes Bytes { get; }

    /// <summary>The request's head; <paramref name="end"/> where nothing follows.</summary>
    public abstract void SendHead(HeaderMap head, bool end);

    /// <summary>A part of the body. Always taken whole.</summary>
    public abstract void SendBody(ReadOnlySpan<byte> body, bool end);

    /// <summary>Trailers; they end the request.</summary>
    public abstract void SendTrailers(HeaderMap trailers);

    /// <summary>Gives the request up. The receiver hears nothing more.</summary>
    public abstract void Reset(ResetReason reason);

    /// <summary>Stops and resumes the response body.</summary>
    public abstract bool BodyPaused { get; set; }
}

/// <summary>Who receives one response: an attempt of the router.</summary>
public abstract class ResponseReceiver
{
    /// <summary>Filled by the codec before <see cref="OnResponseHead"/> and <see cref="OnInformational"/>.</summary>
    public HeaderMap ResponseHead { get; } = new();

    /// <summary>Filled by the codec before <see cref="OnResponseTrailers"/>.</summary>
    public HeaderMap ResponseTrailers { get; } = new();

    /// <summary>A 1xx head other than 101.</summary>
    public abstract void OnInformational();

    /// <summary>The head is complete.</summary>
    public abstract void OnResponseHead(bool end);

    /// <summary>A part of the body.</summary>
    public abstract void OnResponseBody(ReadOnlySpan<byte> body, bool end);

    /// <summary>Trailers arrived; the response is complete.</summary>
    public abstract void OnResponseTrailers();

    /// <summary>It ended early. Nothing follows. <paramref name="detail"/> in Envoy's words.</summary>
    public abstract void OnResponseReset(ResetReason reason, string detail);

    /// <summary><see cref="UpstreamStream.CanSend"/> became true again.</summary>
    public abstract void OnSendable();
}

/// <summary>One connection to an upstream with its codec; the pools of Upstream/ own these.</summary>
public abstract class UpstreamConnection
{
    /// <summary>Its transport.</summary>
    public abstract Transport Transport { get; }

    /// <summary>The protocol spoken.</summary>
    public abstract HttpVersion Version { get; }

    /// <summary>Requests in flight.</summary>
    public abstract int ActiveStreams { get; }

    /// <summary>How many more requests it takes now (HTTP/1: 1 or 0; HTTP/2: what both ends' limits leave; 0 once draining).</summary>
    public abstract int FreeStreams { get; }

    /// <summary>Begins a request on a connection with a free stream.</summary>
    public abstract UpstreamStream Begin(ResponseReceiver receiver);

    /// <summary>Takes no new request; ends when the last one has.</summary>
    public abstract void Drain();
}

/// <summary>What an upstream connection tells its pool.</summary>
public abstract class UpstreamConnectionOwner
{
    /// <summary>Streams became free (a response ended, or SETTINGS allow more).</summary>
    public abstract void OnFree(UpstreamConnection connection);

    /// <summary>It takes no new requests (GOAWAY, Connection: close) though some may be running.</summary>
    public abstract void OnDraining(UpstreamConnection connection);

    /// <summary>Something that has a counter of its own.</summary>
    public virtual void OnCodecEvent(CodecEvent what)
    {
    }

    /// <summary>It is over; its streams have been told before. <paramref name="detail"/> in Envoy's words.</summary>
    public abstract void OnClosed(UpstreamConnection connection, CloseReason reason, string detail);
}

/// <summary>Bytes of one stream for logs and statistics.</summary>
/// <param name="HeadReceived">Wire bytes of heads and trailers that came.</param>
/// <param name="BodyReceived">Body bytes that came, with what framed them.</param>
/// <param name="HeadSent">Wire bytes of heads and trailers that went.</param>
/// <param name="BodySent">Body bytes that went, with what framed them.</param>
public readonly record struct StreamBytes(long HeadReceived, long BodyReceived, long HeadSent, long BodySent)
{
    /// <summary>Of the heads, what is no header field: start lines and line ends, as Envoy leaves them out.</summary>
    public long PlainReceived { get; init; }

    /// <summary>The same of heads that went.</summary>
    public long PlainSent { get; init; }
}
