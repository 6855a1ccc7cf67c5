using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream;

/// <summary>One connection of a pool: connecting, then speaking, then draining or closed. Keeps its own clocks: connect, idle,
/// age.</summary>
public sealed class PooledConnection : UpstreamConnectionOwner
{
    // What a connection offers where TLS is configured without ALPN (as Envoy's pools do).
    private static readonly string[] AnyProtocol = ["h2", "http/1.1"], Http2Only = ["h2"], Http1Only = ["http/1.1"];

    private static long s_lastId;

    private readonly ConnectionPool _pool;
    // RFC 8305 5: the pause between two addresses.
    private const long NextAddressMicros = 300_000;

    private readonly Clock _clock, _age;
    private readonly NextClock _next;
    private Transport? _transport;
    private UpstreamConnection? _codec;
    private long _idleSince, _bytesIn, _bytesOut;
    private uint _requests;
    private int _active, _addresses, _trying;
    private bool _draining, _closed, _timedOut, _broken;
    private HttpVersion _version;

    internal PooledConnection(ConnectionPool pool)
    {
        _pool = pool;
        _clock = new Clock(this, false);
        _age = new Clock(this, true);
        _next = new NextClock(this);
        Id = Interlocked.Increment(ref s_lastId);
    }

    /// <summary>Number of the connection in this process.</summary>
    public long Id { get; }

    /// <summary>The pool that it belongs to.</summary>
    public ConnectionPool Pool => _pool;

    /// <summary>The codec's side, once connected.</summary>
    public UpstreamConnection Codec => _codec ?? throw new InvariantException("a stream on a connection that is not connected");

    /// <summary>The protocol spoken, once connected.</summary>
    public HttpVersion Version => _version;

    /// <summary>The transport of a connection that is or was connected.</summary>
    public Transport Transport => _transport ?? throw new InvariantException("the transport of a connection that is not connected");

    /// <summary>When the connect began and ended; microseconds of the loop.</summary>
    public long ConnectBegin { get; private set; }

    /// <summary>When it was connected, handshake included.</summary>
    public long ConnectEnd { get; private set; }

    /// <summary>TLS with the host; null for plain text.</summary>
    public TlsFacts? Tls { get; private set; }

    /// <summary>A further request may begin on it.</summary>
    internal bool IsFree => !_draining && !_closed && _codec is { FreeStreams: > 0 };

    /// <summary>It stands among those of its pool that told of a free stream.</summary>
    internal bool IsListed { get; set; }

    /// <summary>Streams that it will have when it is connected; 0 once it is.</summary>
    internal int ExpectedStreams => _codec is not null || _closed ? 0 : _pool.Key.Version == HttpVersion.Http2
        ? (int)Math.Min(Cluster.Protocol.Codec.Two.ConcurrentStreamsMax, MaxRequests) : 1;

    /// <summary>Streams under way.</summary>
    internal int Active => _active;

    /// <summary>Streams that it could take now, or will when it is connected.</summary>
    internal int Capacity => _closed || _draining ? 0 : _codec is null ? ExpectedStreams : _codec.FreeStreams;

    private uint MaxRequests => Cluster.Protocol.MaxRequestsPerConnection == 0 ? int.MaxValue : Cluster.Protocol.MaxRequestsPerConnection;

    private Cluster Cluster => _pool.Cluster.Cluster;

    private ClusterCounters Counters => _pool.Cluster.Counters;

    private EventLoop Loop => _pool.Cluster.Upstreams.Worker.Loop;

    internal void Connect()
    {
        Cluster cluster = Cluster;
        Host host = _pool.Host;
        ConnectBegin = Loop.Now;
        Counters.Count(ClusterCounter.UpstreamCxTotal);
        Counters.Move(ClusterGauge.UpstreamCxActive, 1);
        host.Counters.CountConnection();
        host.CountConnection(1);
        Loop.Arm(_clock, Math.Max(1, cluster.ConnectTimeoutMicros));
        ConnectTo(host.Address);
    }

    private void ConnectTo(Address address)
    {
        Cluster cluster = Cluster;
        ConnectOptions options = cluster.Bind.To(address);
        var handler = new Connecting(this);
        SecurityWishes wishes = _pool.Key.Wishes with
        {
            OtherwiseAlpn = _pool.Key.Version switch
            {
                null => AnyProtocol,
                HttpVersion.Http2 => Http2Only,
                _ => Http1Only,
            },
            HostName = _pool.Host.Endpoint.Hostname,
            HostMetadata = _pool.Host.Endpoint.Metadata,
            ClusterMetadata = cluster.Metadata,
        };
        _transport = _pool.Host.Security is { } security
            ? security.Connect(Loop, options, wishes, handler) : Loop.Connect(options, handler);
        // No client stands for a pooled connection: it speaks for itself.
        if (cluster.ProxyHeader is { } header)
            ((_transport as Tls.TlsTransport)?.Inner
                ?? _transport).Send(Listeners.ProxyHeader.Write(header.Version, default, default, header.Added));
        _trying++;
        if (_addresses < _pool.Host.Endpoint.AdditionalAddresses.Count)
            Loop.Arm(_next, NextAddressMicros);
    }

