using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tcp;

/// <summary>One client's connection and the upstream connection that answers it.</summary>
public sealed partial class TcpSession
{
    private readonly TcpChainHandler _chain;
    private readonly TcpChainHandler.Place _place;
    private readonly NetworkFilter?[] _filters;
    private readonly Clock _clock;
    private readonly Transport _down;
    private readonly UpstreamLink _link;
    private TransportHandler? _upHandler;
    private Transport? _up;
    private OutputQueue _unseen;
    private OutputQueue _ready;
    private long _lastByteAt, _periodicAt, _endsAt, _idleMicros;
    private int _filter, _uncounted;
    private bool _dataPhase, _connecting, _connected, _waiting, _downEnded, _upClosed, _over, _away;

    internal TcpSession(TcpChainHandler chain, TcpChainHandler.Place place, AcceptedConnection connection)
    {
        _chain = chain;
        _place = place;
        Connection = connection;
        _down = connection.Transport;
        _clock = new Clock(this);
        _link = new UpstreamLink(this);
        _filters = new NetworkFilter?[chain.Filters.Count];
        Facts = new TcpFacts(this, _link);
        connection.Stream = Facts;
        _down.HighWatermark = connection.Listener.BufferLimit;
        _idleMicros = Options.IdleMicros;
    }

    /// <summary>The client's side.</summary>
    public AcceptedConnection Connection { get; }

    /// <summary>The session as logs and policies see it.</summary>
    public TcpFacts Facts { get; }

    /// <summary>A cluster in place of the configured one (sni_cluster, filter state); null for that.</summary>
    public string? ClusterName { get; set; }

    /// <summary>SNI for the upstream in place of the configured one; null for that.</summary>
    public string? ServerName { get; set; }

    /// <summary>ALPN for the upstream in place of the configured one; null for that.</summary>
    public IReadOnlyList<string>? Alpn { get; set; }

    /// <summary>The upstream's transport; null until it is connected.</summary>
    public Transport? Upstream => _connected ? _up : null;

    /// <summary>The client ended the connection; known once it is over.</summary>
    public bool EndedByPeer { get; private set; }

    /// <summary>The upstream has agreed to tell who it is, and has not yet done so.</summary>
    public bool AwaitsPeer => _link.Prologue is not null;

    internal TcpSession? Following { get; set; }

    internal TcpSession? Preceding { get; set; }

    private TcpOptions Options => _chain.Options;

    private EventLoop Loop => _down.Loop;

    // Beginning: filters, then the upstream

    internal void Begin(ReadOnlySpan<byte> early)
    {
        _down.Handler = new Downstream(this);
        _place.Counters.Total++;
        _place.Counters.Active++;
        _lastByteAt = Loop.Now;
        _endsAt = Options.MaxDurationMicros > 0 ? Loop.Now + Options.MaxDurationMicros : long.MaxValue;
        _periodicAt = Options.LogIntervalMicros > 0 ? Loop.Now + Options.LogIntervalMicros : long.MaxValue;
        for (int i = 0; i < _filters.Length; i++)
            _filters[i] = _chain.Filters[i].Create(this);
        if (Options.LogAtStart)
            Log("TcpConnectionStart");
        ArmClock();
        // Not received before it is taken: what nobody read in the end is no traffic.
        _uncounted = early.Length;
        _unseen.Append(early, Loop.Chunks);
        RunConnection();
    }

    private void RunConnection()
    {
        for (; _filter < _filters.Length; _filter++)
        {
            NetworkVerdict verdict = _filters[_filter]?.OnConnection(this) ?? NetworkVerdict.Continue;
            if (Stops(verdict))
                return;
        }
        _filter = 0;
        _dataPhase = true;
        TakeFilterState();
        if (_chain.Upstreams is not null && Options.Connect != TcpConnectMode.OnData)
            ConnectUpstream();
        else if (_chain.Next is not null && Array.TrueForAll(_filters, static f => f is null))
            PassOn();
        else if (_unseen.Length > 0)
            Loop.Defer(new Continuing(this));
    }

