using System.Text.RegularExpressions;

namespace Lateen.Proxy.Statistics;

/// <summary>How histograms are told.</summary>
public enum BucketsMode : byte
{
    Summary,
    Cumulative,
    Disjoint,
    Detailed,
    Combined,
}

/// <summary>Which series a reader asks for, from the parameters of /stats.</summary>
public sealed record StatQuery
{
    /// <summary>Only what was counted or set.</summary>
    public bool UsedOnly { get; init; }

    /// <summary>Names that contain a match; null for all.</summary>
    public Regex? Filter { get; init; }

    /// <summary>Names that contain no match, in place of those that do.</summary>
    public bool InvertsFilter { get; init; }

    /// <summary>One kind; null for all.</summary>
    public StatKind? Kind { get; init; }

    /// <summary>Histograms' form.</summary>
    public BucketsMode Buckets { get; init; }

    /// <summary>Hidden gauges: null leaves them out, true shows them alone, false shows them too.</summary>
    public bool? HiddenOnly { get; init; }

    /// <summary>Texts, too, for Prometheus.</summary>
    public bool TextReadouts { get; init; }

    /// <summary>html, json, prometheus, text.</summary>
    public string Format { get; init; } = "text";

    /// <summary>JSON with line ends and indents.</summary>
    public bool Pretty { get; init; }

    /// <summary>True for a series that is asked for.</summary>
    public bool Wants(StatSeries series) =>
        (!UsedOnly || series.IsUsed) && (Kind is null || Kind == series.Kind)
            && (Filter is null || Filter.IsMatch(series.Name) != InvertsFilter)
        && (HiddenOnly is null ? !series.IsHidden : !HiddenOnly.Value || series.IsHidden);

    /// <summary>Reads the parameters; null and the words of the refusal where one is wrong.</summary>
    public static StatQuery? Parse(IReadOnlyDictionary<string, string> parameters, out string error)
    {
        error = "";
        StatKind? kind = null;
        if (parameters.TryGetValue("type", out string? type) && !TryKind(type, out kind))
        {
            error = "invalid &type= param";
            return null;
        }
        if (!TryFilter(parameters.GetValueOrDefault("filter") ?? "", out Regex? filter, out error))
            return null;
        BucketsMode buckets = default;
        if (parameters.TryGetValue("histogram_buckets", out string? mode) && !TryBuckets(mode, out buckets))
        {
            error = "usage: /stats?histogram_buckets=(cumulative|disjoint|detailed|summary)\n";
            return null;
        }
        string format = parameters.GetValueOrDefault("format") ?? "text";
        if (format is not ("html" or "active-html" or "json" or "prometheus" or "text"))
        {
            error = "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n";
            return null;
        }
        bool? hidden = null;
        if (parameters.TryGetValue("hidden", out string? which) && which is "only" or "include")
            hidden = which == "only";
        else if (which is not (null or "exclude" or ""))
        {
            error = "usage: /stats?hidden=(include|only|exclude)\n\n";
            return null;
        }
        return new StatQuery
        {
            UsedOnly = parameters.ContainsKey("usedonly"),
            Filter = filter,
            InvertsFilter = parameters.ContainsKey("invert_filter"),
            Kind = kind,
            Buckets = buckets,
            HiddenOnly = hidden,
            TextReadouts = parameters.ContainsKey("text_readouts"),
            Format = format,
            Pretty = parameters.ContainsKey("pretty"),
        };
    }

    /// <summary>A filter by regular expression; false and RE2's words where it is none.</summary>
    public static bool TryFilter(string pattern, out Regex? filter, out string error)
    {
        filter = null;
        error = "";
        if (pattern.Length == 0)
            return true;
        try
        {
            filter = new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
            return true;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            error = $"Invalid re2 regex: {Words(e, pattern)}";
            return false;
        }
    }

    // RE2's own words for what is met most; the framework's where it has others.
    private static string Words(Exception e, string pattern) => e is not RegexParseException parse ? e.Message : parse.Error switch
    {
        RegexParseError.UnterminatedBracket => $"missing ]: {pattern[pattern.LastIndexOf('[')..]}",
        RegexParseError.InsufficientClosingParentheses => $"missing ): {pattern}",
        RegexParseError.InsufficientOpeningParentheses => $"unexpected ): {pattern}",
        RegexParseError.QuantifierAfterNothing =>
            $"no argument for repetition operator: {pattern[Math.Clamp(parse.Offset - 1, 0, pattern.Length - 1)]}",
        RegexParseError.UnescapedEndingBackslash => "trailing \\",
        _ => e.Message,
    };

    private static bool TryKind(string text, out StatKind? kind)
    {
        kind = text switch
        {
            "Counters" => StatKind.Counter,
            "Gauges" => StatKind.Gauge,
            "Histograms" => StatKind.Histogram,
            "TextReadouts" => StatKind.Text,
            _ => null,
        };
        return kind is not null || text is "All" or "";
    }

    private static bool TryBuckets(string text, out BucketsMode mode)
    {
        mode = text switch
        {
            "cumulative" => BucketsMode.Cumulative,
            "disjoint" => BucketsMode.Disjoint,
            "detailed" => BucketsMode.Detailed,
            "combined" => BucketsMode.Combined,
            _ => BucketsMode.Summary,
        };
        return mode != BucketsMode.Summary || text is "summary" or "none" or "";
    }
}
