using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Server.Pressure;

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
        foreach ((OverloadTimer timer, TimerScale scale) in plan.Timers)
            server.Overload.Scale(timer, scale);
        server.Overload.ConnectionsMax = plan.ConnectionsMax;
        server.Overload.CriticalityHeader = plan.CriticalityHeader.Length == 0
            ? null : System.Text.Encoding.Latin1.GetBytes(plan.CriticalityHeader.ToLowerInvariant());
    }

    private readonly Dictionary<string, Counter> _failed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _moved = new(StringComparer.Ordinal);

    // From here on there may be little time: an address space fills within a second.
    private const double Tense = 0.5;
    private const long TenseMicros = 50_000;

    // What was freed is given back as long as the pressure lasts.
    private const long ShrinkMicros = 5_000_000;
    private long _shrunkAt;

    public void Start()
    {
        if (_plan.WaitingMax > 0)
        {
            foreach (Worker worker in _server.Workers)
                worker.Loop.Post(new Limiting(worker.Loop, _plan.WaitingMax / _server.Workers.Count));
        }
        OnDue(0);
    }

    private sealed class Limiting(EventLoop loop, long bytes) : Letter
    {
        protected internal override void Deliver() => loop.Waiting.Max = bytes;
    }

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
            if (state >= 1 && action.Name == ShrinkHeap)
                Shrink();
            if (state == before)
                continue;
            _moved.Add(action.Name);
            _states[action.Name] = state;
            Switch(action.Name, state, before);
        }
        bool tense = _pressure.TryGetValue(MemoryGuard.Resource, out double memory) && memory >= Tense;
        _server.Main.Arm(this, tense ? Math.Min(TenseMicros, _plan.RefreshMicros) : _plan.RefreshMicros);
    }

    private const string ShrinkHeap = "envoy.overload_actions.shrink_heap";

    private void Shrink()
    {
        if (_shrunkAt != 0 && _server.Main.Now - _shrunkAt < ShrinkMicros)
            return;
        _shrunkAt = _server.Main.Now;
        StartMemory.Shrink();
    }

    private static double State(OverloadTrigger trigger, double share) =>
        share >= trigger.To ? 1 : share <= trigger.From ? 0 : (share - trigger.From) / (trigger.To - trigger.From);

    private void Switch(string name, double state, double before)
    {
        OverloadSwitches switches = _server.Overload;
        int share = (int)(state * OverloadSwitches.Whole);
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
                        .Max(static s => (int)(s.Value * OverloadSwitches.Whole));
                break;
            case "envoy.overload_actions.reduce_timeouts":
                switches.ReduceTimeouts = share;
                break;
            case "envoy.overload_actions.stop_accepting_connections" when turned:
                _server.Listeners.Pause(on);
                break;
        }
    }
}
