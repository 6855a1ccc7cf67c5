namespace Lateen.Proxy;

/// <summary>Who is at fault: the client's side, the upstream's side, or the proxy's own rules and limits.</summary>
public enum Side : byte
{
    Downstream,
    Upstream,
    Proxy,
}

/// <summary>What went wrong. Envoy's response flags and the synthetic answers are derived from it (<see cref="Failure"/>).</summary>
public enum FailureKind : byte
{
    None,
    LimitReached,
    NoListener,
    NoFilterChain,
    InspectTimeout,
    BadPeer,
    Malformed,
    TooLarge,
    ProtocolError,
    Denied,
    RateLimited,
    FaultInjected,
    NoRoute,
    NoCluster,
    NoHealthyHost,
    Overflow,
    ConnectionRefused,
    ConnectTimeout,
    TlsFailure,
    ConnectionTerminated,
    Reset,
    RemoteReset,
    RequestTimeout,
    PerTryTimeout,
    IdleTimeout,
    DurationTimeout,
    RetryLimit,
    Overloaded,
    DropOverload,
    DnsFailure,
    TooManyRequestsOnConnection,
    DownstreamGone,
}

/// <summary>A failure of a peer, of the network or of a limit, as a value: nothing that a peer can send raises an exception.</summary>
/// <param name="Station">Where the request was.</param>
/// <param name="Side">Who is at fault.</param>
/// <param name="Kind">What happened.</param>
/// <param name="CanRetry">True where no byte of the request can have had an effect upstream.</param>
public readonly record struct Failure(Station Station, Side Side, FailureKind Kind, bool CanRetry = false)
{
    /// <summary>No failure.</summary>
    public static Failure None => default;

    /// <summary>True where something failed.</summary>
    public bool Happened => Kind != FailureKind.None;
}
