using Envoy.Config.Bootstrap.V3;
using Envoy.Config.Metrics.V3;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Statistics.Tags;

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

    /// <summary>stats_sinks: statsd and DogStatsD by UDP.</summary>
    public static IReadOnlyList<Telemetry.StatsdSink> Sinks(Bootstrap bootstrap, StatStore store, Rejections rejections)
    {
        var sinks = new List<Telemetry.StatsdSink>();
        for (int i = 0; i < bootstrap.StatsSinks.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"stats_sinks[{i}]");
            StatsSink sink = bootstrap.StatsSinks[i];
            Google.Protobuf.WellKnownTypes.Any config = sink.TypedConfig ?? new Google.Protobuf.WellKnownTypes.Any();
            switch (ValueTranslator.TypeName(config))
            {
                case "envoy.config.metrics.v3.StatsdSink"
                    when ValueTranslator.Unpack(config, Envoy.Config.Metrics.V3.StatsdSink.Parser, rejections) is { } statsd:
                    if (statsd.Address is null)
                        rejections.Note("tcp_cluster_name is not served: give an address (UDP); nothing is sent");
                    else
                        sinks.Add(Sink(statsd.Address, statsd.Prefix, false, DatagramBytes));
                    break;
                case "envoy.config.metrics.v3.DogStatsdSink"
                    when ValueTranslator.Unpack(config, DogStatsdSink.Parser, rejections) is { } dog:
                    sinks.Add(Sink(dog.Address, dog.Prefix, true, (int)Math.Min(dog.MaxBytesPerDatagram ?? DatagramBytes, 65_000)));
                    break;
                default:
                    rejections.Note($"stats sink {sink.Name} is not served: nothing is sent to it");
                    break;
            }
        }
        return sinks;

        Telemetry.StatsdSink Sink(Envoy.Config.Core.V3.Address? to, string prefix, bool tagged, int bytes) =>
            new(new Telemetry.StatsdOptions(ValueTranslator.Address(to, rejections), prefix.Length == 0 ? "envoy." : prefix + ".", tagged,
                bytes), store);
    }

    // A datagram that no link on the way must cut.
    private const int DatagramBytes = 1432;

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
