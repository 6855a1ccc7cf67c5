using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tcp;

/// <summary>A TCP session as formats, logs and policies see it.</summary>
public sealed class TcpFacts : ConnectionStream
{
    /// <summary>Filter state that names the cluster in place of the configured one.</summary>
    public const string ClusterKey = "envoy.tcp_proxy.cluster";

    /// <summary>Filter state with the connection's own idle timeout, in milliseconds.</summary>
    public const string IdleKey = "envoy.tcp_proxy.per_connection_idle_timeout_ms";

    /// <summary>Filter state with the address for clusters of original destinations.</summary>
    public const string DestinationKey = "envoy.network.transport_socket.original_dst_address";

    /// <summary>Filter state with the upstream's SNI.</summary>
    public const string ServerNameKey = "envoy.network.upstream_server_name";

    /// <summary>Filter state with the upstream's ALPN, separated by commas.</summary>
    public const string AlpnKey = "envoy.network.application_protocols";

    private readonly UpstreamLink _link;

    internal TcpFacts(TcpSession session, UpstreamLink link)
        : base(session.Connection)
    {
        Session = session;
        _link = link;
    }

    /// <summary>The session.</summary>
    public TcpSession Session { get; }

    /// <inheritdoc/>
    public override int Attempts => _link.Attempts;

    /// <inheritdoc/>
    public override string ClusterName => _link.Cluster?.Handle.Name ?? "";

    /// <inheritdoc/>
    public override string ClusterStatName => _link.Cluster?.Cluster.StatName ?? "";

    /// <inheritdoc/>
    public override Address UpstreamHost => _link.Host?.Address ?? default;

    /// <inheritdoc/>
    public override string UpstreamHostName => _link.Host?.Endpoint.Hostname ?? "";

    /// <inheritdoc/>
    public override Address UpstreamLocal => _link.Transport?.Local ?? default;

    /// <inheritdoc/>
    public override long UpstreamConnectionId => _link.Id;

    /// <inheritdoc/>
    public override TlsFacts? UpstreamTls => _link.Tls;

    /// <inheritdoc/>
    public override Metadata? ClusterMetadata => _link.Cluster?.Cluster.Metadata;

    /// <inheritdoc/>
    public override Metadata? UpstreamHostMetadata => _link.Host?.Endpoint.Metadata;
}
