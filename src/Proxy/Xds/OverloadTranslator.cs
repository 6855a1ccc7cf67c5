using Envoy.Config.Overload.V3;
using Envoy.Extensions.ResourceMonitors.DownstreamConnections.V3;
using Envoy.Extensions.ResourceMonitors.FixedHeap.V3;
using Envoy.Extensions.ResourceMonitors.InjectedResource.V3;
using Lateen.Proxy.Server;

namespace Lateen.Proxy.Xds;

/// <summary>The overload manager's configuration.</summary>
internal static class OverloadTranslator
{
    private static readonly HashSet<string> Known =
    [
        "envoy.overload_actions.disable_http_keepalive", "envoy.overload_actions.stop_accepting_requests", "envoy.overload_actions.stop_accepting_connections", "envoy.overload_actions.shrink_heap",
        "envoy.overload_actions.reduce_timeouts", "envoy.overload_actions.reset_high_memory_stream", "envoy.overload_actions.reject_incoming_connections",
    ];

    private static readonly HashSet<string> Served =
        ["envoy.overload_actions.disable_http_keepalive", "envoy.overload_actions.stop_accepting_requests", "envoy.overload_actions.stop_accepting_connections", "envoy.overload_actions.shrink_heap"];

    /// <summary>The plan; null where none is configured, or with a rejection.</summary>
    public static OverloadPlan? Plan(Envoy.Config.Overload.V3.OverloadManager? m, ProxyServer server, Rejections rejections)
    {
        if (m is null)
            return null;
        using Rejections.Scope scope = rejections.In("overload_manager");
        List<OverloadResource> resources = [.. m.ResourceMonitors.Select(r => Resource(r, server, rejections)).OfType<OverloadResource>()];
        var names = resources.Select(static r => r.Name).ToHashSet();
        if (names.Count != m.ResourceMonitors.Count && rejections.None)
            rejections.Add("Duplicate resource monitor");
        var actions = new List<Server.OverloadAction>();
        foreach (Envoy.Config.Overload.V3.OverloadAction action in m.Actions)
        {
            if (!Known.Contains(action.Name))
                rejections.Add($"Unknown Overload Manager Action {action.Name}");
            else if (!Served.Contains(action.Name))
                rejections.Note($"action {action.Name} is measured but has no effect");
            if (actions.Exists(a => a.Name == action.Name))
                rejections.Add($"Duplicate overload action {action.Name}");
            actions.Add(new Server.OverloadAction(action.Name, [.. action.Triggers.Select(t => Trigger(t, action.Name, names, rejections))]));
        }
        if (m.LoadshedPoints.Count > 0)
            rejections.Note("loadshed_points have no effect");
        return rejections.None ? new OverloadPlan(Math.Max(1000, ValueTranslator.Micros(m.RefreshInterval, 1_000_000)), resources, actions) : null;
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
                return ValueTranslator.Unpack(r.TypedConfig!, InjectedResourceConfig.Parser, rejections) is { } injected ? new OverloadResource(r.Name, () => Read(injected.Filename)) : null;
            case "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig":
                if (ValueTranslator.Unpack(r.TypedConfig!, FixedHeapConfig.Parser, rejections) is not { } heap)
                    return null;
                if (heap.MaxHeapSizeBytes == 0)
                {
                    rejections.Add($"resource monitor {r.Name}: max_heap_size_bytes must be greater than 0");
                    return null;
                }
                return new OverloadResource(r.Name, () => Math.Min(1.0, GC.GetTotalMemory(false) / (double)heap.MaxHeapSizeBytes));
            case "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig":
                rejections.Note($"resource monitor {r.Name} is measured; connections beyond it are not refused one by one");
                return ValueTranslator.Unpack(r.TypedConfig!, DownstreamConnectionsConfig.Parser, rejections) is { } connections
                    ? new OverloadResource(r.Name, () => Math.Min(1.0, server.Listeners.All.Values.Distinct().Sum(static l => l.Counters.Sum(static row => row.Served - row.ServedEnded)) / (double)connections.MaxActiveDownstreamConnections))
                    : null;
            default:
                rejections.Add($"Didn't find a registered implementation for resource monitor '{r.Name}' with type URL: '{r.TypedConfig?.TypeUrl}'");
                return null;
        }
    }

    private static double? Read(string path)
    {
        try
        {
            return double.TryParse(File.ReadAllText(path).Trim(), System.Globalization.CultureInfo.InvariantCulture, out double share) ? share : null;
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
