// Clusters: where traffic can go. Outbound clusters for each service port and subset, inbound clusters for the workload's
// own ports, and the few fixed ones.
//
// State: the generator's caches. Outbound clusters are shared by all proxies whose inputs are equal, which in a usual mesh
// is all sidecars of all namespaces; so the inputs name only what counts (the identities behind a service and not its
// endpoints; the client's locality only where the load assignment is inside the cluster).
//
// It never decides what a proxy may see, and never mentions an endpoint that EDS can carry.
using System.Collections.Immutable;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>Everything that the clusters of one service port depend on.</summary>
internal sealed record OutboundClusterInputs
{
    public required Service Service { get; init; }

    public required ServicePort Port { get; init; }

    public required MergedDestinationRule? Rule { get; init; }

    public required MeshSettings Settings { get; init; }

    public required MtlsMode ServiceMode { get; init; }

    /// <summary>Identities of the servers, sorted, joined by line feeds.</summary>
    public required string IdentityList { get; init; }

    public required ClusterClient Client { get; init; }

    /// <summary>Inputs of the load assignment, for clusters that carry it; null for EDS.</summary>
    public required EndpointInputs? Endpoints { get; init; }

    /// <summary>Every endpoint of the port takes HBONE, and the client speaks it.</summary>
    public bool IsAllHbone { get; init; }

    /// <summary>SNI-DNAT clusters of AUTO_PASSTHROUGH gateways: plain forwarding, named by SNI.</summary>
    public bool IsSni { get; init; }

    /// <summary>Clusters of a waypoint for a service that it stands in front of: how it reads the connections (<c>http</c>, <c>tcp</c>);
    /// empty for all others.</summary>
    public string VipReading { get; init; } = "";

    /// <summary>The same as seen by the waypoint in front of the service.</summary>
    public OutboundClusterInputs ForWaypoint(string reading) =>
        this with { VipReading = reading, Endpoints = Endpoints is null ? null : Endpoints with { IsInboundVip = true } };

    public bool IsVip => VipReading.Length > 0;

    public ImmutableArray<string> Identities => IdentityList.Length == 0 ? [] : [.. IdentityList.Split('\n')];
}

/// <summary>What counts of the client.</summary>
internal sealed record ClusterClient
{
    public required bool IsSidecar { get; init; }

    public required bool IsRouter { get; init; }

    public required bool SendsHbone { get; init; }

    public required bool SupportsIPv4 { get; init; }

    public required bool SupportsIPv6 { get; init; }

    /// <summary>Certificate files that the proxy's metadata names; null when it names none.</summary>
    public required ClientCertificateFiles? ClientCertificates { get; init; }

    public required bool PreservesHeaderCase { get; init; }

    public required bool KnowsItself { get; init; }
}

/// <summary>Paths of a client certificate.</summary>
internal sealed record ClientCertificateFiles(string CertChain, string Key, string RootCert);
