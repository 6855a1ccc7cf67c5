using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>One try of a request on one host: waits for a stream, sends, receives. Tells its slot everything once.</summary>
internal sealed class Attempt : ResponseReceiver
{
    private readonly RouterSlot _slot;
    private readonly Waiter _waiter;
    private Clock? _try, _idle, _duration;
    private PooledConnection? _connection;
    private UpstreamStream? _stream;
    private long _idleMicros, _lastProgress;
    private bool _over;

    public Attempt(RouterSlot slot)
    {
        _slot = slot;
        _waiter = new Waiter(this);
    }

    /// <summary>The one behind it in its slot's chain, of those that run or of those that are free.</summary>
    public Attempt? Next { get; set; }

    /// <summary>The host tried.</summary>
    public Host Host { get; private set; } = null!;

    /// <summary>The cluster's share of this worker when it began.</summary>
    public WorkerCluster Cluster { get; private set; } = null!;

    /// <summary>The stream, once there is one.</summary>
    public UpstreamStream? Stream => _stream;

    /// <summary>The answer's status; 0 before its head.</summary>
    public int Status { get; private set; }

    /// <summary>The head went out.</summary>
    public bool RequestSent { get; private set; }

    /// <summary>It has given the slot its last word, or was given up.</summary>
    public bool IsOver => _over;

    /// <summary>Another try already runs beside it because it was slow.</summary>
    public bool Hedged { get; set; }

    /// <summary>Its span; null for none.</summary>
    public object? TraceSpan { get; set; }

    /// <summary>Attempts before it.</summary>
    public int Retries { get; set; }

    /// <summary>When the connect began; 0 where the connection was there already.</summary>
    public PooledConnection? Connection => _connection;

    private EventLoop Loop => _slot.Exchange.Worker.Loop;

    /// <summary>Begins on a host.</summary>
    public void Begin(WorkerCluster cluster, ConnectionPool pool)
    {
        Cluster = cluster;
        Host = pool.Host;
        Status = 0;
        RequestSent = Hedged = _over = false;
        _stream = null;
        _connection = null;
        ResponseHead.Clear();
        ResponseTrailers.Clear();
        pool.Request(_waiter);
    }

    /// <summary>Sends a part of the body.</summary>
    public void Send(ReadOnlySpan<byte> body, bool end)
    {
        _lastProgress = Loop.Now;
        _stream!.SendBody(body, end);
    }

    /// <summary>Sends the trailers.</summary>
    public void SendTrailers(HeaderMap trailers) => _stream!.SendTrailers(trailers);

    /// <summary>The whole request has been read from the client: the clock of this try starts.</summary>
    public void OnRequestComplete()
    {
        if (_stream is not null && !_over)
            ArmTry();
    }

    /// <summary>Pauses the answer's body.</summary>
    public void Pause(bool paused)
    {
        if (_stream is not null && !_over)
            _stream.BodyPaused = paused;
    }

    /// <summary>Gives it up; nothing is told.</summary>
    public void GiveUp(ResetReason reason)
    {
        if (_over)
            return;
        UpstreamStream? stream = _stream;
        if (stream is null)
            _waiter.Pool?.Cancel(_waiter);
        if (stream is not null)
            _connection!.OnStreamBroken();
        End(canceled: true);
        if (stream is not null)
        {
            if (stream.Version == HttpVersion.Http2)
                Cluster.Counters.Count(ClusterCounter.UpstreamRqTxReset);
            stream.Reset(reason);
        }
    }

    private void End(bool canceled = false, ResponseFlags flags = ResponseFlags.None)
    {
        if (_over)
            return;
        _over = true;
        if (TraceSpan is { } span)
        {
            TraceSpan = null;
            _slot.Exchange.Options.Tracer!.OnAttemptEnd(_slot.Exchange, span,
                new AttemptOutcome(Host, Cluster.Cluster, _stream?.Version, Status, Retries, canceled, flags));
        }
        if (_slot.UpstreamRecorders.Count > 0)
            _slot.Exchange.RecordAttempt(Status, _slot.UpstreamRecorders);
        Loop.Disarm(_try);
        Loop.Disarm(_idle);
        Loop.Disarm(_duration);
        if (_stream is not null)
        {
            _slot.Exchange.Upstream.Bytes = _stream.Bytes;
            _connection!.OnStreamOver();
        }
    }

    // ---- the stream

