// Pressure: what the proxy does when the machine, or its container, has less than is asked for. Resources are measured on the main loop,
// actions follow from their shares as Envoy's overload manager has it, and switches carry them to the workers. What is configured is done
// as configured; where nobody configured memory, the container's limit is the measure, see MemoryGuard. The workers' own measure of
// lateness lies with the loops (QueueAge). It owns the values of the switches; it never touches a connection.
// Refused: signals of the kernel (PSI, memory.events), which tell of a container that is slow already, and in their own time.
using Lateen.Proxy.Exchanges.Heads;

namespace Lateen.Proxy.Server.Pressure;

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
    /// <summary>Between two measurements, where nothing else is said.</summary>
    public const long DefaultRefreshMicros = 1_000_000;

    /// <summary>Memory is among what is measured, as whoever configured it wants.</summary>
    public bool MeasuresMemory { get; init; }

    /// <summary>Bytes that may wait to be sent, on all workers together; 0 for any number.</summary>
    public long WaitingMax { get; init; }

    /// <summary>Places where load is shed by degrees; their states are measured as those of actions are.</summary>
    public IReadOnlyList<OverloadAction> ShedPoints { get; init; } = [];

    /// <summary>How far clocks may be shortened.</summary>
    public IReadOnlyList<(OverloadTimer Timer, TimerScale Scale)> Timers { get; init; } = [];

    /// <summary>Connections of clients at most; 0 for any number.</summary>
    public long ConnectionsMax { get; init; }

    /// <summary>The header that tells a request's criticality; empty for none.</summary>
    public string CriticalityHeader { get; init; } = "";
}
