using System.Buffers.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>
/// The router's state for one exchange. Attempts run one after another, or beside each other when hedging; the first whose answer is taken
/// is final and the others are given up. The body is kept from the start while another attempt (or a shadow, or a redirect) may need it.
/// </summary>
internal sealed partial class RouterSlot : FilterSlot
{
    private readonly RetryState _retry = new();
    private readonly ByteBuffer _kept = new(0);
    private readonly HostChoice _choice;
    private Clock? _route, _backoff;

    // Chains through Attempt.Next: those that run, in order of their beginning, and those that wait to be used again.
    private Attempt? _running, _free;
    private ForwardAction _action = null!;
    private Attempt? _final;
    private bool _active, _keeping, _hasTrailers, _hedges, _abandoned, _informed, _sent;
    private int _attempts;
    private long _completeAt;

    public RouterSlot() => _choice = new HostChoice(this);

    /// <summary>Times of the request.</summary>
    public RouteTimeouts Timeouts;

    /// <summary>The request came whole.</summary>
    public bool RequestComplete { get; private set; }

    /// <summary>The cluster's share of this worker.</summary>
    public WorkerCluster Cluster { get; private set; } = null!;

    /// <summary>The route's action.</summary>
    public ForwardAction Action => _action;

    /// <summary>Retries.</summary>
    public RetryState Retry => _retry;

    /// <summary>Attempts begun.</summary>
    public int Attempts => _attempts;

    /// <summary>Logs of attempts.</summary>
    public IReadOnlyList<ExchangeRecorder> UpstreamRecorders => Router.Options.UpstreamRecorders;

    /// <summary>Where a redirect led that was not followed; null for none.</summary>
    public RouteDecision? Refused { get; set; }

    private RouterFilter Router => (RouterFilter)Filter;

    private EventLoop Loop => Exchange.Worker.Loop;

    private ClusterCounters Counters => Cluster.Counters;

    // ---- the request

    /// <summary>Begins.</summary>
    public void OnHead(bool end)
    {
        Exchange.Connection.Stats.Count(HttpStat.RqTotal);
        if (!DirectAnswers.FindForward(Exchange, out ForwardAction? action))
            return;
        WorkerCluster? cluster = Exchange.Decision.Cluster is { } handle ? Router.Upstreams[Exchange.Worker].Of(handle) : null;
        if (cluster is null)
        {
            Replies.NoCluster(Exchange, action.ClusterNotFoundStatus);
            return;
        }
        Cluster = cluster;
        _action = action;
        Exchange.Upstream.Cluster = cluster.View;
        RouteStats.Begin(Exchange);
        if (DropsByOrder())
            return;
        _active = true;
        RequestComplete = end;
        HeaderMap head = Exchange.RequestHead;
        RoutePriority priority = action.HighPriority ? RoutePriority.High : RoutePriority.Default;
        Timeouts = RouteTimeouts.Of(action, head, Exchange.IsGrpc, Router.Options);
        _hedges = action.HedgeOnPerTryTimeout || head[KnownHeader.XEnvoyHedgeOnPerTryTimeout].SequenceEqual("true"u8);
        head.Remove(KnownHeader.XEnvoyHedgeOnPerTryTimeout);
        _retry.Begin(action.Retry, head, cluster, priority);
        _alternative = head.Has(KnownHeader.XEnvoyUpstreamRqTimeoutAltResponse) ? 204 : null;
        head.Remove(KnownHeader.XEnvoyUpstreamRqTimeoutAltResponse);
        // Header changes may tell the count: they belong to the first attempt.
        Exchange.Upstream.Attempts = 1;
        RouteHeaders.FinishRequest(Exchange, head);
        RouteRewrite.Apply(Exchange, action, Router.Options.SuppressEnvoyHeaders);
        head.Remove(KnownHeader.XEnvoyUpstreamAltStatName);

        // Mirrored requests carry the first attempt's count.
        if (Exchange.Decision.Host!.AttemptCountInRequest)
            SetNumber(head, KnownHeader.XEnvoyAttemptCount, 1);
        _keeping = _retry.Enabled || action.Mirrors.Count > 0 || action.InternalRedirect is not null;
        _choice.Begin(action, Exchange.Decision.Target);
        if (end)
            OnComplete();
        if (_active)
            StartAttempt();
    }

    private int? _alternative;

    private bool DropsByOrder()
    {
        foreach (DropOverload drop in Cluster.View.Endpoints.Drops)
        {
            if (!Loop.Chance.Hits(drop.Numerator, drop.Denominator))
                continue;
            Counters.Count(ClusterCounter.UpstreamRqDropOverload);
            Replies.Dropped(Exchange);
            return true;
        }
        return false;
    }

