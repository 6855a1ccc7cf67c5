using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Istio.Telemetry.V1Alpha1;
using IstioMetric = Istio.Telemetry.V1Alpha1.MetricSelector.Types.IstioMetric;
using TagOperation = Istio.Telemetry.V1Alpha1.MetricsOverrides.Types.TagOverride.Types.Operation;

namespace Lateen.Pilot.Generation.Telemetry;

/// <summary>What becomes of one metric.</summary>
/// <param name="Name">Name as in the API (<c>REQUEST_COUNT</c>), or of a custom metric.</param>
/// <param name="IsDisabled">Not reported.</param>
/// <param name="Tags">Tags set (value) or removed (null), by name.</param>
public sealed record MetricOverride(string Name, bool IsDisabled, IReadOnlyDictionary<string, string?> Tags);

/// <summary>The metrics of one provider for one side.</summary>
/// <param name="IsDisabled">No metric at all.</param>
/// <param name="Overrides">Sorted by name.</param>
public sealed record MetricSide(bool IsDisabled, IReadOnlyList<MetricOverride> Overrides);

/// <summary>The metrics of one provider.</summary>
public sealed record ProviderMetrics(MetricSide Client, MetricSide Server, Duration? ReportingInterval);

/// <summary>Adds up the metrics sections of the levels.</summary>
public static class MetricSelection
{
    private static readonly (IstioMetric Metric, string Name)[] All =
    [
        (IstioMetric.GrpcRequestMessages, "GRPC_REQUEST_MESSAGES"), (IstioMetric.GrpcResponseMessages, "GRPC_RESPONSE_MESSAGES"),
        (IstioMetric.RequestCount, "REQUEST_COUNT"), (IstioMetric.RequestDuration, "REQUEST_DURATION"),
        (IstioMetric.RequestSize, "REQUEST_SIZE"),
        (IstioMetric.ResponseSize, "RESPONSE_SIZE"), (IstioMetric.TcpClosedConnections, "TCP_CLOSED_CONNECTIONS"),
        (IstioMetric.TcpOpenedConnections, "TCP_OPENED_CONNECTIONS"), (IstioMetric.TcpReceivedBytes, "TCP_RECEIVED_BYTES"),
        (IstioMetric.TcpSentBytes, "TCP_SENT_BYTES"),
    ];

    /// <summary>Providers in force with their metrics, sorted by name.</summary>
    public static IReadOnlyDictionary<string, ProviderMetrics> Of(IEnumerable<Metrics> metrics, MeshConfig mesh)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        ArgumentNullException.ThrowIfNull(mesh);
        var entries = metrics.ToList();
        IReadOnlyList<string> defaults = mesh.DefaultProviders?.Metrics ?? [];
        var inScope = entries.Where(static e => e.Providers.Count > 0).Select(static e => e.Providers.Select(static p => p.Name))
            .LastOrDefault(defaults).ToHashSet();
        var merged = new SortedDictionary<string, Merge>(StringComparer.Ordinal);
        if (entries.Count == 0)
        {
            foreach (var name in defaults) merged[name] = new Merge();
        }
        var parents = defaults;
        foreach (var entry in entries)
        {
            var names = entry.Providers.Count > 0 ? entry.Providers.Select(static p => p.Name).ToList() : parents;
            parents = names;
            foreach (var name in names.Where(inScope.Contains))
            {
                if (!merged.TryGetValue(name, out var provider)) merged[name] = provider = new Merge();
                provider.Interval = entry.ReportingInterval ?? provider.Interval;
                foreach (var change in entry.Overrides) provider.Apply(change);
            }
        }
        return merged.ToDictionary(static m => m.Key, static m => m.Value.Result());
    }

    private sealed class Merge
    {
        private readonly Side _client = new();
        private readonly Side _server = new();

        public Duration? Interval { get; set; }

        public void Apply(MetricsOverrides change)
        {
            var mode = change.Match?.Mode ?? WorkloadMode.ClientAndServer;
            if (mode != WorkloadMode.Server) _client.Apply(change);
            if (mode != WorkloadMode.Client) _server.Apply(change);
        }

        public ProviderMetrics Result() => new(_client.Result(), _server.Result(), Interval);
    }

    private sealed class Side
    {
        private readonly SortedDictionary<string, (bool Disabled, SortedDictionary<string, string?> Tags)> _metrics =
            new(StringComparer.Ordinal);
        private bool _disabled;

        // Switching off everything drops the whole filter; any later word about a metric brings it back.
        public void Apply(MetricsOverrides change)
        {
            var names = Names(change.Match).ToList();
            if (names.Count == All.Length && change.Disabled == true)
            {
                _disabled = true;
                return;
            }
            _disabled = false;
            foreach (var name in names)
            {
                var (isDisabled, tags) = _metrics.TryGetValue(name, out var known)
                    ? known : (false, new SortedDictionary<string, string?>(StringComparer.Ordinal));
                foreach (var (tag, value) in change.TagOverrides) tags[tag] = value.Operation == TagOperation.Remove ? null : value.Value;
                _metrics[name] = (change.Disabled ?? isDisabled, tags);
            }
        }

        public MetricSide Result() =>
            new(_disabled, _metrics.Select(static m => new MetricOverride(m.Key, m.Value.Disabled, m.Value.Tags)).ToList());
    }

    private static IEnumerable<string> Names(MetricSelector? match)
    {
        if (match?.MetricMatchCase == MetricSelector.MetricMatchOneofCase.CustomMetric) return [match.CustomMetric];
        if (match is null || match.MetricMatchCase == MetricSelector.MetricMatchOneofCase.None || match.Metric == IstioMetric.AllMetrics)
            return All.Select(static a => a.Name);
        return All.Where(a => a.Metric == match.Metric).Select(static a => a.Name);
    }
}
