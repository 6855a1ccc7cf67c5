using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Telemetry;
using Lateen.Proxy.Tracing;

namespace Lateen.Proxy.Remote;

/// <summary>What became of records, as it is counted.</summary>
public enum RemoteLogStat : byte
{
    LogsWritten,
    LogsDropped,
}

/// <summary>What logs of a gRPC service share (CommonGrpcAccessLogConfig).</summary>
/// <param name="Name">The log's name.</param>
/// <param name="Method">Where to.</param>
/// <param name="BytesMin">So much goes at once.</param>
/// <param name="IntervalMicros">It goes after so long in any case.</param>
/// <param name="FilterState">Objects of filter state that go along.</param>
/// <param name="Tags">Tags of records.</param>
/// <param name="Stats">Counters.</param>
public sealed record RemoteLogOptions(string Name, GrpcMethod Method, int BytesMin, long IntervalMicros, IReadOnlyList<string> FilterState,
    IReadOnlyList<SpanTag> Tags, StatGroup Stats)
{
    /// <summary>Its counters' names.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<RemoteLogStat>();
}

/// <summary>A log that goes to a gRPC service: each worker collects its own records, bounded, and sends them when enough came or time is
/// up. What the service does not take in time is lost, and counted.</summary>
public abstract class RemoteLog : AccessLog
{
    private const int BytesMax = 1 << 20;

    private readonly PerWorker?[] _workers;

    /// <summary>A log for some workers.</summary>
    protected RemoteLog(RemoteLogOptions options, LogFilter? filter, int workers)
        : base(filter)
    {
        Options = options;
        _workers = new PerWorker?[workers];
    }

    /// <summary>Name, place, sizes.</summary>
    protected RemoteLogOptions Options { get; }

    /// <summary>A worker's sender.</summary>
    protected abstract PerWorker New(Worker worker);

    /// <inheritdoc/>
    protected override void Record(Worker worker, IStreamFacts facts) => (_workers[worker.Index] ??= New(worker)).Add(facts);

    /// <summary>One worker's records that wait.</summary>
    protected abstract class PerWorker(RemoteLogOptions options, Worker worker) : Deadline
    {
        private int _bytes, _count;

        /// <summary>The worker.</summary>
        protected Worker Worker => worker;

        /// <summary>Name, place, sizes.</summary>
        protected RemoteLogOptions Options => options;

        /// <summary>Takes a record; its size.</summary>
        protected abstract int Take(IStreamFacts facts);

        /// <summary>Sends what waits; false where it must wait on.</summary>
        protected abstract bool Send();

        /// <summary>Adds a record.</summary>
        public void Add(IStreamFacts facts)
        {
            if (!IsArmed)
                worker.Loop.Arm(this, options.IntervalMicros);
            if (_bytes > BytesMax)
            {
                options.Stats.Of(worker.Index).Count((int)RemoteLogStat.LogsDropped);
                return;
            }
            _bytes += Take(facts);
            _count++;
            if (_bytes >= options.BytesMin)
                Flush();
        }

        /// <summary>Sends what waits.</summary>
        protected void Flush()
        {
            if (_count == 0 || !Send())
                return;
            options.Stats.Of(worker.Index).Add((int)RemoteLogStat.LogsWritten, _count);
            _bytes = _count = 0;
        }

        /// <summary>What was sent did not arrive.</summary>
        protected void Lost(int records) => options.Stats.Of(worker.Index).Add((int)RemoteLogStat.LogsDropped, records);

        /// <inheritdoc/>
        protected internal override void OnDue(long now)
        {
            Flush();
            if (_count > 0)
                worker.Loop.Arm(this, options.IntervalMicros);
        }
    }
}
