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
/// The router's state for one exchange. Attempts run one after another, or beside each other when hedging; the first whose answer is taken is final and the others are given up. The
/// body is kept from the start while another attempt (or a shadow, or a redirect) may need it.
/// </summary>
internal sealed class RouterSlot : FilterSlot
{
    private readonly RetryState _retry = new();
    private readonly ByteBuffer _kept = new(0);
    private readonly HostChoice _choice;
    private Clock? _route, _backoff;

    // Chains through Attempt.Next: those that run, in order of their beginning, and those that wait to be used again.
    private Attempt? _running, _free;
    private ForwardAction _action = null!;
    private Attempt? _final;
    private bool _active, _keeping, _hasTrailers, _hedges, _abandoned, _informed;
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
            if (!attempt.Stream!.CanSend)
                Exchange.PauseRequest(PauseReasons.Upstream, true);
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

    // More came than may be kept: what runs goes on, but nothing is tried again; where nothing runs (a back-off) there is nothing left to do.
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
        {
            Counters.Count(ClusterCounter.UpstreamCxNoneHealthy);
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
        attempt.Begin(owner, host, _choice.KeyFor(owner, host));
    }

    /// <summary>It has a stream: the request goes out, with what was kept of its body.</summary>
    public void OnAttemptReady(Attempt attempt)
    {
        HeaderMap head = Exchange.RequestHead;
        PooledConnection connection = attempt.Connection!;
        ref UpstreamOutcome upstream = ref Exchange.Upstream;
        upstream.Version = attempt.Stream!.Version;
        upstream.Local = attempt.Stream.Transport.Local;
        upstream.Remote = attempt.Host.Endpoint.AdditionalAddresses.Count > 0 ? attempt.Stream.Transport.Remote : default;
        upstream.Tls = connection.Tls;
        upstream.ConnectionId = connection.Id;
        Exchange.Times.UpstreamConnectBegin = connection.ConnectBegin;
        Exchange.Times.UpstreamConnectEnd = connection.ConnectEnd;
        Exchange.Times.UpstreamPoolReady = Exchange.Times.UpstreamSendBegin = Loop.Now;
        if (_action.HostRewrite is { Kind: HostRewriteKind.Auto } && attempt.Host.Endpoint.Hostname.Length > 0)
            RouteRewrite.RewriteHostTo(head, attempt.Host.Endpoint.HostnameBytes, _action.AppendForwardedHost, !Router.Options.SuppressEnvoyHeaders);
        Exchange.Options.Tracer?.OnAttemptHead(Exchange, attempt.TraceSpan, head);
        bool more = !RequestComplete || _hasTrailers || _kept.Length > 0;
        attempt.Stream.SendHead(head, !more);
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
    public void OnAttemptSendable(Attempt attempt) => Exchange.PauseRequest(PauseReasons.Upstream, false);

    /// <summary>A 1xx head.</summary>
    public void OnInformational(Attempt attempt)
    {
        if (!_active || _final is not null || _running is not { Next: null })
            return;
        // The client has heard of this host: what fails from here on is told as it is, and not tried again.
        _informed = true;
        Exchange.Inform(attempt.ResponseHead);
    }

    /// <summary>Its answer's head.</summary>
    public void OnAttemptHead(Attempt attempt, bool end)
    {
        if (!_active)
            return;
        Exchange.Times.UpstreamReceiveBegin = Loop.Now;
        Cluster.Report(attempt.Host, attempt.Status, attempt.ResponseHead, Exchange.IsGrpc);
        if (_retry.Enabled && !_abandoned)
        {
            RetryVerdict verdict = _retry.FromHead(attempt.ResponseHead, attempt.Status);
            if (verdict == RetryVerdict.Yes)
            {
                ChargeRetried(attempt.Status);
                Retire(attempt, ResetReason.Local);
                Schedule(attempt.ResponseHead);
                return;
            }
            Flag(verdict);
        }
        ChargeCode(attempt.Status, attempt);
        if (InternalRedirects.Follow(this, attempt, Router, _abandoned))
            return;
        Accept(attempt, end);
    }

    private void Accept(Attempt attempt, bool end)
    {
        Loop.Disarm(_backoff);
        for (Attempt? other = _running, next; other is not null; other = next)
        {
            next = other.Next;
            if (!ReferenceEquals(other, attempt))
                Retire(other, ResetReason.Local);
        }
        _retry.End();
        _keeping = false;
        _final = attempt;
        HeaderMap head = attempt.ResponseHead;
        // Of the host's own connection; what routes add by these names stays.
        head.Remove(KnownHeader.KeepAlive);
        head.Remove(KnownHeader.ProxyConnection);
        Exchange.Upstream.Host = attempt.Host;
        Exchange.Details = "via_upstream";
        if (end)
        {
            Exchange.Times.UpstreamReceiveEnd = Loop.Now;
            ChargeTime();
        }
        // An answer that comes before the request's end has no time to tell.
        if (!Router.Options.SuppressEnvoyHeaders && _completeAt != 0)
            SetNumber(head, KnownHeader.XEnvoyUpstreamServiceTime, (Loop.Now - _completeAt) / 1000);
        if (Exchange.Decision.Host!.AttemptCountInResponse)
            SetNumber(head, KnownHeader.XEnvoyAttemptCount, _attempts);
        if (!DirectAnswers.AdmitTunnel(Exchange, attempt.Status, head, ref end))
            attempt.GiveUp(ResetReason.Local);
        Exchange.Announce(attempt.Status, head);
        RouteHeaders.FinishResponse(Exchange, head);
        _choice.WriteCookie(head);
        if (Refused is { } refused)
            Exchange.ShowDecision(refused);
        uint generation = Exchange.Generation;
        Exchange.Respond(head, attempt.Status, end);
        if (end && _active && generation == Exchange.Generation)
            OnAnswered();
    }

    /// <summary>A part of its answer's body.</summary>
    public void OnAttemptBody(Attempt attempt, ReadOnlySpan<byte> body, bool end)
    {
        if (!_active || !ReferenceEquals(_final, attempt))
            return;
        if (Exchange.Times.UpstreamBodyBegin == 0)
            Exchange.Times.UpstreamBodyBegin = Loop.Now;
        if (end)
        {
            Exchange.Times.UpstreamReceiveEnd = Loop.Now;
            ChargeTime();
        }
        uint generation = Exchange.Generation;
        Exchange.RespondBody(body, end);
        if (end && _active && generation == Exchange.Generation)
            OnAnswered();
    }

    /// <summary>Its answer's trailers.</summary>
    public void OnAttemptTrailers(Attempt attempt)
    {
        if (!_active || !ReferenceEquals(_final, attempt))
            return;
        Exchange.Times.UpstreamReceiveEnd = Loop.Now;
        ChargeTime();
        uint generation = Exchange.Generation;
        Exchange.RespondTrailers(attempt.ResponseTrailers);
        if (_active && generation == Exchange.Generation)
            OnAnswered();
    }

    // The answer is complete; the exchange may still be writing it, and the client may still be sending.
    private void OnAnswered()
    {
        Loop.Disarm(_route);
        _kept.Clear();
        Exchange.PauseRequest(PauseReasons.Upstream | PauseReasons.RetryBuffer, false);
    }

    // ---- failures

    /// <summary>It ended without an answer, or in the middle of one.</summary>
    public void OnAttemptFailed(Attempt attempt, UpstreamCause cause, string transportFailure)
    {
        if (!_active)
            return;
        Exchange.Upstream.TransportFailure = transportFailure.Length > 0 ? transportFailure : null;
        Cluster.ReportFailure(attempt.Host, cause);
        if (ReferenceEquals(_final, attempt))
        {
            Finish(s => Replies.UpstreamFailed(s.Exchange, cause, false, null, false));
            return;
        }
        bool sent = attempt.RequestSent;
        Forget(attempt);
        if (_retry.Enabled && !_abandoned && !_informed)
        {
            RetryVerdict verdict = _retry.FromFailure(cause, sent);
            if (verdict == RetryVerdict.Yes)
            {
                Schedule(null);
                return;
            }
            Flag(verdict);
        }
        if (_running is not null || _backoff is { IsArmed: true })
            return;
        ChargeCode(cause.Status);
        Finish(s => Replies.UpstreamFailed(s.Exchange, cause, s._attempts > 1, transportFailure, !s.Router.Options.SuppressEnvoyHeaders, s._informed));
    }

    /// <summary>It took too long.</summary>
    public void OnAttemptTimeout(Attempt attempt, bool idle)
    {
        if (!_active)
            return;
        Counters.Count(idle ? ClusterCounter.UpstreamRqPerTryIdleTimeout : ClusterCounter.UpstreamRqPerTryTimeout);
        attempt.Host.Counters.CountTimeout();
        if (!idle && _hedges)
        {
            Hedge(attempt);
            return;
        }
        Cluster.ReportTimeout(attempt.Host);
        if (ReferenceEquals(_final, attempt))
        {
            attempt.GiveUp(ResetReason.Local);
            Finish(s => Replies.TryTimeout(s.Exchange, idle));
            return;
        }
        Retire(attempt, ResetReason.Local);
        if (_retry.Enabled && !_abandoned)
        {
            RetryVerdict verdict = _retry.FromFailure(UpstreamCause.LocalReset, true);
            if (verdict == RetryVerdict.Yes)
            {
                _timeoutRetry = true;
                Schedule(null);
                return;
            }
            Flag(verdict);
        }
        if (_running is not null || _backoff is { IsArmed: true })
            return;
        ChargeCode(504);
        Finish(s => Replies.TryTimeout(s.Exchange, idle));
    }

    private bool _timeoutRetry;

    // The slow one may still win: another runs beside it.
    private void Hedge(Attempt attempt)
    {
        if (attempt.Hedged || !_retry.Enabled)
            return;
        Cluster.ReportTimeout(attempt.Host);
        attempt.Hedged = true;
        RetryVerdict verdict = _retry.Hedge();
        if (verdict == RetryVerdict.Yes)
            Schedule(null);
        else
            Flag(verdict);
    }

    /// <summary>The cluster's limit of a stream is over.</summary>
    public void OnAttemptTooLong(Attempt attempt)
    {
        if (!_active)
            return;
        Counters.Count(ClusterCounter.UpstreamRqMaxDurationReached);
        bool final = ReferenceEquals(_final, attempt);
        attempt.GiveUp(ResetReason.Local);
        if (!final)
        {
            Forget(attempt);
            RetryVerdict verdict = _retry.Enabled ? _retry.FromFailure(UpstreamCause.LocalReset, true) : RetryVerdict.No;
            if (verdict == RetryVerdict.Yes)
            {
                Schedule(null);
                return;
            }
            Flag(verdict);
            if (_running is not null || _backoff is { IsArmed: true })
                return;
        }
        Finish(static s => Replies.UpstreamStreamTooLong(s.Exchange));
    }

    private void OnRouteDue()
    {
        if (!_active)
            return;
        Counters.Count(ClusterCounter.UpstreamRqTimeout);
        RouteStats.Count(Exchange, AnswerStat.UpstreamRqTimeout);
        for (Attempt? attempt = _running; attempt is not null; attempt = attempt.Next)
        {
            if (attempt.Status != 0 || attempt.IsOver)
                continue;
            attempt.Host.Counters.CountTimeout();
            Cluster.ReportTimeout(attempt.Host);
        }
        if (_final is null)
            ChargeCode(504);
        Finish(static s => Replies.RouteTimeout(s.Exchange, s._alternative));
    }

    private void Schedule(HeaderMap? head)
    {
        long wait = _retry.Backoff(head, Loop.Chance, Loop.WallClock);
        Loop.Arm(_backoff ??= new Clock(this, false), Math.Max(1, wait));
    }

    private void OnBackoffDue()
    {
        if (!_active)
            return;
        if (_timeoutRetry && Exchange.Decision.Host!.TimeoutRetryHeader)
            Exchange.RequestHead.Set(KnownHeader.XEnvoyIsTimeoutRetry, "true"u8);
        else
            Exchange.RequestHead.Remove(KnownHeader.XEnvoyIsTimeoutRetry);
        _timeoutRetry = false;
        StartAttempt();
    }

    private void Flag(RetryVerdict verdict)
    {
        if (verdict == RetryVerdict.LimitReached)
            Exchange.AddFlag(ResponseFlags.UpstreamRetryLimitExceeded);
        else if (verdict == RetryVerdict.Overflow)
            Exchange.AddFlag(ResponseFlags.UpstreamOverflow);
    }

    // An answer that is tried again is told apart from those that clients saw.
    private void ChargeRetried(int status) => Cluster.Handle.Stats.Retry.Count(Exchange.Worker.Index, status);

    private void ChargeCode(int status, Attempt? attempt = null)
    {
        bool canary = attempt is not null && (attempt.Host.IsCanary || attempt.ResponseHead[KnownHeader.XEnvoyUpstreamCanary].SequenceEqual("true"u8));
        RouteStats.Charge(Exchange, Cluster, status, canary);
    }

    // The time from the whole request to the whole answer.
    private void ChargeTime()
    {
        if (_final is null || _completeAt == 0 || _timed)
            return;
        _timed = true;
        RouteStats.ChargeTime(Exchange, Cluster, (Loop.Now - _completeAt) / 1000, _final.Host.IsCanary);
    }

    private bool _timed;

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
    protected internal override void OnResponsePaused(bool paused) => _final?.Pause(paused);

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
        _keeping = _hasTrailers = _hedges = _abandoned = _informed = _timeoutRetry = _timed = false;
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
