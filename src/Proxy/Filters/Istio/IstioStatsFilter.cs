using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.GrpcStats;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>Counts each exchange under Istio's standard metrics (istio.stats): a request at its end, the messages of a gRPC stream each
/// interval, too.</summary>
public sealed class IstioStatsFilter(string name, IstioMetrics metrics, IstioSettings settings) : HttpFilter(name)
{
    private readonly PartyFinder _parties = new(settings.Reporter, settings.Own, settings.HostFallback);
    private readonly bool _countsMessages =
        settings.Metrics.Any(static m => m.Value is IstioValue.RequestMessages or IstioValue.ResponseMessages);

    /// <inheritdoc/>
    public override FilterPhases Phases => _countsMessages ? FilterPhases.RequestHead | FilterPhases.End : FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new StatsSlot();

    private sealed class StatsSlot : FilterSlot
    {
        private Clock? _clock;

        public long Requests { get; set; }

        public long Responses { get; set; }

        public void Start(IstioStatsFilter filter, long micros)
        {
            _clock ??= new Clock(this);
            _clock.Owner = filter;
            Exchange.Worker.Loop.Arm(_clock, micros);
        }

        public void Stop()
        {
            if (_clock is { IsArmed: true })
                Exchange.Worker.Loop.Disarm(_clock);
        }

        protected internal override void Reset() => Requests = Responses = 0;
    }

    private sealed class Clock(StatsSlot slot) : Deadline
    {
        public IstioStatsFilter Owner { get; set; } = null!;

        protected internal override void OnDue(long now) => Owner.OnInterval(slot);
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        if (slot.Exchange.IsGrpc && settings.IntervalMicros > 0)
            ((StatsSlot)slot).Start(this, settings.IntervalMicros);
        return FilterVerdict.Continue;
    }

    private void OnInterval(StatsSlot slot)
    {
        Exchange x = slot.Exchange;
        // A caller learns from the answer's head who answered.
        if (settings.Reporter != IstioReporter.Source || x.Status > 0)
            CountMessages(slot, _parties.Of(x.Facts));
        slot.Start(this, settings.IntervalMicros);
    }

    private void CountMessages(StatsSlot slot, in IstioParties parties)
    {
        Exchange x = slot.Exchange;
        if (!_countsMessages || x.FilterState(GrpcMessageCounts.Key) is not GrpcMessageCounts counts)
            return;
        IstioSeries series = metrics.Of(x.Worker.Index,
            new SeriesKey(IstioScope.Message, parties, true, 0, -1, ResponseFlags.None, settings,
                metrics.Told(x.Worker.Index, x.Facts, settings)));
        for (int i = 0; i < settings.Metrics.Count; i++)
        {
            if (settings.Metrics[i].Value == IstioValue.RequestMessages)
                series.Add(i, counts.Requests - slot.Requests);
            else if (settings.Metrics[i].Value == IstioValue.ResponseMessages)
                series.Add(i, counts.Responses - slot.Responses);
        }
        (slot.Requests, slot.Responses) = (counts.Requests, counts.Responses);
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        var own = (StatsSlot)slot;
        own.Stop();
        Exchange x = slot.Exchange;
        IstioParties parties = _parties.Of(x.Facts);
        if (x.IsGrpc)
            CountMessages(own, parties);
        int grpc = x.IsGrpc && GrpcStatus.Find(x.Facts, out int code) ? code : -1;
        IstioSeries series = metrics.Of(x.Worker.Index,
            new SeriesKey(IstioScope.Request, parties, x.IsGrpc, x.Status, grpc, x.Flags, settings,
                metrics.Told(x.Worker.Index, x.Facts, settings)));
        StreamBytes bytes = x.Facts.DownstreamBytes;
        for (int i = 0; i < settings.Metrics.Count; i++)
        {
            switch (settings.Metrics[i].Value)
            {
                case IstioValue.One:
                    series.Add(i, 1);
                    break;
                case IstioValue.Duration:
                    series.Record(i, (x.Worker.Loop.Now - x.Times.RequestBegin) / 1000);
                    break;
                case IstioValue.RequestBytes:
                    series.Record(i, bytes.HeadReceived + bytes.BodyReceived);
                    break;
                case IstioValue.ResponseBytes:
                    series.Record(i, bytes.HeadSent + bytes.BodySent);
                    break;
                case IstioValue.Expression when metrics.Number(x.Worker.Index, x.Facts, settings.Metrics[i].Expression!) is { } number:
                    series.Take(i, settings.Metrics[i].Kind, number);
                    break;
            }
        }
    }
}
