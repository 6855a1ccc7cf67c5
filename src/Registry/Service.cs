// Registry: what exists. It derives services, endpoints and workloads from the resources of the store and from nothing
// else: Pods and EndpointSlices come in the same way as ServiceEntries, so a folder of files can stand for a cluster.
//
// State: none of its own. `RegistryCompiler` is given the resources and the view it made last time and answers with the
// next view; whoever calls it owns both. Parts whose inputs are the same objects as before are the same objects again,
// which is what makes "did anything change for this service?" a reference comparison further down.
//
// It never sees a proxy, a policy or a wire type, and never decides who may use what: visibility is Pilot's question.
//
// Refused: one mutable registry with event handlers per kind (the order of events becomes part of the result, and the
// same world then gives different answers), and one registry class per platform behind an interface (there is only one
// way in: resources).
using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Api.Names;

namespace Lateen.Registry;

/// <summary>Hostname and namespace: what identifies a service in the mesh. One hostname may exist in several namespaces.</summary>
public readonly record struct ServiceKey(string Hostname, string Namespace)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Namespace}/{Hostname}";
}

/// <summary>One service of the mesh: a Kubernetes Service (of all clusters that have it) or one host of a ServiceEntry.</summary>
/// <remarks>Instances are reused between views while their resources stay the same; compare them by reference.</remarks>
public sealed class Service
{
    /// <summary>The address of a service that has none: traffic is then matched by port or name only.</summary>
    public const string UnspecifiedAddress = "0.0.0.0";

    private ImmutableArray<ServicePort> _ports = [];
    private ImmutableArray<ServiceKey> _aliases = [];

    /// <summary>Fully qualified name, possibly a wildcard (<c>*.example.com</c>).</summary>
    public required string Hostname { get; init; }

    /// <summary>Namespace of the resource that declares it.</summary>
    public required string Namespace { get; init; }

    /// <summary>Name of the Kubernetes Service; of a ServiceEntry the hostname.</summary>
    public required string Name { get; init; }

    /// <summary>Which kind of resource declares it.</summary>
    public required ServiceSource Source { get; init; }

    /// <summary>How endpoints are found.</summary>
    public required ServiceResolution Resolution { get; init; }

    /// <summary>Outside the mesh: no automatic mTLS, no mesh telemetry on the far side.</summary>
    public bool MeshExternal { get; init; }

    /// <summary>Ports in the order of the resource.</summary>
    public ImmutableArray<ServicePort> Ports { get => _ports; init => _ports = value; }

    /// <summary>First address of the config cluster, or <see cref="UnspecifiedAddress"/>.</summary>
    public string DefaultAddress { get; init; } = UnspecifiedAddress;

    /// <summary>Virtual addresses of a Kubernetes service by cluster id.</summary>
    public FrozenDictionary<string, ImmutableArray<string>> ClusterAddresses { get; init; } =
        FrozenDictionary<string, ImmutableArray<string>>.Empty;

    /// <summary>IPv4 address given by the allocator to a ServiceEntry without addresses.</summary>
    public string? AutoAllocatedIPv4 { get; init; }

    /// <summary>IPv6 address given by the allocator to a ServiceEntry without addresses.</summary>
    public string? AutoAllocatedIPv6 { get; init; }

    /// <summary>SANs that the servers must present, besides those of known endpoints (ServiceEntry <c>subjectAltNames</c>, annotations of a
    /// Service).</summary>
    public ImmutableArray<string> SubjectAltNames { get; init; } = [];

    /// <summary>Creation time of the resource; decides between rivals.</summary>
    public DateTimeOffset CreationTime { get; init; }

    /// <summary>Labels of the resource.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = LabelSet.Empty;

    /// <summary>Pod (or workload entry) selector; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Selector { get; init; } = LabelSet.Empty;

    /// <summary>Namespaces it is exported to: <c>*</c>, <c>.</c>, <c>~</c> or names. Empty means the mesh default.</summary>
    public FrozenSet<string> ExportTo { get; init; } = FrozenSet<string>.Empty;

    /// <summary>ExternalName services that resolve (over any number of hops) to this one.</summary>
    public ImmutableArray<ServiceKey> Aliases { get => _aliases; init => _aliases = value; }

    /// <summary>Target of an ExternalName service.</summary>
    public string? ExternalName { get; init; }

    /// <summary><c>internalTrafficPolicy: Local</c>: only endpoints of the client's node.</summary>
    public bool NodeLocal { get; init; }

    /// <summary><c>publishNotReadyAddresses</c>: endpoints count as healthy whatever their readiness.</summary>
    public bool PublishNotReady { get; init; }

    /// <summary>Kubernetes Service type; empty for a ServiceEntry.</summary>
    public string KubernetesType { get; init; } = "";

    /// <summary>Preference for near endpoints that the service itself asks for.</summary>
    public TrafficDistribution TrafficDistribution { get; init; }

    /// <summary>Load-balancer and external addresses by cluster id.</summary>
    public FrozenDictionary<string, ImmutableArray<string>> ExternalAddresses { get; init; } =
        FrozenDictionary<string, ImmutableArray<string>>.Empty;

    /// <summary>Service port to node port by cluster id, when <see cref="ExternalAddresses"/> are node addresses.</summary>
    public FrozenDictionary<string, FrozenDictionary<int, int>> ExternalPorts { get; init; } =
        FrozenDictionary<string, FrozenDictionary<int, int>>.Empty;

    /// <summary>Clusters (ids) in which the service is declared.</summary>
    public ImmutableArray<string> Clusters { get; init; } = [];

