using System.Collections.Frozen;
using Envoy.Config.Cluster.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Lateen.Pilot.Generation.Listeners;
using ApplyTo = Istio.Networking.V1Alpha3.EnvoyFilter.Types.ApplyTo;
using PatchContext = Istio.Networking.V1Alpha3.EnvoyFilter.Types.PatchContext;
using RouteActionMatch = Istio.Networking.V1Alpha3.EnvoyFilter.Types.RouteConfigurationMatch.Types.RouteMatch.Types.Action;

namespace Lateen.Pilot.Generation.Patches;

/// <summary>Whether a patch means an object.</summary>
internal static class PatchMatches
{
    // Names that Envoy's filters had before they got systematic ones; older patches still use them.
    private static readonly FrozenDictionary<string, string> NewNames = new Dictionary<string, string>
    {
        ["envoy.buffer"] = "envoy.filters.http.buffer",
        ["envoy.cors"] = "envoy.filters.http.cors",
        ["envoy.csrf"] = "envoy.filters.http.csrf",
        ["envoy.ext_authz"] = "envoy.filters.http.ext_authz",
        ["envoy.fault"] = "envoy.filters.http.fault",
        ["envoy.grpc_http1_bridge"] = "envoy.filters.http.grpc_http1_bridge",
        ["envoy.grpc_json_transcoder"] = "envoy.filters.http.grpc_json_transcoder",
        ["envoy.grpc_web"] = "envoy.filters.http.grpc_web",
        ["envoy.gzip"] = "envoy.filters.http.gzip",
        ["envoy.health_check"] = "envoy.filters.http.health_check",
        ["envoy.http_dynamo_filter"] = "envoy.filters.http.dynamo",
        ["envoy.ip_tagging"] = "envoy.filters.http.ip_tagging",
        ["envoy.lua"] = "envoy.filters.http.lua",
        ["envoy.rate_limit"] = "envoy.filters.http.ratelimit",
        ["envoy.router"] = "envoy.filters.http.router",
        ["envoy.squash"] = "envoy.filters.http.squash",
        ["envoy.listener.http_inspector"] = "envoy.filters.listener.http_inspector",
        ["envoy.listener.original_dst"] = "envoy.filters.listener.original_dst",
        ["envoy.listener.original_src"] = "envoy.filters.listener.original_src",
        ["envoy.listener.proxy_protocol"] = "envoy.filters.listener.proxy_protocol",
        ["envoy.listener.tls_inspector"] = "envoy.filters.listener.tls_inspector",
        ["envoy.client_ssl_auth"] = "envoy.filters.network.client_ssl_auth",
        ["envoy.echo"] = "envoy.filters.network.echo",
        ["envoy.http_connection_manager"] = "envoy.filters.network.http_connection_manager",
        ["envoy.mongo_proxy"] = "envoy.filters.network.mongo_proxy",
        ["envoy.ratelimit"] = "envoy.filters.network.ratelimit",
        ["envoy.redis_proxy"] = "envoy.filters.network.redis_proxy",
        ["envoy.tcp_proxy"] = "envoy.filters.network.tcp_proxy",
    }.ToFrozenDictionary();

    /// <summary>The present name of a filter.</summary>
    public static string Canonical(string name) => NewNames.GetValueOrDefault(name, name);

    /// <summary>The patch is for this kind of traffic.</summary>
    public static bool Context(Patch patch, PatchContext context) =>
        patch.Match.Context == context || patch.Match.Context == PatchContext.Any;

    // ---- listeners

    /// <summary>By name and port.</summary>
    public static bool Listener(Patch patch, Listener listener)
    {
        if (patch.Match.Listener is not { } match) return true;
        if (match.Name.Length > 0 && match.Name != listener.Name) return false;
        // In the listeners of captured traffic the port stands in the chains.
        if (patch.ApplyTo != ApplyTo.Listener && IsVirtual(listener)) return true;
        return match.PortNumber == 0 || listener.Address?.SocketAddress?.PortValue == match.PortNumber;
    }

    private static bool IsVirtual(Listener listener) =>
        listener.Name is SidecarListeners.VirtualOutboundName or InboundListeners.VirtualName;

    /// <summary>By the conditions of the chain itself.</summary>
    public static bool Chain(Patch patch, Listener listener, FilterChain chain)
    {
        if (patch.Match.Waypoint is { } waypoint) return waypoint.PortNumber == 0 || PortOf(chain.Name) == waypoint.PortNumber;
        if (patch.Match.Listener is not { } match) return true;
        var own = chain.FilterChainMatch;
        if (IsVirtual(listener) && match.PortNumber > 0 && own?.DestinationPort != match.PortNumber) return false;
        if (match.FilterChain is not { } wanted) return true;
        if (wanted.Name.Length > 0 && wanted.Name != chain.Name) return false;
        if (wanted.Sni.Length > 0 && own?.ServerNames.Contains(wanted.Sni) != true) return false;
        if (wanted.TransportProtocol.Length > 0 && own?.TransportProtocol != wanted.TransportProtocol) return false;
        if (wanted.ApplicationProtocols.Length > 0
            && (own is null || !wanted.ApplicationProtocols.Split(',').All(own.ApplicationProtocols.Contains))) return false;
        return wanted.DestinationPort == 0 || own?.DestinationPort == wanted.DestinationPort;
    }

