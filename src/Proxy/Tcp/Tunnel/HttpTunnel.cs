using System.Globalization;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Tcp.Tunnel;

/// <summary>A byte stream inside an HTTP request: connected when the upstream agrees, ended by the ends of its bodies.</summary>
internal sealed class HttpTunnel : Transport
{
    private readonly TcpSession _session;
    private readonly TunnelOptions _options;
    private readonly HeaderMap _head = new();
    private readonly Waiter _waiter;
    private readonly Receiver _receiver;
    private readonly Telling _telling;
    private readonly EventLoop _loop;
    private PooledConnection? _connection;
    private UpstreamStream? _stream;
    private CloseReason _reason;
    private bool _open, _over, _told, _endSent, _peerEnded, _above;

    private HttpTunnel(TcpSession session, TunnelOptions options, TransportHandler handler)
    {
        _session = session;
        _options = options;
        _loop = session.Connection.Worker.Loop;
        _waiter = new Waiter(this);
        _receiver = new Receiver(this);
        _telling = new Telling(this);
        Handler = handler;
    }

    /// <summary>Why there is no tunnel, in Envoy's words; empty where there is one.</summary>
    public string Failure { get; private set; } = "";

    /// <summary>The pool refused for its limits.</summary>
    public bool Overflowed { get; private set; }

    /// <summary>TLS of the connection that carries it.</summary>
    public TlsFacts? Tls => _connection?.Tls;

    /// <summary>Number of the connection that carries it.</summary>
    public long ConnectionId => _connection?.Id ?? 0;

    /// <inheritdoc/>
    public override EventLoop Loop => _loop;

    /// <inheritdoc/>
    public override Address Local => _stream?.Transport.Local ?? default;

    /// <inheritdoc/>
    public override Address Remote => _stream?.Transport.Remote ?? default;

    /// <inheritdoc/>
    public override Address OriginalDestination => default;

    /// <inheritdoc/>
    public override int PendingBytes => _stream is null || _stream.CanSend ? 0 : 1;

    /// <inheritdoc/>
    public override bool IsAboveWatermark => _above;

    /// <inheritdoc/>
    public override bool IsClosed => _over;

    /// <inheritdoc/>
    public override bool Reading
    {
        get => field;
        set
        {
            field = value;
            if (_stream is not null && !_over && !_peerEnded)
                _stream.BodyPaused = !value;
        }
    } = true;

    /// <summary>Asks a host for a tunnel. The handler hears of it later, as of any connect.</summary>
    public static HttpTunnel Connect(TcpSession session, TunnelOptions options, WorkerCluster cluster, Host host, TransportHandler handler)
    {
        var tunnel = new HttpTunnel(session, options, handler);
        HttpVersion? version = cluster.Cluster.Protocol.Choice switch
        {
            ProtocolChoice.Http2 => HttpVersion.Http2,
            ProtocolChoice.Auto => host.Security is null ? HttpVersion.Http11 : null,
            _ => HttpVersion.Http11,
        };
        var wishes = new SecurityWishes(session.ServerName, session.Alpn, null);
        var key = new PoolKey(version, RoutePriority.Default, host.Security is null ? default : wishes, null);
        if (cluster.PoolsOf(host).Of(key) is { } pool)
            pool.Request(tunnel._waiter);
        else
            tunnel._waiter.OnFailed(PoolFailure.Overflow, "");
        return tunnel;
    }

    private void OnReady(PooledConnection connection)
    {
        _connection = connection;
        _stream = connection.Codec.Begin(_receiver);
        WriteHead(connection.Tls is not null);
        _stream.SendHead(_head, false);
    }

    private void WriteHead(bool tls)
    {
        var text = new ByteBuffer(64);
        _options.Host.Write(_session.Facts, text);
        _head.Clear();
        _head.Add(KnownHeader.Method, _options.PostPath is null ? "CONNECT"u8 : "POST"u8);
        _head.Add(KnownHeader.Authority, text.Written);
        if (_options.PostPath is { } path)
        {
            _head.Add(KnownHeader.Path, System.Text.Encoding.Latin1.GetBytes(path));
            if (_stream!.Version == HttpVersion.Http2)
                _head.Add(KnownHeader.Scheme, tls ? "https"u8 : "http"u8);
        }
        RouteHeaders.Apply(_options.Headers, _head, _session.Facts);
    }

    private void OnHead(HeaderMap head, bool end)
    {
        if (_over)
            return;
        if (_options.KeepResponseHead)
            _session.Facts.SetFilterState(TunnelOptions.ResponseHeadKey, Copy(head));
        int status = HeaderRules.Status(head);
        bool agreed = _stream!.Version == HttpVersion.Http2 ? status == 200 : status is >= 200 and < 300;
        if (!agreed)
        {
            Failure = string.Create(CultureInfo.InvariantCulture, $"tunnel_response:{status}");
            if (!end)
                GiveUp(ResetReason.LocalFailure);
            else
                Leave();
            End(CloseReason.Refused);
            return;
        }
        _open = true;
        Handler.OnConnected(this);
        if (_over)
            return;
        _stream.BodyPaused = !Reading;
        if (end)
            OnPeerEnd();
    }

