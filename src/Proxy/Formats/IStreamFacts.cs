using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Formats;

/// <summary>Points in the life of a stream, in microseconds of the loop's clock; 0 where it did not come to that (COMMON_DURATION's
/// points).</summary>
public struct StreamTimes
{
    /// <summary>The client's connection was accepted, and ended.</summary>
    public long DownstreamConnectionBegin, DownstreamConnectionEnd;

    /// <summary>The client's TLS handshake was complete.</summary>
    public long DownstreamHandshakeEnd;

    /// <summary>First and last byte of the request.</summary>
    public long RequestBegin, RequestEnd;

    /// <summary>A connect to the upstream began, succeeded, and its TLS handshake was complete.</summary>
    public long UpstreamConnectBegin, UpstreamConnectEnd, UpstreamHandshakeEnd;

    /// <summary>A connection was ready for the request.</summary>
    public long UpstreamPoolReady;

    /// <summary>First and last byte to the upstream.</summary>
    public long UpstreamSendBegin, UpstreamSendEnd;

    /// <summary>First byte, first body byte and last byte from the upstream.</summary>
    public long UpstreamReceiveBegin, UpstreamBodyBegin, UpstreamReceiveEnd;

    /// <summary>First and last byte of the response to the client.</summary>
    public long ResponseBegin, ResponseEnd;

    /// <summary>It is over.</summary>
    public long End;
}

/// <summary>One end's certificate and TLS session, as logs and policies ask for it.</summary>
public abstract class TlsFacts
{
    /// <summary>URI names of the peer's certificate, in order.</summary>
    public abstract IReadOnlyList<string> PeerUris { get; }

    /// <summary>DNS names of the peer's certificate.</summary>
    public abstract IReadOnlyList<string> PeerDnsNames { get; }

    /// <summary>IP names of the peer's certificate.</summary>
    public abstract IReadOnlyList<string> PeerIps { get; }

    /// <summary>E-mail names of the peer's certificate.</summary>
    public virtual IReadOnlyList<string> PeerEmails => [];

    /// <summary>IP addresses of our own certificate.</summary>
    public virtual IReadOnlyList<string> LocalIps => [];

    /// <summary>E-mail names of our own certificate.</summary>
    public virtual IReadOnlyList<string> LocalEmails => [];

    /// <summary>SHA-256 of each certificate that the peer presented, its own first, in hexadecimal.</summary>
    public virtual IReadOnlyList<string> PeerChainSha256 => [];

    /// <summary>SHA-1 of the same.</summary>
    public virtual IReadOnlyList<string> PeerChainSha1 => [];

    /// <summary>Serial numbers of the same.</summary>
    public virtual IReadOnlyList<string> PeerChainSerials => [];

    /// <summary>URI names of our certificate.</summary>
    public abstract IReadOnlyList<string> LocalUris { get; }

    /// <summary>DNS names of our certificate.</summary>
    public abstract IReadOnlyList<string> LocalDnsNames { get; }

    /// <summary>RFC 2253 subject of the peer's certificate; empty without one.</summary>
    public abstract string PeerSubject { get; }

    /// <summary>RFC 2253 issuer of the peer's certificate; empty without one.</summary>
    public abstract string PeerIssuer { get; }

    /// <summary>RFC 2253 subject of our certificate.</summary>
    public abstract string LocalSubject { get; }

    /// <summary>Serial number in lower-case hex; empty without a certificate.</summary>
    public abstract string PeerSerial { get; }

    /// <summary>SHA-256 of the peer's certificate, lower-case hex; empty without one.</summary>
    public abstract string PeerSha256 { get; }

    /// <summary>SHA-1 of the peer's certificate, lower-case hex; empty without one.</summary>
    public abstract string PeerSha1 { get; }

    /// <summary>The peer's certificate as PEM; empty without one.</summary>
    public abstract string PeerPem { get; }

    /// <summary>The peer's certificates as PEM, leaf first; empty without one.</summary>
    public abstract string PeerChainPem { get; }

    /// <summary>From when the peer's certificate holds, seconds since 1970; 0 without one.</summary>
    public abstract long PeerValidFrom { get; }

    /// <summary>Until when the peer's certificate holds, seconds since 1970; 0 without one.</summary>
    public abstract long PeerValidTo { get; }

    /// <summary>A certificate was shown.</summary>
    public abstract bool PeerPresented { get; }

    /// <summary>And it was validated.</summary>
    public abstract bool PeerValidated { get; }

    /// <summary>TLSv1.2, TLSv1.3.</summary>
    public abstract string Version { get; }

    /// <summary>OpenSSL's name of the cipher suite.</summary>
    public abstract string Cipher { get; }

    /// <summary>Session id in hex; empty where there is none.</summary>
    public abstract string SessionId { get; }
}

/// <summary>What formats, logs, tags and policies may ask of a stream: an HTTP exchange, or a TCP connection (there are these
/// two).</summary>
public interface IStreamFacts
{
    /// <summary>The request's head; null for TCP.</summary>
    HeaderMap? RequestHead { get; }

    /// <summary>The response's head; null before there is one.</summary>
    HeaderMap? ResponseHead { get; }

    /// <summary>The response's trailers; null where there are none.</summary>
    HeaderMap? ResponseTrailers { get; }

    /// <summary>When it began, microseconds since 1970.</summary>
    long StartedAt { get; }

    /// <summary>The loop's clock now, for what is not over yet.</summary>
    long Now { get; }

