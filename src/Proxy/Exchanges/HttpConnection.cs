using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Exchanges;

/// <summary>Exchanges of one worker and one connection manager, kept for reuse.</summary>
public sealed class ExchangePool(Worker worker, HttpOptions options)
{
    // More than this many idle exchanges are left to the collector: a burst does not cost memory for ever.
    private const int Kept = 1024;

    // A chain through Exchange.NextFree, the one used last in front: it is the warmest.
    private Exchange? _free;
    private int _freeCount;

    /// <summary>The worker.</summary>
    public Worker Worker { get; } = worker;

    /// <summary>The connection manager.</summary>
    public HttpOptions Options { get; } = options;

    /// <summary>The <c>server</c> header's bytes.</summary>
    internal byte[] ServerName { get; } = System.Text.Encoding.Latin1.GetBytes(options.ServerName);

    /// <summary>This worker's counters.</summary>
    internal StatCells Stats { get; } = options.Stats.Of(worker.Index);

    internal StatCells ListenerStats { get; } = options.ListenerStats.Of(worker.Index);

    internal StatCells CodecOne { get; } = options.CodecStatsOne.Of(worker.Index);

    internal StatCells CodecTwo { get; } = options.CodecStatsTwo.Of(worker.Index);

    /// <summary>True where an answer shall end its connection though the client did not ask for it (the listener drains, the health check
    /// fails). Null for never.</summary>
    public Func<bool>? ShallEnd { get; init; }

    /// <summary>Work space for one call at a time.</summary>
    internal ByteBuffer Scratch { get; } = new(1024);

    // Cleaned when it is taken, not when it is given: whoever ended it may still be on the stack, and must find it ended.
    internal Exchange Take()
    {
        if (_free is not { } exchange)
            return new Exchange(Worker, Options);
        _free = exchange.NextFree;
        _freeCount--;
        Prefetch.Of(_free, Exchange.LinesTouched);
        exchange.NextFree = null;
        exchange.Recycle();
        return exchange;
    }

    internal void Give(Exchange exchange)
    {
        if (_freeCount >= Kept)
        {
            exchange.Drop();
            return;
        }
        exchange.NextFree = _free;
        _free = exchange;
        _freeCount++;
    }
}

/// <summary>
/// One client's HTTP connection: makes its exchanges, and ends it for idleness, age, number of requests or draining. The codec calls it;
/// whoever made the connection gives it the codec's side with <see cref="Attach"/>.
/// </summary>
public sealed class HttpConnection : RequestAcceptor
{
    private readonly ExchangePool _pool;
    private readonly ConnectionClock _idle;
    private ConnectionClock? _age, _drain;
    private ExchangePool _next;
    private DownstreamConnection? _codec;
    private byte[]? _certificate;
    private long _idleSince, _bytesIn, _bytesOut;
    private uint _requests;
    private int _active;
    private bool _draining, _isTwo, _attached, _counted, _activeAtEnd;

    /// <summary>A connection whose exchanges come from a pool.</summary>
    public HttpConnection(ExchangePool pool, ConnectionContext context)
    {
        _pool = _next = pool;
        Context = context;
        _idle = new ConnectionClock(this, 0);
        BeginIdle();
        if (Options.MaxConnectionMicros > 0)
            Loop.Arm(_age = new ConnectionClock(this, 1), Options.MaxConnectionMicros);
        Stats.Count(HttpStat.DownstreamCxTotal);
        Stats.Move(HttpStat.DownstreamCxActive, 1);
        if (context.Tls is null)
            return;
        Stats.Count(HttpStat.DownstreamCxSslTotal);
        Stats.Move(HttpStat.DownstreamCxSslActive, 1);
    }

    /// <summary>This worker's counters of the manager.</summary>
    public StatCells Stats => _pool.Stats;

    internal StatCells ListenerStats => _pool.ListenerStats;

    /// <summary>What is known of the connection.</summary>
    public ConnectionContext Context { get; }

    /// <summary>The connection manager.</summary>
    public HttpOptions Options => _pool.Options;

    /// <summary>Requests in flight.</summary>
    public int ActiveStreams => _active;

    /// <summary>The transport, for the time before a codec is chosen.</summary>
    public Transport? Transport { get; init; }

    /// <summary>What the codec found wrong with the connection as a whole; empty for nothing.</summary>
    public string Error { get; private set; } = "";

