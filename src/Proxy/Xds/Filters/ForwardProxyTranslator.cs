using Envoy.Extensions.Filters.Http.DynamicForwardProxy.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.ForwardProxy;
using Lateen.Proxy.Xds.Network;

namespace Lateen.Proxy.Xds.Filters;

/// <summary>envoy.filters.http.dynamic_forward_proxy.</summary>
internal sealed class ForwardProxyTranslator : FilterTranslator
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Types =>
        ["envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
            "envoy.extensions.filters.http.dynamic_forward_proxy.v3.PerRouteConfig"];

    /// <inheritdoc/>
    public override HttpFilter? Filter(string name, bool disabled, Any config, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(config, FilterConfig.Parser, rejections) is not { } filter)
            return null;
        if (filter.SaveUpstreamAddress)
            rejections.Note("save_upstream_address has no effect");
        return NameCacheTranslator.Options(filter.DnsCacheConfig, rejections) is { } cache
            ? new DynamicForwardFilter(name, cache, translation.Upstreams) { DisabledByDefault = disabled } : null;
    }

    /// <inheritdoc/>
    public override object? Settings(Any config, Translation translation, Rejections rejections) =>
        ValueTranslator.Unpack(config, PerRouteConfig.Parser, rejections) is { } route
            ? new ForwardSettings(System.Text.Encoding.Latin1.GetBytes(route.HostRewriteLiteral),
                System.Text.Encoding.Latin1.GetBytes(route.HostRewriteHeader.ToLowerInvariant())) : null;
}
