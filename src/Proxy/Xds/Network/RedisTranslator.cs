using Envoy.Extensions.Filters.Network.RedisProxy.V3;
using Google.Protobuf.WellKnownTypes;
using Lateen.Proxy.Tcp.Redis;

namespace Lateen.Proxy.Xds.Network;

/// <summary>redis_proxy, and the login of clusters that it uses.</summary>
internal static class RedisTranslator
{
    /// <summary>The filter.</summary>
    public static RedisFilter? Filter(Any any, Translation translation, Rejections rejections)
    {
        if (ValueTranslator.Unpack(any, RedisProxy.Parser, rejections) is not { } proxy)
            return null;
        RedisProxy.Types.ConnPoolSettings settings = proxy.Settings ?? new();
        if (settings.EnableRedirection)
            rejections.Add("settings.enable_redirection is not served");
        if (settings.ReadPolicy != RedisProxy.Types.ConnPoolSettings.Types.ReadPolicy.Master)
            rejections.Add("settings.read_policy is not served: every host is asked as a master");
        if (proxy.Faults.Count > 0)
            rejections.Add("faults are not served");
        var routes = new List<RedisRoute>();
        foreach (RedisProxy.Types.PrefixRoutes.Types.Route route in proxy.PrefixRoutes?.Routes ?? [])
            routes.Add(Route(route, route.Prefix, translation, rejections));
        routes = [.. routes.OrderByDescending(r => r.Prefix.Length)];
        if (proxy.PrefixRoutes?.CatchAllRoute is { } rest)
            routes.Add(Route(rest, "", translation, rejections));
#pragma warning disable CS0612 // the older place of a single password
        List<byte[]> passwords = [.. proxy.DownstreamAuthPasswords.Prepend(proxy.DownstreamAuthPassword)
            .Select(p => ValueTranslator.Data(p, rejections)).OfType<byte[]>()];
#pragma warning restore CS0612
        return new RedisFilter(new RedisOptions
        {
            Routes = routes,
            IgnoreCase = proxy.PrefixRoutes?.CaseInsensitive ?? false,
            HashTags = settings.EnableHashtagging,
            TimeoutMicros = ValueTranslator.Micros(settings.OpTimeout),
            Passwords = passwords,
            User = ValueTranslator.Data(proxy.DownstreamAuthUsername, rejections) ?? [],
        }, translation.Upstreams, translation.Workers);
    }

    private static RedisRoute Route(RedisProxy.Types.PrefixRoutes.Types.Route route, string prefix, Translation translation,
        Rejections rejections)
    {
        if (route.RequestMirrorPolicy.Count > 0)
            rejections.Add($"request_mirror_policy of prefix '{prefix}' is not served");
        if (route.KeyFormatter.Length > 0 || route.ReadCommandPolicy is not null)
            rejections.Add($"key_formatter and read_command_policy of prefix '{prefix}' are not served");
        return new RedisRoute(System.Text.Encoding.UTF8.GetBytes(prefix), route.RemovePrefix, translation.Clusters.Handle(route.Cluster));
    }

    /// <summary>What a connection to a cluster's host begins with (RedisProtocolOptions); null for nothing.</summary>
    public static byte[]? Login(Envoy.Config.Cluster.V3.Cluster cluster, Rejections rejections)
    {
        Any? any = cluster.TypedExtensionProtocolOptions.Values.FirstOrDefault(
            a => ValueTranslator.TypeName(a) == "envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions");
        if (any is null || ValueTranslator.Unpack(any, RedisProtocolOptions.Parser, rejections) is not { } options
            || ValueTranslator.Data(options.AuthPassword, rejections) is not { Length: > 0 } password)
            return null;
        return Resp.Request(ValueTranslator.Data(options.AuthUsername, rejections) is { Length: > 0 } user
            ? ["AUTH"u8.ToArray(), user, password] : ["AUTH"u8.ToArray(), password]);
    }
}
