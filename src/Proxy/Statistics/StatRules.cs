using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics.Tags;

namespace Lateen.Proxy.Statistics;

/// <summary>What a bootstrap says about statistics (envoy.config.metrics.v3.StatsConfig).</summary>
public sealed record StatRules
{
    /// <summary>Envoy's buckets, which fit milliseconds.</summary>
    public static readonly IReadOnlyList<double> DefaultBuckets = [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000,
        60000, 300000, 600000, 1800000, 3600000];

    /// <summary>Everything exists; the default tags.</summary>
    public static readonly StatRules Default = new();

    /// <summary>Names that exist; null for all but <see cref="Excluded"/>.</summary>
    public IReadOnlyList<StringMatch>? Included { get; init; }

    /// <summary>Names that do not exist.</summary>
    public IReadOnlyList<StringMatch> Excluded { get; init; } = [];

    /// <summary>Nothing exists.</summary>
    public bool RejectsAll { get; init; }

    /// <summary>How tags are found in names.</summary>
    public TagExtraction Tags { get; init; } = TagExtraction.Default;

    /// <summary>Buckets by name; the first match decides.</summary>
    public IReadOnlyList<(StringMatch Match, IReadOnlyList<double> Buckets)> Buckets { get; init; } = [];

    /// <summary>Between two flushes, in microseconds.</summary>
    public long FlushMicros { get; init; } = 5_000_000;

    /// <summary>A reader's request flushes; there is no timer.</summary>
    public bool FlushOnRead { get; init; }

    /// <summary>True where some name may not exist.</summary>
    internal bool HasLists => RejectsAll || Included is not null || Excluded.Count > 0;

    /// <summary>True where a name exists.</summary>
    public bool Keeps(string name)
    {
        if (RejectsAll)
            return false;
        if (Included is null && Excluded.Count == 0)
            return true;
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(name);
        return Included is not null ? Any(Included, bytes) : !Any(Excluded, bytes);
    }

    /// <summary>The buckets of a histogram.</summary>
    public IReadOnlyList<double> BucketsOf(string name)
    {
        if (Buckets.Count == 0)
            return DefaultBuckets;
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(name);
        foreach ((StringMatch match, IReadOnlyList<double> buckets) in Buckets)
        {
            if (match.Matches(bytes))
                return buckets;
        }
        return DefaultBuckets;
    }

    private static bool Any(IReadOnlyList<StringMatch> matches, byte[] name)
    {
        foreach (StringMatch match in matches)
        {
            if (match.Matches(name))
                return true;
        }
        return false;
    }
}
