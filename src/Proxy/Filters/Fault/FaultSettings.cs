using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Fault;

/// <summary>What is done to requests.</summary>
public sealed record FaultSettings
{
    /// <summary>The delay in microseconds; 0 for none.</summary>
    public long DelayMicros { get; init; }

    /// <summary>x-envoy-fault-delay-request tells the delay.</summary>
    public bool DelayByHeader { get; init; }

    /// <summary>Share of requests delayed.</summary>
    public Fraction DelayShare { get; init; }

    /// <summary>The abort's status; 0 for none.</summary>
    public int AbortStatus { get; init; }

    /// <summary>The abort's gRPC status; null for none.</summary>
    public int? AbortGrpcStatus { get; init; }

    /// <summary>x-envoy-fault-abort-request or -abort-grpc-request tell the abort.</summary>
    public bool AbortByHeader { get; init; }

    /// <summary>Share of requests aborted.</summary>
    public Fraction AbortShare { get; init; }

    /// <summary>The rate of responses in KiB a second; 0 for none.</summary>
    public long RateKilobytes { get; init; }

    /// <summary>x-envoy-fault-throughput-response tells the rate.</summary>
    public bool RateByHeader { get; init; }

    /// <summary>Share of responses that are slowed.</summary>
    public Fraction RateShare { get; init; }

    /// <summary>Attached to exchanges with a fault, in the namespace <c>envoy.filters.http.fault</c>; null for nothing.</summary>
    public MetadataFragment? Traces { get; init; }

    /// <summary>Only requests to this cluster; empty for all.</summary>
    public string Cluster { get; init; } = "";

    /// <summary>Only requests with these headers.</summary>
    public IReadOnlyList<HeaderMatch> Headers { get; init; } = [];

    /// <summary>Only from these nodes (x-envoy-downstream-service-node); empty for all.</summary>
    public IReadOnlyList<string> Nodes { get; init; } = [];

    /// <summary>Faults at once; null for any number.</summary>
    public uint? ActiveMax { get; init; }

    /// <summary>Callers that say who they are have no counters of their own.</summary>
    public bool NoCallerStats { get; init; }

    /// <summary>Runtime values that may say otherwise.</summary>
    public FaultKeys Keys { get; init; } = new(RuntimeValues.None);

    internal Fraction DelayShareNow => Keys.Values.Share(Keys.DelayPercent, DelayShare);

    internal Fraction AbortShareNow => Keys.Values.Share(Keys.AbortPercent, AbortShare);

    internal Fraction RateShareNow => Keys.Values.Share(Keys.RatePercent, RateShare);

    internal uint? ActiveMaxNow => Keys.Values.ContainsKey(Keys.ActiveMax) ? (uint)Keys.Values.Number(Keys.ActiveMax, 0) : ActiveMax;
}

/// <summary>Under which keys the runtime may change faults; Envoy's names where none are configured.</summary>
/// <param name="Values">The runtime.</param>
public sealed record FaultKeys(RuntimeValues Values)
{
    /// <summary>Share of requests delayed.</summary>
    public string DelayPercent { get; init; } = "fault.http.delay.fixed_delay_percent";

    /// <summary>The delay in milliseconds.</summary>
    public string DelayMillis { get; init; } = "fault.http.delay.fixed_duration_ms";

    /// <summary>Share of requests aborted.</summary>
    public string AbortPercent { get; init; } = "fault.http.abort.abort_percent";

    /// <summary>The abort's status.</summary>
    public string AbortStatus { get; init; } = "fault.http.abort.http_status";

    /// <summary>The abort's gRPC status.</summary>
    public string AbortGrpcStatus { get; init; } = "fault.http.abort.grpc_status";

    /// <summary>Share of responses slowed.</summary>
    public string RatePercent { get; init; } = "fault.http.rate_limit.response_percent";

    /// <summary>Faults at once.</summary>
    public string ActiveMax { get; init; } = "fault.http.max_active_faults";
}
