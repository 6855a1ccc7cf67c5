using System.Text.Json;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Exchanges;

/// <summary>An exchange as formats, logs and policies see it.</summary>
public sealed class ExchangeFacts : IStreamFacts
{
    private readonly Exchange _x;
    private readonly DynamicView _view;

    internal ExchangeFacts(Exchange exchange)
    {
        _x = exchange;
        _view = new DynamicView(exchange);
    }

    private ConnectionContext Context => _x.Connection.Context;

    /// <summary>The exchange.</summary>
    public Exchange Exchange => _x;

    /// <summary>What routes may match of dynamic metadata; null while there is none.</summary>
    internal MetadataView? RouteMetadataView => _x.DynamicMetadata is null ? null : _view;

    /// <inheritdoc/>
    public HeaderMap? RequestHead => _x.RequestHead;

    /// <inheritdoc/>
    public HeaderMap? ResponseHead => _x.ResponseHead;

    /// <inheritdoc/>
    public HeaderMap? ResponseTrailers => _x.ResponseTrailers;

    /// <inheritdoc/>
    public long StartedAt => _x.StartedAt;

    /// <inheritdoc/>
    public long Now => _x.Worker.Loop.Now;

    /// <inheritdoc/>
    public ref readonly StreamTimes Times => ref _x.Times;

    /// <inheritdoc/>
    public HttpVersion? Protocol => _x.Stream.Version;

    /// <inheritdoc/>
    public HttpVersion? UpstreamProtocol => _x.Upstream.Connection?.Version;

    /// <inheritdoc/>
    public int Status => _x.LogMoment == "UpstreamEnd" ? _x.Upstream.Status : _x.Status;

    /// <inheritdoc/>
    public string VirtualClusterName => _x.Upstream.VirtualCluster is { Headers.Count: > 0 } named ? named.Name : "";

    /// <inheritdoc/>
    public ResponseFlags Flags => _x.Flags;

    /// <inheritdoc/>
    public ulong FlagOrder => _x.FlagOrder;

    /// <inheritdoc/>
    public string Details => _x.Details;

    /// <inheritdoc/>
    public bool HasDetails => _x.IsLocalReply || _x.Details.Length > 0;

    /// <inheritdoc/>
    public string TerminationDetails => _x.TerminationDetails;

    /// <inheritdoc/>
    public string UpstreamTransportFailure => _x.Upstream.TransportFailure ?? "";

    /// <inheritdoc/>
    public string DownstreamTransportFailure => "";

    /// <inheritdoc/>
    public long BytesReceived => _x.BytesReceived;

    /// <inheritdoc/>
    public long BytesSent => _x.BytesSent;

    /// <inheritdoc/>
    public StreamBytes DownstreamBytes => _x.Stream.Bytes;

    /// <inheritdoc/>
    public StreamBytes UpstreamBytes => _x.Upstream.Bytes;

    /// <inheritdoc/>
    public int Attempts => _x.LogMoment == "UpstreamEnd" ? 0 : _x.Upstream.Attempts;

    /// <inheritdoc/>
    public string RouteName => _x.Route?.Name ?? "";

    /// <inheritdoc/>
    public string VirtualHostName => _x.Decision.Host?.Name ?? "";

    /// <inheritdoc/>
    public string ClusterName => _x.Upstream.Cluster?.Cluster.Name ?? "";

    /// <inheritdoc/>
    public string ClusterStatName => _x.Upstream.Cluster?.Cluster.StatName ?? "";

    /// <inheritdoc/>
    public string FilterChainName => Context.FilterChain;

    /// <inheritdoc/>
    public Address UpstreamHost => _x.Upstream.Host?.Address ?? default;

    /// <inheritdoc/>
    public Address UpstreamRemote =>
        _x.Upstream.Host is { Endpoint.AdditionalAddresses.Count: > 0 }
            ? _x.Upstream.Connection?.Transport.Remote ?? default : UpstreamHost;

    /// <inheritdoc/>
    public string UpstreamHostName => _x.Upstream.Host?.Endpoint.Hostname ?? "";

    /// <inheritdoc/>
    public Address UpstreamLocal => _x.Upstream.Connection?.Transport.Local ?? default;

    /// <inheritdoc/>
    public Address DownstreamRemote => _x.ClientAddress;

    /// <inheritdoc/>
    public Address DownstreamDirectRemote => Context.DirectRemote;

    /// <inheritdoc/>
    public Address DownstreamLocal => Context.Local;

    /// <inheritdoc/>
    public Address DownstreamDirectLocal => Context.DirectLocal;

    /// <inheritdoc/>
    public string RequestedServerName => Context.ServerName;

    /// <inheritdoc/>
    public long ConnectionId => Context.Id;

    /// <inheritdoc/>
    public long UpstreamConnectionId => _x.Upstream.Connection?.Id ?? 0;

    /// <inheritdoc/>
    public ulong StreamId => _x.Random;

    /// <inheritdoc/>
    public TlsFacts? DownstreamTls => Context.Tls;

    /// <inheritdoc/>
    public TlsFacts? UpstreamTls => _x.Upstream.Connection?.Tls;

    /// <inheritdoc/>
    public Metadata? DynamicMetadata => _x.DynamicMetadata;

    /// <inheritdoc/>
    public Metadata? ClusterMetadata => _x.Upstream.Cluster?.Cluster.Metadata;

    /// <inheritdoc/>
    public Metadata? RouteMetadata => _x.Route?.Metadata;

    /// <inheritdoc/>
    public Metadata? UpstreamHostMetadata => _x.Upstream.Host?.Endpoint.Metadata;

    /// <inheritdoc/>
    public Metadata? VirtualHostMetadata => _x.Decision.Host?.Metadata;

    /// <inheritdoc/>
    public Metadata? ListenerMetadata => Context.ListenerMetadata;

    /// <inheritdoc/>
    public object? FilterState(string key) => _x.FilterState(key);

    /// <inheritdoc/>
    public (string Trace, string Span) TraceIds => _x.Options.Tracer?.IdsOf(_x) ?? ("", "");

    /// <inheritdoc/>
    public bool IsHealthCheck => _x.IsHealthCheck;

    /// <inheritdoc/>
    public bool IsTraced => _x.IsTraced;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LocalReplyBody => _x.LocalBody.Written;

    /// <inheritdoc/>
    public string LogType => _x.LogMoment;

    private sealed class DynamicView(Exchange exchange) : MetadataView
    {
        public override bool Matches(MetadataMatch match) => MetadataTest.Matches(match, exchange.DynamicMetadata);
    }
}

/// <summary>Evaluates tests of metadata (routes, policies).</summary>
public static class MetadataTest
{
    /// <summary>True where the value at the path satisfies, or does not where inverted. An absent value satisfies nothing but a test of
    /// absence.</summary>
    public static bool Matches(MetadataMatch match, Metadata? metadata)
    {
        JsonElement value = default;
        if (metadata is not null)
        {
            value = metadata[match.Filter];
            for (int i = 0; i < match.Path.Count; i++)
                value = value.ValueKind == JsonValueKind.Object && value.TryGetProperty(match.Path[i], out JsonElement inner)
                    ? inner : default;
        }
        return ValueMatching.Matches(match.Value, value) != match.Invert;
    }
}
