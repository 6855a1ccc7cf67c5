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

// Chapter of RouterSlot: what attempts answer: which answer is taken, and how it goes to the client.
internal sealed partial class RouterSlot
{
    /// <summary>A 1xx head.</summary>
    public void OnInformational(Attempt attempt)
    {
        if (!_active || _informed || _final is not null)
            return;
        // The client has heard of this host: what fails from here on is told as it is, and not tried again. Only the first is of account.
        _informed = true;
        RetireOthers(attempt);
        ChargeCode(HeaderRules.Status(attempt.ResponseHead), attempt);
        Exchange.Inform(attempt.ResponseHead);
    }

    /// <summary>Its answer's head.</summary>
    public void OnAttemptHead(Attempt attempt, bool end)
    {
        if (!_active)
            return;
        Exchange.Times.UpstreamReceiveBegin = Loop.Now;
        Cluster.Report(attempt.Host, attempt.Status, attempt.ResponseHead, Exchange.IsGrpc);
        if (!RetriesAnswer(attempt, out bool unwanted) && !InternalRedirects.Follow(this, attempt, Router, _abandoned))
        {
            // A bad answer gives way to attempts that may still bring a good one.
            if (unwanted && (OtherAwaitsHead(attempt) || _backoff is { IsArmed: true }))
                Retire(attempt, ResetReason.Local);
            else
                Take(attempt, end);
        }
    }

    // Another try in place of this answer; unwanted is one that the policy would have tried again.
    private bool RetriesAnswer(Attempt attempt, out bool unwanted)
    {
        unwanted = false;
        if (!_retry.Enabled || _abandoned)
            return false;
        if (attempt.Hedged)
        {
            unwanted = _retry.WouldRetry(attempt.ResponseHead, attempt.Status);
            return false;
        }
        RetryVerdict verdict = _retry.FromHead(attempt.ResponseHead, attempt.Status);
        if (verdict == RetryVerdict.Yes)
        {
            ChargeRetried(attempt.Status);
            Retire(attempt, ResetReason.Local);
            Schedule(attempt.ResponseHead);
            return true;
        }
        unwanted = verdict != RetryVerdict.No;
        Flag(verdict);
        return false;
    }

    private bool OtherAwaitsHead(Attempt attempt)
    {
        for (Attempt? other = _running; other is not null; other = other.Next)
        {
            if (!ReferenceEquals(other, attempt) && other.Status == 0)
                return true;
        }
        return false;
    }

    private void Take(Attempt attempt, bool end)
    {
        ChargeCode(attempt.Status, attempt);
        Accept(attempt, end);
    }

    private void Accept(Attempt attempt, bool end)
    {
        RetireOthers(attempt);
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

    private void RetireOthers(Attempt attempt)
    {
        Loop.Disarm(_backoff);
        for (Attempt? other = _running, next; other is not null; other = next)
        {
            next = other.Next;
            if (!ReferenceEquals(other, attempt))
                Retire(other, ResetReason.Local);
        }
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
        else
        {
            attempt.Connection?.CountBytes();
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

    // An answer that is tried again is told apart from those that clients saw.
    private void ChargeRetried(int status) => Cluster.Handle.Stats.Retry.Count(Exchange.Worker.Index, status);

    private void ChargeCode(int status, Attempt? attempt = null)
    {
        bool canary = attempt is not null
            && (attempt.Host.IsCanary || attempt.ResponseHead[KnownHeader.XEnvoyUpstreamCanary].SequenceEqual("true"u8));
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
}
