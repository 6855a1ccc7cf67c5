using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Cel;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>istio.stats, for HTTP and for connections.</summary>
internal sealed class IstioStatsTranslator : FilterTranslator
{
    /// <summary>The type of its configuration.</summary>
    public const string Type = "stats.PluginConfig";

    private const long DefaultIntervalMicros = 5_000_000;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => [Type];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections) =>
        Read(config, translation, rejections) is { } settings
            ? new IstioStatsFilter(name, translation.Metrics, settings) { DisabledByDefault = disabled } : null;

    /// <summary>The network filter; null where <paramref name="rejections"/> tells why not.</summary>
    public static IstioTcpStatsFilter? Network(Any config, Translation translation, Rejections rejections) =>
        Read(config, translation, rejections) is { } settings ? new IstioTcpStatsFilter(translation.Metrics, settings) : null;

    private static IstioSettings? Read(Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Stats.PluginConfig.Parser, rejections) is not { } c)
            return null;

        // Series are kept for good; how many they can be is bounded.
        if (ValueTranslator.Micros(c.RotationInterval) > 0)
            rejections.Note("istio.stats: rotation_interval has no effect");
        if (ValueTranslator.Micros(c.GracefulDeletionInterval) > 0)
            rejections.Note("istio.stats: graceful_deletion_interval has no effect");
        List<IstioMetric> metrics = Standard();
        Define(c, metrics, translation, rejections);
        var expressions = new List<CelProgram>();
        Change(c, metrics, expressions, translation, rejections);
        string prefix = c.StatPrefix.Length > 0 ? c.StatPrefix : "istio";
        return !rejections.None ? null
            : new IstioSettings(translation.Peers.Own, [.. metrics.Select(m => m with { Name = $"{prefix}_{m.Name}" })], expressions)
            {
                Reporter = c.Reporter == Stats.Reporter.ServerGateway ? IstioReporter.Waypoint : translation.IsInbound
                    ? IstioReporter.Destination : IstioReporter.Source,
                HostFallback = !c.DisableHostHeaderFallback,
                IntervalMicros = ValueTranslator.Micros(c.TcpReportingDuration, DefaultIntervalMicros),
            };
    }

    private static List<IstioMetric> Standard() =>
    [
        new("requests_total", IstioScope.Request, StatKind.Counter, IstioValue.One),
        new("request_duration_milliseconds", IstioScope.Request, StatKind.Histogram, IstioValue.Duration),
        new("request_bytes", IstioScope.Request, StatKind.Histogram, IstioValue.RequestBytes),
        new("response_bytes", IstioScope.Request, StatKind.Histogram, IstioValue.ResponseBytes),
        new("request_messages_total", IstioScope.Message, StatKind.Counter, IstioValue.RequestMessages),
        new("response_messages_total", IstioScope.Message, StatKind.Counter, IstioValue.ResponseMessages),
        new("tcp_connections_opened_total", IstioScope.Connection, StatKind.Counter, IstioValue.Opened),
        new("tcp_connections_closed_total", IstioScope.Connection, StatKind.Counter, IstioValue.Closed),
        new("tcp_sent_bytes_total", IstioScope.Connection, StatKind.Counter, IstioValue.Sent),
        new("tcp_received_bytes_total", IstioScope.Connection, StatKind.Counter, IstioValue.Received),
    ];

    private static void Define(Stats.PluginConfig c, List<IstioMetric> metrics, Translation translation, Rejections rejections)
    {
        int at = 0;
        foreach (Stats.MetricDefinition definition in c.Definitions)
        {
            using Rejections.Scope scope = rejections.In($"definitions[{at++}].value");
            if (CelTranslator.Program(definition.Value, translation, rejections) is { } program)
                metrics.Add(new IstioMetric(definition.Name, IstioScope.Request | IstioScope.Connection, Kind(definition.Type),
                    IstioValue.Expression) { Expression = program });
        }
    }

    private static void Change(Stats.PluginConfig c, List<IstioMetric> metrics, List<CelProgram> expressions, Translation translation,
        Rejections rejections)
    {
        int at = 0;
        foreach (Stats.MetricConfig change in c.Metrics)
        {
            using Rejections.Scope scope = rejections.In($"metrics[{at++}]");
            if (change.Match.Length > 0)
                rejections.Note("match has no effect");
            if (change.Drop)
            {
                metrics.RemoveAll(m => change.Name.Length == 0 || m.Name == change.Name);
                continue;
            }
            Dictionary<string, int> tags = Tags(change, expressions, translation, rejections);
            for (int i = 0; i < metrics.Count; i++)
            {
                if (change.Name.Length > 0 && metrics[i].Name != change.Name)
                    continue;
                var all = new Dictionary<string, int>(metrics[i].Tags);
                foreach ((string tag, int expression) in tags)
                    all[tag] = expression;
                metrics[i] = metrics[i] with { Tags = all, Removed = metrics[i].Removed.Union(change.TagsToRemove).ToHashSet() };
            }
        }
    }

    private static Dictionary<string, int> Tags(Stats.MetricConfig change, List<CelProgram> expressions, Translation translation,
        Rejections rejections)
    {
        var tags = new Dictionary<string, int>();
        foreach ((string tag, string expression) in change.Dimensions)
        {
            using Rejections.Scope inner = rejections.In($"dimensions[{tag}]");
            if (CelTranslator.Program(expression, translation, rejections) is not { } program)
                continue;
            tags[tag] = expressions.Count;
            expressions.Add(program);
        }
        return tags;
    }

    private static StatKind Kind(Stats.MetricType type) => type switch
    {
        Stats.MetricType.Gauge => StatKind.Gauge,
        Stats.MetricType.Histogram => StatKind.Histogram,
        _ => StatKind.Counter,
    };
}
