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
public sealed record OverloadPlan(long RefreshMicros, IReadOnlyList<OverloadResource> Resources, IReadOnlyList<OverloadAction> Actions);

/// <summary>Measures resources on the main loop and switches actions; workers see switches.</summary>
internal sealed class OverloadMonitor : Deadline
{
    private const string Prefix = "envoy.overload_actions.";

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
            store.Reading($"overload.{action.Name}.scale_percent", StatKind.Gauge, () => _states[action.Name] == 0 && !_moved.Contains(action.Name) ? null : (long)(_states[action.Name] * 100));
        }
        foreach (OverloadResource resource in plan.Resources)
        {
            store.Reading($"overload.{resource.Name}.pressure", StatKind.Gauge, () => _pressure.TryGetValue(resource.Name, out double share) ? (long)Math.Round(share * 100) : null);
            Counter failed = store.Counter($"overload.{resource.Name}.failed_updates");
            store.Counter($"overload.{resource.Name}.skipped_updates");
            _failed[resource.Name] = failed;
        }
    }

    private readonly Dictionary<string, Counter> _failed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _moved = new(StringComparer.Ordinal);

    public void Start() => OnDue(0);

    protected internal override void OnDue(long now)
    {
        foreach (OverloadResource resource in _plan.Resources)
        {
            if (resource.Measure() is { } share and >= 0 and <= 1)
                _pressure[resource.Name] = share;
            else
                _failed[resource.Name].CountMain();
        }
        foreach (OverloadAction action in _plan.Actions)
        {
            double state = 0;
            foreach (OverloadTrigger trigger in action.Triggers)
                state = Math.Max(state, State(trigger, _pressure.GetValueOrDefault(trigger.Resource)));
            double before = _states[action.Name];
            if (state == before)
                continue;
            _moved.Add(action.Name);
            _states[action.Name] = state;
            Switch(action.Name[Math.Min(Prefix.Length, action.Name.Length)..], state >= 1, before >= 1);
        }
        _server.Main.Arm(this, _plan.RefreshMicros);
    }

    private static double State(OverloadTrigger trigger, double share) =>
        share >= trigger.To ? 1 : share <= trigger.From ? 0 : (share - trigger.From) / (trigger.To - trigger.From);

    private void Switch(string action, bool on, bool was)
    {
        if (on == was)
            return;
        switch (action)
        {
            case "disable_http_keepalive":
                _server.Overload.EndConnections = on;
                break;
            case "stop_accepting_requests":
                _server.Overload.RefuseRequests = on;
                break;
            case "stop_accepting_connections":
                _server.Listeners.Pause(on);
                break;
            case "shrink_heap" when on:
                GC.Collect(2, GCCollectionMode.Forced, blocking: false);
                break;
        }
    }
}