    // What filters have set for the proxy behind them.
    private void TakeFilterState()
    {
        if (Facts.FilterState(TcpFacts.IdleKey) is string idle && long.TryParse(idle, out long millis))
        {
            _idleMicros = millis * 1000;
            ArmClock();
        }
        ServerName ??= Facts.FilterState(TcpFacts.ServerNameKey) as string;
        if (Alpn is null && Facts.FilterState(TcpFacts.AlpnKey) is string words)
            Alpn = words.Split(',');
    }

    private bool Stops(NetworkVerdict verdict)
    {
        if (_over)
            return true;
        if (verdict == NetworkVerdict.Continue)
            return false;
        if (verdict == NetworkVerdict.Wait)
        {
            // What comes meanwhile is kept, up to the buffer's limit; so the client's end is noticed, too.
            _waiting = true;
            _down.Reading = _unseen.Length < _down.HighWatermark;
        }
        else
        {
            End(abort: false);
        }
        return true;
    }

    /// <summary>A filter that waited is content: the session goes on behind it. On any later turn of its loop.</summary>
    public void Resume()
    {
        if (!_waiting || _over)
            return;
        _waiting = false;
        _filter++;
        if (!_dataPhase)
            RunConnection();
        else
            TakeUnseen();
        if (!_waiting && !_over && !_connecting)
            _down.Reading = true;
    }

    /// <summary>Says why a filter ends the connection; it then answers <see cref="NetworkVerdict.Close"/> (or the session is ended here,
    /// after a wait).</summary>
    /// <param name="details">Connection termination details, as logs print them.</param>
    /// <param name="localReason">Why we close, as logs print it.</param>
    /// <param name="flags">Response flags, if any.</param>
    public void Deny(string details, string localReason = "", ResponseFlags flags = ResponseFlags.None)
    {
        Facts.TerminationDetails = details;
        Facts.LocalCloseReason = localReason;
        Facts.Flags |= flags;
        if (_waiting)
            End(abort: false);
    }

    /// <summary>Bytes of our own to the client (a filter that answers).</summary>
    public void SendDownstream(ReadOnlySpan<byte> bytes)
    {
        Facts.BytesSent += bytes.Length;
        _place.Counters.Sent += bytes.Length;
        _down.Send(bytes);
    }

    /// <summary>Ends the connection in order, after what is pending.</summary>
    public void Close() => End(abort: false);

    private void ConnectUpstream()
    {
        _down.Reading = false;
        _connecting = true;
        Facts.Times.UpstreamConnectBegin = Loop.Now;
        ResponseFlags refused = _link.Connect(_chain.Upstreams!, Options, _upHandler ??= new UpstreamSide(this));
        if (refused == ResponseFlags.None)
        {
            _up = _link.Transport;
            return;
        }
        Facts.Flags |= refused;
        Facts.LocalCloseReason = refused == ResponseFlags.NoClusterFound ? "tcp_initializion_failure:3" : "tcp_initializion_failure:0";
        if (refused == ResponseFlags.NoClusterFound)
            _place.Counters.NoRoute++;
        // Not inside the accept: whoever accepted may still be using the transport.
        Loop.Defer(new Ending(this));
    }

    private void OnUpstreamConnected()
    {
        if (_over)
            return;
        _connecting = false;
        _connected = true;
        _lastByteAt = Loop.Now;
        Facts.Times.UpstreamConnectEnd = Facts.Times.UpstreamPoolReady = Loop.Now;
        _link.OnConnected();
        foreach (NetworkFilter? filter in _filters)
            filter?.OnUpstream(this);
        if (Options.LogWhenConnected)
            Log("TcpUpstreamConnected");
        if (_over)
            return;
        SendReady();
        if (!_waiting)
            TakeUnseen();
        if (!_waiting && !_over)
            _down.Reading = !_up!.IsAboveWatermark;
    }

    private void OnConnectFailed(CloseReason reason)
    {
        string why = _link.OnFailed(reason);
        if (_over)
            return;
        Facts.UpstreamTransportFailure = why;
        Facts.Flags |= ResponseFlags.UpstreamConnectionFailure;
        if (_link.Attempts < Options.MaxConnectAttempts)
        {
            ConnectUpstream();
            return;
        }
        _link.CountExhausted();
        Facts.Flags |= ResponseFlags.UpstreamRetryLimitExceeded;
        Facts.LocalCloseReason = "tcp_initializion_failure:0";
        End(abort: false);
    }

