using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>One request of an HTTP/2 client: how it is answered.</summary>
internal sealed class Http2ServerStream(Http2ServerSession session, Http2Stream core) : DownstreamStream
{

    /// <summary>The stream below; its number is 0 when it is over.</summary>
    public Http2Stream Core => core;

    /// <summary>Who handles the request.</summary>
    public RequestReceiver Receiver = null!;

    /// <summary>It came as an extended CONNECT and is shown as an upgrade.</summary>
    public bool Extended;

    /// <summary>A plain CONNECT.</summary>
    public bool Tunnel;

    /// <summary>The final head went.</summary>
    public bool HeadSent;

    private uint _id;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http2;

    /// <inheritdoc/>
    public override Transport Transport => session.Transport;

    /// <inheritdoc/>
    public override uint StreamId => _id;

    /// <inheritdoc/>
    public override bool CanSend => session.CanSend(core);

    /// <inheritdoc/>
    public override StreamBytes Bytes => core.Bytes;

    /// <inheritdoc/>
    public override bool BodyPaused
    {
        get => core.Paused;
        set => session.Pause(core, value);
    }

    public void Begin()
    {
        _id = core.Id;
        Informed = Extended = Tunnel = HeadSent = false;
    }

    /// <summary>Answers Expect here.</summary>
    public void SendContinue()
    {
        Informed = true;
        session.SendContinue(core);
    }

    /// <inheritdoc/>
    public override void SendInformational(HeaderMap head)
    {
        if (Informed || HeadSent || core.Id == 0)
            return;
        Informed = true;
        session.SendHead(core, head, false, false);
    }

    /// <inheritdoc/>
    public override void SendHead(HeaderMap head, bool end)
    {
        if (HeadSent || core.Id == 0)
            return;
        HeadSent = true;
        session.SendHead(core, head, end, Extended);
    }

    /// <inheritdoc/>
    public override void SendBody(ReadOnlySpan<byte> body, bool end) => session.SendBody(core, body, end);

    /// <inheritdoc/>
    public override void SendTrailers(HeaderMap trailers) => session.SendTrailers(core, trailers);

    /// <inheritdoc/>
    public override void Reset(ResetReason reason)
    {
        if (core.Id != 0)
            session.Reset(core, Tunnel && reason == ResetReason.LocalFailure ? ResetReason.ConnectError : reason);
    }

    /// <summary>The connection's drain begins: new requests are still taken until the manager's second word
    /// (<see cref="DownstreamConnection.GoAway"/>).</summary>
    public override void CloseAfterResponse() => session.NoticeShutdown();
}
