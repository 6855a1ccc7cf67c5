using System.Text.Json;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Exchanges;

/// <summary>Why the client's body is paused; it flows while none holds.</summary>
[Flags]
public enum PauseReasons : byte
{
    None = 0,
    Filter = 1,
    Upstream = 2,
    RetryBuffer = 4,
}

/// <summary>
/// One request through the proxy and back. States: head awaited, running (request and response each until their end), over. Every way out,
/// whoever ends it, comes through <see cref="Finish"/> once; nothing is called back afterwards, since timers are disarmed and the passes
/// aborted there.
/// </summary>
public sealed partial class Exchange : RequestReceiver
{
    private readonly HeaderMap _replyHead = new(), _noHead = new();
    private readonly FilterSlot[] _slots;
    private readonly ulong _wantEnd;
    private readonly ExchangeTimers _timers;
    private readonly ExchangeRecorder[] _recorders;
    private ulong _activeFilters;
    private PauseReasons _pauses;
    private bool _headSeen, _headSent, _finished, _filtersBegun, _responsePaused;
    private Dictionary<string, object>? _filterState;
    private List<Route>? _visited;
    private ByteBuffer? _localBody, _replyText;

    internal Exchange(Worker worker, HttpOptions options)
    {
        Worker = worker;
        Options = options;
        Facts = new ExchangeFacts(this);
        _slots = options.Filters.NewSlots(this);
        _wantEnd = options.Filters.Wanting(FilterPhases.End);
        RequestPass = new RequestPass(this, _slots, options.Filters);
        ResponsePass = new ResponsePass(this, _slots, options.Filters);
        _timers = new ExchangeTimers(this);
        _recorders = [.. options.Recorders];
        ResponseHead = _noHead;
    }

    /// <summary>As far as every request writes to it, in lines of 64 bytes.</summary>
    internal const int LinesTouched = 8;

    // ---- who and where

    /// <summary>The worker that it lives on.</summary>
    public Worker Worker { get; }

    /// <summary>The connection manager.</summary>
    public HttpOptions Options { get; }

    /// <summary>The client's connection.</summary>
    public HttpConnection Connection { get; private set; } = null!;

    /// <summary>The codec's side of it.</summary>
    public DownstreamStream Stream { get; private set; } = null!;

    /// <summary>What formats, logs and policies may ask.</summary>
    public ExchangeFacts Facts { get; }

    /// <summary>Request direction through the filters.</summary>
    public FilterPass RequestPass { get; }

    /// <summary>Response direction through the filters.</summary>
    public FilterPass ResponsePass { get; }

    /// <summary>A number of its own, for shares, weights and ids of requests without one.</summary>
    public ulong Random { get; private set; }

    /// <summary>A health checker asks, as its filter found: some logs leave it out.</summary>
    public bool IsHealthCheck { get; set; }

    /// <summary>Free for reuse counters: grows each time the pooled object begins anew.</summary>
    public uint Generation { get; private set; }

    // ---- what was asked

    /// <summary>The client as believed.</summary>
    public Address ClientAddress { get; internal set; }

    /// <summary>The client belongs to an internal network.</summary>
    public bool IsInternal { get; internal set; }

    /// <summary>A gRPC request: replies are given in gRPC's form.</summary>
    public bool IsGrpc { get; private set; }

    /// <summary>HEAD: answers have no body.</summary>
    public bool IsHead { get; private set; }

    /// <summary>The upgrade that was asked for and is allowed (or CONNECT), in lower case; empty for none.</summary>
    public string Upgrade { get; internal set; } = "";

    /// <summary>The request is complete.</summary>
    public bool RequestComplete { get; private set; }

    /// <summary>The route taken.</summary>
    public RouteDecision Decision { get; private set; }

    /// <summary>The table that it was taken from.</summary>
    public RouteTable? Table { get; private set; }

    /// <summary>The route; null for none.</summary>
    public Route? Route => Decision.Route;

    /// <summary>How often redirects were followed here.</summary>
    public uint InternalRedirects { get; set; }

    // ---- beginning

    internal void Begin(HttpConnection connection, DownstreamStream stream)
    {
        Generation++;
        Connection = connection;
        Stream = stream;
        Random = Worker.Loop.Chance.NextULong();
        StartedAt = Worker.Loop.WallClock;
        Times = default;
        IsTraced = false;
        Times.DownstreamConnectionBegin = connection.Context.AcceptedAt;
        Times.DownstreamHandshakeEnd = connection.Context.HandshakeAt;
        Times.RequestBegin = Worker.Loop.Now;
        ClientAddress = connection.Context.Remote;
        BufferLimit = Options.BufferLimit;
        _activeFilters = Options.Filters.OnByDefault;
        _timers.Begin();
    }

