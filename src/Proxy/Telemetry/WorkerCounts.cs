namespace Lateen.Proxy.Telemetry;

/// <summary>Up to sixteen counters of one thing, a row a worker: counted without locks, summed by whoever asks.</summary>
/// <param name="workers">Number of workers.</param>
public sealed class WorkerCounts(int workers)
{
    // Two cache lines a worker, so that workers do not disturb each other.
    private const int Row = 16;

    private readonly long[] _counts = new long[workers * Row];

    /// <summary>One more; the worker's own thread.</summary>
    public void Count(int worker, int counter) => _counts[(worker * Row) + counter]++;

    /// <summary>Over all workers; any thread.</summary>
    public long Sum(int counter)
    {
        long sum = 0;
        for (int at = counter; at < _counts.Length; at += Row)
            sum += Volatile.Read(ref _counts[at]);
        return sum;
    }
}