    /// <summary>Kind, namespace and name of the resource, for provenance and diagnostics.</summary>
    public string Declaration { get; init; } = "";

    /// <summary>Name of the ServiceEntry; empty for a Kubernetes service.</summary>
    public string EntryName { get; init; } = "";

    /// <summary>Addresses or ranges of a ServiceEntry, the same in every cluster.</summary>
    public ImmutableArray<string> EntryAddresses { get; init; } = [];

    /// <summary>Declares a persistent-session cookie or header (labels of the resource).</summary>
    public string? PersistentSession { get; init; }

    /// <summary>Clients try all addresses of the host at once and keep the connection that is up first (an annotation of the
    /// ServiceEntry).</summary>
    public bool RacesConnections { get; init; }

    /// <summary>Hostname and namespace.</summary>
    public ServiceKey Key => new(Hostname, Namespace);

    /// <summary>Whether the hostname is a wildcard.</summary>
    public bool IsWildcard => Hostname.StartsWith('*');

    /// <summary>A Kubernetes Service without cluster address, or a ServiceEntry whose endpoints are dialed directly.</summary>
    public bool IsHeadless => Resolution == ServiceResolution.Passthrough && Source == ServiceSource.Kubernetes;

    /// <summary>Its selector says which pods are its own; those of other services are known by their endpoints.</summary>
    public bool IsFoundBySelector => Source == ServiceSource.Kubernetes && Selector.Count > 0;

    /// <summary>Oldest first; rivals of one age by name, then by namespace, at last by the entry that declares them.</summary>
    public static IComparer<Service> OldestFirst { get; } = Comparer<Service>.Create(ByAge);

    private static int ByAge(Service left, Service right)
    {
        var byTime = left.CreationTime.CompareTo(right.CreationTime);
        if (byTime != 0) return byTime;
        var byName = string.CompareOrdinal(left.Name, right.Name);
        if (byName != 0) return byName;
        var byNamespace = string.CompareOrdinal(left.Namespace, right.Namespace);
        if (byNamespace != 0) return byNamespace;
        var byHost = string.CompareOrdinal(left.Hostname, right.Hostname);
        return byHost != 0 ? byHost : string.CompareOrdinal(left.EntryName, right.EntryName);
    }

    /// <summary>The same service with these aliases.</summary>
    public Service WithAliases(ImmutableArray<ServiceKey> aliases)
    {
        var copy = (Service)MemberwiseClone();
        copy._aliases = aliases;
        return copy;
    }

    /// <summary>The same service with these ports alone.</summary>
    public Service WithPorts(ImmutableArray<ServicePort> ports)
    {
        var copy = (Service)MemberwiseClone();
        copy._ports = ports;
        return copy;
    }

    /// <summary>The port with this number, or null.</summary>
    public ServicePort? PortByNumber(int number)
    {
        foreach (var port in Ports)
        {
            if (port.Number == number) return port;
        }
        return null;
    }

    /// <summary>The port with this name, or null.</summary>
    public ServicePort? PortByName(string name)
    {
        foreach (var port in Ports)
        {
            if (port.Name == name) return port;
        }
        return null;
    }

    /// <summary>The virtual addresses as a client of <paramref name="clusterId"/> sees them; the default address when that cluster has
    /// none.</summary>
    public ImmutableArray<string> AddressesFor(string clusterId) =>
        ClusterAddresses.TryGetValue(clusterId, out var own) && !own.IsDefaultOrEmpty ? own
        : EntryAddresses.IsDefaultOrEmpty ? [DefaultAddress] : EntryAddresses;
}

/// <summary>One port of a service.</summary>
/// <param name="Name">Name in the resource; may be empty for a single port.</param>
/// <param name="Number">Service port.</param>
/// <param name="Protocol">Protocol as declared by appProtocol, name or the well-known number.</param>
/// <param name="TargetPort">Target port of a ServiceEntry port when it differs; 0 when it does not apply.</param>
public sealed record ServicePort(string Name, int Number, Protocol Protocol, int TargetPort = 0)
{
    /// <summary>Number or name of the port of the pods behind a Kubernetes service; empty for a ServiceEntry.</summary>
    public string WorkloadPort { get; init; } = "";
}

/// <summary>Which kind of resource declares a service.</summary>
public enum ServiceSource
{
    /// <summary>A Kubernetes Service.</summary>
    Kubernetes,

    /// <summary>A host of a ServiceEntry.</summary>
    ServiceEntry,
}

/// <summary>How the endpoints of a service are found.</summary>
public enum ServiceResolution
{
    /// <summary>Known endpoints, balanced by the client's proxy.</summary>
    ClientSide,

    /// <summary>DNS, all addresses are endpoints.</summary>
    Dns,

    /// <summary>DNS, one address at a time for new connections.</summary>
    DnsRoundRobin,

    /// <summary>The original destination of the connection.</summary>
    Passthrough,

    /// <summary>An ExternalName: another name of a service.</summary>
    Alias,

    /// <summary>Wildcard host whose actual name is resolved for each request.</summary>
    DynamicDns,
}

/// <summary>Preference for near endpoints (Kubernetes <c>trafficDistribution</c>, or the annotation of the same meaning).</summary>
public enum TrafficDistribution
{
    /// <summary>None asked for.</summary>
    Any,

    /// <summary>Network, region, zone, subzone.</summary>
    PreferClose,

    /// <summary>The same zone.</summary>
    PreferSameZone,

    /// <summary>The same node.</summary>
    PreferSameNode,
}
