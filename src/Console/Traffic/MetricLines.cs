// Traffic: who calls whom, how often and how well, from the counters that the proxies already keep (istio_requests_total). The console
// reads them when a page is looked at and keeps one reading for the difference: no time series are stored, and a mesh that nobody looks at
// costs nothing.
namespace Lateen.Console.Traffic;

/// <summary>One line of Prometheus' text form.</summary>
public sealed record MetricLine(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
{
    /// <summary>A label's value; empty when it is not there.</summary>
    public string this[string label] => Labels.GetValueOrDefault(label, "");
}

/// <summary>Reads Prometheus' text form, as far as samples go.</summary>
public static class MetricLines
{
    /// <summary>The samples of one family.</summary>
    public static IEnumerable<MetricLine> Of(string text, string family)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(family, StringComparison.Ordinal) && Parse(line) is { } sample && sample.Name == family)
                yield return sample;
        }
    }

    private static MetricLine? Parse(string line)
    {
        int brace = line.IndexOf('{');
        int blank = line.LastIndexOf(' ');
        if (blank < 0 || !double.TryParse(line.AsSpan(blank + 1), System.Globalization.CultureInfo.InvariantCulture, out double value))
            return null;
        if (brace < 0) return new MetricLine(line[..blank], new Dictionary<string, string>(), value);
        var labels = new Dictionary<string, string>();
        int at = brace + 1;
        while (at < line.Length && line[at] != '}')
        {
            int equals = line.IndexOf("=\"", at, StringComparison.Ordinal);
            if (equals < 0) return null;
            int end = End(line, equals + 2);
            if (end < 0) return null;
            labels[line[at..equals].Trim(',', ' ')] = Unescaped(line[(equals + 2)..end]);
            at = end + 1;
        }
        return new MetricLine(line[..brace], labels, value);
    }

    private static int End(string line, int from)
    {
        for (int i = from; i < line.Length; i++)
        {
            if (line[i] == '\\') i++;
            else if (line[i] == '"') return i;
        }
        return -1;
    }

    private static string Unescaped(string text) => text.Contains('\\')
        ? text.Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal)
            .Replace("\\\\", "\\", StringComparison.Ordinal)
        : text;
}