    /// <summary>A part of the body.</summary>
    public void OnBody(ReadOnlySpan<byte> body, bool end)
    {
        if (!_active)
            return;
        RequestComplete = end;
        bool waiting = !AnySent();
        if (_keeping && _kept.Length + body.Length > Exchange.BufferLimit)
            StopKeeping(waiting);
        if (!_active)
            return;
        if (_keeping || waiting)
            _kept.Append(body);
        for (Attempt? attempt = _running; attempt is not null; attempt = attempt.Next)
        {
            if (attempt.Stream is null || attempt.IsOver)
                continue;
            if (end)
                Exchange.Times.UpstreamSendEnd = Loop.Now;
            attempt.Send(body, end);
            if (!_active)
                return;
            if (!attempt.Stream!.CanSend && Exchange.PauseRequest(PauseReasons.Upstream, true))
                Counters.Count(ClusterCounter.UpstreamFlowControlBackedUpTotal);
            break;
        }
        if (waiting && !_keeping && _kept.Length > Exchange.BufferLimit)
            Exchange.PauseRequest(PauseReasons.RetryBuffer, true);
        if (end)
            OnComplete();
    }

    /// <summary>The trailers.</summary>
    public void OnTrailers()
    {
        if (!_active)
            return;
        RequestComplete = true;
        _hasTrailers = true;
        for (Attempt? attempt = _running; attempt is not null; attempt = attempt.Next)
        {
            if (attempt.Stream is not null && !attempt.IsOver)
            {
                Exchange.Times.UpstreamSendEnd = Loop.Now;
                attempt.SendTrailers(Exchange.RequestTrailers);
                break;
            }
        }
        if (_active)
            OnComplete();
    }

    private bool AnySent()
    {
        for (Attempt? attempt = _running; attempt is not null; attempt = attempt.Next)
        {
            if (attempt.Stream is not null && !attempt.IsOver)
                return true;
        }
        return false;
    }

    // More came than may be kept: what runs goes on, but nothing is tried again; where nothing runs (a back-off) there is nothing left to
    // do.
    private void StopKeeping(bool waiting)
    {
        _keeping = false;
        _abandoned = true;
        Counters.Count(ClusterCounter.RetryOrShadowAbandoned);
        _retry.End();
        if (!waiting)
            _kept.Clear();
        else if (_running is null)
            Finish(static s => Replies.RetryBufferExceeded(s.Exchange));
    }

    private void OnComplete()
    {
        _completeAt = Loop.Now;
        if (Timeouts.Global > 0)
            Loop.Arm(_route ??= new Clock(this, true), Timeouts.Global);
        for (Attempt? attempt = _running; attempt is not null; attempt = attempt.Next)
            attempt.OnRequestComplete();
        if (_action.Mirrors.Count > 0 && !_abandoned)
            Mirrors.Send(Exchange, _action, Router.Upstreams, _kept.Written, _hasTrailers);
    }

    // ---- attempts

    private void StartAttempt()
    {
        Host? host = _choice.Pick(_attempts, out WorkerCluster owner);
        _attempts++;
        Exchange.Upstream.Attempts = _attempts;
        if (host is null)
            Counters.Count(ClusterCounter.UpstreamCxNoneHealthy);
        if (host is null || owner.PoolsOf(host).Of(_choice.KeyFor(owner, host)) is not { } pool)
        {
            ChargeCode(503);
            Finish(static s => Replies.NoHealthyHost(s.Exchange));
            return;
        }
        Exchange.Upstream.Host = host;
        HeaderMap head = Exchange.RequestHead;
        if (Exchange.Decision.Host!.AttemptCountInRequest)
            SetNumber(head, KnownHeader.XEnvoyAttemptCount, _attempts);
        Timeouts.Write(head, _completeAt == 0 ? 0 : Loop.Now - _completeAt, _hedges, Router.Options.SuppressEnvoyHeaders);
        Attempt attempt = AddAttempt();
        attempt.TraceSpan = Exchange.Options.Tracer?.OnAttempt(Exchange, owner.Cluster.Name, Router.Options.StartChildSpan);
        attempt.Retries = _attempts - 1;
        attempt.Begin(owner, pool);
    }

