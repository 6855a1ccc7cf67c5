using Envoy.Config.Overload.V3;
using Envoy.Extensions.ResourceMonitors.DownstreamConnections.V3;
using Envoy.Extensions.ResourceMonitors.FixedHeap.V3;
using Envoy.Extensions.ResourceMonitors.InjectedResource.V3;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Server;
using Lateen.Proxy.Server.Pressure;

namespace Lateen.Proxy.Xds;

/// <summary>The overload manager's configuration.</summary>
internal static class OverloadTranslator
{
    private static readonly HashSet<string> Known =
    [
        "envoy.overload_actions.disable_http_keepalive", "envoy.overload_actions.stop_accepting_requests",
        "envoy.overload_actions.stop_accepting_connections", "envoy.overload_actions.shrink_heap",
        "envoy.overload_actions.reduce_timeouts", "envoy.overload_actions.reset_high_memory_stream",
        "envoy.overload_actions.reject_incoming_connections",
    ];

    private const string FixedHeap = "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";

    private const string ReduceTimeouts = "envoy.overload_actions.reduce_timeouts",
        ResetStreams = "envoy.overload_actions.reset_high_memory_stream";

    private static readonly HashSet<string> ShedPoints = ["envoy.load_shed_points.hcm_decode_headers",
        "envoy.load_shed_points.tcp_listener_accept"];

    // A key of our runtime: it names the header by which requests are told apart under pressure.
    private const string CriticalityKey = "lateen.overload.criticality_header";

    // How far a worker may be behind before it refuses requests, in milliseconds; 0 for as far as it comes.
    private const string QueueAgeKey = "lateen.overload.queue_age_ms";

    // What the process may take of memory, in bytes, in place of the container's limit; 0 for no guard.
    private const string MemoryLimitKey = "lateen.overload.memory_limit_bytes";

    /// <summary>The memory there is, as far as it is bounded; null where it is not, or nobody is to care.</summary>
    public static MemoryRoom? Room(RuntimeValues runtime, MemoryRoom? container) =>
        runtime.TryGetValue(MemoryLimitKey, out string? value)
            && long.TryParse(value, System.Globalization.CultureInfo.InvariantCulture, out long bytes) && bytes >= 0
            ? bytes == 0 ? null : MemoryRoom.OfProcess(bytes) : container;

    /// <summary>The age from which requests are refused, in microseconds; it holds without an overload manager, too.</summary>
    public static long QueueAgeMicros(RuntimeValues runtime) =>
        runtime.TryGetValue(QueueAgeKey, out string? value)
            && long.TryParse(value, System.Globalization.CultureInfo.InvariantCulture, out long millis) && millis is >= 0 and <= 3_600_000
            ? millis * 1000 : Net.QueueAge.DefaultLimitMicros;

    /// <summary>The plan; null where none is configured, or with a rejection.</summary>
    public static OverloadPlan? Plan(Envoy.Config.Overload.V3.OverloadManager? m, ProxyServer server, RuntimeValues runtime,
        Rejections rejections)
    {
        if (m is null)
            return null;
        using Rejections.Scope scope = rejections.In("overload_manager");
        List<OverloadResource> resources = [.. m.ResourceMonitors.Select(r => Resource(r, server, rejections)).OfType<OverloadResource>()];
        var names = resources.Select(static r => r.Name).ToHashSet();
        if (names.Count != m.ResourceMonitors.Count && rejections.None)
            rejections.Add("Duplicate resource monitor");
        var actions = new List<Server.Pressure.OverloadAction>();
        foreach (Envoy.Config.Overload.V3.OverloadAction action in m.Actions)
        {
            if (!Known.Contains(action.Name))
                rejections.Add($"Unknown Overload Manager Action {action.Name}");
            else if (action.Name == ResetStreams)
                rejections.Note($"action {action.Name} is measured but has no effect");
            if (actions.Exists(a => a.Name == action.Name))
                rejections.Add($"Duplicate overload action {action.Name}");
            actions.Add(new Server.Pressure.OverloadAction(action.Name,
                [.. action.Triggers.Select(t => Trigger(t, action.Name, names, rejections))]));
        }
        var points = new List<Server.Pressure.OverloadAction>();
        foreach (LoadShedPoint point in m.LoadshedPoints)
        {
            if (!ShedPoints.Contains(point.Name))
                rejections.Note($"load shed point {point.Name} is measured but has no effect");
            points.Add(new Server.Pressure.OverloadAction(point.Name,
                [.. point.Triggers.Select(t => Trigger(t, point.Name, names, rejections))]));
        }
        return !rejections.None ? null
            : new OverloadPlan(Math.Max(1000, ValueTranslator.Micros(m.RefreshInterval, 1_000_000)), resources, actions)
            {
                ShedPoints = points,
                MeasuresMemory = m.ResourceMonitors.Any(static r => r.TypedConfig is { } c && ValueTranslator.TypeName(c) == FixedHeap),
                Timers = [.. m.Actions.Where(static a => a.Name == ReduceTimeouts).SelectMany(a => Timers(a, rejections))],
                ConnectionsMax = m.ResourceMonitors.Select(ConnectionsMax).DefaultIfEmpty().Max(),
                CriticalityHeader = runtime.TryGetValue(CriticalityKey, out string? header) ? header : "",
            };
    }

