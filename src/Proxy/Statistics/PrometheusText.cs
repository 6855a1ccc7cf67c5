using System.Globalization;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Statistics;

/// <summary>
/// /stats/prometheus: families by name, counters before gauges before texts before histograms, the series of a family by their whole names. Names and labels are made once a series; they lie
/// one behind the other in the order of the page, so that a scrape reads the numbers in the order of their groups, then copies text and formats numbers from front to back.
/// </summary>
public sealed class PrometheusText(StatStore store)
{
    private readonly Dictionary<string, byte[]> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Name, byte[] Text)> _families = new(StringComparer.Ordinal);
    private PrometheusPage? _page;

    /// <summary>Writes it. Main loop.</summary>
    public void Write(StatQuery query, ByteBuffer to)
    {
        ReadOnlySpan<StatSeries> all = store.All();
        if (_page is null || _page.Generation != store.Generation)
        {
            foreach (StatSeries series in all)
                series.Tagged ??= Tag(series);
            _page = new PrometheusPage(all, store.Generation);
        }
        _page.Read(all, query);
        _page.Write(to, One);
    }

    // ---- what is more than one line

    private void One(StatSeries series, ByteBuffer to)
    {
        TaggedName tagged = series.Tagged!;
        if (series is HistogramSeries histogram)
        {
            Histogram(histogram, tagged, to);
            return;
        }
        string text = $"text_value=\"{Escape(((TextReadout)series).Text)}\"";
        Line(tagged, "", tagged.Labels.Length > 0 ? "," + text : text, to);
        to.Append("1\n"u8);
    }

    private void Histogram(HistogramSeries h, TaggedName tagged, ByteBuffer to)
    {
        string comma = tagged.Labels.Length > 0 ? "," : "";
        foreach (double bound in store.Rules.BucketsOf(h.Name))
        {
            Line(tagged, "_bucket", $"{comma}le=\"{StatText.Number(bound)}\"", to);
            to.Append(h.All.CountBelow(bound));
            to.Append((byte)'\n');
        }
        Line(tagged, "_bucket", $"{comma}le=\"+Inf\"", to);
        to.Append(h.All.Count);
        to.Append((byte)'\n');
        Line(tagged, "_sum", "", to);
        to.Append(h.All.Sum.ToString("R", CultureInfo.InvariantCulture));
        to.Append((byte)'\n');
        Line(tagged, "_count", "", to);
        to.Append(h.All.Count);
        to.Append((byte)'\n');
    }

    private static void Line(TaggedName tagged, string suffix, string label, ByteBuffer to)
    {
        to.Append(tagged.FamilyText);
        to.Append(suffix);
        to.Append((byte)'{');
        to.Append(tagged.Labels);
        to.Append(label);
        to.Append("} "u8);
    }

    // ---- names and labels

    private TaggedName Tag(StatSeries series)
    {
        if (series is ITaggedSeries own)
            return Named(own.Family, own.Family, own.Tags);
        var tags = new List<(string, string)>();
        string extracted = store.Rules.Tags.Extract(series.Name, tags);
        return Named("envoy_" + Sanitize(extracted), extracted, tags);
    }

    private TaggedName Named(string family, string extracted, IReadOnlyList<(string, string)> tags)
    {
        if (!_families.TryGetValue(family, out (string Name, byte[] Text) kept))
            _families[family] = kept = (family, System.Text.Encoding.ASCII.GetBytes(family));
        return new TaggedName(kept.Name, extracted, Labels(tags)) { FamilyText = kept.Text };
    }

    private byte[] Labels(IReadOnlyList<(string Tag, string Value)> tags)
    {
        string text = string.Join(',', tags.Select(t => $"{Sanitize(t.Tag)}=\"{Escape(t.Value)}\""));
        if (!_labels.TryGetValue(text, out byte[]? bytes))
            _labels[text] = bytes = System.Text.Encoding.UTF8.GetBytes(text);
        return bytes;
    }

    private static string Sanitize(string name) => string.Create(name.Length, name, static (to, from) =>
    {
        for (int i = 0; i < to.Length; i++)
            to[i] = char.IsAsciiLetterOrDigit(from[i]) ? from[i] : '_';
    });

    // A value that a peer chose must not break the text.
    private static string Escape(string value) => value.AsSpan().IndexOfAny("\\\"\n") < 0 ? value
        : value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>A series that knows its tags and its family itself (Istio's own metrics), in place of taking them out of its name.</summary>
public interface ITaggedSeries
{
    /// <summary>The family, without a prefix of ours.</summary>
    string Family { get; }

    /// <summary>The tags.</summary>
    IReadOnlyList<(string Tag, string Value)> Tags { get; }
}