    /// <summary>Name of the network filter that the patch is about; empty for none.</summary>
    public static string NetworkFilter(Patch patch) =>
        patch.Match.Waypoint?.Filter?.Name ?? patch.Match.Listener?.FilterChain?.Filter?.Name ?? "";

    /// <summary>Name of the HTTP filter that the patch is about; empty for none.</summary>
    public static string HttpFilter(Patch patch) =>
        patch.Match.Waypoint?.Filter?.SubFilter?.Name ?? patch.Match.Listener?.FilterChain?.Filter?.SubFilter?.Name ?? "";

    /// <summary>Name of the listener filter that the patch is about; empty for none.</summary>
    public static string ListenerFilter(Patch patch) => patch.Match.Listener?.ListenerFilter ?? "";

    /// <summary>No name means every filter.</summary>
    public static bool Name(string wanted, string actual) => wanted.Length == 0 || wanted == actual || Canonical(wanted) == actual;

    // ---- routes

    /// <summary>By name; of sidecars also by port, of gateways by what the name says about the server.</summary>
    public static bool Routes(Patch patch, RouteConfiguration routes, PatchContext context,
        IReadOnlyDictionary<int, System.Collections.Immutable.ImmutableArray<int>>? gatewayPorts)
    {
        if (patch.Match.Waypoint is { } waypoint) return waypoint.PortNumber == 0 || PortOf(routes.Name) == waypoint.PortNumber;
        if (patch.Match.RouteConfiguration is not { } match) return true;
        if (match.Name.Length > 0 && match.Name != routes.Name) return false;
        if (context != PatchContext.Gateway) return match.PortNumber == 0 || PortOf(routes.Name) == match.PortNumber;
        var (port, portName, gateway) = ServerOf(routes.Name);
        // Where a service maps ports, the declared one is meant and not the one that is listened on.
        var isPort = match.PortNumber == 0
            || (gatewayPorts is not null && gatewayPorts.TryGetValue(port, out var declared)
                ? declared.Contains((int)match.PortNumber) : match.PortNumber == port);
        return isPort && (match.PortName.Length == 0 || match.PortName == portName)
            && (match.Gateway.Length == 0 || match.Gateway == gateway);
    }

    private static int PortOf(string name)
    {
        var text = name.StartsWith("inbound", StringComparison.Ordinal) ? name.Split('|') is [_, var own, ..] ? own : "" : name;
        return int.TryParse(text, out var port) ? port : 0;
    }

    /// <summary>What a gateway's route name says: <c>http.80</c> or <c>https.443.port-name.gateway.namespace</c>.</summary>
    public static (int Port, string PortName, string Gateway) ServerOf(string name)
    {
        var parts = name.Split('.');
        if (parts.Length < 2 || !int.TryParse(parts[1], out var port)) return (0, "", "");
        return parts.Length >= 5 && parts[0] == "https" ? (port, parts[2], $"{parts[4]}/{parts[3]}") : (port, "", "");
    }

    /// <summary>By name and domain.</summary>
    public static bool Host(Patch patch, VirtualHost host)
    {
        if (patch.Match.RouteConfiguration?.Vhost is not { } match) return true;
        if (match.Name.Length > 0 && match.Name != host.Name) return false;
        return match.DomainName.Length == 0 || host.Domains.Contains(match.DomainName);
    }

    /// <summary>The patch names routes.</summary>
    public static bool NamesRoute(Patch patch) =>
        patch.Match.RouteConfiguration?.Vhost?.Route is not null || patch.Match.Waypoint?.Route is not null;

    /// <summary>By name and kind of action.</summary>
    public static bool Route(Patch patch, Route route)
    {
        if (patch.Match.Waypoint?.Route is { } named) return named.Name.Length == 0 || named.Name == route.Name;
        if (patch.Match.RouteConfiguration?.Vhost?.Route is not { } match) return true;
        if (match.Name.Length > 0 && match.Name != route.Name) return false;
        return match.Action switch
        {
            RouteActionMatch.Route => route.Route_ is not null,
            RouteActionMatch.Redirect => route.Redirect is not null,
            RouteActionMatch.DirectResponse => route.DirectResponse is not null,
            _ => true,
        };
    }

    // ---- clusters

    /// <summary>By name, or by what the name says: port, subset, host. <paramref name="hosts"/> are those of an inbound cluster.</summary>
    public static bool Cluster(Patch patch, Cluster cluster, IReadOnlyCollection<string> hosts)
    {
        if (patch.Match.Cluster is not { } match) return true;
        if (match.Name.Length > 0) return match.Name == cluster.Name;
        var parts = cluster.Name.Split('|');
        var (port, subset, host) = parts.Length == 4 && int.TryParse(parts[1], out var number) ? (number, parts[2], parts[3]) : (0, "", "");
        if (match.Subset.Length > 0 && match.Subset != subset) return false;
        if (match.Service.Length > 0 && match.Service != host && !hosts.Contains(match.Service)) return false;
        return match.PortNumber == 0 || match.PortNumber == port;
    }
}
