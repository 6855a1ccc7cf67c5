using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>One request to an HTTP/2 upstream: how it is sent.</summary>
internal sealed class Http2ClientStream(Http2ClientSession session) : UpstreamStream
{
    // Stands in before the head is sent and after the end: its number is 0, so nothing done to it does anything.
    private static readonly Http2Stream None = new();

    /// <summary>The stream below.</summary>
    public Http2Stream Core = None;

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

    private StreamBytes _last;
    private bool _paused;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http2;

    /// <inheritdoc/>
    public override Transport Transport => session.Transport;

    /// <inheritdoc/>
    public override bool CanSend => session.CanSend(Core);

    /// <inheritdoc/>
    public override StreamBytes Bytes => Core.Id != 0 ? Core.Bytes : _last;

    /// <inheritdoc/>
    public override bool BodyPaused
    {
        get => _paused;
        set
        {
            _paused = value;
            if (Core.Id != 0)
                session.Pause(Core, value);
        }
    }

    public void Begin(ResponseReceiver receiver)
    {
        Core = None;
        Receiver = receiver;
        IsHead = Extended = HeadSent = _paused = false;
        _last = default;
    }

    /// <summary>Keeps the counts before the stream below is used again.</summary>
    public void Detach()
    {
        _last = Core.Bytes;
        Core = None;
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
    public override void SendBody(ReadOnlySpan<byte> body, bool end) => session.SendBody(Core, body, end);

    /// <inheritdoc/>
    public override void SendTrailers(HeaderMap trailers) => session.SendTrailers(Core, trailers);

    /// <inheritdoc/>
    public override void Reset(ResetReason reason)
    {
        if (Receiver is not null)
            session.Reset(this, reason);
    }
}
