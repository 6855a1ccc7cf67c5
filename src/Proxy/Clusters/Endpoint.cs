using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters;

/// <summary>What discovery says of an endpoint's health.</summary>
public enum EndpointHealth : byte
{
    Unknown,
    Healthy,
    Unhealthy,
    Draining,
    Timeout,
    Degraded,
}

/// <summary>One endpoint as discovery gives it.</summary>
public sealed record Endpoint
{
    /// <summary>Where it is; <see cref="AddressKind.None"/> while a name must be resolved.</summary>
    public required Address Address { get; init; }

    /// <summary>Further addresses of the same endpoint, tried after the first.</summary>
    public IReadOnlyList<Address> AdditionalAddresses { get; init; } = [];

    /// <summary>For DNS clusters: the name to resolve; empty where the address is given.</summary>
    public string DnsName { get; init; } = "";

    /// <summary>The endpoint's own name, for host rewriting, hashing and health checks.</summary>
    public string Hostname
    {
        get;
        init
        {
            field = value;
            HostnameBytes = System.Text.Encoding.Latin1.GetBytes(value);
        }
    } = "";

    /// <summary>The same as it goes into a header.</summary>
    public byte[] HostnameBytes { get; private init; } = [];

    /// <summary>Its weight, at least 1.</summary>
    public uint Weight { get; init; } = 1;

    /// <summary>What discovery says.</summary>
    public EndpointHealth Health { get; init; }

    /// <summary>Values attached: <c>envoy.lb</c>, <c>envoy.transport_socket_match</c>, <c>istio</c> and others.</summary>
    public Metadata Metadata { get; init; } = Metadata.Empty;

    /// <summary>Where its health checks go; None for the endpoint itself.</summary>
    public Address HealthAddress { get; init; }

    /// <summary>The Host header of its health checks; empty for the check's own.</summary>
    public string HealthHostname { get; init; } = "";

    /// <summary>It is not actively checked.</summary>
    public bool NoHealthCheck { get; init; }
}

/// <summary>A place.</summary>
/// <param name="Region">Region.</param>
/// <param name="Zone">Zone.</param>
/// <param name="SubZone">Sub zone.</param>
public sealed record Locality(string Region, string Zone, string SubZone)
{
    /// <summary>No place.</summary>
    public static readonly Locality None = new("", "", "");

    /// <summary>True where nothing is said.</summary>
    public bool IsEmpty => Region.Length == 0 && Zone.Length == 0 && SubZone.Length == 0;
}

/// <summary>Endpoints of one place and priority.</summary>
/// <param name="Locality">The place.</param>
/// <param name="Priority">0 is the first.</param>
/// <param name="Weight">The place's weight; 0 where none is given.</param>
/// <param name="Endpoints">In the order of discovery.</param>
/// <param name="Metadata">Values of the place.</param>
public sealed record LocalityEndpoints(Locality Locality, int Priority, uint Weight, IReadOnlyList<Endpoint> Endpoints, Metadata Metadata)
{
    /// <summary>Endpoints without values of their place.</summary>
    public static LocalityEndpoints Of(IReadOnlyList<Endpoint> endpoints, int priority = 0, uint weight = 0, Locality? locality = null) =>
        new(locality ?? Locality.None, priority, weight, endpoints, Metadata.Empty);
}

/// <summary>A share of requests that is dropped because discovery says so.</summary>
/// <param name="Category">The name in counters.</param>
/// <param name="Numerator">Of <paramref name="Denominator"/>.</param>
/// <param name="Denominator">100, 10,000 or 1,000,000.</param>
public sealed record DropOverload(string Category, uint Numerator, uint Denominator);

/// <summary>All that discovery says of a cluster's endpoints.</summary>
public sealed record EndpointSet
{
    /// <summary>None.</summary>
    public static readonly EndpointSet Empty = new();

    /// <summary>By place and priority.</summary>
    public IReadOnlyList<LocalityEndpoints> Localities { get; init; } = [];

    /// <summary>Percent; 140 takes a priority with 72 % healthy hosts for whole.</summary>
    public uint OverprovisioningFactor { get; init; } = 140;

    /// <summary>Weights of priorities count by their healthy hosts' weights rather than number.</summary>
    public bool WeightedPriorityHealth { get; init; }

    /// <summary>Requests dropped by order.</summary>
    public IReadOnlyList<DropOverload> Drops { get; init; } = [];

    /// <summary>Without news for so long the endpoints are stale and go, in microseconds; 0 never.</summary>
    public long StaleAfterMicros { get; init; }
}
