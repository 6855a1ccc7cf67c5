// Network: translators of network filters and of what belongs to them, one kind a class; NetworkFilterTranslator knows them by type.
using Envoy.Extensions.Common.DynamicForwardProxy.V3;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Resolution;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds.Network;

/// <summary>Caches of names (DnsCacheConfig).</summary>
internal static class NameCacheTranslator
{
    /// <summary>The cache's settings; null where there are none.</summary>
    public static NameCacheOptions? Options(DnsCacheConfig? config, Rejections rejections)
    {
        if (config is null)
        {
            rejections.Add("a dynamic forward proxy without dns_cache_config (sub clusters) is not served");
            return null;
        }
        using Rejections.Scope scope = rejections.In("dns_cache_config");
        if (config.KeyValueConfig is not null)
            rejections.Add("key_value_config is not served");
        return new NameCacheOptions
        {
            Name = config.Name,
            Dns = new DnsOptions
            {
                Family = (DnsFamily)config.DnsLookupFamily,
                RefreshMicros = ValueTranslator.Micros(config.DnsRefreshRate, 60_000_000),
                FailureRefreshMicros = ValueTranslator.Micros(config.DnsFailureRefreshRate?.BaseInterval),
                FailureRefreshMaxMicros = ValueTranslator.Micros(config.DnsFailureRefreshRate?.MaxInterval),
                Resolvers = Resolvers(config, rejections),
            },
            NamesMax = (int)Math.Min(config.MaxHosts ?? 1024, int.MaxValue),
            WaitersMax = (int)Math.Min(config.DnsCacheCircuitBreaker?.MaxPendingRequests ?? 1024, int.MaxValue),
            UnusedMicros = ValueTranslator.Micros(config.HostTtl, 300_000_000),
            RefreshMinMicros = ValueTranslator.Micros(config.DnsMinRefreshRate, 5_000_000),
            QueryMicros = ValueTranslator.Micros(config.DnsQueryTimeout, 5_000_000),
            Early = [.. config.PreresolveHostnames.Select(h => h.Address)],
        };
    }

    private static List<Net.Address> Resolvers(DnsCacheConfig config, Rejections rejections)
    {
#pragma warning disable CS0612 // dns_resolution_config is deprecated, and still in use
        IEnumerable<Core.Address> given = config.DnsResolutionConfig?.Resolvers ?? [];
#pragma warning restore CS0612
        if (config.TypedDnsResolverConfig is { TypedConfig: { } any }
            && ValueTranslator.TypeName(any) == "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig")
            given = ValueTranslator.Unpack(any, Envoy.Extensions.Network.DnsResolver.Cares.V3.CaresDnsResolverConfig.Parser,
                rejections)?.Resolvers ?? given;
        return [.. given.Select(a => ValueTranslator.Address(a, rejections))];
    }
}
