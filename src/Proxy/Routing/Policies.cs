using Lateen.Proxy.Clusters;

namespace Lateen.Proxy.Routing;

/// <summary>Times of a route, in microseconds; null where the route says nothing, 0 for no limit.</summary>
public sealed record TimeoutPolicy
{
    /// <summary>From the end of the request to the end of the response, retries included (15 s where unset).</summary>
    public long RouteMicros { get; init; } = 15_000_000;

    /// <summary>Silence of the stream; null for the connection's stream_idle_timeout.</summary>
    public long? IdleMicros { get; init; }

    /// <summary>Whole stream, from its start; null for the connection's.</summary>
    public long? MaxStreamMicros { get; init; }

    /// <summary>grpc-timeout is taken for the stream's duration, at most this; 0 for any; null where it is not taken.</summary>
    public long? GrpcStreamMaxMicros { get; init; }

    /// <summary>The route speaks of stream durations at all: its timeout of the whole request is then none.</summary>
    public bool ByStreamDuration { get; init; }

    /// <summary>Taken off a grpc-timeout taken for the stream's duration.</summary>
    public long GrpcStreamOffsetMicros { get; init; }

    /// <summary>grpc-timeout is taken for the route's timeout, at most this; 0 for any; null where it is not taken (deprecated, but istiod
    /// sends it).</summary>
    public long? GrpcMaxMicros { get; init; }

    /// <summary>Taken off a grpc-timeout taken for the route's timeout.</summary>
    public long GrpcOffsetMicros { get; init; }
}

/// <summary>Conditions of retry_on, as bits.</summary>
[Flags]
public enum RetryOn : uint
{
    None = 0,
    FiveXx = 1 << 0,
    GatewayError = 1 << 1,
    Reset = 1 << 2,
    ResetBeforeRequest = 1 << 3,
    ConnectFailure = 1 << 4,
    EnvoyRateLimited = 1 << 5,
    Retriable4xx = 1 << 6,
    RefusedStream = 1 << 7,
    RetriableStatusCodes = 1 << 8,
    RetriableHeaders = 1 << 9,
    Http3PostConnectFailure = 1 << 10,
    GrpcCancelled = 1 << 16,
    GrpcDeadlineExceeded = 1 << 17,
    GrpcInternal = 1 << 18,
    GrpcResourceExhausted = 1 << 19,
    GrpcUnavailable = 1 << 20,
}

/// <summary>When and how often a request is tried again (envoy.config.route.v3.RetryPolicy).</summary>
public sealed record RetryPolicy
{
    /// <summary>Conditions.</summary>
    public required RetryOn On { get; init; }

    /// <summary>Further tries.</summary>
    public uint NumRetries { get; init; } = 1;

    /// <summary>Time of one try; 0 for none.</summary>
    public long PerTryMicros { get; init; }

    /// <summary>Silence within one try; 0 for none.</summary>
    public long PerTryIdleMicros { get; init; }

    /// <summary>Statuses of <see cref="RetryOn.RetriableStatusCodes"/>.</summary>
    public IReadOnlyList<uint> RetriableStatusCodes { get; init; } = [];

    /// <summary>Response headers of <see cref="RetryOn.RetriableHeaders"/>.</summary>
    public IReadOnlyList<HeaderMatch> RetriableHeaders { get; init; } = [];

    /// <summary>Only requests with one of these headers are retried; empty for all.</summary>
    public IReadOnlyList<HeaderMatch> RetriableRequestHeaders { get; init; } = [];

    /// <summary>Base of the back-off.</summary>
    public long BaseMicros { get; init; } = 25_000;

    /// <summary>Its upper bound; 0 for ten times the base.</summary>
    public long MaxMicros { get; init; }

    /// <summary>Headers that tell the back-off (seconds, or a unix time), in order.</summary>
    public IReadOnlyList<(string Header, bool UnixTime)> ResetHeaders { get; init; } = [];

    /// <summary>Upper bound of a back-off told by headers.</summary>
    public long ResetMaxMicros { get; init; } = 300_000_000;

