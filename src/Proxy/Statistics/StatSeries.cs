namespace Lateen.Proxy.Statistics;

/// <summary>One series as readers see it: a name, its kind, its value over all workers. Main loop.</summary>
public abstract class StatSeries(string name, StatKind kind)
{
    /// <summary>The whole name.</summary>
    public string Name { get; } = name;

    /// <summary>Its kind.</summary>
    public StatKind Kind { get; } = kind;

    /// <summary>A counter's or gauge's value.</summary>
    public abstract long Value { get; }

    /// <summary>True once it was counted or set.</summary>
    public abstract bool IsUsed { get; }

    /// <summary>A gauge that is there for other gauges' sake alone; shown where hidden ones are asked for.</summary>
    public virtual bool IsHidden => false;

    /// <summary>A counter begins at 0 again.</summary>
    internal virtual void Reset()
    {
    }

    /// <summary>The group that it belongs to; null for none.</summary>
    internal StatGroup? Group { get; init; }

    /// <summary>Its place in its group.</summary>
    internal int Place { get; init; }

    /// <summary>The name without its tags; known when Prometheus was first asked for.</summary>
    internal StatFamily? TextFamily { get; set; }

    /// <summary>The tags as Prometheus writes them: <c>name="value"</c> and commas. One array for all series with the same.</summary>
    internal byte[] TextLabels { get; set; } = [];
}

/// <summary>A cell of a group.</summary>
internal sealed class CellSeries(StatGroup group, int index, string name, StatKind kind) : StatSeries(name, kind)
{
    public override long Value => group.Sum(index, out _) - group.Baseline(index);

    public override bool IsUsed => group.Sum(index, out bool touched) != 0 || (Kind == StatKind.Gauge && touched);

    internal override void Reset()
    {
        if (Kind == StatKind.Counter)
            group.SetBaseline(index, group.Sum(index, out _));
    }
}

/// <summary>A number that something else keeps.</summary>
public sealed class Reading(string name, StatKind kind, Func<long?> read, bool hidden = false) : StatSeries(name, kind)
{
    private long _baseline;

    /// <inheritdoc/>
    public override long Value => (read() ?? 0) - _baseline;

    /// <inheritdoc/>
    public override bool IsUsed => read() is { } value && (Kind == StatKind.Gauge || value != 0);

    /// <inheritdoc/>
    public override bool IsHidden => hidden;

    internal override void Reset()
    {
        if (Kind == StatKind.Counter)
            _baseline = read() ?? 0;
    }
}

/// <summary>A text.</summary>
public sealed class TextReadout(string name, Func<string> read) : StatSeries(name, StatKind.Text)
{
    /// <summary>The text.</summary>
    public string Text => read();

    /// <inheritdoc/>
    public override long Value => 0;

    /// <inheritdoc/>
    public override bool IsUsed => read().Length > 0;
}

/// <summary>A histogram as it was at the last flush: all values, and those of the last interval.</summary>
public class HistogramSeries(string name, Action<HistogramBins> merge) : StatSeries(name, StatKind.Histogram)
{
    private HistogramBins _all = HistogramBins.Empty, _interval = HistogramBins.Empty;

    /// <summary>All values.</summary>
    public HistogramBins All => _all;

    /// <summary>The values of the last interval.</summary>
    public HistogramBins Interval => _interval;

    /// <inheritdoc/>
    public override long Value => _all.Count;

    /// <inheritdoc/>
    public override bool IsUsed => _all.Count > 0;

    internal void Flush()
    {
        var now = new HistogramBins();
        merge(now);
        if (now.Count == _all.Count)
        {
            _interval = HistogramBins.Empty;
            return;
        }
        _interval = now.Minus(_all);
        _all = now;
    }
}

/// <summary>A name with its tags taken out: one object for all series that have it.</summary>
/// <param name="place">Among all families of its store.</param>
/// <param name="name">As Prometheus has it: <c>envoy_cluster_upstream_rq_total</c>; empty where it has no name there.</param>
/// <param name="extracted">With its dots, for the order of families.</param>
internal sealed class StatFamily(int place, string name, string extracted)
{
    /// <summary>Its place among all families of its store.</summary>
    public int Place => place;

    /// <summary>As Prometheus has it.</summary>
    public string Name => name;

    /// <summary>With its dots.</summary>
    public string Extracted => extracted;

    /// <summary>The name as it is written.</summary>
    public byte[] Text { get; } = System.Text.Encoding.ASCII.GetBytes(name);
}
