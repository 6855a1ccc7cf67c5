using Lateen.Proxy.Net;

namespace Lateen.Proxy.Http;

/// <summary>
/// The upstream's side of a CONNECT that this proxy terminates: a plain byte stream in the clothes of a request. The head is not sent; the
/// answer is a 200 as soon as the request begins, since the connection stands by then; bodies are bytes as they are. It serves one request
/// and ends with it.
/// </summary>
public sealed class TunnelConnection : UpstreamConnection
{
    private readonly Transport _transport;
    private readonly UpstreamConnectionOwner _owner;
    private readonly Stream _stream;
    private readonly Opening _opening;
    private ResponseReceiver? _receiver;
    private bool _begun, _opened;

    /// <summary>Takes over a connected transport (its TLS done), and makes itself its handler.</summary>
    public TunnelConnection(Transport transport, UpstreamConnectionOwner owner, CodecOptions options)
    {
        _transport = transport;
        _owner = owner;
        _stream = new Stream(this);
        _opening = new Opening(this);
        transport.HighWatermark = options.BufferLimit;
        transport.Handler = new Listener(this);
    }

    /// <inheritdoc/>
    public override Transport Transport => _transport;

    /// <inheritdoc/>
    public override HttpVersion Version => HttpVersion.Http11;

    /// <inheritdoc/>
    public override int ActiveStreams => _receiver is null ? 0 : 1;

    /// <inheritdoc/>
    public override int FreeStreams => _begun || _transport.IsClosed ? 0 : 1;

    /// <inheritdoc/>
    public override UpstreamStream Begin(ResponseReceiver receiver)
    {
        if (FreeStreams == 0)
            throw new InvariantException("a tunnel was begun on a connection that has one");
        _begun = true;
        _receiver = receiver;
        return _stream;
    }

    /// <inheritdoc/>
    public override void Drain()
    {
        if (_receiver is null)
            _transport.Close();
    }

    private void Open()
    {
        if (_opened || _receiver is not { } receiver)
            return;
        _opened = true;
        receiver.ResponseHead.Clear();
        receiver.ResponseHead.Add(KnownHeader.Status, "200"u8);
        _owner.OnDraining(this);
        receiver.OnResponseHead(false);
    }

    private void OnData(ReadOnlySpan<byte> bytes)
    {
        Open();
        _stream.CountReceived(bytes.Length);
        _receiver?.OnResponseBody(bytes, false);
    }

    private void OnEnd()
    {
        Open();
        ResponseReceiver? receiver = _receiver;
        _receiver = null;
        receiver?.OnResponseBody(default, true);
        _transport.Close();
    }

    private void GiveUp()
    {
        _receiver = null;
        _transport.Close();
    }

    private void OnClosed(CloseReason reason)
    {
        ResponseReceiver? receiver = _receiver;
        _receiver = null;
        receiver?.OnResponseReset(ResetReason.ConnectionTerminated, "connection_termination");
        _owner.OnClosed(this, reason, "");
    }

    // The answer comes at the end of the turn, not inside the call that sends the request.
    private sealed class Opening(TunnelConnection tunnel) : Letter
    {
        protected internal override void Deliver() => tunnel.Open();
    }

    private sealed class Listener(TunnelConnection tunnel) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => tunnel.OnData(bytes);

        public override void OnEnd(Transport transport) => tunnel.OnEnd();

        public override void OnWritable(Transport transport) => tunnel._receiver?.OnSendable();

        public override void OnClosed(Transport transport, CloseReason reason) => tunnel.OnClosed(reason);
    }

    private sealed class Stream(TunnelConnection tunnel) : UpstreamStream
    {
        private long _received, _sent;
        private bool _ended;

        public override HttpVersion Version => HttpVersion.Http11;

        public override Transport Transport => tunnel._transport;

        public override bool CanSend => !tunnel._transport.IsAboveWatermark;

        public override StreamBytes Bytes => new(0, _received, 0, _sent);

        public override bool BodyPaused
        {
            get => !tunnel._transport.Reading;
            set => tunnel._transport.Reading = !value;
        }

        public void CountReceived(int bytes) => _received += bytes;

        public override void SendHead(HeaderMap head, bool end)
        {
            tunnel._transport.Loop.Defer(tunnel._opening);
            if (end)
                End();
        }

        public override void SendBody(ReadOnlySpan<byte> body, bool end)
        {
            _sent += body.Length;
            tunnel._transport.Send(body);
            if (end)
                End();
        }

        public override void SendTrailers(HeaderMap trailers) => End();

        public override void Reset(ResetReason reason) => tunnel.GiveUp();

        private void End()
        {
            if (_ended)
                return;
            _ended = true;
            tunnel._transport.EndSend();
        }
    }
}
