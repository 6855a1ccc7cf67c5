namespace Lateen.Proxy.Statistics;

/// <summary>Answers by status. A status has a series from its first answer on; classes and the sum come with it.</summary>
public sealed class StatusCodes : StatSource
{
    private readonly long[]?[]?[] _rows;
    private readonly Dictionary<int, StatSeries> _series = [];
    private long[]? _baseline;
    private int _version;

    internal StatusCodes(string stem, int workers)
    {
        Stem = stem;
        _rows = new long[]?[]?[workers + 1];
    }

    /// <summary>In front of each name, with the stem.</summary>
    public string Stem { get; private set; }

    internal void Rename(string stem)
    {
        if (Stem == stem)
            return;
        Stem = stem;
        _series.Clear();
    }

    /// <summary>Codes that nobody reads.</summary>
    public static StatusCodes Unread(int workers) => new("", workers);

    /// <summary>Counts an answer, on a worker.</summary>
    public void Count(int worker, int status)
    {
        if (status is < 100 or > 599)
            return;
        long[]?[] row = _rows[worker] ??= new long[]?[6];
        long[] table = row[status / 100] ??= new long[100];
        if (table[status % 100]++ == 0)
            Interlocked.Increment(ref _version);
    }

    /// <summary>Answers of one status over all workers.</summary>
    public long Of(int status) => status is < 100 or > 599 ? 0 : Raw(status) - (_baseline?[status] ?? 0);

    internal override int Version => Volatile.Read(ref _version);

    internal override void Collect(List<StatSeries> to)
    {
        bool any = false;
        for (int kind = 1; kind <= 5; kind++)
        {
            bool some = false;
            for (int status = kind * 100; status < kind * 100 + 100; status++)
            {
                if (Raw(status) == 0)
                    continue;
                some = true;
                to.Add(Series(status));
            }
            any |= some;
            if (some)
                to.Add(Series(kind));
        }
        if (any)
            to.Add(Series(0));
    }

    private long Raw(int status)
    {
        long sum = 0;
        foreach (long[]?[]? row in _rows)
        {
            if (row?[status / 100] is { } table)
                sum += Volatile.Read(ref table[status % 100]);
        }
        return sum;
    }

    private long Sum(int from, int until)
    {
        long sum = 0;
        for (int status = from; status < until; status++)
            sum += Of(status);
        return sum;
    }

    // 0 is the sum, 1 to 5 a class, else a status.
    private StatSeries Series(int which)
    {
        if (!_series.TryGetValue(which, out StatSeries? series))
        {
            _series[which] = series = which switch
            {
                0 => new CodeSeries(this, $"{Stem}_completed", 100, 600),
                < 100 => new CodeSeries(this, $"{Stem}_{which}xx", which * 100, which * 100 + 100),
                _ => new CodeSeries(this, $"{Stem}_{which}", which, which + 1),
            };
        }
        return series;
    }

    private sealed class CodeSeries(StatusCodes codes, string name, int from, int until) : StatSeries(name, StatKind.Counter)
    {
        public override long Value => codes.Sum(from, until);

        public override bool IsUsed => true;

        internal override void Reset()
        {
            for (int status = from; status < until; status++)
                (codes._baseline ??= new long[600])[status] = codes.Raw(status);
        }
    }
}
