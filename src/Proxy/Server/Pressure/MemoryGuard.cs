namespace Lateen.Proxy.Server.Pressure;

/// <summary>
/// What is done about memory where nobody configured it: the kernel would end the process at the container's limit, with every connection
/// it has. Bytes that wait for slow readers may take half of the limit, and each reader less the fewer are left; from there on the overload
/// manager's own actions, by the share of the limit that is taken. See docs/decisions/0020.
/// </summary>
internal static class MemoryGuard
{
    /// <summary>The resource's name, in statistics.</summary>
    public const string Resource = "lateen.resource_monitors.container_memory";

    // Before the limit there must be room for what is under way: a collection, a handshake each for those who connect between two looks.
    private static readonly OverloadAction[] Actions =
    [
        Scaled("envoy.overload_actions.shrink_heap", 0.80, 0.80),
        Scaled("envoy.overload_actions.stop_accepting_requests", 0.85, 0.95),
        Scaled("envoy.overload_actions.disable_http_keepalive", 0.90, 0.90),
        Scaled("envoy.overload_actions.stop_accepting_connections", 0.92, 0.92),
    ];

    private static OverloadAction Scaled(string name, double from, double to) => new(name, [new OverloadTrigger(Resource, from, to)]);

    /// <summary>The plan with the guard in it; the same one where there is no limit, or memory is configured.</summary>
    public static OverloadPlan? Add(OverloadPlan? plan, MemoryRoom? room)
    {
        if (room is null || plan is { MeasuresMemory: true })
            return plan;
        plan ??= new OverloadPlan(OverloadPlan.DefaultRefreshMicros, [], []);
        return plan with
        {
            RefreshMicros = Math.Min(plan.RefreshMicros, OverloadPlan.DefaultRefreshMicros),
            Resources = [.. plan.Resources, new OverloadResource(Resource, () => Share(room))],
            Actions = [.. plan.Actions.Select(Joined), .. Actions.Where(a => !plan.Actions.Any(p => p.Name == a.Name))],
            WaitingMax = room.LimitBytes / 2,
        };
    }

    // Any trigger is enough for an action: what is configured for other resources goes on.
    private static OverloadAction Joined(OverloadAction configured) =>
        Array.Find(Actions, a => a.Name == configured.Name) is { } ours
            ? configured with { Triggers = [.. configured.Triggers, .. ours.Triggers] } : configured;

    // The collector's own limit (in a container three quarters of its memory) ends allocations as the kernel's ends processes.
    private static double? Share(MemoryRoom room)
    {
        double managed = GC.GetTotalMemory(forceFullCollection: false) / (double)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return room.Used() is { } used ? Math.Clamp(Math.Max(managed, used / (double)room.LimitBytes), 0, 1) : null;
    }
}
