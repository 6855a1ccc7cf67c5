using Envoy.Config.Bootstrap.V3;
using Envoy.Config.Metrics.V3;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Xds;

/// <summary>stats_config: which names exist, their tags, their buckets.</summary>
internal static class StatsTranslator
{
    /// <summary>The rules of a bootstrap.</summary>
    public static StatRules Rules(Bootstrap bootstrap, Rejections rejections)
    {
        StatsConfig config = bootstrap.StatsConfig ?? new StatsConfig();
        StatsMatcher? matcher = config.StatsMatcher;
        return new StatRules
        {
            RejectsAll = matcher?.RejectAll ?? false,
            Included = matcher?.InclusionList is { } included ? Matches(included, rejections) : null,
            Excluded = matcher?.ExclusionList is { } excluded ? Matches(excluded, rejections) : [],
            Tags = config.StatsTags.Count == 0 && (config.UseAllDefaultTags ?? true) ? TagExtraction.Default : Tags(config, rejections),
            Buckets = Buckets(config, rejections),
            FlushMicros = ValueTranslator.Micros(bootstrap.StatsFlushInterval, 5_000_000),
            FlushOnRead = bootstrap.StatsFlushOnAdmin,
        };
    }

    private static List<StringMatch> Matches(Envoy.Type.Matcher.V3.ListStringMatcher list, Rejections rejections) =>
        [.. list.Patterns.Select(p => MatcherTranslator.String(p, rejections)).OfType<StringMatch>()];

    private static List<(StringMatch, IReadOnlyList<double>)> Buckets(StatsConfig config, Rejections rejections)
    {
        var buckets = new List<(StringMatch, IReadOnlyList<double>)>();
        foreach (HistogramBucketSettings settings in config.HistogramBucketSettings)
        {
            if (MatcherTranslator.String(settings.Match, rejections) is { } match && settings.Buckets.Count > 0)
                buckets.Add((match, [.. settings.Buckets.Order()]));
        }
        return buckets;
    }

    private static TagExtraction Tags(StatsConfig config, Rejections rejections)
    {
        var own = new List<Func<IEnumerable<TagExtractor>>>();
        for (int i = 0; i < config.StatsTags.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"stats_tags[{i}]");
            TagSpecifier tag = config.StatsTags[i];
            if (Tag(tag, rejections) is { } made)
                own.Add(made);
        }
        bool all = config.UseAllDefaultTags ?? true;
        return new TagExtraction(() => (all ? DefaultTags.All : []).Concat(own.SelectMany(o => o())));
    }

    private static Func<IEnumerable<TagExtractor>>? Tag(TagSpecifier tag, Rejections rejections)
    {
        if (tag.TagName.Length == 0)
        {
            rejections.Add("tag_name cannot be empty");
            return null;
        }
        try
        {
            switch (tag.TagValueCase)
            {
                case TagSpecifier.TagValueOneofCase.FixedValue:
                    var constant = new FixedTag(tag.TagName, tag.FixedValue);
                    return () => [constant];
                case TagSpecifier.TagValueOneofCase.Regex when tag.Regex.Length > 0:
                    var regex = new RegexTag(tag.TagName, tag.Regex);
                    return () => [regex];
                default:
                    // A bare name means Envoy's own tag of this name.
                    return () => DefaultTags.All.Where(t => t.Tag == tag.TagName);
            }
        }
        catch (ArgumentException e)
        {
            rejections.Add($"regex: {e.Message}");
            return null;
        }
    }
}