    private void OnReady(PooledConnection connection)
    {
        _connection = connection;
        _stream = connection.Codec.Begin(this);
        Cluster cluster = Cluster.Cluster;
        _lastProgress = Loop.Now;
        if (cluster.Protocol.MaxStreamDurationMicros > 0)
            Loop.Arm(_duration ??= new Clock(this, 2), cluster.Protocol.MaxStreamDurationMicros);
        _idleMicros = _slot.Timeouts.PerTryIdle;
        if (_idleMicros > 0)
            Loop.Arm(_idle ??= new Clock(this, 1), _idleMicros);
        RequestSent = true;
        _slot.OnAttemptReady(this);
        if (!_over && _slot.RequestComplete)
            ArmTry();
    }

    private void ArmTry()
    {
        if (_slot.Timeouts.PerTry > 0 && Status == 0)
            Loop.Arm(_try ??= new Clock(this, 0), _slot.Timeouts.PerTry);
    }

    private void OnPoolFailed(PoolFailure failure, string transportFailure)
    {
        UpstreamCause cause = failure switch
        {
            PoolFailure.Overflow => UpstreamCause.Overflow,
            PoolFailure.LocalConnectionFailure => UpstreamCause.LocalConnectionFailure,
            PoolFailure.Timeout => UpstreamCause.ConnectionTimeout,
            _ => UpstreamCause.RemoteConnectionFailure,
        };
        End(flags: cause.Flag);
        _slot.Exchange.Times.UpstreamPoolReady = Loop.Now;
        _slot.OnAttemptFailed(this, cause, transportFailure);
    }

    /// <inheritdoc/>
    public override void OnInformational() => _slot.OnInformational(this);

    /// <inheritdoc/>
    public override void OnResponseHead(bool end)
    {
        _lastProgress = Loop.Now;
        Loop.Disarm(_try);
        Status = HeaderRules.Status(ResponseHead);
        if (end)
            End();
        _slot.OnAttemptHead(this, end);
    }

    /// <inheritdoc/>
    public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
    {
        _lastProgress = Loop.Now;
        if (end)
            End();
        _slot.OnAttemptBody(this, body, end);
    }

    /// <inheritdoc/>
    public override void OnResponseTrailers()
    {
        End();
        _slot.OnAttemptTrailers(this);
    }

    /// <inheritdoc/>
    public override void OnResponseReset(ResetReason reason, string detail)
    {
        if (_over)
            return;
        UpstreamCause cause = reason switch
        {
            ResetReason.RemoteReset => UpstreamCause.RemoteReset,
            ResetReason.RemoteRefused => UpstreamCause.RemoteRefused,
            ResetReason.ConnectionFailure => UpstreamCause.RemoteConnectionFailure,
            ResetReason.ProtocolError => UpstreamCause.ProtocolError,
            ResetReason.Overflow => UpstreamCause.Overflow,
            ResetReason.ConnectError => UpstreamCause.ConnectError,
            ResetReason.Local or ResetReason.LocalFailure => UpstreamCause.LocalReset,
            _ => UpstreamCause.ConnectionTermination,
        };
        _connection?.OnStreamBroken();
        // Counted where a stream ends alone; HTTP/1 ends its connection, which is counted as that.
        if (_stream?.Version == HttpVersion.Http2)
        {
            if (reason is ResetReason.RemoteReset or ResetReason.RemoteRefused)
                Cluster.Counters.Count(ClusterCounter.UpstreamRqRxReset);
            else if (reason == ResetReason.ConnectionTerminated)
                Cluster.Counters.Count(ClusterCounter.UpstreamRqPendingFailureEject);
        }
        End(flags: cause.Flag);
        _slot.OnAttemptFailed(this, cause, "");
    }

    /// <inheritdoc/>
    public override void OnSendable() => _slot.OnAttemptSendable(this);

    private void OnDue(int kind, long now)
    {
        if (kind == 1)
        {
            long rest = _lastProgress + _idleMicros - now;
            if (rest > 0)
            {
                Loop.Arm(_idle ??= new Clock(this, 1), rest);
                return;
            }
        }
        if (kind == 2)
            _slot.OnAttemptTooLong(this);
        else
            _slot.OnAttemptTimeout(this, kind == 1);
    }

    private sealed class Waiter(Attempt attempt) : StreamWaiter
    {
        public override void OnReady(PooledConnection connection) => attempt.OnReady(connection);

        public override void OnFailed(PoolFailure failure, string transportFailure) => attempt.OnPoolFailed(failure, transportFailure);
    }

    private sealed class Clock(Attempt attempt, int kind) : Deadline
    {
        protected internal override void OnDue(long now) => attempt.OnDue(kind, now);
    }
}
