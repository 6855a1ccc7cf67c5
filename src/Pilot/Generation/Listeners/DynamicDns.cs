using Envoy.Config.Cluster.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Common.DynamicForwardProxy.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Scope;
using HttpConfig = Envoy.Extensions.Filters.Http.DynamicForwardProxy.V3.FilterConfig;
using SniConfig = Envoy.Extensions.Filters.Network.SniDynamicForwardProxy.V3.FilterConfig;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>Names that are resolved when a request or connection names them.</summary>
internal static class DynamicDns
{
    private const string AllowAnyCache = "allow_any_dfp_dns_cache";

    /// <summary>The cache of a wildcard service.</summary>
    public static DnsCacheConfig CacheOf(string host, ProxyNode node) =>
        new() { Name = host + "_dfp_dns_cache", DnsLookupFamily = Family(node) };

    /// <summary>The cache for names that no service covers.</summary>
    public static DnsCacheConfig CacheOfUnknown(ProxyInputs inputs) => new()
    {
        Name = AllowAnyCache,
        DnsLookupFamily = Family(inputs.Node),
        MaxHosts = inputs.Features.DynamicDnsHostsMax,
    };

    /// <summary>Resolves the host of a request.</summary>
    public static HttpFilter HttpFilter(DnsCacheConfig cache) =>
        HttpFilters.Named("envoy.filters.http.dynamic_forward_proxy", new HttpConfig { DnsCacheConfig = cache });

    /// <summary>Resolves the server name of a TLS connection.</summary>
    public static Envoy.Config.Listener.V3.Filter SniFilter(DnsCacheConfig cache, int port) =>
        NetworkFilters.Named("envoy.extensions.filters.network.sni_dynamic_forward_proxy",
            new SniConfig { DnsCacheConfig = cache, PortValue = (uint)port });

    private static Cluster.Types.DnsLookupFamily Family(ProxyNode node) => (node.SupportsIPv4, node.SupportsIPv6) switch
    {
        (true, true) => Cluster.Types.DnsLookupFamily.All,
        (false, true) => Cluster.Types.DnsLookupFamily.V6Only,
        _ => Cluster.Types.DnsLookupFamily.V4Only,
    };
}
