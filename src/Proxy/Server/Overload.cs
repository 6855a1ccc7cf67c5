using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Server;

/// <summary>When an action begins: at a share of a resource, or from one share to another by degrees.</summary>
/// <param name="Resource">The resource's name.</param>
/// <param name="From">Here it begins.</param>
/// <param name="To">Here it is whole; the same for a threshold.</param>
public sealed record OverloadTrigger(string Resource, double From, double To);

/// <summary>What is done about pressure.</summary>
/// <param name="Name">Envoy's name of the action.</param>
/// <param name="Triggers">Any of them.</param>
public sealed record OverloadAction(string Name, IReadOnlyList<OverloadTrigger> Triggers);

/// <summary>A resource and how it is measured: a share from 0 to 1, null where it cannot be told.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Measure">Asks for it.</param>
public sealed record OverloadResource(string Name, Func<double?> Measure);

/// <summary>The overload manager's configuration.</summary>
/// <param name="RefreshMicros">Between two measurements.</param>
/// <param name="Resources">What is measured.</param>
/// <param name="Actions">What is done.</param>
public sealed record OverloadPlan(long RefreshMicros, IReadOnlyList<OverloadResource> Resources, IReadOnlyList<OverloadAction> Actions)
{
    /// <summary>Places where load is shed by degrees; their states are measured as those of actions are.</summary>
    public IReadOnlyList<OverloadAction> ShedPoints { get; init; } = [];

    /// <summary>How far clocks may be shortened.</summary>
    public IReadOnlyList<(Exchanges.Heads.OverloadTimer Timer, Exchanges.Heads.TimerScale Scale)> Timers { get; init; } = [];

    /// <summary>Connections of clients at most; 0 for any number.</summary>
    public long ConnectionsMax { get; init; }

    /// <summary>The header that tells a request's criticality; empty for none.</summary>
    public string CriticalityHeader { get; init; } = "";
}

/// <summary>Measures resources on the main loop and switches actions; workers see switches.</summary>
internal sealed class OverloadMonitor : Deadline
{
    private readonly OverloadPlan _plan;
    private readonly ProxyServer _server;
    private readonly Dictionary<string, double> _pressure = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> _states = new(StringComparer.Ordinal);

    public OverloadMonitor(ProxyServer server, OverloadPlan plan)
    {
        _server = server;
        _plan = plan;
        StatStore store = server.Statistics;
        foreach (OverloadAction action in plan.Actions)
        {
            _states[action.Name] = 0;
            store.Reading($"overload.{action.Name}.active", StatKind.Gauge, () => _states[action.Name] >= 1 ? 1 : 0);
            store.Reading($"overload.{action.Name}.scale_percent", StatKind.Gauge, () => Percent(action.Name));
        }
        foreach (OverloadAction point in plan.ShedPoints)
        {
            _states[point.Name] = 0;
            store.Reading($"overload.{point.Name}.scale_percent", StatKind.Gauge, () => Percent(point.Name));
            Counter shed = store.Counter($"overload.{point.Name}.shed_load_count");
            if (point.Name.EndsWith(".hcm_decode_headers", StringComparison.Ordinal))
                server.Overload.Shed = shed;
        }
        foreach (OverloadResource resource in plan.Resources)
        {
            store.Reading($"overload.{resource.Name}.pressure", StatKind.Gauge,
                () => _pressure.TryGetValue(resource.Name, out double share) ? (long)Math.Round(share * 100) : null);
            Counter failed = store.Counter($"overload.{resource.Name}.failed_updates");
            store.Counter($"overload.{resource.Name}.skipped_updates");
            _failed[resource.Name] = failed;
        }
        foreach ((Exchanges.Heads.OverloadTimer timer, Exchanges.Heads.TimerScale scale) in plan.Timers)
            server.Overload.Scale(timer, scale);
        server.Overload.ConnectionsMax = plan.ConnectionsMax;
        server.Overload.CriticalityHeader = plan.CriticalityHeader.Length == 0
            ? null : System.Text.Encoding.Latin1.GetBytes(plan.CriticalityHeader.ToLowerInvariant());
    }

    private readonly Dictionary<string, Counter> _failed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _moved = new(StringComparer.Ordinal);

    public void Start() => OnDue(0);

    private long? Percent(string name) => _states[name] == 0 && !_moved.Contains(name) ? null : (long)(_states[name] * 100);

    protected internal override void OnDue(long now)
    {
        foreach (OverloadResource resource in _plan.Resources)
        {
            if (resource.Measure() is { } share and >= 0 and <= 1)
                _pressure[resource.Name] = share;
            else
                _failed[resource.Name].CountMain();
        }
        foreach (OverloadAction action in _plan.Actions.Concat(_plan.ShedPoints))
        {
            double state = 0;
            foreach (OverloadTrigger trigger in action.Triggers)
                state = Math.Max(state, State(trigger, _pressure.GetValueOrDefault(trigger.Resource)));
            double before = _states[action.Name];
            if (state == before)
                continue;
            _moved.Add(action.Name);
            _states[action.Name] = state;
            Switch(action.Name, state, before);
        }
        _server.Main.Arm(this, _plan.RefreshMicros);
    }

    private static double State(OverloadTrigger trigger, double share) =>
        share >= trigger.To ? 1 : share <= trigger.From ? 0 : (share - trigger.From) / (trigger.To - trigger.From);

    private void Switch(string name, double state, double before)
    {
        Exchanges.Heads.OverloadSwitches switches = _server.Overload;
        int share = (int)(state * Exchanges.Heads.OverloadSwitches.Whole);
        bool on = state >= 1, turned = on != (before >= 1);
        switch (name)
        {
            case "envoy.overload_actions.disable_http_keepalive":
                switches.EndConnections = on;
                break;
            case "envoy.overload_actions.stop_accepting_requests":
                switches.StopRequests = share;
                break;
            case "envoy.load_shed_points.hcm_decode_headers":
                switches.ShedRequests = share;
                break;
            case "envoy.overload_actions.reject_incoming_connections" or "envoy.load_shed_points.tcp_listener_accept":
                switches.RejectConnections =
                    _states.Where(static s => s.Key is "envoy.overload_actions.reject_incoming_connections"
                        or "envoy.load_shed_points.tcp_listener_accept")
                        .Max(static s => (int)(s.Value * Exchanges.Heads.OverloadSwitches.Whole));
                break;
            case "envoy.overload_actions.reduce_timeouts":
                switches.ReduceTimeouts = share;
                break;
            case "envoy.overload_actions.stop_accepting_connections" when turned:
                _server.Listeners.Pause(on);
                break;
            case "envoy.overload_actions.shrink_heap" when on && turned:
                GC.Collect(2, GCCollectionMode.Forced, blocking: false);
                break;
        }
    }
}
