namespace Lateen.Proxy.Statistics;

/// <summary>What a series is.</summary>
public enum StatKind : byte
{
    Counter,
    Gauge,
    Histogram,
    Text,
}

/// <summary>Names and kinds of the members of a group; one object for all groups of a kind.</summary>
public sealed class StatSchema(IReadOnlyList<(string Name, StatKind Kind)> members)
{
    /// <summary>The members; a cell's number is its place here.</summary>
    public IReadOnlyList<(string Name, StatKind Kind)> Members { get; } = members;

    /// <summary>Places of the members in the order of their names.</summary>
    internal int[] ByName { get; } = [.. Enumerable.Range(0, members.Count).OrderBy(i => members[i].Name, StringComparer.Ordinal)];

    /// <summary>The names, each with a zero in front and behind.</summary>
    internal string Text { get; } = $"\0{string.Join('\0', members.Select(static m => m.Name))}\0";

    /// <summary>Counters.</summary>
    public static StatSchema Counters(params string[] names) => new([.. names.Select(n => (n, StatKind.Counter))]);

    /// <summary>One member for each value of an enum, by its number: UpstreamCxTotal is upstream_cx_total.</summary>
    /// <param name="kind">Its kind; null for counters alone.</param>
    /// <param name="rename">Changes names that are not the enum's in lower case with underscores.</param>
    public static StatSchema Of<T>(Func<T, StatKind>? kind = null, Func<string, string>? rename = null)
        where T : struct, Enum =>
        new([.. Enum.GetValues<T>()
            .Select(v => (rename is null ? Snake(v.ToString()) : rename(Snake(v.ToString())), kind?.Invoke(v) ?? StatKind.Counter))]);

    /// <summary>UpstreamCxTotal as upstream_cx_total; digits stay with the letters in front of them unless a capital follows.</summary>
    public static string Snake(string name)
    {
        var text = new System.Text.StringBuilder(name.Length + 8);
        for (int i = 0; i < name.Length; i++)
        {
            if (char.IsAsciiLetterUpper(name[i]) && i > 0)
                text.Append('_');
            else if (char.IsAsciiDigit(name[i]) && i > 0 && name.AsSpan(i + 1).StartsWith("xx"))
                text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }
}

/// <summary>The counters, gauges and histograms of one prefix, by worker.</summary>
public sealed class StatGroup : StatSource
{
    private readonly StatCells?[] _cells;
    private long[]? _baseline;
    private StatSeries[]? _series;

    internal StatGroup(string prefix, StatSchema schema, int workers)
    {
        Prefix = prefix;
        Schema = schema;
        _cells = new StatCells?[workers + 1];
    }

    /// <summary>In front of each name, with its dot.</summary>
    public string Prefix { get; private set; }

    /// <summary>The members.</summary>
    public StatSchema Schema { get; }

    /// <summary>A group that nobody reads, for what runs without a store.</summary>
    public static StatGroup Unread(StatSchema schema, int workers) => new("", schema, workers);

    /// <summary>A worker's cells; it alone may write them.</summary>
    public StatCells Of(int worker) => _cells[worker] ?? Make(worker);

    /// <summary>The main loop's cells.</summary>
    public StatCells Main => Of(_cells.Length - 1);

    private StatCells Make(int row)
    {
        Interlocked.CompareExchange(ref _cells[row], new StatCells(Schema), null);
        return _cells[row]!;
    }

    internal override int Version => 0;

    internal override void Collect(List<StatSeries> to)
    {
        _series ??= [.. Schema.ByName.Select(Series)];
        to.AddRange(_series);
    }

    private StatSeries Series(int place)
    {
        (string name, StatKind kind) = Schema.Members[place];
        return kind == StatKind.Histogram
            ? new HistogramSeries(Prefix + name, into => MergeHistogram(place, into)) { Group = this, Place = place }
            : new CellSeries(this, place, Prefix + name, kind) { Group = this, Place = place };
    }

    internal override string FirstName => Prefix;

    /// <summary>The group gets (another) name: a cluster's is known when it is published.</summary>
    internal void Rename(string prefix)
    {
        if (Prefix == prefix)
            return;
        Prefix = prefix;
        _series = null;
    }

