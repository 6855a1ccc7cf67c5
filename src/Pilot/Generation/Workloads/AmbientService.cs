using System.Collections.Frozen;
using Istio.Workload;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>What declares a service.</summary>
internal enum AmbientSource
{
    /// <summary>A Service of Kubernetes.</summary>
    Service,

    /// <summary>A ServiceEntry.</summary>
    ServiceEntry,
}

/// <summary>Names of a service's port, which its message does not have.</summary>
/// <param name="Name">Name of the port.</param>
/// <param name="Target">Name of the workload's port; empty where it is a number.</param>
internal sealed record PortNames(string Name, string Target);

/// <summary>A service's message, and what the messages of its workloads need of it.</summary>
/// <param name="Message">The message.</param>
/// <param name="Source">What declares it.</param>
internal sealed record AmbientService(Service Message, AmbientSource Source)
{
    /// <summary>Name of the declaring resource; its namespace is the service's.</summary>
    public string DeclaredBy { get; init; } = "";

    /// <summary>Names of ports by number.</summary>
    public IReadOnlyDictionary<uint, PortNames> Ports { get; init; } = FrozenDictionary<uint, PortNames>.Empty;

    /// <summary>Labels of its workloads; empty when it has no selector.</summary>
    public IReadOnlyDictionary<string, string> Selector { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Its waypoint, as <c>namespace/name</c>; empty without.</summary>
    public string Waypoint { get; init; } = "";

    /// <summary>Why it is not bound as its labels ask.</summary>
    public BindingProblem? Problem { get; init; }

    /// <summary>Whether other clusters may know it.</summary>
    public bool IsGlobal { get; init; }

    /// <summary><c>namespace/hostname</c>: the key under which workloads list it.</summary>
    public string Key => $"{Message.Namespace}/{Message.Hostname}";
}