    private static HeaderMap Copy(HeaderMap head)
    {
        var copy = new HeaderMap();
        for (int i = 0; i < head.End; i++)
        {
            if (head.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                copy.Add(name, value);
        }
        return copy;
    }

    private void OnBody(ReadOnlySpan<byte> body, bool end)
    {
        if (_over)
            return;
        if (!body.IsEmpty)
            Show(body);
        if (end && !_over)
            OnPeerEnd();
    }

    private void OnTrailers(HeaderMap trailers)
    {
        if (_over)
            return;
        if (_options.KeepResponseTrailers)
            _session.Facts.SetFilterState(TunnelOptions.ResponseTrailersKey, Copy(trailers));
        OnPeerEnd();
    }

    // The stream is over with its answer: what we would still send goes nowhere.
    private void OnPeerEnd()
    {
        _peerEnded = true;
        Leave();
        Handler.OnEnd(this);
        End(CloseReason.Remote);
    }

    private void OnReset(ResetReason reason)
    {
        Leave();
        if (!_open)
            Failure = "";
        End(reason == ResetReason.ConnectionTerminated && _open ? CloseReason.Remote : CloseReason.Reset);
    }

    /// <inheritdoc/>
    public override void Send(ReadOnlySpan<byte> bytes)
    {
        if (_over || _endSent || bytes.IsEmpty)
            return;
        BytesOut += bytes.Length;
        _stream!.SendBody(bytes, false);
        _above |= !_over && !_stream.CanSend;
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override void EndSend()
    {
        if (_over || _endSent)
            return;
        _endSent = true;
        _stream!.SendBody(default, true);
        // A tunnel over HTTP/1 has no other end than the connection's.
        if (!_over && _options.PostPath is null && _stream.Version != HttpVersion.Http2)
            _stream.Transport.EndSend();
    }

    /// <inheritdoc/>
    public override void Close(bool abort = false)
    {
        if (_over)
            return;
        if (_stream is null)
            _waiter.Pool?.Cancel(_waiter);
        else if (!_peerEnded && !abort && !_endSent)
            EndSend();
        if (_stream is not null && !_over && !_peerEnded)
            GiveUp(abort ? ResetReason.Local : ResetReason.None);
        End(CloseReason.Local);
    }

    private void GiveUp(ResetReason reason)
    {
        UpstreamStream stream = _stream!;
        Leave();
        stream.Reset(reason == ResetReason.None ? ResetReason.Local : reason);
    }

    private void Leave()
    {
        PooledConnection? connection = _connection;
        if (connection is null || _left)
            return;
        _left = true;
        connection.OnStreamOver();
    }

    private bool _left;

    private void End(CloseReason reason)
    {
        if (_over)
            return;
        _over = true;
        _reason = reason;
        _loop.Defer(_telling);
    }

    private void OnPoolFailed(PoolFailure failure, string words)
    {
        Failure = words;
        Overflowed = failure == PoolFailure.Overflow;
        End(failure switch
        {
            PoolFailure.Timeout => CloseReason.Timeout,
            PoolFailure.LocalConnectionFailure => CloseReason.Environment,
            _ => CloseReason.Refused,
        });
    }

    private void OnSendable()
    {
        if (_over || !_above || !_stream!.CanSend)
            return;
        _above = false;
        Handler.OnWritable(this);
    }

    private sealed class Telling(HttpTunnel tunnel) : Letter
    {
        protected internal override void Deliver()
        {
            if (tunnel._told)
                return;
            tunnel._told = true;
            tunnel.Handler.OnClosed(tunnel, tunnel._reason);
        }
    }

    private sealed class Waiter(HttpTunnel tunnel) : StreamWaiter
    {
        public override void OnReady(PooledConnection connection) => tunnel.OnReady(connection);

        public override void OnFailed(PoolFailure failure, string transportFailure) => tunnel.OnPoolFailed(failure, transportFailure);
    }

    private sealed class Receiver(HttpTunnel tunnel) : ResponseReceiver
    {
        public override void OnInformational()
        {
        }

        public override void OnResponseHead(bool end) => tunnel.OnHead(ResponseHead, end);

        public override void OnResponseBody(ReadOnlySpan<byte> body, bool end) => tunnel.OnBody(body, end);

        public override void OnResponseTrailers() => tunnel.OnTrailers(ResponseTrailers);

        public override void OnResponseReset(ResetReason reason, string detail) => tunnel.OnReset(reason);

        public override void OnSendable() => tunnel.OnSendable();
    }
}