    /// <inheritdoc/>
    public override void OnRequestHead(bool end)
    {
        _headSeen = true;
        RequestComplete = end;
        if (end)
            MarkRequestEnd();
        _timers.OnHead(end);
        if (Stream.Informed)
            NoteInformed(100);
        IsHead = RequestHead[KnownHeader.Method].SequenceEqual("HEAD"u8);
        IsGrpc = Routing.Route.IsGrpc(RequestHead);
        if (Admission.GivesWay(this) || !Admission.Admit(this))
            return;
        SelectRoute();
        if (Options.LogAtStart)
            RecordMoment("DownstreamStart", _recorders);
        if (!Upgrades.Admit(this))
            return;
        Options.Tracer?.OnRequest(this);
        _timers.OnRouted();
        BeginFilters();
        RequestPass.RunHead(0, end);
    }

    private void BeginFilters()
    {
        _filtersBegun = true;
        RequestPass.Begin(_activeFilters);
        ResponsePass.Begin(_activeFilters);
    }

    /// <summary>Takes the route anew, since a filter changed what routes look at.</summary>
    public void SelectRoute()
    {
        Table = Options.Routes.Current;
        Decision = default;
        if (Table is null)
            return;
        TlsFacts? tls = Connection.Context.Tls;
        Decision = Table.Find(RequestHead,
            new RouteFacts(Random, tls?.PeerPresented ?? false, tls?.PeerValidated ?? false, Facts.RouteMetadataView, IsInternal));
        ApplySettings();
        Upstream.Cluster = Decision.Cluster?.Current;
        if (Route is { BufferBytesMax: { } limit })
            BufferLimit = (int)Math.Min(limit, int.MaxValue);
    }

    private void ApplySettings()
    {
        FilterSettings settings = Decision.Target is { Filters: { Entries.Count: > 0 } own } ? own : Route?.Filters ?? FilterSettings.Empty;
        ulong active = Options.Filters.OnByDefault;
        bool any = settings.Entries.Count > 0;
        for (int i = 0; i < _slots.Length; i++)
        {
            object? found = any ? settings.Find(_slots[i].Filter.Name) : null;
            if (found is FilterSwitch { Disabled: true })
                active &= ~(1ul << i);
            else if (found is not null)
                active |= 1ul << i;
            _slots[i].Settings = found is FilterSwitch ? null : found;
        }
        _activeFilters = active;
    }

    // ---- request

    /// <inheritdoc/>
    public override void OnRequestBody(ReadOnlySpan<byte> body, bool end)
    {
        BytesReceived += body.Length;
        RequestComplete = end;
        if (end)
            MarkRequestEnd();
        _timers.OnProgress(end);
        if (_filtersBegun && !_finished && !IsLocalReply)
            RequestPass.RunBody(0, body, end);
    }

    /// <inheritdoc/>
    public override void OnRequestTrailers()
    {
        RequestComplete = true;
        MarkRequestEnd();
        _timers.OnProgress(true);
        if (_filtersBegun && !_finished && !IsLocalReply)
            RequestPass.RunTrailers(0);
    }

    private void MarkRequestEnd() => Times.RequestEnd = Worker.Loop.Now;

    /// <inheritdoc/>
    public override void OnRequestReset(ResetReason reason, string detail)
    {
        if (_finished)
            return;
        Connection.Stats.Count(HttpStat.DownstreamRqRxReset);
        if (reason == ResetReason.ConnectionTerminated)
            Connection.OnReset();
        // A client that leaves before its answer is complete: Envoy's log has status 0 where no head was sent.
        bool protocol = reason == ResetReason.ProtocolError;
        if (protocol)
            AddFlag(ResponseFlags.DownstreamProtocolError);
        else
            AddFlag(reason is ResetReason.RemoteReset or ResetReason.RemoteRefused or ResetReason.Overflow
                ? ResponseFlags.DownstreamRemoteReset : ResponseFlags.DownstreamConnectionTermination);
        Details = detail.Length > 0 ? detail : "downstream_remote_disconnect";
        Finish();
    }

    /// <inheritdoc/>
    public override void OnBadRequest(int status, string detail, FailureKind kind)
    {
        bool protocol = kind is FailureKind.Malformed or FailureKind.TooLarge or FailureKind.ProtocolError;
        if (protocol)
        {
            Connection.Stats.Count(HttpStat.DownstreamCxProtocolError);
            Connection.Stats.Count(HttpStat.DownstreamRqRxReset);
        }
        else if (kind == FailureKind.RequestTimeout)
        {
            Connection.Stats.Count(HttpStat.DownstreamRqHeaderTimeout);
        }
        CloseConnection();
        Replies.BadRequest(this, status, detail, protocol ? ResponseFlags.DownstreamProtocolError : ResponseFlags.None);
    }

    /// <inheritdoc/>
    public override void OnSendable()
    {
        if (_responsePaused && !ResponsePass.IsHeld)
            PauseResponse(false);
        _timers.OnProgress(RequestComplete);
    }

    /// <inheritdoc/>
    public override void OnStreamDone() => Finish();

