using System.Text.Json;

namespace Lateen.Proxy.Statistics;

/// <summary>/stats?format=json.</summary>
public static class StatJson
{
    /// <summary>Writes it.</summary>
    public static byte[] Write(ReadOnlySpan<StatSeries> all, StatQuery query, StatRules rules)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream,
            new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartArray("stats");
            foreach (StatSeries series in all)
            {
                if (series is TextReadout text && query.Wants(series))
                    One(json, text.Name, () => json.WriteStringValue(text.Text));
            }
            foreach (StatSeries series in all)
            {
                if (series.Kind is StatKind.Counter or StatKind.Gauge && query.Wants(series))
                    One(json, series.Name, () => json.WriteNumberValue((ulong)series.Value));
            }
            Histograms(json, [.. all.ToArray().OfType<HistogramSeries>().Where(query.Wants)], query.Buckets, rules);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    private static void One(Utf8JsonWriter json, string name, Action value)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WritePropertyName("value");
        value();
        json.WriteEndObject();
    }

    private static void Histograms(Utf8JsonWriter json, List<HistogramSeries> histograms, BucketsMode mode, StatRules rules)
    {
        if (histograms.Count == 0)
            return;
        if (mode == BucketsMode.Combined)
        {
            json.WriteStartObject();
            Supported(json, "supported_percentiles");
            json.WriteEndObject();
        }
        json.WriteStartObject();
        bool listed = mode is BucketsMode.Summary or BucketsMode.Detailed;
        if (listed)
        {
            json.WriteStartObject("histograms");
            Supported(json, mode == BucketsMode.Summary ? "supported_quantiles" : "supported_percentiles");
        }
        json.WriteStartArray(mode switch
        {
            BucketsMode.Summary => "computed_quantiles",
            BucketsMode.Detailed => "details",
            _ => "histograms",
        });
        foreach (HistogramSeries histogram in histograms)
            One(json, histogram, mode, rules.BucketsOf(histogram.Name));
        json.WriteEndArray();
        if (listed)
            json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Supported(Utf8JsonWriter json, string name)
    {
        json.WriteStartArray(name);
        foreach (double share in StatText.Shares)
            json.WriteRawValue(StatText.Number(share * 100));
        json.WriteEndArray();
    }

    private static void One(Utf8JsonWriter json, HistogramSeries h, BucketsMode mode, IReadOnlyList<double> bounds)
    {
        json.WriteStartObject();
        json.WriteString("name", h.Name);
        switch (mode)
        {
            case BucketsMode.Summary:
                Percentiles(json, "values", h);
                break;
            case BucketsMode.Cumulative or BucketsMode.Disjoint:
                json.WriteStartArray("buckets");
                foreach ((double bound, long interval, long all) in StatText.Buckets(h, bounds, mode == BucketsMode.Disjoint))
                {
                    json.WriteStartObject();
                    json.WriteNumber("upper_bound", bound);
                    json.WriteNumber("interval", interval);
                    json.WriteNumber("cumulative", all);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                break;
            default:
                Bins(json, "totals", h.All, mode == BucketsMode.Combined);
                Bins(json, "intervals", h.Interval, mode == BucketsMode.Combined);
                Percentiles(json, "percentiles", h);
                break;
        }
        json.WriteEndObject();
    }

    private static void Percentiles(Utf8JsonWriter json, string name, HistogramSeries h)
    {
        double[] interval = h.Interval.Quantiles(StatText.Shares), all = h.All.Quantiles(StatText.Shares);
        json.WriteStartArray(name);
        for (int i = 0; i < all.Length; i++)
        {
            json.WriteStartObject();
            Number(json, "cumulative", all[i]);
            Number(json, "interval", interval[i]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void Number(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsNaN(value))
            json.WriteNull(name);
        else
            json.WriteNumber(name, value);
    }

    private static void Bins(Utf8JsonWriter json, string name, HistogramBins bins, bool terse)
    {
        json.WriteStartArray(name);
        foreach ((double lower, double width, long count) in bins.Bins)
        {
            if (terse)
            {
                json.WriteStartArray();
                json.WriteNumberValue(lower);
                json.WriteNumberValue(width);
                json.WriteNumberValue(count);
                json.WriteEndArray();
                continue;
            }
            json.WriteStartObject();
            json.WriteNumber("lower_bound", lower);
            json.WriteNumber("width", width);
            json.WriteNumber("count", count);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
