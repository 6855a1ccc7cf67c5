using Google.Protobuf.WellKnownTypes;
using Io.Istio.Http.PeerMetadata;
using Istio.Envoy.Config.Filter.Http.Alpn.V2Alpha1;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Istio;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>istio.metadata_exchange for HTTP.</summary>
internal sealed class PeerMetadataTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["io.istio.http.peer_metadata.Config"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, Config.Parser, rejections) is not { } c)
            return null;
        bool Headers(IEnumerable<Config.Types.DiscoveryMethod> methods) => methods.Any(m => m.IstioHeaders is not null);
        return new PeerMetadataFilter(name, new PeerMetadataOptions(
            Headers(c.DownstreamDiscovery),
            Headers(c.UpstreamDiscovery),
            c.UpstreamPropagation.Any(m => m.IstioHeaders is not null),
            c.DownstreamPropagation.Any(m => m.IstioHeaders is not null),
            c.UpstreamPropagation.Any(m => m.IstioHeaders?.SkipExternalClusters ?? false)),
            translation.Peers) { DisabledByDefault = disabled };
    }
}

/// <summary>istio.alpn.</summary>
internal sealed class AlpnTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types => ["istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, FilterConfig.Parser, rejections) is not { } c)
            return null;
        IReadOnlyList<string>? Of(FilterConfig.Types.Protocol protocol) =>
            c.AlpnOverride.FirstOrDefault(o => o.UpstreamProtocol == protocol) is { } o ? [.. o.AlpnOverride_] : null;
        return new AlpnFilter(name, Of(FilterConfig.Types.Protocol.Http10), Of(FilterConfig.Types.Protocol.Http11),
            Of(FilterConfig.Types.Protocol.Http2)) { DisabledByDefault = disabled };
    }
}