    internal void OnConnectTimeout()
    {
        if (!_connecting)
            return;
        Transport transport = _up!;
        _up = null;
        transport.Close(abort: true);
        OnConnectFailed(CloseReason.Timeout);
    }

    private void End(bool abort)
    {
        if (_down.IsClosed)
            return;
        _down.Close(abort);
    }

    private void Record()
    {
        Facts.Times.DownstreamConnectionEnd = Facts.Times.End = Loop.Now;
        foreach (NetworkFilter? filter in _filters)
            filter?.OnEnd(this);
        Log("TcpConnectionEnd");
        Connection.Ended();
        Leave();
    }

    private void Leave()
    {
        _place.Counters.Active--;
        _place.Remove(this);
    }

    private void Log(string type)
    {
        Facts.LogType = type;
        foreach (Telemetry.AccessLog log in Options.Logs)
            log.Write(Connection.Worker, Facts, Facts.StreamId);
    }

    // Time: one deadline for idleness, age and periodic lines; bytes only note when they came

    private void ArmClock()
    {
        long due = Math.Min(_endsAt, _periodicAt);
        if (_idleMicros > 0)
            due = Math.Min(due, _lastByteAt + _idleMicros);
        if (due != long.MaxValue && !_over)
            Loop.Arm(_clock, Math.Max(1, due - Loop.Now));
    }

    private void OnDue(long now)
    {
        if (_over)
            return;
        if (now >= _endsAt)
        {
            _place.Counters.MaxDuration++;
            Facts.Flags |= ResponseFlags.DurationTimeout;
            Expire("max_connection_duration_reached");
            return;
        }
        if (_idleMicros > 0 && now >= _lastByteAt + _idleMicros && !_connecting)
        {
            _place.Counters.Idle++;
            Expire("tcp_session_idle_timeout");
            return;
        }
        if (now >= _periodicAt)
        {
            _periodicAt = now + Options.LogIntervalMicros;
            Log("TcpPeriodic");
        }
        if (_connecting)
            _lastByteAt = now;
        ArmClock();
    }

    private void Expire(string reason)
    {
        Facts.LocalCloseReason = reason;
        End(abort: false);
    }

    internal void Drain(long micros)
    {
        _endsAt = Math.Min(_endsAt, Loop.Now + Math.Max(1, micros));
        ArmClock();
    }

    private sealed class Clock(TcpSession session) : Deadline
    {
        protected internal override void OnDue(long now) => session.OnDue(now);
    }

    private sealed class Ending(TcpSession session) : Letter
    {
        protected internal override void Deliver() => session.End(abort: false);
    }

    private sealed class Continuing(TcpSession session) : Letter
    {
        protected internal override void Deliver() => session.TakeUnseen();
    }

    private sealed class Downstream(TcpSession session) : TransportHandler
    {
        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => session.OnDownData(bytes);

        public override void OnEnd(Transport transport) => session.OnDownEnd();

        public override void OnWritable(Transport transport) => session.OnDownWritable();

        public override void OnClosed(Transport transport, CloseReason reason) => session.OnDownClosed(reason);
    }

    private sealed class UpstreamSide(TcpSession session) : TransportHandler
    {
        public override void OnConnected(Transport transport)
        {
            if (ReferenceEquals(transport, session._up))
                session.OnUpstreamConnected();
        }

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes) => session.OnUpData(bytes);

        public override void OnEnd(Transport transport) => session.OnUpEnd();

        public override void OnWritable(Transport transport) => session.OnUpWritable();

        public override void OnClosed(Transport transport, CloseReason reason)
        {
            // One that took too long was given up before; its end is no news.
            if (!ReferenceEquals(transport, session._up))
                return;
            if (session._connecting)
                session.OnConnectFailed(reason);
            else
                session.OnUpClosed(reason);
        }
    }
}
