using System.Collections.Immutable;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope.Gateways;
using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>What one proxy may see of one snapshot.</summary>
public sealed class ProxyScope
{
    private MeshSnapshot _snapshot = null!;
    private ProxyScope? _client;

    /// <summary>The snapshot.</summary>
    public required MeshSnapshot Snapshot { get => _snapshot; init => _snapshot = value; }

    /// <summary>The same object for scopes that follow one another while nothing but others' endpoints becomes different: what was made of
    /// one without looking at endpoints is what would be made of the next.</summary>
    public object Line { get; } = new();

    /// <summary>The proxy.</summary>
    public required ProxyNode Node { get; init; }

    /// <summary>The scope as that of any client of its kind, without what names the instance: one object for all of them. The scope itself
    /// where nothing is shared.</summary>
    public ProxyScope Client { get => _client ?? this; internal set => _client = value; }

    /// <summary>Services, VirtualServices and DestinationRules it imports. Shared by all proxies of the same namespace and Sidecar
    /// resource.</summary>
    public required SidecarScope Imports { get; init; }

    /// <summary>Services (by port) whose endpoint it is, without datagram ports; the oldest service first.</summary>
    public required ImmutableArray<ServiceTarget> Targets { get; init; }

    /// <summary>The same with datagram ports, which have statistics but no listeners.</summary>
    public required ImmutableArray<ServiceTarget> AllTargets { get; init; }

    /// <summary>Servers of all Gateways that select it; null unless it is a router.</summary>
    public MergedGateway? Gateway { get; init; }

    /// <summary>Region, zone, subzone: as sent, else by label, else of its node.</summary>
    public Locality Locality { get; init; }

    /// <summary>Labels: as sent, else of its pod.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Network of the proxy; empty when none is set.</summary>
    public string Network { get; init; } = "";

    /// <summary>Its Pod or WorkloadEntry, when known.</summary>
    public Workload? Workload { get; init; }

    /// <summary>The same under a later snapshot, in which nothing but others' endpoints is different.</summary>
    internal ProxyScope Under(MeshSnapshot snapshot)
    {
        var next = (ProxyScope)MemberwiseClone();
        (next._snapshot, next._client) = (snapshot, null);
        return next;
    }
}

/// <summary>A service port that the proxy itself serves.</summary>
/// <param name="Service">Service.</param>
/// <param name="Port">Service port.</param>
/// <param name="TargetPort">Port of the workload.</param>
public sealed record ServiceTarget(Service Service, ServicePort Port, int TargetPort);
