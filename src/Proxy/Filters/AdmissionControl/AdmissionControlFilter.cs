// AdmissionControl: refuses a share of the requests while too many answers of the last seconds were failures
// (envoy.extensions.filters.http.admission_control.v3), so that an upstream that fails gets air. Each worker counts for itself in a window
// of its own: no lock, nothing shared, as in Envoy. Time and chance are the loop's. Refused requests are not counted as failures, or the
// share would never fall again. Never looks at the request; who is refused is chance. Refused alternative: one window for all workers,
// which would need a contended line for each answer.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.AdmissionControl;

/// <summary>The filter.</summary>
/// <param name="name">Its name.</param>
/// <param name="settings">When requests are refused.</param>
/// <param name="workers">Number of workers.</param>
/// <param name="stats">Its counters; null for none.</param>
public sealed class AdmissionControlFilter(string name, AdmissionControlSettings settings, int workers, StatGroup? stats = null)
    : HttpFilter(name)
{
    private const int Rejected = 0, Success = 1, Failure = 2;

    // A probability counts by four digits.
    private const int Accuracy = 10_000;

    private readonly SuccessWindow[] _windows = [.. Enumerable.Range(0, workers).Select(_ => new SuccessWindow(settings.WindowSeconds))];

    /// <summary>What it counts.</summary>
    public static readonly StatSchema Counted = StatSchema.Counters("rq_rejected", "rq_success", "rq_failure");

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead | FilterPhases.ResponseTrailers;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new AdmissionSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        var own = (AdmissionSlot)slot;
        own.Uncounted = !settings.IsEnabled || exchange.IsHealthCheck;
        if (own.Uncounted || !Refuses(exchange.Worker))
            return FilterVerdict.Continue;
        own.Uncounted = true;
        stats?.Of(exchange.Worker.Index).Count(Rejected);
        exchange.Reply(new LocalReply(503, "denied_by_admission_control"));
        return FilterVerdict.Stop;
    }

    private bool Refuses(Worker worker)
    {
        SuccessWindow window = _windows[worker.Index];
        window.Advance(worker.Loop.Now);
        if (window.RequestsPerSecond < settings.RequestsPerSecondNow)
            return false;
        double probability = settings.RejectionProbability(window.Requests, window.Successes);
        return probability > 0 && Accuracy * probability > worker.Loop.Chance.NextULong() % Accuracy;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var own = (AdmissionSlot)slot;
        HeaderMap head = slot.Exchange.ResponseHead;
        if (own.Uncounted)
            return FilterVerdict.Continue;
        bool told = head.Has(KnownHeader.GrpcStatus);
        if (end ? !told : slot.Exchange.Status != 200 || !Route.IsGrpc(head))
            Record(slot.Exchange.Worker, settings.Criteria.IsHttpSuccess(slot.Exchange.Status));
        else if (told)
            RecordGrpc(slot.Exchange.Worker, head);
        else
            own.StatusInTrailers = true;
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot)
    {
        if (((AdmissionSlot)slot).StatusInTrailers)
            RecordGrpc(slot.Exchange.Worker, slot.Exchange.ResponseTrailers!);
        return FilterVerdict.Continue;
    }

    private void RecordGrpc(Worker worker, HeaderMap map) =>
        Record(worker, GrpcStatus.Read(map, out int code) && settings.Criteria.IsGrpcSuccess(code));

    private void Record(Worker worker, bool success)
    {
        _windows[worker.Index].Record(worker.Loop.Now, success);
        stats?.Of(worker.Index).Count(success ? Success : Failure);
    }

    private sealed class AdmissionSlot : FilterSlot
    {
        public bool Uncounted, StatusInTrailers;

        protected internal override void Reset() => Uncounted = StatusInTrailers = false;
    }
}
