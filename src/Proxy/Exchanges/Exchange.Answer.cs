using System.Text.Json;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Exchanges;

// Chapter of Exchange: what is answered, its way to the client, and what filters keep with an exchange.
public sealed partial class Exchange
{
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

    /// <summary>The flags in the order in which they were set, each as its bit's number plus one in a byte, the first lowest: logs write
    /// them so.</summary>
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

    // ---- on its way

    /// <summary>An informational head of the upstream (100, 103). Where the proxy itself answers Expect, none is passed on: the client
    /// has had its 100, and there is room for one.</summary>
    public void Inform(HeaderMap head)
    {
        if (_headSent || _finished || Stream.Informed || !Options.Codec.Proxy100Continue)
            return;
        _timers.OnProgress(RequestComplete);
        head.Remove(KnownHeader.Connection);
        head.Remove(KnownHeader.KeepAlive);
        head.Remove(KnownHeader.ProxyConnection);
        head.Remove(KnownHeader.Upgrade);
        NoteInformed(HeaderRules.Status(head));
        Stream.SendInformational(head);
    }

    // Counted as an answer, and what the log tells where no other comes.
    private void NoteInformed(int status)
    {
        Status = status;
        HttpStats.CountAnswer(Connection, status);
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

    /// <summary>The proxy answers by itself. Where an answer has begun, the stream is reset instead. Anything the router does is given
    /// up.</summary>
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
            FlagOrder |= (ulong)(System.Numerics.BitOperations.TrailingZeroCount(rest)
                + 1) << (8 * Math.Min(7, (64 - System.Numerics.BitOperations.LeadingZeroCount(FlagOrder) + 7) / 8));
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
        else
            AfterPart();
    }

    private void AfterPart()
    {
        Connection.CountBytes();
        if (!Stream.CanSend)
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
        _filterState is not null && _filterState.TryGetValue(key, out object? value)
            ? value : Connection.Context.FindState(key);

    /// <summary>Sets filter state of the exchange.</summary>
    public void SetFilterState(string key, object value) =>
        (_filterState ??= new Dictionary<string, object>(StringComparer.Ordinal))[key] = value;

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

    /// <summary>The whole request is sent through the chain again (internal redirect): what it came to is recorded, then filters and answer
    /// begin anew.</summary>
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

    /// <summary>Logs name this decision from now on (a redirect that was not followed is told with where it led); nothing is routed by
    /// it.</summary>
    internal void ShowDecision(in RouteDecision decision)
    {
        Decision = decision;
        Upstream.Cluster = decision.Cluster?.Current;
    }

    /// <summary>True where a redirect has led to this route before.</summary>
    public bool HasVisited(Route route) => _visited?.Contains(route) ?? false;

    /// <summary>A redirect leads to this route.</summary>
    public void Visit(Route route) => (_visited ??= []).Add(route);

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
}