    /// <summary>It has a stream: the request goes out, with what was kept of its body.</summary>
    public void OnAttemptReady(Attempt attempt)
    {
        Cluster.ReportConnected(attempt.Host);
        HeaderMap head = Exchange.RequestHead;
        PooledConnection connection = attempt.Connection!;
        Exchange.Upstream.Connection = connection;
        Exchange.Times.UpstreamConnectBegin = connection.ConnectBegin;
        Exchange.Times.UpstreamConnectEnd = connection.ConnectEnd;
        Exchange.Times.UpstreamPoolReady = Exchange.Times.UpstreamSendBegin = Loop.Now;
        if (_action.HostRewrite is { Kind: HostRewriteKind.Auto } && attempt.Host.Endpoint.Hostname.Length > 0)
            RouteRewrite.RewriteHostTo(head, attempt.Host.Endpoint.HostnameBytes, _action.AppendForwardedHost,
                !Router.Options.SuppressEnvoyHeaders);
        Exchange.Options.Tracer?.OnAttemptHead(Exchange, attempt.TraceSpan, head);
        bool more = !RequestComplete || _hasTrailers || _kept.Length > 0;
        attempt.Stream!.SendHead(head, !more);
        if (!attempt.IsOver && _kept.Length > 0)
            attempt.Send(_kept.Written, RequestComplete && !_hasTrailers);
        if (!attempt.IsOver && _hasTrailers)
            attempt.SendTrailers(Exchange.RequestTrailers);
        if (!_active)
            return;
        if (RequestComplete)
            Exchange.Times.UpstreamSendEnd = Loop.Now;
        if (!_keeping)
        {
            _kept.Clear();
            Exchange.PauseRequest(PauseReasons.RetryBuffer, false);
        }
    }

    /// <summary>It takes more of the request again.</summary>
    public void OnAttemptSendable(Attempt attempt)
    {
        if (Exchange.PauseRequest(PauseReasons.Upstream, false))
            Counters.Count(ClusterCounter.UpstreamFlowControlDrainedTotal);
    }

    // ---- the end

    // Attempts are given up before the answer is written: writing it may finish the exchange and begin another in this very slot.
    private void Finish(Action<RouterSlot> answer)
    {
        Stop();
        if (Exchange.Decision.Host is { AttemptCountInResponse: true })
            Exchange.AttemptCount = _attempts;
        answer(this);
    }

    /// <summary>Another answer stands in the upstream's place.</summary>
    protected internal override void OnAnsweredElsewhere() => Stop();

    /// <inheritdoc/>
    protected internal override void OnResponsePaused(bool paused)
    {
        if (_final is null)
            return;
        Counters.Count(paused
            ? ClusterCounter.UpstreamFlowControlPausedReadingTotal : ClusterCounter.UpstreamFlowControlResumedReadingTotal);
        _final.Pause(paused);
    }

    /// <summary>The exchange is over.</summary>
    public void OnEnd() => Stop();

    private void Stop()
    {
        if (!_active)
            return;
        _active = false;
        Loop.Disarm(_route);
        Loop.Disarm(_backoff);
        while (_running is { } attempt)
            Retire(attempt, ResetReason.Local);
        _retry.End();
    }

    /// <summary>The request's body as far as it was kept.</summary>
    public ReadOnlySpan<byte> Kept => _kept.Written;

    /// <summary>Gives an attempt up and forgets it.</summary>
    internal void Retire(Attempt attempt, ResetReason reason)
    {
        attempt.GiveUp(reason);
        Forget(attempt);
    }

    private Attempt AddAttempt()
    {
        Attempt attempt = _free ?? new Attempt(this);
        _free = attempt.Next;
        attempt.Next = null;
        if (_running is null)
        {
            _running = attempt;
            return attempt;
        }
        Attempt last = _running;
        while (last.Next is { } next)
            last = next;
        last.Next = attempt;
        return attempt;
    }

    // The final one is read until the slot is reset.
    private void Forget(Attempt attempt)
    {
        Attempt? before = null;
        for (Attempt? one = _running; one is not null; before = one, one = one.Next)
        {
            if (!ReferenceEquals(one, attempt))
                continue;
            if (before is null)
                _running = attempt.Next;
            else
                before.Next = attempt.Next;
            attempt.Next = null;
            if (!ReferenceEquals(_final, attempt))
                Free(attempt);
            return;
        }
    }

    private void Free(Attempt attempt)
    {
        attempt.Next = _free;
        _free = attempt;
    }

    /// <inheritdoc/>
    protected internal override void Reset()
    {
        Stop();
        if (_final is not null)
            Free(_final);
        _final = null;
        _running = null;
        _kept.Clear();
        _keeping = _hasTrailers = _hedges = _abandoned = _informed = _sent = _timeoutRetry = _timed = false;
        RequestComplete = false;
        Refused = null;
        _attempts = 0;
        _completeAt = 0;
        Timeouts = default;
        _choice.Reset();
    }

    internal static void SetNumber(HeaderMap head, KnownHeader header, long number)
    {
        Span<byte> text = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, text, out int n);
        head.Set(header, text[..n]);
    }

    private sealed class Clock(RouterSlot slot, bool route) : Deadline
    {
        protected internal override void OnDue(long now)
        {
            if (route)
                slot.OnRouteDue();
            else
                slot.OnBackoffDue();
        }
    }
}
