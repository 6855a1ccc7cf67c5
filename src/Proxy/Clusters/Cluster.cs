// Clusters: what upstream services are and which of their hosts gets a request. Configuration (Cluster), what exists (EndpointSet), and the
// live hosts with their health are published together as one immutable ClusterView behind a stable ClusterHandle, so that a change of one
// cluster among thousands costs what that one cluster costs: routes hold the handle, workers see a new view by reference. Balancers are
// pure on the view and the worker's own small state (Upstream/ keeps it). Health is decided once a process (outlier detection, active
// checks) on the main loop and leads to a new view. Nothing here opens a connection for requests or knows protobuf.
// Refused: a per-worker copy of the tables (Envoy's thread-local cluster manager), which makes one change cost clusters x workers.
namespace Lateen.Proxy.Clusters;

/// <summary>How a cluster's endpoints are found.</summary>
public enum ClusterType : byte
{
    Static,
    Eds,
    StrictDns,
    LogicalDns,
    OriginalDestination,
    Aggregate,
    DynamicForwardProxy,
}

/// <summary>A cluster's running configuration. Endpoints are apart (<see cref="EndpointSet"/>), since they change more often.</summary>
public sealed record Cluster
{
    /// <summary>Its name, as routes mention it.</summary>
    public required string Name { get; init; }

    /// <summary>The name in statistics; the name where it has no other.</summary>
    public required string StatName { get; init; }

    /// <summary>How endpoints are found.</summary>
    public ClusterType Type { get; init; }

    /// <summary>The name asked for in EDS.</summary>
    public string ServiceName { get; init; } = "";

    /// <summary>Load balancing.</summary>
    public BalancerOptions Balancer { get; init; } = BalancerOptions.Default;

    /// <summary>Limit for a connection with its TLS handshake, in microseconds.</summary>
    public long ConnectTimeoutMicros { get; init; } = 5_000_000;

    /// <summary>Bytes that wait in one connection before the sender is paused.</summary>
    public int BufferLimit { get; init; } = 1024 * 1024;

    /// <summary>Limits of the default and of the high priority.</summary>
    public BreakerLimits DefaultLimits { get; init; } = BreakerLimits.Default;

    /// <summary>Limits for routes of high priority.</summary>
    public BreakerLimits HighLimits { get; init; } = BreakerLimits.Default;

    /// <summary>Outlier detection; null where there is none.</summary>
    public OutlierOptions? Outlier { get; init; }

    /// <summary>Active health checks.</summary>
    public IReadOnlyList<HealthCheckOptions> HealthChecks { get; init; } = [];

    /// <summary>True where endpoints removed from discovery leave at once though their checks succeed.</summary>
    public bool IgnoreHealthOnHostRemoval { get; init; }

    /// <summary>What is spoken and how long connections last.</summary>
    public UpstreamProtocol Protocol { get; init; } = UpstreamProtocol.Http1Default;

    /// <summary>TLS where no match decides; null is plain text.</summary>
    public UpstreamSecurity? Security { get; init; }

    /// <summary>Chosen by endpoint metadata, in order.</summary>
    public IReadOnlyList<SecurityMatch> SecurityMatches { get; init; } = [];

    /// <summary>Our own address and socket marks for connections.</summary>
    public UpstreamBind Bind { get; init; } = UpstreamBind.None;

    /// <summary>HTTP filters between router and codec, in order; their kind belongs to Exchanges.</summary>
    public IReadOnlyList<object> UpstreamFilters { get; init; } = [];

    /// <summary>Network filters of connections (Istio's metadata exchange), in order; their kind belongs to Tcp.</summary>
    public IReadOnlyList<object> NetworkFilters { get; init; } = [];

    /// <summary>Values attached, among them Istio's <c>istio</c> namespace: services, config, subset, alpn_override.</summary>
    public Metadata Metadata { get; init; } = Metadata.Empty;

    /// <summary>The cluster's DNS settings.</summary>
    public DnsOptions Dns { get; init; } = DnsOptions.Default;

    /// <summary>Original destination settings.</summary>
    public OriginalDestinationOptions OriginalDestination { get; init; } = OriginalDestinationOptions.Default;

    /// <summary>Names of the clusters of an aggregate, first preferred.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>What Redis connections begin with; null for nothing.</summary>
    public byte[]? RedisLogin { get; init; }

    /// <summary>The cache of names of a dynamic forward proxy cluster; null for others.</summary>
    public Resolution.NameCacheOptions? Names { get; init; }

    /// <summary>How long unused hosts of an original destination cluster live, in microseconds.</summary>
    public long CleanupIntervalMicros { get; init; } = 5_000_000;

    /// <summary>Host-change connections are closed at once.</summary>
    public bool CloseConnectionsOnHostSetChange { get; init; }

    /// <summary>Changes of hosts' health within this time of one another reach the workers together, in microseconds; 0 each at
    /// once.</summary>
    public long MergeMicros { get; init; }

    /// <summary>Ends existing connections to a host that became unhealthy.</summary>
    public bool CloseConnectionsOnHealthFailure { get; init; }

    /// <summary>Prior connections per expected request, 1.0 for none ahead.</summary>
    public double PreconnectRatio { get; init; } = 1.0;

