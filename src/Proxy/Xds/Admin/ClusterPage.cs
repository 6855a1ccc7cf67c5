using System.Globalization;
using System.Text.RegularExpressions;
using Envoy.Admin.V3;
using Envoy.Config.Cluster.V3;
using Lateen.Api.Documents;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Server;
using Lateen.Proxy.Statistics;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds.Admin;

/// <summary>/clusters: limits and hosts of each cluster, as text or JSON. Main loop.</summary>
internal sealed class ClusterPage(ProxyServer server, ProxyAssembly assembly)
{
    /// <summary>Answers.</summary>
    public AdminAnswer Answer(AdminRequest request)
    {
        if (!StatQuery.TryFilter(request.Query.GetValueOrDefault("filter") ?? "", out Regex? filter, out string error))
            return AdminAnswer.Text(error, 400);
        HashSet<string> own = [.. (assembly.Bootstrap.StaticResources?.Clusters ?? []).Select(c => c.Name)];
        List<(ClusterView View, bool Added)> views = [.. server.Clusters.All.Select(h => h.Current).OfType<ClusterView>()
            .Where(v => filter is null || filter.IsMatch(v.Cluster.Name)).Select(v => (v, !own.Contains(v.Cluster.Name)))];
        return request.Query.GetValueOrDefault("format") == "json" ? Json(views) : Text(views);
    }

    private static (string Name, long Value, bool Gauge)[] Counts(Host host) =>
    [
        ("cx_connect_fail", host.Counters.ConnectFail, false), ("cx_total", host.Counters.Connections, false),
        ("rq_error", host.Counters.Error, false), ("rq_success", host.Counters.Success, false),
        ("rq_timeout", host.Counters.Timeout, false), ("rq_total", host.Counters.Requests, false),
        ("cx_active", host.ActiveConnections, true), ("rq_active", host.ActiveRequests, true), ("rq_pending_active", 0, true),
    ];

    private static AdminAnswer Text(List<(ClusterView View, bool Added)> views)
    {
        var text = new System.Text.StringBuilder();
        foreach ((ClusterView view, bool added) in views)
        {
            string name = view.Cluster.Name;
            void Line(string what) => text.Append(name).Append("::").Append(what).Append('\n');
            Line($"observability_name::{view.Cluster.StatName}");
            if (view.Cluster.Outlier is not null)
            {
                Line("outlier::success_rate_average::-1");
                Line("outlier::success_rate_ejection_threshold::-1");
                Line("outlier::local_origin_success_rate_average::-1");
                Line("outlier::local_origin_success_rate_ejection_threshold::-1");
            }
            foreach ((string priority, BreakerLimits limits) in (ReadOnlySpan<(string, BreakerLimits)>)[
                ("default", view.Cluster.DefaultLimits), ("high", view.Cluster.HighLimits)])
            {
                Line($"{priority}_priority::max_connections::{limits.MaxConnections}");
                Line($"{priority}_priority::max_pending_requests::{limits.MaxPending}");
                Line($"{priority}_priority::max_requests::{limits.MaxRequests}");
                Line($"{priority}_priority::max_retries::{limits.MaxRetries}");
            }
            Line($"added_via_api::{(added ? "true" : "false")}");
            if (view.Cluster.ServiceName.Length > 0 && view.Cluster.ServiceName != name)
                Line($"eds_service_name::{view.Cluster.ServiceName}");
            foreach (Host host in view.Hosts.All)
                Hosts(host, what => Line($"{host.Address}::{what}"));
        }
        return AdminAnswer.Text(text.ToString());
    }

    private static void Hosts(Host host, Action<string> line)
    {
        foreach ((string counter, long value, _) in Counts(host).OrderBy(c => c.Name, StringComparer.Ordinal))
            line(string.Create(CultureInfo.InvariantCulture, $"{counter}::{value}"));
        line($"hostname::{host.Endpoint.Hostname}");
        line($"health_flags::{HostFlagNames.Text(host.Flags)}");
        line(string.Create(CultureInfo.InvariantCulture, $"weight::{host.Endpoint.Weight}"));
        line($"region::{host.Locality.Region}");
        line($"zone::{host.Locality.Zone}");
        line($"sub_zone::{host.Locality.SubZone}");
        line($"canary::{(host.IsCanary ? "true" : "false")}");
        line(string.Create(CultureInfo.InvariantCulture, $"priority::{host.Priority}"));
        line("success_rate::-1");
        line("local_origin_success_rate::-1");
    }

    private static AdminAnswer Json(List<(ClusterView View, bool Added)> views)
    {
        var message = new Envoy.Admin.V3.Clusters();
        foreach ((ClusterView view, bool added) in views)
        {
            var status = new ClusterStatus
            {
                Name = view.Cluster.Name,
                ObservabilityName = view.Cluster.StatName,
                AddedViaApi = added,
                EdsServiceName = view.Cluster.ServiceName == view.Cluster.Name ? "" : view.Cluster.ServiceName,
                CircuitBreakers = new CircuitBreakers { Thresholds = { Limits(view.Cluster.DefaultLimits, Core.RoutingPriority.Default),
                    Limits(view.Cluster.HighLimits, Core.RoutingPriority.High) } },
            };
            status.HostStatuses.AddRange(view.Hosts.All.Select(One));
            message.ClusterStatuses.Add(status);
        }
        return AdminAnswer.Json(MessageWriter.ToJson(message, options: WriterOptions.Envoy));
    }

    private static CircuitBreakers.Types.Thresholds Limits(BreakerLimits limits, Core.RoutingPriority priority) => new()
    {
        Priority = priority,
        MaxConnections = limits.MaxConnections,
        MaxPendingRequests = limits.MaxPending,
        MaxRequests = limits.MaxRequests,
        MaxRetries = limits.MaxRetries,
    };

    private static HostStatus One(Host host)
    {
        var status = new HostStatus
        {
            Address = DumpSections.AddressOf(host.Address),
            Hostname = host.Endpoint.Hostname,
            Weight = host.Endpoint.Weight,
            Priority = (uint)host.Priority,
            Locality = DumpSections.Place(host.Locality),
            HealthStatus = new HostHealthStatus
            {
                FailedActiveHealthCheck = (host.Flags & HostFlags.FailedActiveCheck) != 0,
                FailedOutlierCheck = (host.Flags & HostFlags.FailedOutlierCheck) != 0,
                FailedActiveDegradedCheck = (host.Flags & HostFlags.DegradedActiveCheck) != 0,
                PendingDynamicRemoval = (host.Flags & HostFlags.PendingDynamicRemoval) != 0,
                PendingActiveHc = (host.Flags & HostFlags.PendingActiveCheck) != 0,
                ExcludedViaImmediateHcFail = (host.Flags & HostFlags.ExcludedByImmediateFailure) != 0,
                ActiveHcTimeout = (host.Flags & HostFlags.ActiveCheckTimeout) != 0,
                EdsHealthStatus = (host.Flags & HostFlags.DiscoveryDraining) != 0 ? Core.HealthStatus.Draining
                    : (host.Flags & HostFlags.FailedDiscovery) != 0 ? Core.HealthStatus.Unhealthy
                    : (host.Flags & HostFlags.DegradedDiscovery) != 0 ? Core.HealthStatus.Degraded : Core.HealthStatus.Healthy,
            },
        };
        foreach ((string name, long value, bool gauge) in Counts(host))
            status.Stats.Add(new SimpleMetric
            {
                Name = name,
                Value = (ulong)value,
                Type = gauge ? SimpleMetric.Types.Type.Gauge : SimpleMetric.Types.Type.Counter,
            });
        return status;
    }
}
