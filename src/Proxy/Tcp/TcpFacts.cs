using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tcp;

/// <summary>A TCP session as formats, logs and policies see it.</summary>
public sealed class TcpFacts : ConnectionStream
{
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
