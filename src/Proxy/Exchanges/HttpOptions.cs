// Exchanges: one request from its head to its record (stations 5 to 11 seen from the middle). An Exchange is the RequestReceiver of the
// downstream codec; it admits the head (Admission), takes a route, runs the filters of its chain in both directions (FilterPass), keeps
// time, and tells its recorder once, at the end. The router is the last filter (Filters/Router). What the proxy answers by itself is made
// in one place (Replies). Exchanges, filters' slots and buffers are pooled by worker and options: a warm request allocates nothing. State
// belongs to the worker; nothing here opens sockets, knows protobuf or writes logs. Refused: filters as async middleware (a Task and
// closures a request, and no virtual time), per-filter dictionaries for state (a lookup per call).
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Exchanges;

/// <summary>What happens to the response's <c>server</c> header.</summary>
public enum ServerHeaderMode : byte
{
    Overwrite,
    AppendIfAbsent,
    PassThrough,
}

/// <summary>What happens to x-forwarded-client-cert.</summary>
public enum ClientCertMode : byte
{
    Sanitize,
    ForwardOnly,
    AppendForward,
    SanitizeSet,
    AlwaysForwardOnly,
}

/// <summary>Fields of the client's certificate that are written beside By and Hash.</summary>
[Flags]
public enum ClientCertFields : byte
{
    None = 0,
    Subject = 1,
    Cert = 2,
    Chain = 4,
    Dns = 8,
    Uri = 16,
}

/// <summary>What happens to a path with %2F or %5C.</summary>
public enum EscapedSlashes : byte
{
    Keep,
    Reject,
    UnescapeAndRedirect,
    UnescapeAndForward,
}

/// <summary>Where routes come from: published by whoever receives them; null while none came.</summary>
public sealed class RouteSource
{
    private volatile RouteTable? _current;

    /// <summary>A source with a table that stays.</summary>
    public RouteSource(string name, RouteTable? table = null)
    {
        Name = name;
        _current = table;
    }

    /// <summary>The route configuration's name.</summary>
    public string Name { get; }

    /// <summary>The newest table.</summary>
    public RouteTable? Current
    {
        get => _current;
        set => _current = value;
    }
}

/// <summary>The running HTTP connection manager: one a filter chain, published, shared by all workers.</summary>
public sealed record HttpOptions
{
    /// <summary>What the Proxy-Status header tells; null for no such header.</summary>
    public Heads.ProxyStatusOptions? ProxyStatus { get; init; }

    /// <summary>Prefix of its counters.</summary>
    public string StatPrefix { get; init; } = "";

    /// <summary>Its counters.</summary>
    public StatGroup Stats { get; init; } = StatGroup.Unread(HttpStats.Schema, 64);

    /// <summary>Its listener's counters of it.</summary>
    public StatGroup ListenerStats { get; init; } = StatGroup.Unread(HttpStats.OfListener, 64);

    /// <summary>The process's counters of HTTP/1 codecs.</summary>
    public StatGroup CodecStatsOne { get; init; } = StatGroup.Unread(CodecStats.One, 64);

    /// <summary>The process's counters of HTTP/2 codecs.</summary>
    public StatGroup CodecStatsTwo { get; init; } = StatGroup.Unread(CodecStats.Two, 64);

    /// <summary>Which protocols are taken: one alone, or what the bytes or ALPN say.</summary>
    public HttpVersion? OnlyVersion { get; init; }

    /// <summary>Limits and timers of the codecs.</summary>
    public CodecOptions Codec { get; init; } = new();

    /// <summary>The chain, the router last.</summary>
    public required FilterChain Filters { get; init; }

    /// <summary>Routes.</summary>
    public required RouteSource Routes { get; init; }

    /// <summary>Told of each exchange's end (access logs, statistics, decision records); several are one behind the other.</summary>
    public IReadOnlyList<ExchangeRecorder> Recorders { get; init; } = [];

    /// <summary>A record when a request's head has come, too.</summary>
    public bool LogAtStart { get; init; }

    /// <summary>A record each so many microseconds, too; 0 for none.</summary>
    public long LogIntervalMicros { get; init; }

    /// <summary>What the overload manager wants.</summary>
    public OverloadSwitches Overload { get; init; } = OverloadSwitches.None;

    /// <summary>Traces requests; null where off.</summary>
    public ExchangeTracer? Tracer { get; init; }

    /// <summary>Rewrites local replies; null where nothing does.</summary>
    public LocalReplyRules? LocalReplies { get; init; }

    /// <summary>The <c>server</c> header's text.</summary>
    public string ServerName { get; init; } = "envoy";

    /// <summary>When it is written.</summary>
    public ServerHeaderMode ServerHeader { get; init; }

    /// <summary>Added to <c>via</c>; empty for nothing.</summary>
    public string Via { get; init; } = "";

    /// <summary>Silence of a stream, in microseconds; 0 for any.</summary>
    public long StreamIdleMicros { get; init; } = 300_000_000;

    /// <summary>From the first byte to the whole request, in microseconds; 0 for any.</summary>
    public long RequestTimeoutMicros { get; init; }

    /// <summary>Whole stream, in microseconds; 0 for any.</summary>
    public long MaxStreamMicros { get; init; }

