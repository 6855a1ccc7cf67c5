using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Cel;
using Io.Istio.Http.PeerMetadata;
using Istio.Envoy.Config.Filter.Http.Alpn.V2Alpha1;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Istio;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>istio.metadata_exchange for HTTP.</summary>
internal sealed class PeerMetadataTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["io.istio.http.peer_metadata.Config"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Config.Parser, rejections) is not { } c)
            return null;
        bool Headers(IEnumerable<Config.Types.DiscoveryMethod> methods) => methods.Any(m => m.IstioHeaders is not null);
        return new PeerMetadataFilter(name, new PeerMetadataOptions(
            Headers(c.DownstreamDiscovery),
            Headers(c.UpstreamDiscovery),
            c.UpstreamPropagation.Any(m => m.IstioHeaders is not null),
            c.DownstreamPropagation.Any(m => m.IstioHeaders is not null),
            c.UpstreamPropagation.Any(m => m.IstioHeaders?.SkipExternalClusters ?? false)), translation.Peers) { DisabledByDefault = disabled };
    }
}

/// <summary>istio.alpn.</summary>
internal sealed class AlpnTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, FilterConfig.Parser, rejections) is not { } c)
            return null;
        IReadOnlyList<string>? Of(FilterConfig.Types.Protocol protocol) => c.AlpnOverride.FirstOrDefault(o => o.UpstreamProtocol == protocol) is { } o ? [.. o.AlpnOverride_] : null;
        return new AlpnFilter(name, Of(FilterConfig.Types.Protocol.Http10), Of(FilterConfig.Types.Protocol.Http11), Of(FilterConfig.Types.Protocol.Http2)) { DisabledByDefault = disabled };
    }
}

/// <summary>istio.stats for HTTP.</summary>
internal sealed class IstioStatsTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["stats.PluginConfig"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Stats.PluginConfig.Parser, rejections) is not { } c)
            return null;
        NoteWhatHasNoEffect(c, rejections);
        return Settings(c, translation, rejections) is { } settings
            ? new IstioStatsFilter(name, translation.Metrics, settings, translation.IsInbound, hostFallback: !c.DisableHostHeaderFallback) { DisabledByDefault = disabled }
            : null;
    }

    // Series are kept for good, connections are not measured, and a gateway in front of servers reports as any proxy of its direction.
    private static void NoteWhatHasNoEffect(Stats.PluginConfig c, Rejections rejections)
    {
        if (ValueTranslator.Micros(c.RotationInterval) > 0)
            rejections.Note("istio.stats: rotation_interval has no effect");
        if (ValueTranslator.Micros(c.GracefulDeletionInterval) > 0)
            rejections.Note("istio.stats: graceful_deletion_interval has no effect");
        if (ValueTranslator.Micros(c.TcpReportingDuration) > 0)
            rejections.Note("istio.stats: tcp_reporting_duration has no effect");
        if (c.Reporter == Stats.Reporter.ServerGateway)
            rejections.Note("istio.stats: reporter SERVER_GATEWAY has no effect");
    }

    private static readonly IReadOnlySet<string> None = new HashSet<string>();

    private static IstioSettings? Settings(Stats.PluginConfig c, Translation translation, Rejections rejections)
    {
        var metrics = new List<IstioMetric>
        {
            new("requests_total", StatKind.Counter, IstioValue.One, null, new Dictionary<string, int>(), None),
            new("request_duration_milliseconds", StatKind.Histogram, IstioValue.Duration, null, new Dictionary<string, int>(), None),
            new("request_bytes", StatKind.Histogram, IstioValue.RequestBytes, null, new Dictionary<string, int>(), None),
            new("response_bytes", StatKind.Histogram, IstioValue.ResponseBytes, null, new Dictionary<string, int>(), None),
        };
        int at = 0;
        foreach (Stats.MetricDefinition definition in c.Definitions)
        {
            using Rejections.Scope scope = rejections.In($"definitions[{at++}].value");
            if (CelTranslator.Program(definition.Value, translation, rejections) is { } program)
                metrics.Add(new IstioMetric(definition.Name, Kind(definition.Type), IstioValue.Expression, program, new Dictionary<string, int>(), None));
        }
        var expressions = new List<CelProgram>();
        at = 0;
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
            var tags = new Dictionary<string, int>();
            foreach ((string tag, string expression) in change.Dimensions)
            {
                using Rejections.Scope inner = rejections.In($"dimensions[{tag}]");
                if (CelTranslator.Program(expression, translation, rejections) is not { } program)
                    continue;
                tags[tag] = expressions.Count;
                expressions.Add(program);
            }
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
        string prefix = c.StatPrefix.Length > 0 ? c.StatPrefix : "istio";
        return rejections.None ? new IstioSettings(translation.Peers.Own, [.. metrics.Select(m => m with { Name = $"{prefix}_{m.Name}" })], expressions) : null;
    }

    private static StatKind Kind(Stats.MetricType type) => type switch
    {
        Stats.MetricType.Gauge => StatKind.Gauge,
        Stats.MetricType.Histogram => StatKind.Histogram,
        _ => StatKind.Counter,
    };
}
