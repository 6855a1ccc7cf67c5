using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http.Two;

/// <summary>A connection to an HTTP/2 upstream: many requests at once.</summary>
public sealed class Http2ClientConnection : UpstreamConnection
{
    private readonly Http2ClientSession _session;

    /// <summary>Takes over a connected transport (its TLS done), makes itself its handler and sends the preface.</summary>
    public Http2ClientConnection(Transport transport, UpstreamConnectionOwner owner, CodecOptions options)
    {
        _session = new Http2ClientSession(this, transport, owner, options);
        transport.Handler = new Listener(_session);
        _session.Start();
    }

    /// <inheritdoc/>
    public override Transport Transport => _session.Transport;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http2;

    /// <inheritdoc/>
    public override int ActiveStreams => _session.InFlight;

    /// <inheritdoc/>
    public override int FreeStreams => _session.Free;

    /// <inheritdoc/>
    public override UpstreamStream Begin(ResponseReceiver receiver) => _session.Begin(receiver);

    /// <inheritdoc/>
    public override void Drain() => _session.Drain();

    private sealed class Listener(Http2ClientSession session) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => session.Receive(bytes);

        public override void OnWritable(Transport transport) => session.OnWritable();

        public override void OnClosed(Transport transport, CloseReason reason) => session.OnTransportClosed(reason);
    }
}
