using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters;

/// <summary>Which balancer picks a host.</summary>
public enum BalancerKind : byte
{
    RoundRobin,
    LeastRequest,
    Random,
    RingHash,
    Maglev,

    /// <summary>The cluster type brings its own (original destination, dynamic forward proxy).</summary>
    ClusterProvided,
}

/// <summary>Load balancing of one cluster.</summary>
public sealed record BalancerOptions
{
    /// <summary>Round robin with Envoy's defaults.</summary>
    public static readonly BalancerOptions Default = new();

    /// <summary>Which one.</summary>
    public BalancerKind Kind { get; init; }

    /// <summary>Percent of available hosts under which all hosts of a priority get requests; 0 never.</summary>
    public double PanicThreshold { get; init; } = 50;

    /// <summary>In panic requests fail rather than go to unhealthy hosts.</summary>
    public bool FailTrafficOnPanic { get; init; }

    /// <summary>Locality weights count.</summary>
    public bool LocalityWeighted { get; init; }

    /// <summary>Zone aware routing; null where off.</summary>
    public ZoneAwareOptions? ZoneAware { get; init; }

    /// <summary>Least request: hosts looked at.</summary>
    public int ChoiceCount { get; init; } = 2;

    /// <summary>Least request: every host is looked at.</summary>
    public bool FullScan { get; init; }

    /// <summary>Least request with weights: exponent of the active requests.</summary>
    public double ActiveRequestBias { get; init; } = 1.0;

    /// <summary>Slow start; null where off.</summary>
    public SlowStartOptions? SlowStart { get; init; }

    /// <summary>Ring hash: smallest number of entries.</summary>
    public long MinimumRingSize { get; init; } = 1024;

    /// <summary>Ring hash: largest number of entries.</summary>
    public long MaximumRingSize { get; init; } = 8 * 1024 * 1024;

    /// <summary>Ring hash by Murmur2 rather than xxHash64.</summary>
    public bool Murmur2 { get; init; }

    /// <summary>Maglev: entries, a prime.</summary>
    public int TableSize { get; init; } = 65537;

    /// <summary>Hosts are placed by name rather than address.</summary>
    public bool HashByHostname { get; init; }

    /// <summary>Bounded load in percent (150: none above 1.5 times the average); 0 is unbounded.</summary>
    public int HashBalanceFactor { get; init; }

    /// <summary>Subsets; null where there are none.</summary>
    public SubsetOptions? Subsets { get; init; }

    /// <summary>Which hosts an override may name.</summary>
    public OverrideStatuses OverrideStatuses { get; init; } = OverrideStatuses.Unknown | OverrideStatuses.Healthy
        | OverrideStatuses.Degraded;

    /// <summary>The override_host policy: where the address is read, before this balancer; empty where it is not that policy.</summary>
    public IReadOnlyList<OverrideSource> OverrideSources { get; init; } = [];

    /// <summary>Hash policies of the balancer itself, where the cluster's load_balancing_policy gives them; else the route's.</summary>
    public IReadOnlyList<object> HashPolicies { get; init; } = [];
}

/// <summary>One place where an override host is written: a header, or metadata.</summary>
/// <param name="Header">Lower-case name; empty where metadata is meant.</param>
/// <param name="MetadataNamespace">Namespace of dynamic metadata.</param>
/// <param name="MetadataPath">Path inside.</param>
public sealed record OverrideSource(string Header, string MetadataNamespace, IReadOnlyList<string> MetadataPath);

/// <summary>Health of hosts that may be named by an override.</summary>
[Flags]
public enum OverrideStatuses : byte
{
    None = 0,
    Unknown = 1,
    Healthy = 2,
    Unhealthy = 4,
    Draining = 8,
    Timeout = 16,
    Degraded = 32,
}

/// <summary>Zone aware routing.</summary>
/// <param name="RoutingEnabledPercent">Share of requests for which it is considered.</param>
/// <param name="MinimumClusterSize">Fewer hosts switch it off.</param>
/// <param name="FailTrafficOnPanic">Like the cluster's.</param>
public sealed record ZoneAwareOptions(double RoutingEnabledPercent = 100, long MinimumClusterSize = 6, bool FailTrafficOnPanic = false);

/// <summary>New hosts begin with little.</summary>
/// <param name="WindowMicros">How long it lasts.</param>
/// <param name="Aggression">1 is linear.</param>
/// <param name="MinimumWeightPercent">The least share of the weight.</param>
public sealed record SlowStartOptions(long WindowMicros, double Aggression = 1.0, double MinimumWeightPercent = 10);

/// <summary>What happens where no subset matches.</summary>
public enum SubsetFallback : byte
{
    NoFallback,
    AnyEndpoint,
    DefaultSubset,

    /// <summary>Selector only: the policy of the whole decides.</summary>
    NotDefined,

    /// <summary>Selector only: a subset of fewer keys is tried.</summary>
    KeysSubset,
}

/// <summary>Subsets of a cluster by endpoint metadata in <c>envoy.lb</c>.</summary>
public sealed record SubsetOptions
{
    /// <summary>What happens where nothing matches.</summary>
    public SubsetFallback Fallback { get; init; }

    /// <summary>The default subset's keys and values.</summary>
    public IReadOnlyDictionary<string, System.Text.Json.JsonElement> DefaultSubset { get; init; } =
        new Dictionary<string, System.Text.Json.JsonElement>();

    /// <summary>Which keys make subsets.</summary>
    public IReadOnlyList<SubsetSelector> Selectors { get; init; } = [];

    /// <summary>Locality weights count within subsets.</summary>
    public bool LocalityWeightAware { get; init; }

    /// <summary>Locality weights are scaled by the share that the subset has.</summary>
    public bool ScaleLocalityWeight { get; init; }

    /// <summary>A subset in panic takes hosts of the whole cluster.</summary>
    public bool PanicModeAny { get; init; }

    /// <summary>Lists in metadata match any of their values.</summary>
    public bool ListAsAny { get; init; }

    /// <summary>Metadata fallback: <c>fallback_list</c> of the route is tried in turn.</summary>
    public bool MetadataFallbackList { get; init; }
}

/// <summary>Keys of one kind of subset.</summary>
/// <param name="Keys">In byte order.</param>
/// <param name="Fallback">Where no subset has these values.</param>
/// <param name="FallbackKeys">For <see cref="SubsetFallback.KeysSubset"/>.</param>
/// <param name="SingleHost">One host a subset.</param>
public sealed record SubsetSelector(IReadOnlyList<string> Keys, SubsetFallback Fallback, IReadOnlyList<string> FallbackKeys,
    bool SingleHost);
