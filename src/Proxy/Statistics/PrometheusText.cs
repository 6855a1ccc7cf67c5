using System.Globalization;
using Lateen.Proxy.Formats;

namespace Lateen.Proxy.Statistics;

/// <summary>
/// /stats/prometheus: families by name, counters before gauges before histograms, the series of a family by their whole names. Names and labels are made once a series and kept, so that a
/// scrape copies bytes and formats numbers.
/// </summary>
public sealed class PrometheusText(StatStore store)
{
    private readonly Dictionary<string, byte[]> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Name, byte[] Text)> _families = new(StringComparer.Ordinal);
    private StatSeries[] _ordered = [];
    private int _orderedFor;

    /// <summary>Writes it. Main loop.</summary>
    public void Write(StatQuery query, ByteBuffer to)
    {
        foreach (StatKind kind in (ReadOnlySpan<StatKind>)[StatKind.Counter, StatKind.Gauge, StatKind.Text, StatKind.Histogram])
        {
            if (kind == StatKind.Text && !query.TextReadouts)
                continue;
            string family = "";
            foreach (StatSeries series in Ordered())
            {
                if (series.Kind != kind || series.Tagged!.Family.Length == 0 || !query.Wants(series))
                    continue;
                if (!ReferenceEquals(family, series.Tagged.Family))
                {
                    family = series.Tagged.Family;
                    to.Append("# TYPE "u8);
                    to.Append(family);
                    to.Append(kind switch { StatKind.Counter => " counter\n"u8, StatKind.Histogram => " histogram\n"u8, _ => " gauge\n"u8 });
                }
                One(series, to);
            }
        }
    }

    private void One(StatSeries series, ByteBuffer to)
    {
        TaggedName tagged = series.Tagged!;
        switch (series)
        {
            case HistogramSeries histogram:
                Histogram(histogram, tagged, to);
                return;
            case TextReadout text:
                Line(tagged, "", tagged.Labels.Length > 0 ? $",text_value=\"{Escape(text.Text)}\"" : $"text_value=\"{Escape(text.Text)}\"", to);
                to.Append("1\n"u8);
                return;
            default:
                Line(tagged, "", "", to);
                to.Append((ulong)series.Value);
                to.Append((byte)'\n');
                return;
        }
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
        if (suffix.Length > 0)
            to.Append(suffix);
        to.Append((byte)'{');
        to.Append(tagged.Labels);
        if (label.Length > 0)
            to.Append(label);
        to.Append("} "u8);
    }

    private StatSeries[] Ordered()
    {
        ReadOnlySpan<StatSeries> all = store.All();
        int version = store.Generation;
        if (_orderedFor == version)
            return _ordered;
        foreach (StatSeries series in all)
            series.Tagged ??= Tag(series);
        _ordered = all.ToArray();
        Array.Sort(_ordered, static (a, b) =>
        {
            int order = ByParts(a.Tagged!.Extracted, b.Tagged!.Extracted);
            return order != 0 ? order : ByParts(a.Name, b.Name);
        });
        _orderedFor = version;
        return _ordered;
    }

    // Names are compared part by part: the dot comes before any other character.
    private static int ByParts(string a, string b)
    {
        int n = Math.Min(a.Length, b.Length);
        for (int i = 0; i < n; i++)
        {
            if (a[i] != b[i])
                return a[i] == '.' ? -1 : b[i] == '.' ? 1 : a[i] - b[i];
        }
        return a.Length - b.Length;
    }

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
