// Endpoints: who serves a cluster, as one client sees it: which endpoints, in which locality, with which priority and
// weight, and by which gateway those of another network are reached.
//
// State: the generator's cache. The inputs name only what the answer depends on: the locality of the client, for instance,
// is left out where nothing is said about localities, so that all clients share one answer.
//
// It never decides which services a client may see (the scope did) and never looks at sockets of clusters.
using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>Everything that the endpoints of one cluster depend on.</summary>
internal sealed record EndpointInputs
{
    public required string ClusterName { get; init; }

    public required Service Service { get; init; }

    public required int Port { get; init; }

    public required string Subset { get; init; }

    /// <summary>SNI-DNAT cluster of a gateway: only endpoints that take mTLS.</summary>
    public required bool IsSni { get; init; }

    /// <summary>Cluster of a waypoint for a service that it stands in front of.</summary>
    public bool IsInboundVip { get; init; }

    public required MergedDestinationRule? Rule { get; init; }

    public required ServiceEndpoints Endpoints { get; init; }

    public required MeshSettings Settings { get; init; }

    public required PolicyIndex Policies { get; init; }

    public required EndpointClient Client { get; init; }
}

/// <summary>What counts of the client. Parts that do not matter for the cluster at hand are left empty.</summary>
internal sealed record EndpointClient
{
    public required string ClusterId { get; init; }

    public required string Network { get; init; }

    /// <summary>Gateways of all networks, sorted.</summary>
    public required ImmutableArray<NetworkGateway> Gateways { get; init; }

    /// <summary>Networks it wants to see, joined; empty for all.</summary>
    public string NetworkView { get; init; } = "";

    /// <summary>Node, where the service is local to nodes.</summary>
    public string NodeName { get; init; } = "";

    /// <summary>Locality, where localities matter.</summary>
    public Locality Locality { get; init; }

    /// <summary>Values of the labels that priorities compare, in their order, joined by line feeds; null when none are compared.</summary>
    public string? PriorityLabels { get; init; }

    /// <summary>Sends HBONE.</summary>
    public bool SendsHbone { get; init; }

    /// <summary>A client of the workload's mesh waypoint type.</summary>
    public bool IsWaypoint { get; init; }

    public bool KnowsItself { get; init; }

    /// <summary>A waypoint in a mesh of several networks, where the service isn't shared between clusters: those of its own cluster
    /// only.</summary>
    public bool StaysInCluster { get; init; }
}
