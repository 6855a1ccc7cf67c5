using System.Globalization;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Statistics.Tags;

namespace Lateen.Proxy.Statistics;

/// <summary>
/// /stats/prometheus: families by name, counters before gauges before texts before histograms, the series of a family by their whole names.
/// Names and labels are made once a series; they lie one behind the other in the order of the page, so that a scrape reads the numbers in
/// the order of their groups, then copies text and formats numbers from front to back.
/// </summary>
public sealed class PrometheusText(StatStore store)
{
    private readonly Dictionary<string, byte[]> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Extracted, StatSchema Schema), StatFamily[]> _byPrefix = [];
    private PrometheusPage? _page;

    /// <summary>Writes it. Main loop.</summary>
    public void Write(StatQuery query, ByteBuffer to)
    {
        ReadOnlySpan<StatSeries> all = store.All();
        if (_page is null || _page.Generation != store.Generation)
        {
            TagAll(all);
            _page = new PrometheusPage(all, store.Families.Count, store.Generation);
        }
        _page.Read(all, query);
        _page.Write(to, One);
    }

    // ---- what is more than one line

    private void One(StatSeries series, ByteBuffer to)
    {
        if (series is HistogramSeries histogram)
        {
            Histogram(histogram, to);
            return;
        }
        string text = $"text_value=\"{Escape(((TextReadout)series).Text)}\"";
        Line(series, "", series.TextLabels.Length > 0 ? "," + text : text, to);
        to.Append("1\n"u8);
    }

    private void Histogram(HistogramSeries h, ByteBuffer to)
    {
        string comma = h.TextLabels.Length > 0 ? "," : "";
        foreach (double bound in store.Rules.BucketsOf(h.Name))
        {
            Line(h, "_bucket", $"{comma}le=\"{StatText.Number(bound)}\"", to);
            to.Append(h.All.CountBelow(bound));
            to.Append((byte)'\n');
        }
        Line(h, "_bucket", $"{comma}le=\"+Inf\"", to);
        to.Append(h.All.Count);
        to.Append((byte)'\n');
        Line(h, "_sum", "", to);
        to.Append(h.All.Sum.ToString("R", CultureInfo.InvariantCulture));
        to.Append((byte)'\n');
        Line(h, "_count", "", to);
        to.Append(h.All.Count);
        to.Append((byte)'\n');
    }

    private static void Line(StatSeries series, string suffix, string label, ByteBuffer to)
    {
        to.Append(series.TextFamily!.Text);
        to.Append(suffix);
        to.Append((byte)'{');
        to.Append(series.TextLabels);
        to.Append(label);
        to.Append("} "u8);
    }

    // ---- names and labels

    private void TagAll(ReadOnlySpan<StatSeries> all)
    {
        Names? names = null;
        foreach (StatSeries series in all)
        {
            if (series.TextFamily is not null)
                continue;
            if (series.Group is { } group && series is not ITaggedSeries)
            {
                if (names?.Group != group)
                    names = NamesOf(group);
                if (names.Tags?.Covers(series.Name) == true)
                {
                    (series.TextFamily, series.TextLabels) = (names.Families[series.Place], names.Labels);
                    continue;
                }
            }
            Tag(series);
        }
    }

    // What the series of a group share.
    private sealed record Names(StatGroup Group, PrefixTags? Tags, byte[] Labels, StatFamily[] Families);

    private Names NamesOf(StatGroup group)
    {
        PrefixTags? tags = store.Rules.Tags.OfPrefix(group.Prefix, group.Schema.Text);
        if (tags is null)
            return new Names(group, null, [], []);
        if (!_byPrefix.TryGetValue((tags.Extracted, group.Schema), out StatFamily[]? families))
        {
            families = [.. group.Schema.Members.Select(
                m => FamilyOf("envoy_" + Sanitize(tags.Extracted + m.Name), tags.Extracted + m.Name))];
            _byPrefix[(tags.Extracted, group.Schema)] = families;
        }
        return new Names(group, tags, Labels(tags.Tags), families);
    }

    private void Tag(StatSeries series)
    {
        if (series is ITaggedSeries own)
        {
            (series.TextFamily, series.TextLabels) = (FamilyOf(own.Family, own.Family), Labels(own.Tags));
            return;
        }
        var tags = new List<(string, string)>();
        string extracted = store.Rules.Tags.Extract(series.Name, tags);
        (series.TextFamily, series.TextLabels) = (FamilyOf("envoy_" + Sanitize(extracted), extracted), Labels(tags));
    }

    private StatFamily FamilyOf(string name, string extracted)
    {
        if (!store.Families.TryGetValue((name, extracted), out StatFamily? family))
            store.Families[(name, extracted)] = family = new StatFamily(store.Families.Count, name, extracted);
        return family;
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
        : value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>A series that knows its tags and its family itself (Istio's own metrics), in place of taking them out of its name.</summary>
public interface ITaggedSeries
{
    /// <summary>The family, without a prefix of ours.</summary>
    string Family { get; }

    /// <summary>The tags.</summary>
    IReadOnlyList<(string Tag, string Value)> Tags { get; }
}
