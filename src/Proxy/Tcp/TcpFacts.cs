using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tcp;

/// <summary>A TCP session as formats, logs and policies see it.</summary>
public sealed class TcpFacts : IStreamFacts
{
    private readonly TcpSession _session;
    private readonly UpstreamLink _link;
    private readonly Dictionary<string, object> _state = new(StringComparer.Ordinal);

    /// <summary>Points in its life.</summary>
    public StreamTimes Times;

    internal TcpFacts(TcpSession session, UpstreamLink link)
    {
        _session = session;
        _link = link;
        EventLoop loop = session.Connection.Worker.Loop;
        StartedAt = loop.WallClock - (loop.Now - session.Connection.AcceptedAt);
        StreamId = loop.Chance.NextULong();
        Times.DownstreamConnectionBegin = session.Connection.AcceptedAt;
        Times.DownstreamHandshakeEnd = session.Connection.HandshakeAt;
        DownstreamTransportFailure = session.Connection.Facts.TransportFailure;
    }

    /// <summary>The session.</summary>
    public TcpSession Session => _session;

    /// <inheritdoc/>
    public HeaderMap? RequestHead => null;

    /// <inheritdoc/>
    public HeaderMap? ResponseHead => null;

    /// <inheritdoc/>
    public HeaderMap? ResponseTrailers => null;

    /// <inheritdoc/>
    public long StartedAt { get; }

    /// <inheritdoc/>
    public long Now => _session.Connection.Worker.Loop.Now;

    /// <inheritdoc/>
    ref readonly StreamTimes IStreamFacts.Times => ref Times;

    /// <inheritdoc/>
    public HttpVersion? Protocol => null;

    /// <inheritdoc/>
    public HttpVersion? UpstreamProtocol => null;

    /// <inheritdoc/>
    public int Status => 0;

    /// <inheritdoc/>
    public ResponseFlags Flags { get; set; }

    /// <inheritdoc/>
    public string Details => "";

    /// <inheritdoc/>
    public string TerminationDetails { get; set; } = "";

    /// <summary>Why we closed the client's connection, in Envoy's words; empty where the client did.</summary>
    public string LocalCloseReason { get; set; } = "";

    /// <inheritdoc/>
    public string UpstreamTransportFailure { get; set; } = "";

    /// <inheritdoc/>
    public string DownstreamTransportFailure { get; set; }

    /// <inheritdoc/>
    public long BytesReceived { get; set; }

    /// <inheritdoc/>
    public long BytesSent { get; set; }

    /// <summary>Bytes from the upstream.</summary>
    public long UpstreamReceived { get; set; }

    /// <summary>Bytes to the upstream.</summary>
    public long UpstreamSent { get; set; }

    /// <inheritdoc/>
    public StreamBytes DownstreamBytes => new(0, BytesReceived, 0, BytesSent);

    /// <inheritdoc/>
    public StreamBytes UpstreamBytes => new(0, UpstreamReceived, 0, UpstreamSent);

    /// <inheritdoc/>
    public int Attempts => _link.Attempts;

    /// <inheritdoc/>
    public string RouteName => "";

    /// <inheritdoc/>
    public string VirtualHostName => "";

    /// <inheritdoc/>
    public string ClusterName => _link.Cluster?.Handle.Name ?? "";

    /// <inheritdoc/>
    public string ClusterStatName => _link.Cluster?.Cluster.StatName ?? "";

    /// <inheritdoc/>
    public string FilterChainName => _session.Connection.Chain.Name;

    /// <inheritdoc/>
    public Address UpstreamHost => _link.Host?.Address ?? default;

    /// <inheritdoc/>
    public string UpstreamHostName => _link.Host?.Endpoint.Hostname ?? "";

    /// <inheritdoc/>
    public Address UpstreamLocal => _link.Transport?.Local ?? default;

    /// <inheritdoc/>
    public Address DownstreamRemote => _session.Connection.Facts.Remote;

    /// <inheritdoc/>
    public Address DownstreamDirectRemote => _session.Connection.Facts.DirectRemote;

    /// <inheritdoc/>
    public Address DownstreamLocal => _session.Connection.Facts.Local;

    /// <inheritdoc/>
    public Address DownstreamDirectLocal => _session.Connection.Facts.DirectLocal;

    /// <inheritdoc/>
    public string RequestedServerName => _session.Connection.Facts.ServerName;

    /// <inheritdoc/>
    public long ConnectionId => _session.Connection.Id;

    /// <inheritdoc/>
    public long UpstreamConnectionId => _link.Id;

    /// <inheritdoc/>
    public ulong StreamId { get; }

    /// <inheritdoc/>
    public TlsFacts? DownstreamTls => _session.Connection.Tls;

    /// <inheritdoc/>
    public TlsFacts? UpstreamTls => _link.Tls;

    /// <inheritdoc/>
    public Metadata? DynamicMetadata { get; set; }

    /// <inheritdoc/>
    public Metadata? ClusterMetadata => _link.Cluster?.Cluster.Metadata;

    /// <inheritdoc/>
    public Metadata? RouteMetadata => null;

    /// <inheritdoc/>
    public Metadata? UpstreamHostMetadata => _link.Host?.Endpoint.Metadata;

    /// <inheritdoc/>
    public Metadata? VirtualHostMetadata => null;

    /// <inheritdoc/>
    public Metadata? ListenerMetadata => _session.Connection.Listener.Metadata;

    /// <inheritdoc/>
    public (string Trace, string Span) TraceIds => ("", "");

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LocalReplyBody => default;

    /// <inheritdoc/>
    public string LogType { get; set; } = "TcpConnectionEnd";

    /// <inheritdoc/>
    public object? FilterState(string key) => _state.GetValueOrDefault(key);

    /// <summary>Sets filter state.</summary>
    public void SetFilterState(string key, object value) => _state[key] = value;
}
