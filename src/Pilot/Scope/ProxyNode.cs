// Scope: what one proxy is and what it may see. The node comes from the first request of its stream; the scope is the
// snapshot cut down to it: services, routes, rules, its own instances, the gateway servers it serves.
//
// State: none. `ScopeBuilder` belongs to one snapshot and remembers the scopes it made, so that all proxies of a
// namespace share one `SidecarScope`; generators use it as part of their keys, by reference.
//
// It never makes wire resources and never decides what is pushed.
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>What a proxy does.</summary>
public enum ProxyType
{
    /// <summary>Beside one workload.</summary>
    Sidecar,

    /// <summary>At the edge: ingress, egress, east-west.</summary>
    Router,

    /// <summary>In front of services or workloads (ambient).</summary>
    Waypoint,

    /// <summary>On a node, L4 only (ambient).</summary>
    Ztunnel,
}

/// <summary>How a sidecar gets hold of connections.</summary>
public enum InterceptionMode
{
    /// <summary>Redirected by the kernel; the proxy's own address is the source.</summary>
    Redirect,

    /// <summary>Transparent: the client's address is kept.</summary>
    Tproxy,

    /// <summary>Not at all: real listeners for every port.</summary>
    None,
}

/// <summary>A proxy as it introduces itself: the xDS node id, metadata and locality.</summary>
public sealed record ProxyNode
{
    /// <summary>xDS node id: <c>type~ip~name.namespace~domain</c>.</summary>
    public required string Id { get; init; }

    /// <summary>What it does.</summary>
    public required ProxyType Type { get; init; }

    /// <summary>Addresses of the workload, the one of the node id first.</summary>
    public ImmutableArray<string> Addresses { get; init; } = [];

    /// <summary><c>name.namespace</c> of the node id.</summary>
    public string WorkloadId { get; init; } = "";

    /// <summary>Name under which its workload appears in spans: the node's cluster.</summary>
    public string ServiceCluster { get; init; } = "";

    /// <summary>Who the proxy is by its certificate or token; null where it showed none.</summary>
    public Identity? VerifiedIdentity { get; init; }

    /// <summary>Domain of the node id: <c>namespace.svc.cluster.local</c>.</summary>
    public string DnsDomain { get; init; } = "";

    /// <summary>Namespace that its configuration comes from.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>Labels of the workload.</summary>
    public FrozenDictionary<string, string> Labels { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>Region, zone, subzone, as sent; see <see cref="ProxyScope.Locality"/> for the one that counts.</summary>
    public Locality Locality { get; init; }

    /// <summary>Everything else it said.</summary>
    public NodeMetadata Metadata { get; init; } = NodeMetadata.Empty;

    /// <summary>Istio version as (major, minor, patch); the newest when it said none.</summary>
    public (int Major, int Minor, int Patch) Version { get; init; } = (65535, 65535, 65535);

    /// <summary>Cluster id.</summary>
    public string ClusterId => Metadata.ClusterId;

    /// <summary>Whether some address is IPv4 (true when there is none at all).</summary>
    public bool SupportsIPv4 => Addresses.IsEmpty || Addresses.Any(static address => !IsIPv6(address));

    /// <summary>Whether some address is IPv6.</summary>
    public bool SupportsIPv6 => Addresses.Any(static address => IsIPv6(address));

    /// <summary>Both families.</summary>
    public bool IsDualStack => SupportsIPv4 && SupportsIPv6;

    /// <summary>Only IPv6.</summary>
    public bool IsIPv6Only => SupportsIPv6 && !SupportsIPv4;

    /// <summary>At least this Istio version.</summary>
    public bool IsAtLeast(int major, int minor) => Version.Major > major || (Version.Major == major && Version.Minor >= minor);

    private static bool IsIPv6(string address) =>
        address.Contains(':') && IPAddress.TryParse(address, out var parsed) && parsed.AddressFamily == AddressFamily.InterNetworkV6;
}