    /// <summary>Told of the connection's own events: draining, errors. Null for nobody.</summary>
    public Action<HttpConnection, string>? Noticed { get; init; }

    /// <summary>Told once when the connection is over. Null for nobody.</summary>
    public Action<HttpConnection>? Closed { get; init; }

    /// <summary>As <see cref="ExchangePool.ShallEnd"/>, of pools that the connection had before. Null for never.</summary>
    public Func<bool>? ShallEndToo { get; set; }

    internal ReadOnlySpan<byte> ServerName => _pool.ServerName;

    internal ByteBuffer Scratch => _pool.Scratch;

    private EventLoop Loop => _pool.Worker.Loop;

    /// <summary>Gives the codec's side.</summary>
    public void Attach(DownstreamConnection codec)
    {
        _codec = codec;
        _isTwo = codec.Version == HttpVersion.Http2;
        _attached = true;
        Stats.Count(_isTwo ? HttpStat.DownstreamCxHttp2Total : HttpStat.DownstreamCxHttp1Total);
        Stats.Move(_isTwo ? HttpStat.DownstreamCxHttp2Active : HttpStat.DownstreamCxHttp1Active, 1);
    }

    /// <summary>Its next requests are served as another connection manager says: the listener's configuration has changed. Codec, clocks
    /// and counters stay.</summary>
    public void ContinueBy(ExchangePool pool) => _next = pool;

    /// <inheritdoc/>
    public override RequestReceiver OnRequest(DownstreamStream stream)
    {
        _requests++;
        _active++;
        Stats.Count(HttpStat.DownstreamRqTotal);
        Stats.Count(_isTwo ? HttpStat.DownstreamRqHttp2Total : HttpStat.DownstreamRqHttp1Total);
        Stats.Move(HttpStat.DownstreamRqActive, 1);
        Exchange exchange = _next.Take();
        exchange.Begin(this, stream);
        return exchange;
    }

    /// <inheritdoc/>
    public override void OnConnectionError(string detail, FailureKind kind)
    {
        Error = detail;
        Stats.Count(HttpStat.DownstreamCxProtocolError);
        Noticed?.Invoke(this, detail);
    }

    /// <inheritdoc/>
    public override void OnCodecEvent(CodecEvent what)
    {
        if (what == CodecEvent.TooManyPrematureResets)
            Stats.Count(HttpStat.DownstreamRqTooManyPrematureResets);
        else if (what == CodecEvent.DelayedCloseTimeout)
            Stats.Count(HttpStat.DownstreamCxDelayedCloseTimeout);
        else
            CodecStats.Count(_pool.CodecOne, _pool.CodecTwo, _isTwo ? HttpVersion.Http2 : HttpVersion.Http11, what);
    }

    /// <inheritdoc/>
    public override void OnConnectionClosed(DownstreamConnection connection, CloseReason reason)
    {
        CountBytes();
        CountEnd(reason == CloseReason.Local);
        Loop.Disarm(_idle);
        if (_age is not null)
            Loop.Disarm(_age);
        if (_drain is not null)
            Loop.Disarm(_drain);
        _codec = null;
        Closed?.Invoke(this);
    }

    private void CountEnd(bool local)
    {
        if (_counted)
            return;
        _counted = true;
        Stats.Count(HttpStat.DownstreamCxDestroy);
        Stats.Count(local ? HttpStat.DownstreamCxDestroyLocal : HttpStat.DownstreamCxDestroyRemote);
        if (_activeAtEnd || _active > 0)
        {
            Stats.Count(HttpStat.DownstreamCxDestroyActiveRq);
            Stats.Count(local ? HttpStat.DownstreamCxDestroyLocalActiveRq : HttpStat.DownstreamCxDestroyRemoteActiveRq);
        }
        Stats.Move(HttpStat.DownstreamCxActive, -1);
        if (_attached)
            Stats.Move(_isTwo ? HttpStat.DownstreamCxHttp2Active : HttpStat.DownstreamCxHttp1Active, -1);
        if (Context.Tls is not null)
            Stats.Move(HttpStat.DownstreamCxSslActive, -1);
        Stats.Record(HttpStat.DownstreamCxLengthMs, (Loop.Now - Context.AcceptedAt) / 1000);
    }

