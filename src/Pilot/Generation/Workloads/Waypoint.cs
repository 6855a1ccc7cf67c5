using System.Collections.Immutable;
using Istio.Workload;
using Kubernetes.Meta.V1;
using Lateen.Pilot.Meaning.Settings;

namespace Lateen.Pilot.Generation.Workloads;

/// <summary>A waypoint that is ready.</summary>
/// <param name="Namespace">Namespace.</param>
/// <param name="Name">Name.</param>
/// <param name="Address">Where it is reached.</param>
internal sealed record Waypoint(string Namespace, string Name, GatewayAddress Address)
{
    /// <summary>Traffic of services.</summary>
    public const string ServiceTraffic = "service";

    /// <summary>Traffic of workloads.</summary>
    public const string WorkloadTraffic = "workload";

    /// <summary>Traffic of both.</summary>
    public const string AllTraffic = "all";

    /// <summary>What may be bound to it: one of the words above, or <c>none</c>.</summary>
    public string TrafficType { get; init; } = ServiceTraffic;

    /// <summary>How node proxies hand connections to it, where it doesn't speak HBONE itself.</summary>
    public InboundBinding? Binding { get; init; }

    /// <summary>Who may bind to it.</summary>
    public AllowedNamespaces Allowed { get; init; } = AllowedNamespaces.Same;

    /// <summary>Accounts of its pods.</summary>
    public ImmutableArray<string> ServiceAccounts { get; init; } = [];

    /// <summary><c>namespace/name</c>.</summary>
    public string FullName => $"{Namespace}/{Name}";

    /// <summary>Whether it takes traffic of this type.</summary>
    public bool Takes(string traffic) => TrafficType == traffic || TrafficType == AllTraffic;
}

/// <summary>A way into a waypoint other than HBONE.</summary>
/// <param name="Protocol">Protocol.</param>
/// <param name="Port">Port; 0 for that of the connection.</param>
internal sealed record InboundBinding(ApplicationTunnel.Types.Protocol Protocol, uint Port);

/// <summary>Namespaces whose objects may bind to a waypoint.</summary>
/// <param name="From"><c>Same</c>, <c>All</c> or <c>Selector</c>.</param>
/// <param name="Selector">With <c>Selector</c>.</param>
internal sealed record AllowedNamespaces(string From, LabelSelector? Selector)
{
    /// <summary>The waypoint's own alone.</summary>
    public static readonly AllowedNamespaces Same = new("Same", null);

    /// <summary>Whether a namespace is among them.</summary>
    public bool Include(string waypointNamespace, string ns, IReadOnlyDictionary<string, string> labels) => From switch
    {
        "All" => true,
        // Without selector nothing is selected.
        "Selector" => Selector is not null && Lateen.Config.Resources.LabelSelectors.Selects(Selector, labels),
        _ => waypointNamespace == ns,
    };
}
