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

// Chapter of RouterSlot: what goes wrong with attempts, and what follows: another try, one beside it, or the answer that tells of it.
internal sealed partial class RouterSlot
{
    /// <summary>It ended without an answer, or in the middle of one.</summary>
    public void OnAttemptFailed(Attempt attempt, UpstreamCause cause, string transportFailure)
    {
        if (!_active)
            return;
        Exchange.Upstream.TransportFailure = transportFailure.Length > 0 ? transportFailure : null;
        Cluster.ReportFailure(attempt.Host, cause);
        if (ReferenceEquals(_final, attempt))
        {
            if (Exchange.IsGrpc && attempt.Status < 500)
                Exchange.Connection.Stats.Count(HttpStat.RqResetAfterDownstreamResponseStarted);
            Finish(s => Replies.UpstreamFailed(s.Exchange, cause, false, null, false));
            return;
        }
        // What an earlier attempt sent may have been acted upon, too.
        bool sent = _sent |= attempt.RequestSent;
        Forget(attempt);
        if (_retry.Enabled && !_abandoned && !_informed && !attempt.Hedged)
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
        Finish(s => Replies.UpstreamFailed(s.Exchange, cause, s._attempts > 1, transportFailure, !s.Router.Options.SuppressEnvoyHeaders,
            s._informed));
    }

    /// <summary>It took too long.</summary>
    public void OnAttemptTimeout(Attempt attempt, bool idle)
    {
        if (!_active)
            return;
        if (_hedges && !ReferenceEquals(_final, attempt))
        {
            Hedge(attempt);
            return;
        }
        Counters.Count(idle ? ClusterCounter.UpstreamRqPerTryIdleTimeout : ClusterCounter.UpstreamRqPerTryTimeout);
        attempt.Host.Counters.CountTimeout();
        Cluster.ReportTimeout(attempt.Host);
        if (ReferenceEquals(_final, attempt))
        {
            attempt.GiveUp(ResetReason.Local);
            Finish(s => Replies.TryTimeout(s.Exchange, idle, s._alternative));
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
        ChargeCode(_alternative ?? 504);
        Finish(s => Replies.TryTimeout(s.Exchange, idle, s._alternative));
    }

    private bool _timeoutRetry;

    // The slow one may still win: another runs beside it. It is not tried again for itself.
    private void Hedge(Attempt attempt)
    {
        Cluster.ReportTimeout(attempt.Host);
        if (attempt.Hedged || !_retry.Enabled || _abandoned)
            return;
        RetryVerdict verdict = _retry.Hedge();
        if (verdict != RetryVerdict.Yes)
        {
            Flag(verdict);
            return;
        }
        attempt.Hedged = _timeoutRetry = true;
        Schedule(null);
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
            ChargeCode(_alternative ?? 504);
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
        if (Exchange.Decision.Host!.TimeoutRetryHeader)
            Exchange.RequestHead.Set(KnownHeader.XEnvoyIsTimeoutRetry, _timeoutRetry ? "true"u8 : "false"u8);
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
}
