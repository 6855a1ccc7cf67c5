using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Clusters;

/// <summary>What a request asks of the TLS of its connection beyond the cluster's settings; connections are shared only by requests that
/// ask the same.</summary>
/// <param name="ServerName">SNI in place of the configured one; null for that.</param>
/// <param name="Alpn">Protocols in place of the configured ones; null for those. Compared by reference: lists are published, not made per
/// request.</param>
/// <param name="SubjectName">A name that the peer's certificate must have, in addition; null for none.</param>
/// <param name="OtherwiseAlpn">Protocols where neither these wishes nor the configuration name any. Said when connecting; no part of what
/// pools compare.</param>
/// <param name="HostName">The endpoint's own name, for contexts that take their server name from it (auto_host_sni). Said when
/// connecting.</param>
/// <param name="HostMetadata">The endpoint's values, for internal listeners that are told of them. Said when connecting.</param>
/// <param name="ClusterMetadata">The cluster's.</param>
public readonly record struct SecurityWishes(
    string? ServerName,
    IReadOnlyList<string>? Alpn,
    string? SubjectName,
    IReadOnlyList<string>? OtherwiseAlpn = null,
    string? HostName = null,
    Metadata? HostMetadata = null,
    Metadata? ClusterMetadata = null);

/// <summary>Transport security towards upstreams as a cluster refers to it. Tls implements it; plain text is null.</summary>
public abstract class UpstreamSecurity
{
    /// <summary>Connects and shakes hands; <paramref name="handler"/> hears OnConnected when both are done, OnClosed where either
    /// failed.</summary>
    public abstract Transport Connect(EventLoop loop, in ConnectOptions options, in SecurityWishes wishes, TransportHandler handler);

    /// <summary>What it is, for a person: who we show ourselves as, and who the other side must be.</summary>
    public abstract string Words { get; }

    /// <summary>The protocol agreed on by ALPN; empty for none.</summary>
    public abstract string AgreedProtocol(Transport transport);

    /// <summary>What logs may ask about the session.</summary>
    public abstract TlsFacts? FactsOf(Transport transport);

    /// <summary>Why the handshake failed, in Envoy's words; empty where it did not.</summary>
    public abstract string FailureOf(Transport transport);
}
