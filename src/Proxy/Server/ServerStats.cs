using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Server;

/// <summary>What is told of the process: <c>server.*</c>, <c>cluster_manager.*</c>, <c>listener_manager.*</c>, <c>filesystem.*</c>,
/// <c>runtime.*</c>.</summary>
internal static class ServerStats
{
    /// <summary>Adds them to the proxy's store.</summary>
    public static void Add(ProxyServer server)
    {
        StatStore store = server.Statistics;
        void Gauge(string name, Func<long?> read) => store.Reading(name, StatKind.Gauge, read);
        void Counter(string name, Func<long?> read) => store.Reading(name, StatKind.Counter, read);
        Gauge("server.live", () => server.State == ProxyState.Live && server.IsHealthy ? 1 : 0);
        Gauge("server.state", () => server.State == ProxyState.Live && !server.IsHealthy ? 1 : (long)server.State);
        Gauge("server.concurrency", () => server.Workers.Count);
        Gauge("server.uptime", () => (server.Main.WallClock - server.StartedAt) / 1_000_000);
        Gauge("server.hot_restart_epoch", () => 0);
        Gauge("server.hot_restart_generation", () => 1);
        Gauge("server.parent_connections", () => 0);
        Gauge("server.total_connections",
            () => server.Listeners.All.Values.Distinct().Sum(l => l.Counters.Sum(static r => r.Served - r.ServedEnded)));
        Gauge("server.memory_allocated", () => GC.GetTotalMemory(false));
        Gauge("server.memory_heap_size", () => GC.GetGCMemoryInfo().HeapSizeBytes);
        Gauge("server.memory_physical_size", () => Environment.WorkingSet);
        Counter("server.memory_full_collections", static () => GC.CollectionCount(GC.MaxGeneration));
        Gauge("server.queue_age_ms", () => server.Workers.Max(static w => w.Loop.Age.Micros) / 1000);
        Gauge("server.stats_recent_lookups", () => 0);
        Gauge("server.version", () => 0);
        Gauge("server.days_until_first_cert_expiring", () => null);
        Gauge("server.seconds_until_first_ocsp_response_expiring", () => null);
        Counter("server.debug_assertion_failures", () => 0);
        Counter("server.envoy_bug_failures", () => 0);
        Counter("server.dynamic_unknown_fields", () => server.Assembly.Resources.UnknownFields);
        Counter("server.static_unknown_fields", () => 0);
        Counter("server.wip_protos", () => 0);
        Counter("server.dropped_stat_flushes", () => 0);
        Counter("server.worker_0.watchdog_mega_miss", () => 0);
        Counter("server.worker_0.watchdog_miss", () => 0);
        Counter("server.main_thread.watchdog_mega_miss", () => 0);
        Counter("server.main_thread.watchdog_miss", () => 0);
        Gauge("cluster_manager.active_clusters", () => server.Clusters.All.Count(h => h.Current is not null));
        Gauge("cluster_manager.warming_clusters", () => server.Assembly.Resources.WarmingClusters);
        Gauge("listener_manager.total_listeners_active", () => server.Listeners.All.Count);
        Gauge("listener_manager.total_listeners_warming", () => server.Assembly.Resources.WarmingListeners);
        Gauge("listener_manager.total_listeners_draining",
            () => server.Listeners.DrainingNow == 0 && server.Listeners.EverDrained == 0 ? null : server.Listeners.DrainingNow);
        Gauge("listener_manager.total_filter_chains_draining", () => null);
        Gauge("listener_manager.workers_started", () => server.State is ProxyState.Live or ProxyState.Draining ? 1 : 0);
        foreach ((string name, Func<long> read) in server.Assembly.Resources.Counts)
            Counter(name, () => read());
        Counter("listener_manager.listener_create_success", () => server.Listeners.Created);
        Counter("listener_manager.listener_create_failure", () => server.Listeners.Failures.Count + server.Listeners.Refused);
        Counter("listener_manager.listener_stopped", () => server.Listeners.EverDrained);
        Counter("listener_manager.listener_in_place_updated", () => 0);
        Counter("filesystem.flushed_by_timer", () => 0);
        Counter("filesystem.reopen_failed", () => 0);
        Counter("filesystem.write_buffered", () => 0);
        Counter("filesystem.write_completed", () => 0);
        Counter("filesystem.write_failed", () => server.LostLogLines);
        Gauge("filesystem.write_total_buffered", () => null);
        Gauge("runtime.admin_overrides_active", () => 0);
        Gauge("runtime.deprecated_feature_seen_since_process_start", () => 0);
        Gauge("runtime.num_keys", () => server.Assembly.Translation.Runtime.Count);
        Gauge("runtime.num_layers", () => server.Assembly.Bootstrap.LayeredRuntime?.Layers.Count ?? 0);
        Counter("runtime.deprecated_feature_use", () => 0);
        Counter("runtime.load_error", () => 0);
        Counter("runtime.load_success", () => 1);
        Counter("runtime.override_dir_exists", () => 0);
        Counter("runtime.override_dir_not_exists", () => 1);
    }
}
