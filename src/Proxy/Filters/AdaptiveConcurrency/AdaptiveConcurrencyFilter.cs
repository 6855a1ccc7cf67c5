using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.AdaptiveConcurrency;

/// <summary>The filter: a request over its worker's limit is refused at once.</summary>
/// <param name="name">Its name.</param>
/// <param name="settings">Of the controllers.</param>
/// <param name="workers">Number of workers.</param>
/// <param name="status">The status of a refusal.</param>
/// <param name="enabled">Asked at each request: a runtime value may say otherwise.</param>
/// <param name="stats">Counters; null for none.</param>
public sealed class AdaptiveConcurrencyFilter(string name, GradientSettings settings, int workers, int status, Func<bool> enabled,
    StatGroup? stats = null) : HttpFilter(name)
{
    private readonly GradientController[] _controllers = [.. Enumerable.Range(0, workers)
        .Select(i => new GradientController(settings, workers, stats?.Of(i)))];

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new EntrySlot();

    private sealed class EntrySlot : FilterSlot
    {
        public long EnteredAt { get; set; }

        public long TookMicros { get; set; } = -1;

        public bool IsIn { get; set; }

        protected internal override void Reset()
        {
            IsIn = false;
            TookMicros = -1;
        }
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        if (exchange.IsHealthCheck || !enabled())
            return FilterVerdict.Continue;
        long now = exchange.Worker.Loop.Now;
        if (!_controllers[exchange.Worker.Index].TryEnter(now, exchange.Worker.Loop.Chance))
        {
            exchange.Reply(new LocalReply(status, "reached_concurrency_limit") { Body = "reached concurrency limit"u8 });
            return FilterVerdict.Stop;
        }
        var own = (EntrySlot)slot;
        own.IsIn = true;
        own.EnteredAt = now;
        return FilterVerdict.Continue;
    }

    // What counts is the time to the answer's head: a long body says nothing about the upstream's queue.
    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var own = (EntrySlot)slot;
        if (own.IsIn && !slot.Exchange.IsLocalReply)
            own.TookMicros = slot.Exchange.Worker.Loop.Now - own.EnteredAt;
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        var own = (EntrySlot)slot;
        if (!own.IsIn)
            return;
        own.IsIn = false;
        Worker worker = slot.Exchange.Worker;
        _controllers[worker.Index].Leave(worker.Loop.Now, own.TookMicros, worker.Loop.Chance);
    }
}
