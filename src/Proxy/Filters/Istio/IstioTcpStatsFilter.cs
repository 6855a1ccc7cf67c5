using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tcp;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>
/// Counts connections and their bytes under Istio's standard metrics (istio.stats as a network filter). Labels are fixed once the peer is
/// known, or that nobody will tell; from then on bytes are told each interval, and at the end.
/// </summary>
public sealed class IstioTcpStatsFilter(IstioMetrics metrics, IstioSettings settings) : NetworkFilterFactory
{
    private readonly PartyFinder _parties = new(settings.Reporter, settings.Own, settings.HostFallback);

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) => new Watch(this, session);

    private sealed class Watch : NetworkFilter
    {
        private readonly IstioTcpStatsFilter _owner;
        private readonly Clock? _clock;
        private IstioSeries? _series;
        private long _sent, _received;

        public Watch(IstioTcpStatsFilter owner, TcpSession session)
        {
            _owner = owner;
            if (owner.Interval <= 0)
                return;
            _clock = new Clock(this, session);
            session.Connection.Worker.Loop.Arm(_clock, owner.Interval);
        }

        public void OnInterval(TcpSession session)
        {
            if (_owner.IsPeerKnown(session))
                Report(session);
            session.Connection.Worker.Loop.Arm(_clock!, _owner.Interval);
        }

        public override void OnEnd(TcpSession session)
        {
            if (_clock is { IsArmed: true })
                session.Connection.Worker.Loop.Disarm(_clock);
            Report(session);
            _owner.Finish(session, _series!);
        }

        private void Report(TcpSession session)
        {
            _series ??= _owner.Begin(session);
            StreamBytes bytes = session.Facts.DownstreamBytes;
            long sent = bytes.HeadSent + bytes.BodySent, received = bytes.HeadReceived + bytes.BodyReceived;
            _owner.Add(_series, IstioValue.Sent, sent - _sent);
            _owner.Add(_series, IstioValue.Received, received - _received);
            (_sent, _received) = (sent, received);
        }
    }

    private sealed class Clock(Watch watch, TcpSession session) : Deadline
    {
        protected internal override void OnDue(long now) => watch.OnInterval(session);
    }

    private long Interval => settings.IntervalMicros;

    // The caller's side learns it from the upstream's prologue, the other from the client's; where none was agreed on, nobody tells.
    private bool IsPeerKnown(TcpSession session) => settings.Reporter == IstioReporter.Source
        ? session.Upstream is not null && !session.AwaitsPeer
        : session.Facts.FilterState(PeerExchangeFilter.DownstreamKey) is not null || session.Connection.Alpn != PeerExchange.Word;

    private IstioSeries Begin(TcpSession session)
    {
        int worker = session.Connection.Worker.Index;
        TcpFacts facts = session.Facts;
        IstioSeries series = metrics.Of(worker,
            new SeriesKey(IstioScope.Connection, _parties.Of(facts), false, 0, -1, facts.Flags, settings,
                metrics.Told(worker, facts, settings)));
        Add(series, IstioValue.Opened, 1);
        return series;
    }

    private void Finish(TcpSession session, IstioSeries series)
    {
        Add(series, IstioValue.Closed, 1);
        for (int i = 0; i < settings.Metrics.Count; i++)
        {
            IstioMetric metric = settings.Metrics[i];
            if (metric.Value == IstioValue.Expression
                && metrics.Number(session.Connection.Worker.Index, session.Facts, metric.Expression!) is { } number)
                series.Take(i, metric.Kind, number);
        }
    }

    private void Add(IstioSeries series, IstioValue value, long by)
    {
        for (int i = 0; i < settings.Metrics.Count; i++)
        {
            if (settings.Metrics[i].Value == value)
                series.Add(i, by);
        }
    }
}