    /// <summary>Hosts tried before are avoided.</summary>
    public bool AvoidPreviousHosts { get; init; }

    /// <summary>Canary hosts are avoided.</summary>
    public bool AvoidCanaries { get; init; }

    /// <summary>Hosts with this metadata are avoided (namespace envoy.lb); null for none.</summary>
    public SubsetCriteria? AvoidMetadata { get; init; }

    /// <summary>How often a host is picked anew to satisfy the above.</summary>
    public int HostSelectionAttempts { get; init; } = 1;

    /// <summary>Priorities tried before are avoided, recomputed every this many tries; 0 for off.</summary>
    public int PreviousPrioritiesEvery { get; init; }
}

/// <summary>A copy of requests to another cluster, fire and forget (envoy.config.route.v3.RouteAction.RequestMirrorPolicy).</summary>
public sealed record MirrorPolicy
{
    /// <summary>Where to; null where a header names it.</summary>
    public Clusters.ClusterHandle? Cluster { get; init; }

    /// <summary>The header that names the cluster; empty where it is fixed.</summary>
    public byte[] ClusterHeader { get; init; } = [];

    /// <summary>Which share.</summary>
    public LiveShare Share { get; init; } = LiveShare.All;

    /// <summary>The copy's host keeps its name (else "-shadow" is added before the port).</summary>
    public bool KeepHost { get; init; }

    /// <summary>The copy's host; empty for the request's.</summary>
    public byte[] HostRewrite { get; init; } = [];

    /// <summary>Changes of the copy's headers, one by one.</summary>
    public IReadOnlyList<HeaderMutations> Headers { get; init; } = [];

    /// <summary>Whether the copy is traced; null as the request.</summary>
    public bool? TraceSampled { get; init; }
}

/// <summary>What a <see cref="HashPolicy"/> reads.</summary>
public enum HashSource : byte
{
    Header,
    Cookie,
    SourceIp,
    QueryParameter,
    FilterState,
}

/// <summary>One ingredient of the load balancer's hash (envoy.config.route.v3.RouteAction.HashPolicy).</summary>
public sealed record HashPolicy
{
    /// <summary>What is read.</summary>
    public required HashSource Source { get; init; }

    /// <summary>The header's, cookie's, parameter's or state's name.</summary>
    public string Name { get; init; } = "";

    /// <summary>Nothing further is read once this gave something.</summary>
    public bool Terminal { get; init; }

    /// <summary>A rewrite of the header's value before it is hashed.</summary>
    public RegexRewrite? Rewrite { get; init; }

    /// <summary>A cookie is made where there is none: its age in seconds (0: a session cookie); null for never.</summary>
    public long? CookieSeconds { get; init; }

    /// <summary>The made cookie's path.</summary>
    public string CookiePath { get; init; } = "";

    /// <summary>The made cookie's further attributes.</summary>
    public IReadOnlyList<(string Name, string Value)> CookieAttributes { get; init; } = [];
}

/// <summary>Which redirects of an upstream are followed here (envoy.config.route.v3.InternalRedirectPolicy).</summary>
public sealed record InternalRedirectPolicy
{
    /// <summary>How many in a row.</summary>
    public uint RedirectsMax { get; init; } = 1;

    /// <summary>Statuses.</summary>
    public IReadOnlyList<uint> Statuses { get; init; } = [302];

    /// <summary>http to https and back is followed, too.</summary>
    public bool AllowCrossScheme { get; init; }

    /// <summary>A target route is taken once only.</summary>
    public bool PreviousRoutes { get; init; }

    /// <summary>Of the changes that <see cref="AllowCrossScheme"/> allows, http to https is none (safe_cross_scheme).</summary>
    public bool SafeCrossScheme { get; init; }

    /// <summary>Only routes of these names; null for all.</summary>
    public IReadOnlyList<string>? AllowedRoutes { get; init; }

    /// <summary>Response headers that are copied to the new request.</summary>
    public IReadOnlyList<string> CopyHeaders { get; init; } = [];
}