    // Happy eyeballs (RFC 8305): the next address is tried when one fails, or when it takes too long; the first that connects is taken.
    private void TryNext()
    {
        Loop.Disarm(_next);
        if (_codec is null && !_closed && _addresses < _pool.Host.Endpoint.AdditionalAddresses.Count)
            ConnectTo(_pool.Host.Endpoint.AdditionalAddresses[_addresses++]);
    }

    private void OnConnected(Transport transport)
    {
        if (_codec is not null || _closed)
        {
            transport.Close();
            return;
        }
        Loop.Disarm(_clock);
        Loop.Disarm(_next);
        ConnectEnd = Loop.Now;
        _transport = transport;
        UpstreamSecurity? security = _pool.Host.Security;
        Tls = security?.FactsOf(transport);
        HttpVersion version = _pool.Key.Version ?? (security?.AgreedProtocol(transport) == "h2" ? HttpVersion.Http2 : HttpVersion.Http11);
        Counters.Count(version == HttpVersion.Http2 ? ClusterCounter.UpstreamCxHttp2Total : ClusterCounter.UpstreamCxHttp1Total);
        _version = version;
        if (version == HttpVersion.Http2)
            _pool.Cluster.CodecTwo.Count(CodecStats.UpstreamConnections);
        Counters.Record(ClusterHistogram.UpstreamCxConnectMs, (ConnectEnd - ConnectBegin) / 1000);
        if (security is not null)
            _pool.Cluster.TlsStats.Succeeded(_pool.Cluster.Upstreams.Worker, Tls);
        _codec = _pool.Key.Tunnel ? new TunnelConnection(transport, this, Cluster.Protocol.Codec)
            : UpstreamCodecs.Make(version, transport, this, Cluster.Protocol.Codec);
        if (Cluster.Protocol.MaxDurationMicros > 0)
            Loop.Arm(_age, Cluster.Protocol.MaxDurationMicros);
        ArmIdle();
        _pool.OnConnected(this);
    }

    private void OnConnectFailed(CloseReason reason)
    {
        if (_closed || _codec is not null)
            return;
        _trying--;
        if (!_timedOut)
        {
            TryNext();
            if (_trying > 0)
                return;
        }
        _closed = true;
        Loop.Disarm(_clock);
        Loop.Disarm(_next);
        Counters.Move(ClusterGauge.UpstreamCxActive, -1);
        Counters.Count(ClusterCounter.UpstreamCxConnectFail);
        Counters.Count(ClusterCounter.UpstreamCxDestroy);
        Counters.Count(_timedOut ? ClusterCounter.UpstreamCxDestroyLocal : ClusterCounter.UpstreamCxDestroyRemote);
        Counters.Count(_pool.Key.Version == HttpVersion.Http2 ? ClusterCounter.UpstreamCxHttp2Total : ClusterCounter.UpstreamCxHttp1Total);
        if (_timedOut)
            Counters.Count(ClusterCounter.UpstreamCxConnectTimeout);
        _pool.Host.CountConnection(-1);
        if (reason == CloseReason.Tls && _transport is not null)
            _pool.Cluster.TlsStats.Failed(_pool.Cluster.Upstreams.Worker, _pool.Host.Security?.FailureOf(_transport) ?? "");
        _pool.Host.Counters.CountConnectFail();
        PoolFailure failure = _timedOut || reason == CloseReason.Timeout ? PoolFailure.Timeout : reason == CloseReason.Environment
            ? PoolFailure.LocalConnectionFailure : PoolFailure.RemoteConnectionFailure;
        string words = reason == CloseReason.Tls && _transport is not null ? _pool.Host.Security?.FailureOf(_transport) ?? ""
            : _transport is { ConnectFailure: { Length: > 0 } told } ? told : failure == PoolFailure.Timeout
            ? "" : reason == CloseReason.Refused ? "delayed connect error: Connection refused"
            : reason == CloseReason.Reset ? "delayed connect error: Connection reset by peer" : reason == CloseReason.Environment
            ? "immediate connect error: Network is unreachable" : "";
        _pool.OnConnectFailed(this, failure, words);
    }

    // ---- streams

    internal void OnStreamBegins()
    {
        _active++;
        _requests++;
        Counters.Count(ClusterCounter.UpstreamRqTotal);
        Counters.Move(ClusterGauge.UpstreamRqActive, 1);
        _broken = false;
        if (_version == HttpVersion.Http2)
            _pool.Cluster.CodecTwo.Move(CodecStats.StreamsActive, 1);
        _pool.Host.CountRequest(1);
        _pool.Host.Counters.CountRequest();
        if (_requests >= MaxRequests && !_draining)
        {
            Counters.Count(ClusterCounter.UpstreamCxMaxRequests);
            _draining = true;
        }
    }

    /// <summary>A stream is about to end before its time: where that ends the connection, it ends with a request in it.</summary>
    public void OnStreamBroken() => _broken = true;