    /// <summary>Points in its life.</summary>
    ref readonly StreamTimes Times { get; }

    /// <summary>The client's protocol; null for TCP.</summary>
    HttpVersion? Protocol { get; }

    /// <summary>The upstream's protocol; null where none was spoken.</summary>
    HttpVersion? UpstreamProtocol { get; }

    /// <summary>The status, 0 for none.</summary>
    int Status { get; }

    /// <summary>Flags.</summary>
    ResponseFlags Flags { get; }

    /// <summary>A tracer decided that the request is traced.</summary>
    bool IsTraced => false;

    /// <summary>A health checker asks.</summary>
    bool IsHealthCheck => false;

    /// <summary>The class of requests of its virtual host; empty for none.</summary>
    string VirtualClusterName => "";

    /// <summary>The order in which the flags were set, a byte each (bit number plus one, the first lowest); 0 where it is not
    /// known.</summary>
    ulong FlagOrder => 0;

    /// <summary>How the client's connection ended, as it was noticed: Normal, RemoteReset, LocalReset.</summary>
    string DownstreamCloseType => "Normal";

    /// <summary>How the upstream's connection ended, as it was noticed.</summary>
    string UpstreamCloseType => "Normal";

    /// <summary>Why we closed the client's connection, in Envoy's words; empty where we did not.</summary>
    string LocalCloseReason => "";

    /// <summary>Envoy's response code details; empty for none.</summary>
    string Details { get; }

    /// <summary>There are details, though they may be empty: a filter may answer without words.</summary>
    bool HasDetails => Details.Length > 0;

    /// <summary>Why the connection was ended (for example by a policy); empty for none.</summary>
    string TerminationDetails { get; }

    /// <summary>Why the upstream's transport failed; empty for none.</summary>
    string UpstreamTransportFailure { get; }

    /// <summary>Why the client's transport failed; empty for none.</summary>
    string DownstreamTransportFailure { get; }

    /// <summary>Body bytes from the client.</summary>
    long BytesReceived { get; }

    /// <summary>Body bytes to the client.</summary>
    long BytesSent { get; }

    /// <summary>All bytes of the client's side.</summary>
    StreamBytes DownstreamBytes { get; }

    /// <summary>All bytes of the upstream's side.</summary>
    StreamBytes UpstreamBytes { get; }

    /// <summary>Tries, 0 before the first.</summary>
    int Attempts { get; }

    /// <summary>The route's name; empty for none.</summary>
    string RouteName { get; }

    /// <summary>The virtual host's name; empty for none.</summary>
    string VirtualHostName { get; }

    /// <summary>The cluster's name; empty for none.</summary>
    string ClusterName { get; }

    /// <summary>The cluster's alternative name for statistics; empty for none.</summary>
    string ClusterStatName { get; }

    /// <summary>The filter chain's name; empty for none.</summary>
    string FilterChainName { get; }

    /// <summary>The upstream host; kind None for none.</summary>
    Address UpstreamHost { get; }

    /// <summary>The upstream's end of the connection: another than the host's address where that has several; None where none of them was
    /// reached.</summary>
    Address UpstreamRemote => UpstreamHost;

    /// <summary>The upstream host's name; empty for none.</summary>
    string UpstreamHostName { get; }

    /// <summary>Our end of the upstream connection.</summary>
    Address UpstreamLocal { get; }

    /// <summary>The client as trusted (x-forwarded-for counted).</summary>
    Address DownstreamRemote { get; }

    /// <summary>The direct peer.</summary>
    Address DownstreamDirectRemote { get; }

    /// <summary>The address that the client meant (restored by redirection).</summary>
    Address DownstreamLocal { get; }

    /// <summary>The socket's own address.</summary>
    Address DownstreamDirectLocal { get; }

    /// <summary>SNI; empty for none.</summary>
    string RequestedServerName { get; }

    /// <summary>The client connection's number in this process.</summary>
    long ConnectionId { get; }

    /// <summary>The upstream connection's number; 0 for none.</summary>
    long UpstreamConnectionId { get; }

    /// <summary>The stream's own random id.</summary>
    ulong StreamId { get; }

    /// <summary>TLS with the client; null for plain text.</summary>
    TlsFacts? DownstreamTls { get; }

    /// <summary>TLS with the upstream; null for plain text.</summary>
    TlsFacts? UpstreamTls { get; }

    /// <summary>Dynamic metadata, by namespace; null where there is none.</summary>
    Metadata? DynamicMetadata { get; }

    /// <summary>The cluster's metadata.</summary>
    Metadata? ClusterMetadata { get; }

    /// <summary>The route's metadata.</summary>
    Metadata? RouteMetadata { get; }

    /// <summary>The upstream host's metadata.</summary>
    Metadata? UpstreamHostMetadata { get; }

    /// <summary>The virtual host's metadata.</summary>
    Metadata? VirtualHostMetadata { get; }

    /// <summary>The listener's metadata.</summary>
    Metadata? ListenerMetadata { get; }

    /// <summary>Filter state by key; null where it is absent.</summary>
    object? FilterState(string key);

    /// <summary>The trace and span ids in lower-case hex; empty where nothing is traced.</summary>
    (string Trace, string Span) TraceIds { get; }

    /// <summary>The body of a local reply, for its formats; empty otherwise.</summary>
    ReadOnlySpan<byte> LocalReplyBody { get; }

    /// <summary>Envoy's name of the moment (DownstreamEnd, TcpConnectionEnd ...).</summary>
    string LogType { get; }
}