    /// <summary>HTTP/1: the connection ends with this answer, since what follows cannot be told from the rest of a request. A stream of
    /// HTTP/2 ends alone.</summary>
    internal void CloseConnection()
    {
        if (Stream.Version != HttpVersion.Http2)
            Stream.CloseAfterResponse();
    }

    /// <summary>Pauses or resumes the client's body for a reason of one's own; true where that reason held otherwise before.</summary>
    public bool PauseRequest(PauseReasons reason, bool paused)
    {
        PauseReasons before = _pauses;
        _pauses = paused ? _pauses | reason : _pauses & ~reason;
        // Envoy counts the upstream's word alone.
        if (((before ^ _pauses) & PauseReasons.Upstream) != 0)
            Connection.Stats.Count(paused
                ? HttpStat.DownstreamFlowControlPausedReadingTotal : HttpStat.DownstreamFlowControlResumedReadingTotal);
        if (!_finished && (before == 0) != (_pauses == 0))
            Stream.BodyPaused = _pauses != 0;
        return _pauses != before;
    }

    internal void OnRequestHoldFull(bool buffering)
    {
        if (buffering)
        {
            CloseConnection();
            Replies.TooLarge(this);
        }
        else
            PauseRequest(PauseReasons.Filter, true);
    }

    internal void OnRequestRelieved() => PauseRequest(PauseReasons.Filter, false);

    // ---- end

    private void Finish()
    {
        if (_finished)
            return;
        _finished = true;
        _timers.End();
        Times.End = Worker.Loop.Now;
        Connection.Stats.Record(HttpStat.DownstreamRqTime, (Times.End - Times.RequestBegin) / 1000);
        if (ResponseComplete && !RequestComplete)
            Connection.Stats.Count(HttpStat.DownstreamRqResponseBeforeRqComplete);
        if (Upgrade.Length > 0)
            Connection.Stats.Move(HttpStat.DownstreamCxUpgradesActive, -1);
        RequestPass.Abort();
        ResponsePass.Abort();
        EndFilters();
        if (_headSeen || Details.Length > 0)
        {
            foreach (ExchangeRecorder recorder in _recorders)
                recorder.OnEnd(this);
            Options.Tracer?.OnEnd(this);
        }
        Connection.OnFinished(this);
    }

    private void EndFilters()
    {
        if (!_filtersBegun)
            return;
        _filtersBegun = false;
        for (int i = 0; i < _slots.Length; i++)
        {
            if ((_wantEnd >> i & 1) != 0)
                _slots[i].Filter.OnEnd(_slots[i]);
            _slots[i].Reset();
            _slots[i].Settings = null;
        }
    }

    /// <summary>The one behind it among those that wait to be used again.</summary>
    internal Exchange? NextFree { get; set; }

    /// <summary>It will not be used again.</summary>
    internal void Drop() => _timers.Drop();

    /// <summary>Ready for the next request; called by the pool.</summary>
    internal void Recycle()
    {
        RequestHead.Clear();
        RequestTrailers.Clear();
        _replyHead.Clear();
        ResponseHead = _noHead;
        ResponseTrailers = null;
        Decision = default;
        Table = null;
        Upgrade = Details = TerminationDetails = "";
        Flags = ResponseFlags.None;
        FlagOrder = 0;
        Status = 0;
        InternalRedirects = 0;
        AttemptCount = 0;
        _visited?.Clear();
        IsHealthCheck = false;
        IsInternal = IsGrpc = IsHead = RequestComplete = ResponseStarted = ResponseComplete = IsLocalReply = false;
        _headSeen = _headSent = _finished = _filtersBegun = _responsePaused = false;
        _pauses = PauseReasons.None;
        BytesReceived = BytesSent = 0;
        Upstream = default;
        _localBody?.Clear();
        DynamicMetadata = null;
        _filterState?.Clear();
        TraceState = null;
        Stream = null!;
        Connection = null!;
    }
}

/// <summary>What the router came to, for logs, statistics and filters.</summary>
public struct UpstreamOutcome
{
    /// <summary>The cluster as it was when the request was routed; null where it is unknown.</summary>
    public ClusterView? Cluster;

    /// <summary>The last host tried; null where none was.</summary>
    public Host? Host;

    /// <summary>The status of the attempt that just ended; 0 without an answer.</summary>
    public int Status;

    /// <summary>The virtual host's class of requests that this one belongs to; null where it has none.</summary>
    public VirtualCluster? VirtualCluster;

    /// <summary>Attempts begun.</summary>
    public int Attempts;

    /// <summary>The connection of the last attempt that had one: addresses, protocol and TLS are asked of it; null where none was
    /// had.</summary>
    public PooledConnection? Connection;

    /// <summary>Why the transport failed; null where it did not.</summary>
    public string? TransportFailure;

    /// <summary>Bytes of the last attempt.</summary>
    public StreamBytes Bytes;
}
