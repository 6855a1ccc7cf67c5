// Metrics: counts, gauges and histograms of the control plane, in the text form that Prometheus scrapes. Families, labels and buckets are
// those of istiod, so that its dashboards and alerts read ours. Written by the control loop, read by it: no atomics, no locks.
//
// Refused: System.Diagnostics.Metrics with an exporter (another package, and names that have to be mapped back).
using System.Globalization;
using System.Text;

namespace Lateen.ControlPlane.Metrics;

/// <summary>A family of series that differ in their labels' values.</summary>
public abstract class MetricFamily(string name, string help, params string[] labels)
{
    /// <summary>The family's name.</summary>
    public string Name { get; } = name;

    /// <summary>counter, gauge or histogram.</summary>
    protected abstract string Type { get; }

    /// <summary>Names of the labels, in order.</summary>
    protected IReadOnlyList<string> Labels { get; } = labels;

    /// <summary>True while there is a series to show.</summary>
    protected abstract bool HasSeries { get; }

    /// <summary>Appends the family in Prometheus' text form; nothing while it has no series.</summary>
    public void WriteTo(StringBuilder text)
    {
        if (!HasSeries) return;
        text.Append("# HELP ").Append(Name).Append(' ').Append(help).Append('\n');
        text.Append("# TYPE ").Append(Name).Append(' ').Append(Type).Append('\n');
        WriteSeries(text);
    }

    /// <summary>Appends every series.</summary>
    protected abstract void WriteSeries(StringBuilder text);

    /// <summary>One line.</summary>
    protected void WriteLine(StringBuilder text, string suffix, string[] values, double value, string? bound = null)
    {
        text.Append(Name).Append(suffix);
        if (values.Length > 0 || bound is not null)
        {
            text.Append('{');
            for (int i = 0; i < values.Length; i++)
                text.Append(i > 0 ? "," : "").Append(Labels[i]).Append("=\"").Append(Escaped(values[i])).Append('"');
            if (bound is not null) text.Append(values.Length > 0 ? "," : "").Append("le=\"").Append(bound).Append('"');
            text.Append('}');
        }
        text.Append(' ').Append(Number(value)).Append('\n');
    }

    /// <summary>A number as Prometheus reads it.</summary>
    protected static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : value.ToString(CultureInfo.InvariantCulture);

    private static string Escaped(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>Counters: they only rise.</summary>
public sealed class CounterFamily(string name, string help, params string[] labels) : MetricFamily(name, help, labels)
{
    private readonly LabelMap<double> _series = new(labels.Length == 0);

    /// <inheritdoc />
    protected override string Type => "counter";

    /// <inheritdoc />
    protected override bool HasSeries => _series.Count > 0;

    /// <summary>Adds to the series of these label values.</summary>
    public void Add(double amount, params string[] values) => _series.Of(values) += amount;

    /// <inheritdoc />
    protected override void WriteSeries(StringBuilder text) => _series.Each((values, value) => WriteLine(text, "", values, value));
}

/// <summary>Gauges: they are what they are now.</summary>
public sealed class GaugeFamily(string name, string help, params string[] labels) : MetricFamily(name, help, labels)
{
    private readonly LabelMap<double> _series = new(labels.Length == 0);

    /// <inheritdoc />
    protected override string Type => "gauge";

    /// <inheritdoc />
    protected override bool HasSeries => _series.Count > 0;

    /// <summary>Sets the series of these label values.</summary>
    public void Set(double value, params string[] values) => _series.Of(values) = value;

    /// <summary>Forgets every series.</summary>
    public void Clear() => _series.Clear();

    /// <inheritdoc />
    protected override void WriteSeries(StringBuilder text) => _series.Each((values, value) => WriteLine(text, "", values, value));
}

/// <summary>Histograms with fixed upper bounds.</summary>
public sealed class HistogramFamily(string name, string help, double[] bounds, params string[] labels) : MetricFamily(name, help, labels)
{
    private readonly LabelMap<Buckets?> _series = new(false);

    private sealed class Buckets(int count)
    {
        public long[] Counts { get; } = new long[count];

        public double Sum { get; set; }
    }

    /// <inheritdoc />
    protected override string Type => "histogram";

    /// <inheritdoc />
    protected override bool HasSeries => _series.Count > 0;

    /// <summary>Records one value.</summary>
    public void Record(double value, params string[] values)
    {
        Buckets buckets = _series.Of(values) ??= new Buckets(bounds.Length + 1);
        int at = Array.FindIndex(bounds, bound => value <= bound);
        buckets.Counts[at < 0 ? bounds.Length : at]++;
        buckets.Sum += value;
    }

    /// <inheritdoc />
    protected override void WriteSeries(StringBuilder text) => _series.Each((values, buckets) =>
    {
        long below = 0;
        for (int i = 0; i <= bounds.Length; i++)
        {
            below += buckets!.Counts[i];
            WriteLine(text, "_bucket", values, below, Number(i < bounds.Length ? bounds[i] : double.PositiveInfinity));
        }
        WriteLine(text, "_sum", values, buckets!.Sum);
        WriteLine(text, "_count", values, below);
    });
}

/// <summary>Values by label values, in the order first seen.</summary>
internal sealed class LabelMap<T>(bool startsAtZero)
{
    private readonly Dictionary<string, int> _index = startsAtZero ? new() { [""] = 0 } : [];
    private readonly List<string[]> _keys = startsAtZero ? [[]] : [];
    private T[] _values = new T[4];

    public int Count => _keys.Count;

    public ref T Of(string[] labels)
    {
        string key = string.Join('\0', labels);
        if (!_index.TryGetValue(key, out int at))
        {
            at = _keys.Count;
            _index.Add(key, at);
            _keys.Add(labels);
            if (at == _values.Length) Array.Resize(ref _values, at * 2);
            _values[at] = default!;
        }
        return ref _values[at];
    }

    public void Clear()
    {
        _index.Clear();
        _keys.Clear();
    }

    public void Each(Action<string[], T> visit)
    {
        for (int i = 0; i < _keys.Count; i++) visit(_keys[i], _values[i]);
    }
}