    /// <summary>Connection without streams, in microseconds; 0 for ever.</summary>
    public long ConnectionIdleMicros { get; init; } = 3_600_000_000;

    /// <summary>A connection's life, in microseconds; 0 for any.</summary>
    public long MaxConnectionMicros { get; init; }

    /// <summary>Between announcing the end of a connection and ending it, in microseconds.</summary>
    public long DrainMicros { get; init; } = 5_000_000;

    /// <summary>Requests on one connection; 0 for any number.</summary>
    public uint MaxRequestsPerConnection { get; init; }

    /// <summary>The peer's address is the client's; else x-forwarded-for is believed.</summary>
    public bool UseRemoteAddress { get; init; }

    /// <summary>Proxies in front that are believed.</summary>
    public uint TrustedHops { get; init; }

    /// <summary>How the client's address is detected where the peer's is not taken for it; none believes x-forwarded-for as far as
    /// <see cref="TrustedHops"/> says.</summary>
    public IReadOnlyList<IpDetection> IpDetections { get; init; } = [];

    /// <summary>Our own name for user-agent and x-envoy-downstream-service-cluster (add_user_agent); null where it is not told.</summary>
    public byte[]? UserAgent { get; init; }

    /// <summary>Our node's id, told with <see cref="UserAgent"/>.</summary>
    public byte[] NodeId { get; init; } = [];

    /// <summary>The peer is not added to x-forwarded-for.</summary>
    public bool SkipXffAppend { get; init; }

    /// <summary>The client's port is written to x-forwarded-port.</summary>
    public bool AppendForwardedPort { get; init; }

    /// <summary>Networks whose clients are internal, as first address and prefix length.</summary>
    public IReadOnlyList<Prefix> InternalNetworks { get; init; } = [];

    /// <summary>Unix sockets' peers are internal.</summary>
    public bool UnixSocketsInternal { get; init; }

    /// <summary>Requests without x-request-id get one.</summary>
    public bool GenerateRequestId { get; init; } = true;

    /// <summary>External clients may bring theirs.</summary>
    public bool PreserveExternalRequestId { get; init; }

    /// <summary>It is written to every response.</summary>
    public bool AlwaysSetRequestId { get; init; }

    /// <summary>The id's 15th character tells the trace decision.</summary>
    public bool PackTraceReason { get; init; } = true;

    /// <summary>Dot segments and needless escapes are resolved.</summary>
    public bool NormalizePath { get; init; }

    /// <summary>Adjacent slashes become one.</summary>
    public bool MergeSlashes { get; init; }

    /// <summary>%2F and %5C.</summary>
    public EscapedSlashes EscapedSlashes { get; init; }

    /// <summary>Fragments are cut (else refused).</summary>
    public bool StripFragment { get; init; } = true;

    /// <summary>A port in Host that equals the listener's is cut; 0 means no.</summary>
    public bool StripMatchingPort { get; init; }

    /// <summary>Any port in Host is cut.</summary>
    public bool StripAnyPort { get; init; }

    /// <summary>A dot at the end of Host is cut.</summary>
    public bool StripTrailingDot { get; init; }

    /// <summary>x-forwarded-client-cert.</summary>
    public ClientCertMode ClientCert { get; init; }

    /// <summary>What of the certificate is written.</summary>
    public ClientCertFields ClientCertFields { get; init; }

    /// <summary>Scheme in place of the transport's: empty for none.</summary>
    public string SchemeOverride { get; init; } = "";

    /// <summary>Upgrade types that are taken, in lower case; false is known but off unless a route says otherwise.</summary>
    public IReadOnlyDictionary<string, bool> Upgrades { get; init; } = new Dictionary<string, bool>();

    /// <summary>Bytes that a stream buffers in either direction before the sender is paused, or refused by a buffering filter.</summary>
    public int BufferLimit { get; init; } = 1024 * 1024;

    /// <summary>Header changes before anything else is done with a request.</summary>
    public HeaderMutations EarlyMutations { get; init; } = HeaderMutations.None;

    /// <summary>The proxy's own address for shadows' x-forwarded-for; None takes the connection's.</summary>
    public Address LocalAddress { get; init; }

    /// <summary>Settings that filters and recorders of this manager share, by their own kinds (Istio's node metadata for peer
    /// exchange).</summary>
    public object? Shared { get; init; }
}

/// <summary>One way to find the client's address: a header of its own, or x-forwarded-for.</summary>
/// <param name="Header">The header's name in lower case; empty means x-forwarded-for.</param>
/// <param name="TrustsAddress">The header's address may be an internal one.</param>
/// <param name="RefusalStatus">The answer where the header has no address; 0 goes on.</param>
/// <param name="TrustedHops">x-forwarded-for: proxies in front that are believed.</param>
/// <param name="TrustedNetworks">x-forwarded-for: networks of such proxies, in place of their number.</param>
/// <param name="AppendsXff">The peer is added to x-forwarded-for.</param>
public sealed record IpDetection(byte[] Header, bool TrustsAddress, int RefusalStatus, uint TrustedHops,
    IReadOnlyList<Prefix> TrustedNetworks, bool AppendsXff);
