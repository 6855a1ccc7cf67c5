using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>One request to an HTTP/2 upstream: how it is sent.</summary>
internal sealed class Http2ClientStream(Http2ClientSession session, Http2Stream core) : UpstreamStream
{
    /// <summary>The stream below; its number is 0 before the head is sent and after the end, so that nothing done to it does
    /// anything.</summary>
    public Http2Stream Core => core;

    /// <summary>Who receives the response; null when the stream is over.</summary>
    public ResponseReceiver? Receiver;

    /// <summary>The answer has no body whatever its head says.</summary>
    public bool IsHead;

    /// <summary>An HTTP/1 upgrade that goes as extended CONNECT.</summary>
    public bool Extended;

    /// <summary>The protocol that such an upgrade named.</summary>
    public byte[] Protocol = [];

    /// <summary>The head went.</summary>
    public bool HeadSent;

    private bool _paused;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http2;

    /// <inheritdoc/>
    public override Transport Transport => session.Transport;

    /// <inheritdoc/>
    public override bool CanSend => session.CanSend(core);

    /// <inheritdoc/>
    public override StreamBytes Bytes => core.Bytes;

    /// <inheritdoc/>
    public override bool BodyPaused
    {
        get => _paused;
        set
        {
            _paused = value;
            if (core.Id != 0)
                session.Pause(core, value);
        }
    }

    public void Begin(ResponseReceiver receiver)
    {
        Receiver = receiver;
        IsHead = Extended = HeadSent = _paused = false;
    }

    /// <inheritdoc/>
    public override void SendHead(HeaderMap head, bool end)
    {
        if (HeadSent || Receiver is null)
            return;
        HeadSent = true;
        session.SendHead(this, head, end);
    }

    /// <inheritdoc/>
    public override void SendBody(ReadOnlySpan<byte> body, bool end) => session.SendBody(core, body, end);

    /// <inheritdoc/>
    public override void SendTrailers(HeaderMap trailers) => session.SendTrailers(core, trailers);

    /// <inheritdoc/>
    public override void Reset(ResetReason reason)
    {
        if (Receiver is not null)
            session.Reset(this, reason);
    }
}
