using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>A client's HTTP/2 connection: requests in, responses out, many at once.</summary>
public sealed class Http2ServerConnection : DownstreamConnection
{
    private readonly Http2ServerSession _session;

    /// <summary>Takes over an accepted transport (its TLS done), and makes itself its handler. The client's preface is still to
    /// come.</summary>
    public Http2ServerConnection(Transport transport, RequestAcceptor acceptor, CodecOptions options)
    {
        _session = new Http2ServerSession(transport, acceptor, options);
        transport.Handler = this;
    }

    /// <inheritdoc/>
    public override Transport Transport => _session.Transport;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http2;

    /// <inheritdoc/>
    public override int ActiveStreams => _session.Active;

    /// <inheritdoc/>
    public override void NoticeShutdown() => _session.NoticeShutdown();

    /// <inheritdoc/>
    public override void GoAway() => _session.FinishDrain();

    /// <inheritdoc/>
    public override void Close() => Transport.Close();

    /// <inheritdoc/>
    public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => _session.ReceiveWithPreface(bytes);

    /// <inheritdoc/>
    public override void OnEnd(Transport transport)
    {
        // RFC 9113 knows no half-closed connection: the client is gone.
        _session.Disconnected();
        transport.Close();
    }

    /// <inheritdoc/>
    public override void OnWritable(Transport transport) => _session.OnWritable();

    /// <inheritdoc/>
    public override void OnClosed(Transport transport, CloseReason reason)
    {
        _session.OnClosed();
        _session.Acceptor.OnConnectionClosed(this, reason);
    }
}
