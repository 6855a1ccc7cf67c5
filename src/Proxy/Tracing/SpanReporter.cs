using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Tracing;

/// <summary>What became of spans and reports, as it is counted under <c>tracing.zipkin.</c>.</summary>
public enum ReportStat : byte
{
    SpansSent,
    TimerFlushed,
    ReportsSkippedNoCluster,
    ReportsSent,
    ReportsDropped,
    ReportsFailed,

    /// <summary>Spans that found the buffer full, or too many reports on their way: ours, Envoy has none.</summary>
    SpansDropped,
}

/// <summary>Sends finished spans to a collector: each worker collects its own and sends them by side calls, some at a time or after a
/// while.</summary>
public abstract class SpanReporter
{
    private const int CallsMax = 8;
    private const int BytesMax = 4 << 20;

    private readonly PerWorker?[] _workers;
    private readonly StatGroup _stats;

    /// <summary>One for some workers.</summary>
    protected SpanReporter(SideTarget target, StatGroup stats, int workers)
    {
        Target = target;
        _stats = stats;
        _workers = new PerWorker?[workers];
    }

    /// <summary>Where to.</summary>
    protected SideTarget Target { get; }

    /// <summary>Spans that go at once.</summary>
    protected abstract int SpansMin { get; }

    /// <summary>They go after so long in any case, in microseconds.</summary>
    protected abstract long IntervalMicros { get; }

    /// <summary>Adds a span to the waiting ones.</summary>
    protected abstract void Append(Span span, int before, ByteBuffer to);

    /// <summary>Makes a request of the waiting spans.</summary>
    protected abstract void Fill(SideCall call, ReadOnlySpan<byte> spans, int count);

    /// <summary>True where an attempt's span is told within that of its exchange: it is added to it, not to the waiting ones.</summary>
    protected virtual bool Nests => false;

    /// <summary>Adds an attempt's span to that of its exchange.</summary>
    protected virtual void Nest(Span span, Span outer)
    {
    }

    /// <summary>True where an answer says that all is well.</summary>
    protected abstract bool IsAccepted(SideCall call);

    /// <summary>A span is finished: on its worker.</summary>
    public void Report(Worker worker, Span span)
    {
        if (Nests && span.Outer is { } outer)
            Nest(span, outer);
        else
            (_workers[worker.Index] ??= new PerWorker(this, worker)).Add(span);
    }

    private sealed class PerWorker : Deadline
    {
        private readonly SpanReporter _owner;
        private readonly Worker _worker;
        private readonly ByteBuffer _waiting = new(4096);
        private readonly Stack<Call> _free = new();
        private int _count;

        public PerWorker(SpanReporter owner, Worker worker)
        {
            _owner = owner;
            _worker = worker;
            for (int i = 0; i < CallsMax; i++)
                _free.Push(new Call(this));
            worker.Loop.Arm(this, owner.IntervalMicros);
        }

        private StatCells Stats => _owner._stats.Of(_worker.Index);

        public void Add(Span span)
        {
            if (_waiting.Length > BytesMax)
            {
                Stats.Count((int)ReportStat.SpansDropped);
                return;
            }
            _owner.Append(span, _count++, _waiting);
            if (_count >= _owner.SpansMin)
                Flush();
        }

        protected internal override void OnDue(long now)
        {
            Stats.Count((int)ReportStat.TimerFlushed);
            Flush();
            _worker.Loop.Arm(this, _owner.IntervalMicros);
        }

        private void Flush()
        {
            // With all calls on their way the spans wait, bounded, for the next turn.
            if (_count == 0 || _free.Count == 0)
                return;
            Stats.Add((int)ReportStat.SpansSent, _count);
            if (_owner.Target.Upstreams[_worker].Of(_owner.Target.Cluster) is null)
            {
                Stats.Count((int)ReportStat.ReportsSkippedNoCluster);
            }
            else
            {
                Call call = _free.Pop();
                call.Side.Clear();
                _owner.Fill(call.Side, _waiting.Written, _count);
                call.Side.Begin(_worker, _owner.Target);
            }
            _waiting.Clear();
            _count = 0;
        }

        private void Over(Call call, ReportStat how)
        {
            _free.Push(call);
            Stats.Count((int)how);
            if (_count >= _owner.SpansMin)
                Flush();
        }

        private sealed class Call : SideCallReceiver
        {
            private readonly PerWorker _owner;

            public Call(PerWorker owner)
            {
                _owner = owner;
                Side = new SideCall(this) { Chunked = true };
            }

            public SideCall Side { get; }

            public override void OnAnswer(SideCall call) =>
                _owner.Over(this, _owner._owner.IsAccepted(call) ? ReportStat.ReportsSent : ReportStat.ReportsDropped);

            public override void OnFailed(SideCall call, UpstreamCause cause) => _owner.Over(this, ReportStat.ReportsFailed);
        }
    }
}