    private static long ConnectionsMax(ResourceMonitor r) =>
        r.TypedConfig is { } config
            && ValueTranslator.TypeName(
                config) == "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
            ? DownstreamConnectionsConfig.Parser.ParseFrom(config.Value).MaxActiveDownstreamConnections : 0;

    private static IEnumerable<(OverloadTimer, TimerScale)> Timers(Envoy.Config.Overload.V3.OverloadAction action,
        Rejections rejections)
    {
        if (action.TypedConfig is null
            || ValueTranslator.Unpack(action.TypedConfig, ScaleTimersOverloadActionConfig.Parser, rejections) is not { } config)
        {
            rejections.Add($"{ReduceTimeouts} needs a ScaleTimersOverloadActionConfig");
            yield break;
        }
        foreach (ScaleTimersOverloadActionConfig.Types.ScaleTimer timer in config.TimerScaleFactors)
        {
            var scale = new TimerScale(timer.MinTimeout is { } min ? Math.Max(1, ValueTranslator.Micros(min)) : 0,
                (timer.MinScale?.Value ?? 0) / 100);
            switch (timer.Timer)
            {
                case ScaleTimersOverloadActionConfig.Types.TimerType.HttpDownstreamConnectionIdle:
                    yield return (OverloadTimer.ConnectionIdle, scale);
                    break;
                case ScaleTimersOverloadActionConfig.Types.TimerType.HttpDownstreamStreamIdle:
                    yield return (OverloadTimer.StreamIdle, scale);
                    break;
                case ScaleTimersOverloadActionConfig.Types.TimerType.TransportSocketConnect:
                    yield return (OverloadTimer.Handshake, scale);
                    break;
                default:
                    rejections.Add($"Unknown timer type {timer.Timer}");
                    break;
            }
        }
    }

    private static OverloadTrigger Trigger(Trigger t, string action, HashSet<string> names, Rejections rejections)
    {
        if (!names.Contains(t.Name))
            rejections.Add($"Unknown trigger resource {t.Name} for overload action {action}");
        if (t.Scaled is not { } scaled)
            return new OverloadTrigger(t.Name, t.Threshold?.Value ?? 1, t.Threshold?.Value ?? 1);
        if (scaled.ScalingThreshold >= scaled.SaturationThreshold)
            rejections.Add("scaling_threshold must be less than saturation_threshold");
        return new OverloadTrigger(t.Name, scaled.ScalingThreshold, scaled.SaturationThreshold);
    }

    private static OverloadResource? Resource(ResourceMonitor r, ProxyServer server, Rejections rejections)
    {
        switch (r.TypedConfig is null ? "" : ValueTranslator.TypeName(r.TypedConfig))
        {
            case "envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig":
                return ValueTranslator.Unpack(r.TypedConfig!, InjectedResourceConfig.Parser, rejections) is { } injected
                    ? new OverloadResource(r.Name, () => Read(injected.Filename)) : null;
            case FixedHeap:
                if (ValueTranslator.Unpack(r.TypedConfig!, FixedHeapConfig.Parser, rejections) is not { } heap)
                    return null;
                if (heap.MaxHeapSizeBytes == 0)
                {
                    rejections.Add($"resource monitor {r.Name}: max_heap_size_bytes must be greater than 0");
                    return null;
                }
                return new OverloadResource(r.Name, () => Math.Min(1.0, GC.GetTotalMemory(false) / (double)heap.MaxHeapSizeBytes));
            case "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig":
                return ValueTranslator.Unpack(r.TypedConfig!, DownstreamConnectionsConfig.Parser, rejections) is { } connections
                    ? new OverloadResource(r.Name,
                        () =>
                            Math.Min(1.0,
                                server.Listeners.All.Values.Distinct()
                                    .Sum(static l => l.Counters.Sum(
                                        static row => row.Served - row.ServedEnded)) / (double)connections.MaxActiveDownstreamConnections))
                    : null;
            default:
                rejections.Add(
                    $"Didn't find a registered implementation for resource monitor '{r.Name}' with type URL: '{r.TypedConfig?.TypeUrl}'");
                return null;
        }
    }

    private static double? Read(string path)
    {
        try
        {
            // No file has a name like that; the runtime would throw.
            if (path.Length == 0 || path.Contains('\0'))
                return null;
            return double.TryParse(File.ReadAllText(path).Trim(), System.Globalization.CultureInfo.InvariantCulture, out double share)
                ? share : null;
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }
}