    /// <summary>The members that a reader may see: some exist where something is configured alone.</summary>
    internal void Collect(List<StatSeries> to, Func<string, bool> exists)
    {
        var all = new List<StatSeries>();
        Collect(all);
        to.AddRange(all.Where(s => exists(s.Name[Prefix.Length..])));
    }

    internal long Sum(int index, out bool touched)
    {
        long sum = 0;
        touched = false;
        foreach (StatCells? cells in _cells)
        {
            if (cells is null)
                continue;
            long value = cells.Read(index);
            if (value == StatCells.Untouched)
                continue;
            sum += value;
            touched = true;
        }
        return sum;
    }

    /// <summary>The sum over all workers.</summary>
    public long Sum(int index) => Sum(index, out _);

    private void MergeHistogram(int index, HistogramBins into)
    {
        foreach (StatCells? cells in _cells)
            cells?.Histogram(index)?.AddTo(into);
    }

    internal long Baseline(int index) => _baseline is null ? 0 : _baseline[index];

    internal void SetBaseline(int index, long value) => (_baseline ??= new long[Schema.Members.Count])[index] = value;
}

/// <summary>One writer's cells of a group.</summary>
public sealed class StatCells
{
    /// <summary>A gauge that was never moved: it is no "used" series.</summary>
    internal const long Untouched = long.MinValue;

    private readonly long[] _cells;
    private readonly LogLinearCells?[]? _histograms;

    internal StatCells(StatSchema schema)
    {
        _cells = new long[schema.Members.Count];
        for (int i = 0; i < _cells.Length; i++)
        {
            if (schema.Members[i].Kind == StatKind.Gauge)
                _cells[i] = Untouched;
            else if (schema.Members[i].Kind == StatKind.Histogram)
                _histograms ??= new LogLinearCells?[_cells.Length];
        }
    }

    /// <summary>Adds one to a counter.</summary>
    public void Count(int index) => _cells[index]++;

    /// <summary>Adds to a counter.</summary>
    public void Add(int index, long amount) => _cells[index] += amount;

    /// <summary>Moves a gauge.</summary>
    public void Move(int index, long by)
    {
        ref long cell = ref _cells[index];
        cell = (cell == Untouched ? 0 : cell) + by;
    }

    /// <summary>Sets a gauge (this writer's part of it).</summary>
    public void Set(int index, long value) => _cells[index] = value;

    /// <summary>Records a value of a histogram; its cells come with the first one.</summary>
    public void Record(int index, long value) => (_histograms![index] ??= new LogLinearCells()).Record(value);

    /// <summary>Its value.</summary>
    public long this[int index] => Read(index) is var value && value == Untouched ? 0 : value;

    internal long Read(int index) => Volatile.Read(ref _cells[index]);

    internal LogLinearCells? Histogram(int index) => _histograms?[index];
}

/// <summary>One counter by its name, for what is rare: each worker has a cell of its own.</summary>
public sealed class Counter : StatSource
{
    // A cache line apart, so that workers do not slow each other.
    private const int Stride = 8;

    private readonly long[] _cells;
    private readonly StatSeries _series;
    private long _baseline;

    internal Counter(string name, int workers)
    {
        _cells = new long[(workers + 1) * Stride];
        _series = new Series(this, name);
    }

    /// <summary>Adds one, on a worker.</summary>
    public void Count(Worker worker) => _cells[worker.Index * Stride]++;

    /// <summary>Adds, on a worker.</summary>
    public void Add(Worker worker, long amount) => _cells[worker.Index * Stride] += amount;

    /// <summary>Adds one, on the main loop.</summary>
    public void CountMain() => _cells[^Stride]++;

    internal override int Version => 0;

    internal override string FirstName => _series.Name;

    internal override void Collect(List<StatSeries> to) => to.Add(_series);

    private long Sum()
    {
        long sum = 0;
        for (int i = 0; i < _cells.Length; i += Stride)
            sum += Volatile.Read(ref _cells[i]);
        return sum;
    }

    private sealed class Series(Counter counter, string name) : StatSeries(name, StatKind.Counter)
    {
        public override long Value => counter.Sum() - counter._baseline;

        public override bool IsUsed => counter.Sum() != 0;

        internal override void Reset() => counter._baseline = counter.Sum();
    }
}
