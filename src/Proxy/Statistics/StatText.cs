using System.Globalization;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Statistics;

/// <summary>/stats as text: texts, then counters and gauges, then histograms, each by name.</summary>
public static class StatText
{
    /// <summary>The shares that summaries tell.</summary>
    internal static readonly double[] Shares = [0, 0.25, 0.5, 0.75, 0.90, 0.95, 0.99, 0.995, 0.999, 1];

    /// <summary>Writes it.</summary>
    public static void Write(ReadOnlySpan<StatSeries> all, StatQuery query, StatRules rules, ByteBuffer to)
    {
        foreach (StatSeries series in all)
        {
            if (series is TextReadout text && query.Wants(series))
                to.Append($"{text.Name}: \"{System.Net.WebUtility.HtmlEncode(text.Text)}\"\n");
        }
        foreach (StatSeries series in all)
        {
            if (series.Kind is not (StatKind.Counter or StatKind.Gauge) || !query.Wants(series))
                continue;
            to.Append(series.Name);
            to.Append(": "u8);
            to.Append((ulong)series.Value);
            to.Append((byte)'\n');
        }
        foreach (StatSeries series in all)
        {
            if (series is HistogramSeries histogram && query.Wants(series))
                Histogram(histogram, query.Buckets, rules.BucketsOf(series.Name), to);
        }
    }

    private static void Histogram(HistogramSeries h, BucketsMode mode, IReadOnlyList<double> bounds, ByteBuffer to)
    {
        to.Append(h.Name);
        if (!h.IsUsed)
        {
            to.Append(": No recorded values\n"u8);
            return;
        }
        switch (mode)
        {
            case BucketsMode.Cumulative or BucketsMode.Disjoint:
                to.Append(
                    $": {string.Join(' ', Buckets(h, bounds, mode == BucketsMode.Disjoint).Select(b => string.Create(CultureInfo.InvariantCulture, $"B{Number(b.Bound)}({b.Interval},{b.All})")))}\n");
                break;
            case BucketsMode.Summary:
                to.Append($": {Summary(h)}\n");
                break;
            default:
                to.Append($":\n  totals={Detail(h.All)}\n  intervals={Detail(h.Interval)}\n  summary={Summary(h)}\n");
                break;
        }
    }

    private static string Summary(HistogramSeries h)
    {
        double[] interval = h.Interval.Quantiles(Shares), all = h.All.Quantiles(Shares);
        return string.Join(' ', Shares.Select((s, i) => $"P{Number(s * 100)}({Number(interval[i])},{Number(all[i])})"));
    }

    private static string Detail(HistogramBins bins) =>
        string.Join(", ", bins.Bins.Select(b => $"{Number(b.Lower)},{Number(b.Width)}:{b.Count}"));

    /// <summary>Counts by bucket: of the interval and of all, up to each bound or between bounds.</summary>
    internal static IEnumerable<(double Bound, long Interval, long All)> Buckets(HistogramSeries h, IReadOnlyList<double> bounds,
        bool disjoint)
    {
        long interval = 0, all = 0;
        foreach (double bound in bounds)
        {
            long i = h.Interval.CountBelow(bound), a = h.All.CountBelow(bound);
            yield return disjoint ? (bound, i - interval, a - all) : (bound, i, a);
            (interval, all) = (i, a);
        }
    }

    /// <summary>A number as C's %g and fmt's {} write it, for the sizes that come here.</summary>
    internal static string Number(double value) =>
        double.IsNaN(value) ? "nan" : Math.Round(value, 10) is var r && r == Math.Floor(r) && Math.Abs(r) < 1e15
            ? ((long)r).ToString(CultureInfo.InvariantCulture)
            : value.ToString("R", CultureInfo.InvariantCulture).Replace("E+", "e+", StringComparison.Ordinal);
}
