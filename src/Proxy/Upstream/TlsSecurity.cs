using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tls;

namespace Lateen.Proxy.Upstream;

/// <summary>TLS towards a cluster. The context may be replaced while connections live (a renewed certificate): new connections take the newest.</summary>
/// <param name="current">The context of the moment.</param>
public sealed class TlsSecurity(Func<TlsContext> current) : UpstreamSecurity
{
    /// <inheritdoc/>
    public override Transport Connect(EventLoop loop, in ConnectOptions options, in SecurityWishes wishes, TransportHandler handler)
    {
        bool plain = wishes.ServerName is null && wishes.Alpn is null && wishes.SubjectName is null;
        TlsConnectOptions wanted = plain ? TlsConnectOptions.None
            : new TlsConnectOptions { Sni = wishes.ServerName, Alpn = wishes.Alpn, Sans = wishes.SubjectName is { } name ? [name] : null };
        return TlsTransport.Connect(loop, options, current(), wanted, handler);
    }

    /// <inheritdoc/>
    public override string AgreedProtocol(Transport transport) => transport is TlsTransport { Peer: { } peer } ? peer.Alpn : "";

    /// <inheritdoc/>
    public override TlsFacts? FactsOf(Transport transport) => (transport as TlsTransport)?.Peer;

    /// <inheritdoc/>
    public override string FailureOf(Transport transport) => (transport as TlsTransport)?.FailureReason ?? "";
}