    // What went over it since it was asked last: with each part of an answer, so that long ones show.
    internal void CountBytes()
    {
        if (_codec?.Transport is not { } transport)
            return;
        Stats.Add(HttpStat.DownstreamCxRxBytesTotal, transport.BytesIn - _bytesIn);
        Stats.Add(HttpStat.DownstreamCxTxBytesTotal, transport.BytesOut - _bytesOut);
        (_bytesIn, _bytesOut) = (transport.BytesIn, transport.BytesOut);
    }

    /// <summary>Gives its transport back, on which nothing is under way: it goes on elsewhere, and here it is over.</summary>
    public void Leave() => OnConnectionClosed(null!, CloseReason.Local);

    // The client went away in the middle of a request: the codec tells the request first, then the connection's end.
    internal void OnReset() => _activeAtEnd = true;

    /// <summary>Takes no further requests once those in flight are answered.</summary>
    public void Drain()
    {
        if (_draining)
            return;
        _draining = true;
        if (_codec is null)
        {
            Transport?.Close();
            return;
        }
        _codec.NoticeShutdown();
        Loop.Arm(_drain ??= new ConnectionClock(this, 2), Math.Max(1, Options.DrainMicros));
    }

    // Said on each answer's head. The last request that a connection may have ends it; a drain only says so and waits for its time, in
    // which requests are still served.
    internal void EndAfter(Exchange exchange)
    {
        bool spent = Options.MaxRequestsPerConnection > 0 && _requests >= Options.MaxRequestsPerConnection;
        if (Options.Overload.EndConnections && !_draining && exchange.Stream.Version != HttpVersion.Http2)
        {
            // The client is asked to leave; what it has sent already is answered.
            if (exchange.Details != "overload")
                Stats.Count(HttpStat.DownstreamCxOverloadDisableKeepalive);
            exchange.Stream.AnnounceClose();
            return;
        }
        if (!spent && !_draining && !(_next.ShallEnd?.Invoke() ?? false) && !(ShallEndToo?.Invoke() ?? false))
            return;
        Stats.Count(spent ? HttpStat.DownstreamCxMaxRequestsReached : HttpStat.DownstreamCxDrainClose);
        if (spent && exchange.Stream.Version != HttpVersion.Http2)
        {
            exchange.Stream.CloseAfterResponse();
            return;
        }
        exchange.Stream.AnnounceClose();
        Drain();
    }

    internal byte[] CertificateElement(ClientCertFields fields) => _certificate ??= ClientCertificates.Element(Context.Tls!, fields);

    internal void OnFinished(Exchange exchange)
    {
        _active--;
        CountBytes();
        Stats.Move(HttpStat.DownstreamRqActive, -1);
        if (_active == 0 && _codec is not null)
            BeginIdle();
        // One that began before the configuration changed is left to the collector.
        if (ReferenceEquals(exchange.Options, _next.Options))
            _next.Give(exchange);
        else
            exchange.Drop();
    }

    // The clock is not stopped by each request and started again: when it is due it looks since when the connection is idle. Only one that
    // would be due too late is moved.
    private void BeginIdle()
    {
        if (Options.ConnectionIdleMicros <= 0)
            return;
        _idleSince = Loop.Now;
        long micros = Options.Overload.Micros(OverloadTimer.ConnectionIdle, Options.ConnectionIdleMicros);
        if (!_idle.IsArmed || _idle.DueAt > _idleSince + micros)
            Loop.Arm(_idle, micros);
    }

    private bool IsIdleYet()
    {
        if (_active > 0 || Options.ConnectionIdleMicros <= 0)
            return false;
        long rest = _idleSince + Options.Overload.Micros(OverloadTimer.ConnectionIdle, Options.ConnectionIdleMicros) - Loop.Now;
        if (rest > 0)
            Loop.Arm(_idle, rest);
        return rest <= 0;
    }

    private void OnDue(int kind)
    {
        switch (kind)
        {
            case 0 when !IsIdleYet():
                break;
            case 0:
                Noticed?.Invoke(this, "idle");
                Stats.Count(HttpStat.DownstreamCxIdleTimeout);
                Drain();
                break;
            case 1:
                Noticed?.Invoke(this, "max_duration");
                Stats.Count(HttpStat.DownstreamCxMaxDurationReached);
                Drain();
                break;
            default:
                // Streams that outlive the drain time go on; an idle connection ends now.
                _codec?.GoAway();
                break;
        }
    }

    private sealed class ConnectionClock(HttpConnection connection, int kind) : Deadline
    {
        protected internal override void OnDue(long now) => connection.OnDue(kind);
    }
}
