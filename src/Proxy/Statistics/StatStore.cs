// Statistics: what is counted, under Envoy's names. Who counts holds a StatGroup (all counters of one prefix: a cluster, a listener, a
// connection manager, a filter) and writes cells that belong to its worker alone: an array element and an addition, no lock, no allocation,
// no name. Names, tags and sums come into being when somebody reads, on the main loop. The store knows every group; it decides what exists
// (inclusion and exclusion lists) and keeps a budget for series that traffic makes. Numbers that something else keeps anyway (hosts of a
// cluster, limits in use) are not copied: a reading asks for them. Never: a lookup by name on the request path, an atomic increment shared
// by workers.
// Refused: System.Diagnostics.Metrics (tags as arrays a call, aggregation behind callbacks, and other names than those that dashboards ask
// for).
using System.Collections.Concurrent;

namespace Lateen.Proxy.Statistics;

/// <summary>All statistics of a proxy.</summary>
public sealed class StatStore
{
    /// <summary>Series that traffic may make (methods of gRPC, peers of a mesh); what comes beyond is counted in one series that says
    /// so.</summary>
    public const int DynamicSeriesMax = 50_000;

    private readonly ConcurrentDictionary<(string Prefix, object Schema), StatSource> _sources = new();
    private readonly ConcurrentDictionary<string, Counter> _counters = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StatSource> _readings = new(StringComparer.Ordinal);
    private readonly Counter _overflow;
    private StatSeries[] _sorted = [];
    private long _sortedVersion = -1;
    private int _changes, _dynamic;
    private bool _flushDue;

    /// <summary>An empty store for some workers.</summary>
    public StatStore(int workers)
    {
        Workers = workers;
        _overflow = Counter("server.stats_overflow");
    }

    /// <summary>Workers; each has cells of its own, and the main loop has one more row (<see cref="StatGroup.Main"/>).</summary>
    public int Workers { get; }

    /// <summary>Which names exist, and what their tags and buckets are. Set once, before anybody reads.</summary>
    public StatRules Rules { get; set; } = StatRules.Default;

    /// <summary>The group of a prefix: the same one for the same prefix and schema. From any thread; not for the request path.</summary>
    public StatGroup Group(string prefix, StatSchema schema) =>
        (StatGroup)Source((prefix, schema), () => new StatGroup(prefix, schema, Workers));

    /// <summary>Answers by status under a prefix: <c>upstream_rq_200</c>, <c>upstream_rq_2xx</c>, <c>upstream_rq_completed</c> for the stem
    /// <c>upstream_rq</c>.</summary>
    public StatusCodes Codes(string prefix, string stem = "upstream_rq") =>
        (StatusCodes)Source((prefix, stem), () => new StatusCodes(prefix + stem, Workers));

    /// <summary>One counter by its whole name. From any thread; the name is looked up, so keep what you get.</summary>
    public Counter Counter(string name)
    {
        if (_counters.TryGetValue(name, out Counter? counter))
            return counter;
        counter = _counters.GetOrAdd(name, n => new Counter(n, Workers));
        Interlocked.Increment(ref _changes);
        return counter;
    }

    /// <summary>A counter whose name traffic chose: past the budget it is <c>server.stats_overflow</c>.</summary>
    public Counter DynamicCounter(string name)
    {
        if (_counters.TryGetValue(name, out Counter? counter))
            return counter;
        return Interlocked.Increment(ref _dynamic) > DynamicSeriesMax ? _overflow : Counter(name);
    }

    /// <summary>A number that is asked for when somebody reads; null where it was never set.</summary>
    public void Reading(string name, StatKind kind, Func<long?> read) => AddReading(name, new Reading(name, kind, read));

    /// <summary>A text that is asked for when somebody reads.</summary>
    public void Text(string name, Func<string> read) => AddReading(name, new TextReadout(name, read));

    private void AddReading(string name, StatSeries series)
    {
        _readings[name] = new SingleSource(series);
        Interlocked.Increment(ref _changes);
    }

    /// <summary>Series of another's keeping: asked for their number before each reading.</summary>
    public void Add(string name, StatSource source)
    {
        _readings[name] = source;
        Interlocked.Increment(ref _changes);
    }

    /// <summary>Takes away what was added by <see cref="Add"/>, <see cref="Reading"/> or <see cref="Text"/>.</summary>
    public void Remove(string name)
    {
        if (_readings.TryRemove(name, out _))
            Interlocked.Increment(ref _changes);
    }

    private StatSource Source((string, object) key, Func<StatSource> make)
    {
        if (_sources.TryGetValue(key, out StatSource? source))
            return source;
        source = _sources.GetOrAdd(key, _ => make());
        Interlocked.Increment(ref _changes);
        return source;
    }

    /// <summary>Families that series belong to, each by its name and its name with dots. Main loop.</summary>
    internal Dictionary<(string Name, string Extracted), StatFamily> Families { get; } = [];

    /// <summary>Changes with the set of series that <see cref="All"/> gave last.</summary>
    internal int Generation { get; private set; }

    /// <summary>All series that exist, by name. Main loop.</summary>
    public ReadOnlySpan<StatSeries> All()
    {
        List<StatSource> sources = [.. _sources.Values, .. _counters.Values, .. _readings.Values];
        long version = Volatile.Read(ref _changes);
        foreach (StatSource source in sources)
            version += source.Version;
        if (version == _sortedVersion)
            return _sorted;
        sources.Sort(static (a, b) => string.CompareOrdinal(a.FirstName, b.FirstName));
        var all = new List<StatSeries>(_sorted.Length + 64);
        foreach (StatSource source in sources)
            source.Collect(all);
        if (Rules.HasLists)
            all.RemoveAll(s => !Rules.Keeps(s.Name));
        RunSort.Sort(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(all), static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        _sortedVersion = version;
        Generation++;
        _sorted = [.. all];
        if (_flushDue)
        {
            _flushDue = false;
            Flush();
        }
        return _sorted;
    }

    /// <summary>
    /// Histograms take in what workers recorded since the last time. Main loop, each flush interval. As long as nobody has read, nothing is
    /// made for it: a proxy of a thousand clusters has a hundred thousand series.
    /// </summary>
    public void Flush()
    {
        if (_sortedVersion < 0)
        {
            _flushDue = true;
            return;
        }
        foreach (StatSeries series in All())
        {
            if (series is HistogramSeries histogram)
                histogram.Flush();
        }
    }

    /// <summary>All counters begin at 0 again. Main loop.</summary>
    public void ResetCounters()
    {
        foreach (StatSeries series in All())
            series.Reset();
    }

    private sealed class SingleSource(StatSeries series) : StatSource
    {
        internal override int Version => 0;

        internal override string FirstName => series.Name;

        internal override void Collect(List<StatSeries> to) => to.Add(series);
    }
}

/// <summary>Something that has series.</summary>
public abstract class StatSource
{
    /// <summary>Grows when series were added.</summary>
    internal abstract int Version { get; }

    /// <summary>The name of its first series, or what all of its names begin with: sources in the order of these are nearly in the order of
    /// all names.</summary>
    internal virtual string FirstName => "";

    /// <summary>Adds all series it has.</summary>
    internal abstract void Collect(List<StatSeries> to);
}
