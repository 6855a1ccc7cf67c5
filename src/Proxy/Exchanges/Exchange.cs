using System.Text.Json;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

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
/// One request through the proxy and back. States: head awaited, running (request and response each until their end), over. Every way out, whoever ends it, comes through
/// <see cref="Finish"/> once; nothing is called back afterwards, since timers are disarmed and the passes aborted there.
/// </summary>
public sealed class Exchange : RequestReceiver
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

    // ---- what is answered

    /// <summary>The response's head; empty before there is one.</summary>
    public HeaderMap ResponseHead { get; private set; }

    /// <summary>The response's trailers; null while there are none.</summary>
    public HeaderMap? ResponseTrailers { get; private set; }

    /// <summary>The status; 0 before there is one.</summary>
    public int Status { get; private set; }

    /// <summary>The answer's head has begun its way to the client: it cannot be replaced.</summary>
    public bool ResponseStarted { get; private set; }

    /// <summary>The last byte of the answer was given to the codec.</summary>
    public bool ResponseComplete { get; private set; }

    /// <summary>It is over.</summary>
    public bool IsFinished => _finished;

    /// <summary>What is being recorded: DownstreamEnd, or a moment before it.</summary>
    internal string LogMoment { get; private set; } = "DownstreamEnd";

    /// <summary>Records a moment before the end, under its name.</summary>
    internal void RecordMoment(string moment, IReadOnlyList<ExchangeRecorder> recorders)
    {
        LogMoment = moment;
        foreach (ExchangeRecorder recorder in recorders)
            recorder.OnMoment(this);
        LogMoment = "DownstreamEnd";
    }

    /// <summary>An attempt is over: the router's own logs hear of it.</summary>
    internal void RecordAttempt(int status, IReadOnlyList<ExchangeRecorder> recorders)
    {
        Upstream.Status = status;
        RecordMoment("UpstreamEnd", recorders);
    }

    /// <summary>Envoy's details of the response code.</summary>
    public string Details { get; set; } = "";

    /// <summary>Envoy's response flags.</summary>
    public ResponseFlags Flags { get; private set; }

    /// <summary>The flags in the order in which they were set, each as its bit's number plus one in a byte, the first lowest: logs write them so.</summary>
    public ulong FlagOrder { get; private set; }

    /// <summary>Why the proxy ended the connection; empty otherwise.</summary>
    public string TerminationDetails { get; set; } = "";

    /// <summary>The local reply's body; empty where the upstream answered.</summary>
    public ByteBuffer LocalBody => _localBody ??= new ByteBuffer(0);

    /// <summary>Work space for the body as it is written.</summary>
    internal ByteBuffer ReplyText => _replyText ??= new ByteBuffer(0);

    /// <summary>True where the proxy answered by itself.</summary>
    public bool IsLocalReply { get; private set; }

    /// <summary>Body bytes from the client.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Body bytes to the client.</summary>
    public long BytesSent { get; private set; }

    /// <summary>Points in its life. Written by whoever reaches one.</summary>
    public StreamTimes Times;

    /// <summary>When it began, microseconds since 1970.</summary>
    public long StartedAt { get; private set; }

    /// <summary>What the router came to: host, attempts, failures.</summary>
    public UpstreamOutcome Upstream;

    /// <summary>Bytes that may be held in one direction.</summary>
    public int BufferLimit { get; set; }

    /// <summary>Attempts to tell in a local reply (x-envoy-attempt-count); 0 for none.</summary>
    public int AttemptCount { get; set; }

    /// <summary>The request is traced.</summary>
    public bool IsTraced { get; set; }

    /// <summary>What this exchange's tracer keeps.</summary>
    public object? TraceState { get; set; }

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
        IsHead = RequestHead[KnownHeader.Method].SequenceEqual("HEAD"u8);
        IsGrpc = Routing.Route.IsGrpc(RequestHead);
        if (Options.Overload.Refuses(RequestHead, Worker))
        {
            Connection.Stats.Count(HttpStat.DownstreamRqOverloadClose);
            CloseConnection();
            Replies.Overload(this);
            return;
        }
        if (!Admission.Admit(this))
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
        Decision = Table.Find(RequestHead, new RouteFacts(Random, tls?.PeerPresented ?? false, tls?.PeerValidated ?? false, Facts.RouteMetadataView, IsInternal));
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
            AddFlag(reason is ResetReason.RemoteReset or ResetReason.RemoteRefused or ResetReason.Overflow ? ResponseFlags.DownstreamRemoteReset : ResponseFlags.DownstreamConnectionTermination);
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

    /// <summary>HTTP/1: the connection ends with this answer, since what follows cannot be told from the rest of a request. A stream of HTTP/2 ends alone.</summary>
    internal void CloseConnection()
    {
        if (Stream.Version != HttpVersion.Http2)
            Stream.CloseAfterResponse();
    }

    /// <summary>Pauses or resumes the client's body for a reason of one's own.</summary>
    public void PauseRequest(PauseReasons reason, bool paused)
    {
        PauseReasons before = _pauses;
        _pauses = paused ? _pauses | reason : _pauses & ~reason;
        if (!_finished && (before == 0) != (_pauses == 0))
            Stream.BodyPaused = _pauses != 0;
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

    internal void OnResponseHoldFull(bool buffering)
    {
        if (buffering && !_headSent)
            Replies.ResponseTooLarge(this);
        else
            PauseResponse(true);
    }

    internal void OnResponseRelieved()
    {
        if (_responsePaused && Stream.CanSend)
            PauseResponse(false);
    }

    private void PauseResponse(bool paused)
    {
        if (_responsePaused == paused || _finished)
            return;
        _responsePaused = paused;
        _slots[^1].OnResponsePaused(paused);
    }

    // ---- response

    /// <summary>An informational head of the upstream (100, 103).</summary>
    public void Inform(HeaderMap head)
    {
        if (_headSent || _finished)
            return;
        head.Remove(KnownHeader.Connection);
        head.Remove(KnownHeader.KeepAlive);
        head.Remove(KnownHeader.ProxyConnection);
        head.Remove(KnownHeader.Upgrade);
        Stream.SendInformational(head);
    }

    /// <summary>The router has an answer: its head starts through the filters. The map stays whole until the exchange is over.</summary>
    public void Respond(HeaderMap head, int status, bool end)
    {
        ResponseStarted = true;
        ResponseHead = head;
        Status = status;
        _timers.OnProgress(RequestComplete);
        if (_filtersBegun)
            ResponsePass.RunHead(_slots.Length - 1, end);
        else
            SendHead(end);
    }

    /// <summary>A part of the answer's body.</summary>
    public void RespondBody(ReadOnlySpan<byte> body, bool end)
    {
        _timers.OnProgress(RequestComplete);
        if (_filtersBegun)
            ResponsePass.RunBody(_slots.Length - 1, body, end);
        else
            SendBody(body, end);
    }

    /// <summary>The answer's trailers.</summary>
    public void RespondTrailers(HeaderMap trailers)
    {
        ResponseTrailers = trailers;
        _timers.OnProgress(RequestComplete);
        if (_filtersBegun)
            ResponsePass.RunTrailers(_slots.Length - 1);
        else
            SendTrailers();
    }

    /// <summary>The proxy answers by itself. Where an answer has begun, the stream is reset instead. Anything the router does is given up.</summary>
    public void Reply(in LocalReply reply)
    {
        if (_finished)
            return;
        AddFlag(reply.Flags);
        Details = reply.Details;
        if (_headSent)
        {
            ResetStream(ResetReason.LocalFailure);
            return;
        }
        if (_filtersBegun)
            _slots[^1].OnAnsweredElsewhere();
        RequestPass.Abort();
        ResponsePass.Abort();
        // An answer that had begun its way through the filters is replaced behind them.
        if (_filtersBegun)
            ResponsePass.Begin(ResponseStarted ? 0 : _activeFilters);
        IsLocalReply = true;
        ResponseTrailers = null;
        PauseRequest(PauseReasons.Filter | PauseReasons.Upstream | PauseReasons.RetryBuffer, false);
        Replies.Write(this, reply, _replyHead);
    }

    /// <summary>Sets flags, remembering their order.</summary>
    public void AddFlag(ResponseFlags flags)
    {
        ResponseFlags added = flags & ~Flags;
        Flags |= flags;
        for (uint rest = (uint)added; rest != 0; rest &= rest - 1)
            FlagOrder |= (ulong)(System.Numerics.BitOperations.TrailingZeroCount(rest) + 1) << (8 * Math.Min(7, (64 - System.Numerics.BitOperations.LeadingZeroCount(FlagOrder) + 7) / 8));
    }

    /// <summary>Takes back what an attempt that was retried had set.</summary>
    public void ClearFlags(ResponseFlags flags)
    {
        Flags &= ~flags;
        ulong old = FlagOrder;
        FlagOrder = 0;
        for (int shift = 0; old != 0; old >>= 8)
        {
            if (((uint)flags >> (int)((old & 0xff) - 1) & 1) == 0)
            {
                FlagOrder |= (old & 0xff) << shift;
                shift += 8;
            }
        }
    }

    internal void SendHead(bool end)
    {
        if (_finished)
            return;
        ResponseFinishing.Finish(this);
        HttpStats.CountAnswer(Connection, Status);
        _headSent = true;
        ResponseStarted = true;
        Times.ResponseBegin = Worker.Loop.Now;
        ResponseComplete = end;
        if (end)
            Times.ResponseEnd = Worker.Loop.Now;
        Stream.SendHead(ResponseHead, end);
        AfterSend();
    }

    internal void SendBody(ReadOnlySpan<byte> body, bool end)
    {
        if (_finished)
            return;
        BytesSent += body.Length;
        ResponseComplete = end;
        if (end)
            Times.ResponseEnd = Worker.Loop.Now;
        Stream.SendBody(body, end);
        AfterSend();
    }

    internal void SendTrailers()
    {
        if (_finished)
            return;
        ResponseComplete = true;
        Times.ResponseEnd = Worker.Loop.Now;
        Stream.SendTrailers(ResponseTrailers!);
    }

    private void AfterSend()
    {
        if (_finished)
            return;
        if (ResponseComplete)
            _timers.OnResponseComplete();
        else if (!Stream.CanSend)
            PauseResponse(true);
    }

    /// <summary>Ends the stream without an orderly end; it is over with that.</summary>
    public void ResetStream(ResetReason reason)
    {
        if (_finished)
            return;
        DownstreamStream stream = Stream;
        Connection.Stats.Count(HttpStat.DownstreamRqTxReset);
        Finish();
        stream.Reset(reason);
    }

    // ---- state for filters

    /// <summary>Dynamic metadata; null while there is none.</summary>
    public Metadata? DynamicMetadata { get; private set; }

    /// <summary>Sets one namespace of the dynamic metadata; objects of the same namespace are joined, the new keys win.</summary>
    public void SetMetadata(string ns, JsonElement value) => DynamicMetadata = Metadata.With(DynamicMetadata, ns, value);

    /// <summary>Sets values that were made before; joins as <see cref="SetMetadata(string, JsonElement)"/>.</summary>
    public void SetMetadata(MetadataFragment fragment) => DynamicMetadata = fragment.Over(DynamicMetadata);

    /// <summary>Filter state of the exchange, else of its connection; null where it is absent.</summary>
    public object? FilterState(string key) =>
        _filterState is not null && _filterState.TryGetValue(key, out object? value) ? value : Connection.Context.FilterState.GetValueOrDefault(key);

    /// <summary>Sets filter state of the exchange.</summary>
    public void SetFilterState(string key, object value) => (_filterState ??= new Dictionary<string, object>(StringComparer.Ordinal))[key] = value;

    /// <summary>The slot of a filter of the chain; null where the chain has none of this name.</summary>
    public FilterSlot? SlotOf(string filter)
    {
        foreach (FilterSlot slot in _slots)
        {
            if (slot.Filter.Name == filter)
                return slot;
        }
        return null;
    }

    /// <summary>The whole request is sent through the chain again (internal redirect): what it came to is recorded, then filters and answer begin anew.</summary>
    public void Restart(int status, ReadOnlySpan<byte> body)
    {
        // The record shows where it goes (observed).
        SelectRoute();
        Status = status;
        Details = "internal_redirect";
        foreach (ExchangeRecorder recorder in _recorders)
            recorder.OnEnd(this);

        ReadOnlySpan<byte> path = RequestHead[KnownHeader.Path];
        int fragment = path.IndexOf((byte)'#');
        if (fragment >= 0)
            RequestHead.Set(KnownHeader.Path, path[..fragment]);

        // The body lies in the router's slot, which is cleared.
        ReplyText.Clear();
        ReplyText.Append(body);
        EndFilters();
        RequestPass.Abort();
        ResponsePass.Abort();
        ResponseHead = _noHead;
        ResponseStarted = false;
        Status = 0;
        Details = "";
        ClearFlags(Flags);
        Upstream = default;
        Upstream.Cluster = Decision.Cluster?.Current;
        ApplySettings();
        BeginFilters();
        uint generation = Generation;
        BytesReceived += body.Length;
        RequestPass.RunHead(0, body.IsEmpty);
        if (!body.IsEmpty && !_finished && generation == Generation && !IsLocalReply)
            RequestPass.RunBody(0, ReplyText.Written, true);
    }

    /// <summary>Logs name this decision from now on (a redirect that was not followed is told with where it led); nothing is routed by it.</summary>
    internal void ShowDecision(in RouteDecision decision)
    {
        Decision = decision;
        Upstream.Cluster = decision.Cluster?.Current;
    }

    /// <summary>True where a redirect has led to this route before.</summary>
    public bool HasVisited(Route route) => _visited?.Contains(route) ?? false;

    /// <summary>A redirect leads to this route.</summary>
    public void Visit(Route route) => (_visited ??= []).Add(route);

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

    /// <summary>The status that a local reply is about to have, for the rules that may change it.</summary>
    internal void Announce(int status) => Status = status;

    /// <summary>The upstream's answer as it came, for header changes that quote it.</summary>
    internal void Announce(int status, HeaderMap head)
    {
        Status = status;
        ResponseHead = head;
    }

    /// <summary>Sets status and head of an answer that the proxy makes itself; from <see cref="Replies"/> alone.</summary>
    internal void RespondLocally(HeaderMap head, int status, ReadOnlySpan<byte> body)
    {
        // The head's filters may finish the exchange (a closed client).
        uint generation = Generation;
        Respond(head, status, body.IsEmpty);
        if (!body.IsEmpty && !_finished && generation == Generation)
            RespondBody(body, true);
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

    /// <summary>Our end of the connection.</summary>
    public Address Local;

    /// <summary>The host's end of the connection.</summary>
    public Address Remote;

    /// <summary>The protocol spoken; null where no connection was had.</summary>
    public HttpVersion? Version;

    /// <summary>Why the transport failed; null where it did not.</summary>
    public string? TransportFailure;

    /// <summary>TLS with the host; null for plain text.</summary>
    public TlsFacts? Tls;

    /// <summary>Number of the connection; 0 for none.</summary>
    public long ConnectionId;

    /// <summary>Bytes of the last attempt.</summary>
    public StreamBytes Bytes;

    /// <summary>The failure of the last attempt.</summary>
    public Failure Failure;
}
