using System.Numerics;

namespace Lateen.Proxy.Statistics;

/// <summary>
/// One worker's values of a histogram, by two significant digits: 90 bins a power of ten, which bounds the error at 10 % of a value and
/// needs no choice of buckets ahead (the bins of libcircllhist, which Envoy uses, so that quantiles are told in the same numbers).
/// </summary>
public sealed class LogLinearCells
{
    // Whole values up to 10^15: microseconds of thirty years, bytes of a petabyte.
    private const int Decades = 16;

    private static ReadOnlySpan<long> Units =>
    [
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000,
        1_000_000_000_000,
        10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
    ];

    private readonly long[]?[] _decades = new long[Decades][];
    private long _zeros;

    /// <summary>Records a value; below 1 it is 0.</summary>
    public void Record(long value)
    {
        if (value < 1)
        {
            _zeros++;
            return;
        }
        // The first guess from the binary logarithm (log10(2) is 1233/4096) is at most one too high.
        int decade = Math.Min(Decades - 1, (BitOperations.Log2((ulong)value) + 1) * 1233 >> 12);
        if (value < Units[decade])
            decade--;
        long unit = Units[decade];
        // The leading two digits, 10 to 99; a value below ten has a zero behind it.
        long digits = decade == 0 ? value * 10 : Math.Min(99, value / (unit / 10));
        (_decades[decade] ??= new long[90])[digits - 10]++;
    }

    internal void AddTo(HistogramBins bins)
    {
        bins.AddZeros(Volatile.Read(ref _zeros));
        for (int decade = 0; decade < Decades; decade++)
        {
            if (_decades[decade] is { } cells)
                bins.Add(decade, cells);
        }
    }
}

/// <summary>Values of all workers: what a reader computes quantiles and buckets from.</summary>
public sealed class HistogramBins
{
    /// <summary>Nothing.</summary>
    public static readonly HistogramBins Empty = new();

    private readonly SortedDictionary<int, long> _bins = [];
    private long _zeros;

    /// <summary>How many values.</summary>
    public long Count { get; private set; }

    internal void AddZeros(long count)
    {
        _zeros += count;
        Count += count;
    }

    internal void Add(int decade, long[] cells)
    {
        for (int i = 0; i < cells.Length; i++)
            Add(decade * 90 + i, Volatile.Read(ref cells[i]));
    }

    private void Add(int bin, long count)
    {
        if (count == 0)
            return;
        _bins[bin] = _bins.GetValueOrDefault(bin) + count;
        Count += count;
    }

    internal HistogramBins Minus(HistogramBins before)
    {
        var rest = new HistogramBins();
        rest.AddZeros(_zeros - before._zeros);
        foreach ((int bin, long count) in _bins)
            rest.Add(bin, count - before._bins.GetValueOrDefault(bin));
        return rest;
    }

    /// <summary>Lower bound, width and count of each bin that has values, ascending.</summary>
    public IEnumerable<(double Lower, double Width, long Count)> Bins
    {
        get
        {
            if (_zeros > 0)
                yield return (0, 0, _zeros);
            foreach ((int bin, long count) in _bins)
            {
                double width = Math.Pow(10, bin / 90 - 1);
                yield return ((bin % 90 + 10) * width, width, count);
            }
        }
    }

    /// <summary>The sum, each value taken at its bin's middle (weighted towards the lower bound, as the bins are logarithmic).</summary>
    public double Sum
    {
        get
        {
            double sum = 0;
            foreach ((double lower, double width, long count) in Bins)
                sum += lower == 0 ? 0 : count * (lower + width * (lower / (lower + lower + width)));
            return sum;
        }
    }

    /// <summary>Values whose bin lies whole at or below a bound.</summary>
    public long CountBelow(double bound)
    {
        long below = 0;
        foreach ((double lower, double width, long count) in Bins)
        {
            if (lower + width > bound)
                break;
            below += count;
        }
        return below;
    }

    /// <summary>The value below which a share of all values lies; NaN without any.</summary>
    public double[] Quantiles(ReadOnlySpan<double> shares)
    {
        var result = new double[shares.Length];
        if (Count == 0)
        {
            Array.Fill(result, double.NaN);
            return result;
        }
        (double Lower, double Width, long Count)[] bins = [.. Bins];
        int at = 0;
        double below = 0, until = bins[0].Count;
        for (int i = 0; i < shares.Length; i++)
        {
            double wanted = Count * shares[i];
            while (at < bins.Length - 1 && until < wanted)
            {
                below = until;
                until += bins[++at].Count;
            }
            result[i] = wanted == below ? bins[at].Lower
                : wanted == until ? bins[at].Lower + bins[at].Width
                : bins[at].Lower + (wanted - below) / bins[at].Count * bins[at].Width;
        }
        return result;
    }
}
