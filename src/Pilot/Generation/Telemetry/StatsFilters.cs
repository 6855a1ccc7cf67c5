using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Meaning;
using Stats;
using Provider = Istio.Mesh.V1Alpha1.MeshConfig.Types.ExtensionProvider;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>The filters that report Istio's metrics.</summary>
public sealed class StatsFilters
{
    private const string Name = "istio.stats";

    private static readonly TimeSpan DefaultDeletion = TimeSpan.FromMinutes(5);

    private static readonly Dictionary<string, string> MetricNames = new(StringComparer.Ordinal)
    {
        ["REQUEST_COUNT"] = "requests_total",
        ["REQUEST_DURATION"] = "request_duration_milliseconds",
        ["REQUEST_SIZE"] = "request_bytes",
        ["RESPONSE_SIZE"] = "response_bytes",
        ["TCP_OPENED_CONNECTIONS"] = "tcp_connections_opened_total",
        ["TCP_CLOSED_CONNECTIONS"] = "tcp_connections_closed_total",
        ["TCP_SENT_BYTES"] = "tcp_sent_bytes_total",
        ["TCP_RECEIVED_BYTES"] = "tcp_received_bytes_total",
        ["GRPC_REQUEST_MESSAGES"] = "request_messages_total",
        ["GRPC_RESPONSE_MESSAGES"] = "response_messages_total",
    };

    private readonly IReadOnlyList<ProviderMetrics> _metrics;
    private readonly bool _isWaypoint;
    private readonly Duration? _rotation;
    private readonly Duration? _deletion;

    /// <summary>Filters as the scope asks for them. Prometheus is the only provider that reports metrics from the proxy.</summary>
    public StatsFilters(MeshConfig mesh, TelemetryScope scope, bool isWaypoint, Features? features = null)
    {
        ArgumentNullException.ThrowIfNull(scope);
        _isWaypoint = isWaypoint;
        _rotation = Interval(features?.Text("METRIC_ROTATION_INTERVAL", "") ?? "", TimeSpan.Zero);
        _deletion = Interval(features?.Text("METRIC_GRACEFUL_DELETION_INTERVAL", "") ?? "", DefaultDeletion);
        _metrics = MetricSelection.Of(scope.Levels.SelectMany(static l => l.Metrics), mesh)
            .Where(m => Providers.Find(mesh, m.Key)?.ProviderCase == Provider.ProviderOneofCase.Prometheus)
            .Select(static m => m.Value).ToList();
    }

    /// <summary>Filters of an HTTP chain.</summary>
    public IEnumerable<HttpFilter> Http(ListenerClass listenerClass) =>
        Configs(listenerClass).Select(static c => new HttpFilter { Name = Name, TypedConfig = Wire.Pack(c) });

    /// <summary>Filters of a TCP chain.</summary>
    public IEnumerable<Filter> Tcp(ListenerClass listenerClass) =>
        Configs(listenerClass).Select(static c => new Filter { Name = Name, TypedConfig = Wire.Pack(c) });

    /// <summary>The settings of each filter.</summary>
    public IEnumerable<PluginConfig> Configs(ListenerClass listenerClass)
    {
        foreach (var provider in _metrics)
        {
            var side = listenerClass == ListenerClass.SidecarInbound ? provider.Server : provider.Client;
            if (side.IsDisabled) continue;
            var config = new PluginConfig
            {
                // A server or gateway must not let the caller choose the service name that is reported.
                DisableHostHeaderFallback = listenerClass != ListenerClass.SidecarOutbound,
                TcpReportingDuration = provider.ReportingInterval,
                RotationInterval = _rotation,
                GracefulDeletionInterval = _deletion,
                Reporter = _isWaypoint ? Reporter.ServerGateway : Reporter.Unspecified,
            };
            config.Metrics.Add(side.Overrides.Select(Metric));
            yield return config;
        }
    }

    /// <summary>An interval that the proxy is told: null where it is the one that it has anyway.</summary>
    public static Duration? Interval(TimeSpan asked, TimeSpan otherwise) => asked == otherwise ? null : Duration.FromTimeSpan(asked);

    private static Duration? Interval(string asked, TimeSpan otherwise) =>
        Wire.ParseDuration(asked) is { } parsed ? Interval(parsed.ToTimeSpan(), otherwise) : null;

    private static MetricConfig Metric(MetricOverride change)
    {
        var result = new MetricConfig { Name = MetricNames.GetValueOrDefault(change.Name, change.Name), Drop = change.IsDisabled };
        foreach (var (tag, value) in change.Tags)
        {
            if (value is null) result.TagsToRemove.Add(tag);
            else result.Dimensions[tag] = value;
        }
        return result;
    }
}
