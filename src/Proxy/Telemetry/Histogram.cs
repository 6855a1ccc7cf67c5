using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Telemetry;

/// <summary>Counts of values by bucket, one worker's. Bounds are Istio's for durations and sizes (milliseconds, bytes), which are Envoy's own.</summary>
public sealed class Histogram
{
    private static readonly double[] Bounds =
        [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000];

    private readonly long[] _counts = new long[Bounds.Length + 1];

    /// <summary>How many values.</summary>
    public long Count { get; private set; }

    /// <summary>Their sum.</summary>
    public double Sum { get; private set; }

    /// <summary>Counts a value.</summary>
    public void Record(double value)
    {
        int i = 0;
        while (i < Bounds.Length && value > Bounds[i])
            i++;
        _counts[i]++;
        Count++;
        Sum += value;
    }

    /// <summary>Adds another's counts.</summary>
    public void Add(Histogram other)
    {
        for (int i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
        Count += other.Count;
        Sum += other.Sum;
    }

    /// <summary>Writes the Prometheus lines of a series.</summary>
    public void Write(string name, ReadOnlySpan<byte> labels, ByteBuffer to)
    {
        long sum = 0;
        for (int i = 0; i <= Bounds.Length; i++)
        {
            sum += _counts[i];
            to.Append(name);
            to.Append("_bucket{"u8);
            to.Append(labels);
            to.Append(",le=\""u8);
            if (i < Bounds.Length)
                to.Append(Bounds[i]);
            else
                to.Append("+Inf"u8);
            to.Append("\"} "u8);
            to.Append(sum);
            to.Append((byte)'\n');
        }
        to.Append(name);
        to.Append("_sum{"u8);
        to.Append(labels);
        to.Append("} "u8);
        to.Append(Sum);
        to.Append((byte)'\n');
        to.Append(name);
        to.Append("_count{"u8);
        to.Append(labels);
        to.Append("} "u8);
        to.Append(Count);
        to.Append((byte)'\n');
    }
}