    /// <summary>Writes upstream timing and remaining-limit gauges where asked for.</summary>
    public bool TrackTimeoutBudgets { get; init; }

    /// <summary>One connection pool for each downstream connection.</summary>
    public bool PoolPerDownstreamConnection { get; init; }

    /// <summary>PROXY protocol header in front of each connection; null for none.</summary>
    public ProxyHeaderOptions? ProxyHeader { get; init; }

    /// <summary>False in the health of a cluster added by a control plane before its endpoints came; such a cluster waits.</summary>
    public bool WaitForWarmOnInit { get; init; } = true;
}

/// <summary>What a PROXY protocol header to upstreams says.</summary>
/// <param name="Version">1 or 2.</param>
/// <param name="PassedTypes">Version 2: types of the client's own values that are passed on; null passes none, an empty list all.</param>
/// <param name="Added">Version 2: values of our own.</param>
public sealed record ProxyHeaderOptions(int Version, IReadOnlyList<int>? PassedTypes, IReadOnlyList<(byte Type, byte[] Value)> Added);

/// <summary>TLS (or plain text) for endpoints whose metadata matches.</summary>
/// <param name="Name">For statistics.</param>
/// <param name="Match">Keys and values that must equal the endpoint's <c>envoy.transport_socket_match</c>; empty matches any.</param>
/// <param name="Security">The context; null is plain text.</param>
public sealed record SecurityMatch(string Name, IReadOnlyDictionary<string, System.Text.Json.JsonElement> Match,
    UpstreamSecurity? Security);

/// <summary>What sockets to upstreams are given.</summary>
/// <param name="SourceV4">Own address for IPv4 peers.</param>
/// <param name="SourceV6">Own address for IPv6 peers.</param>
/// <param name="Mark">SO_MARK, 0 for none.</param>
/// <param name="KeepAlive">TCP keep-alive; null for none.</param>
public sealed record UpstreamBind(Net.Address SourceV4, Net.Address SourceV6, uint Mark, KeepAliveOptions? KeepAlive)
{
    /// <summary>Nothing special.</summary>
    public static readonly UpstreamBind None = new(default, default, 0, null);

    /// <summary>How to connect to a host.</summary>
    /// <param name="to">Its address.</param>
    /// <param name="timeoutMicros">Until the attempt is over; 0 for the kernel's own patience.</param>
    public Net.ConnectOptions To(in Net.Address to, long timeoutMicros = 0) => new(
        to,
        to.Kind == Net.AddressKind.V6 ? SourceV6 : SourceV4,
        Mark,
        timeoutMicros,
        KeepAlive is not null,
        KeepAlive?.Seconds ?? 0,
        KeepAlive?.Interval ?? 0,
        KeepAlive?.Probes ?? 0);
}

/// <summary>TCP keep-alive; 0 takes the kernel's value.</summary>
/// <param name="Seconds">Silence before the first probe.</param>
/// <param name="Interval">Seconds between probes.</param>
/// <param name="Probes">Unanswered probes before the end.</param>
public sealed record KeepAliveOptions(int Seconds, int Interval, int Probes);

/// <summary>DNS settings of a cluster.</summary>
public sealed record DnsOptions
{
    /// <summary>5 s between queries, both families, IPv6 first where it is there (Envoy's AUTO).</summary>
    public static readonly DnsOptions Default = new();

    /// <summary>Which addresses are asked for.</summary>
    public DnsFamily Family { get; init; }

    /// <summary>Between queries, in microseconds.</summary>
    public long RefreshMicros { get; init; } = 5_000_000;

    /// <summary>After a failure: first wait and longest, in microseconds; 0 takes <see cref="RefreshMicros"/>.</summary>
    public long FailureRefreshMicros { get; init; }

    /// <summary>The longest wait after failures, in microseconds.</summary>
    public long FailureRefreshMaxMicros { get; init; }

    /// <summary>Up to this much is added to each wait, in microseconds.</summary>
    public long JitterMicros { get; init; }

    /// <summary>The records' own time to live decides.</summary>
    public bool RespectTtl { get; init; }

    /// <summary>Name servers; empty takes those of the system.</summary>
    public IReadOnlyList<Net.Address> Resolvers { get; init; } = [];
}

/// <summary>Which address families a name is resolved to.</summary>
public enum DnsFamily : byte
{
    Auto,
    V4Only,
    V6Only,
    V4Preferred,
    All,
}

/// <summary>Where an original-destination cluster takes the address from.</summary>
/// <param name="UseHttpHeader">From a request header.</param>
/// <param name="HttpHeader">Which; <c>x-envoy-original-dst-host</c> where none is named.</param>
/// <param name="PortOverride">This port in place of the address's; 0 for none.</param>
/// <param name="MetadataNamespace">Dynamic or connection metadata; empty for none.</param>
/// <param name="MetadataPath">The path inside it.</param>
public sealed record OriginalDestinationOptions(bool UseHttpHeader, string HttpHeader, int PortOverride, string MetadataNamespace,
    IReadOnlyList<string> MetadataPath)
{
    /// <summary>The connection's restored address.</summary>
    public static readonly OriginalDestinationOptions Default = new(false, "x-envoy-original-dst-host", 0, "", []);
}