    /// <summary>The attempt that began a stream here is over, however it ended. Once for each.</summary>
    public void OnStreamOver()
    {
        _active--;
        CountBytes();
        if (_version == HttpVersion.Http2)
            _pool.Cluster.CodecTwo.Move(CodecStats.StreamsActive, -1);
        Counters.Move(ClusterGauge.UpstreamRqActive, -1);
        _pool.Host.CountRequest(-1);
        _pool.Cluster.Use(_pool.Key.Priority).FreeRequest();
        if (_active > 0 || _closed)
            return;
        if (_draining)
            _codec?.Drain();
        else
            ArmIdle();
    }

    /// <summary>Counts what went over it since it was asked last.</summary>
    public void CountBytes()
    {
        Transport transport = Transport;
        Counters.Add(ClusterCounter.UpstreamCxRxBytesTotal, transport.BytesIn - _bytesIn);
        Counters.Add(ClusterCounter.UpstreamCxTxBytesTotal, transport.BytesOut - _bytesOut);
        (_bytesIn, _bytesOut) = (transport.BytesIn, transport.BytesOut);
    }

    internal void Drain()
    {
        if (_closed)
            return;
        _draining = true;
        if (_codec is null)
            return;
        _codec.Drain();
    }

    private void ArmIdle()
    {
        long micros = Cluster.Protocol.IdleTimeoutMicros;
        if (micros <= 0 || _active > 0)
            return;
        // A clock that runs already is left: when it is due it looks since when the connection is idle.
        _idleSince = Loop.Now;
        if (!_clock.IsArmed || _clock.DueAt > _idleSince + micros)
            Loop.Arm(_clock, micros);
    }

    private bool IsIdleYet()
    {
        if (_active > 0 || Cluster.Protocol.IdleTimeoutMicros <= 0)
            return false;
        long rest = _idleSince + Cluster.Protocol.IdleTimeoutMicros - Loop.Now;
        if (rest > 0)
            Loop.Arm(_clock, rest);
        return rest <= 0;
    }

    // ---- from the codec

    /// <inheritdoc/>
    public override void OnFree(UpstreamConnection connection)
    {
        if (!_draining && !_closed)
            _pool.OnFree(this);
    }

    /// <inheritdoc/>
    public override void OnCodecEvent(CodecEvent what) => CodecStats.Count(_pool.Cluster.CodecOne, _pool.Cluster.CodecTwo, _version, what);

    /// <inheritdoc/>
    public override void OnDraining(UpstreamConnection connection)
    {
        if (!_draining)
            Counters.Count(ClusterCounter.UpstreamCxCloseNotify);
        _draining = true;
    }

    /// <inheritdoc/>
    public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail)
    {
        if (_closed)
            return;
        _closed = true;
        Loop.Disarm(_clock);
        Loop.Disarm(_age);
        bool remote = reason != CloseReason.Local;
        CountBytes();
        Counters.Move(ClusterGauge.UpstreamCxActive, -1);
        Counters.Record(ClusterHistogram.UpstreamCxLengthMs, (Loop.Now - ConnectEnd) / 1000);
        Counters.Count(ClusterCounter.UpstreamCxDestroy);
        Counters.Count(remote ? ClusterCounter.UpstreamCxDestroyRemote : ClusterCounter.UpstreamCxDestroyLocal);
        if (_active > 0 || _broken)
        {
            Counters.Count(ClusterCounter.UpstreamCxDestroyWithActiveRq);
            Counters.Count(remote ? ClusterCounter.UpstreamCxDestroyRemoteWithActiveRq : ClusterCounter.UpstreamCxDestroyLocalWithActiveRq);
        }
        if (detail.Length > 0 && detail != "local_reset")
            Counters.Count(ClusterCounter.UpstreamCxProtocolError);
        _pool.Host.CountConnection(-1);
        _pool.OnClosed(this);
    }

    private void OnDue(bool age)
    {
        if (_codec is null)
        {
            _timedOut = true;
            // In order: a peer whose handshake is slow reads the end, not a reset (as Envoy).
            _transport?.Close();
            OnConnectFailed(CloseReason.Timeout);
            return;
        }
        if (!age && !IsIdleYet())
            return;
        Counters.Count(age ? ClusterCounter.UpstreamCxMaxDurationReached : ClusterCounter.UpstreamCxIdleTimeout);
        _draining = true;
        _codec.Drain();
    }

    private sealed class Clock(PooledConnection connection, bool age) : Deadline
    {
        protected internal override void OnDue(long now) => connection.OnDue(age);
    }

    private sealed class NextClock(PooledConnection connection) : Deadline
    {
        protected internal override void OnDue(long now) => connection.TryNext();
    }

    private sealed class Connecting(PooledConnection connection) : TransportHandler
    {
        public override void OnConnected(Transport transport) => connection.OnConnected(transport);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => connection.OnConnectFailed(reason);
    }
}

/// <summary>Makes the codec of an upstream connection.</summary>
internal static class UpstreamCodecs
{
    public static UpstreamConnection Make(HttpVersion version, Transport transport, UpstreamConnectionOwner owner, CodecOptions options) =>
        version == HttpVersion.Http2
            ? new Http2ClientConnection(transport, owner, options) : new Http1ClientConnection(transport, owner, options);
}
