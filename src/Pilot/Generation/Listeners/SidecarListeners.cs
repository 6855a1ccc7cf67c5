using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Generation.Waypoints;
using Lateen.Registry;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>All listeners of a sidecar.</summary>
internal static class SidecarListeners
{
    /// <summary>Name of the listener for captured outbound traffic.</summary>
    public const string VirtualOutboundName = "virtualOutbound";

    /// <summary>Makes them: outbound ones, the explicit HTTP proxy, the catch-all of captured traffic, inbound ones.</summary>
    public static IReadOnlyList<Listener> Build(ListenerParts parts) => [.. new OutboundListeners(parts).Build(), .. Others(parts)];

    /// <summary>All but the outbound ones: what is the proxy's own.</summary>
    public static IReadOnlyList<Listener> Others(ListenerParts parts)
    {
        var listeners = new List<Listener>();
        if (HttpProxy(parts) is { } proxy) listeners.Add(proxy);
        if (!parts.Inputs.BindsEverything) listeners.Add(VirtualOutbound(parts));
        var inbound = new InboundListeners(parts);
        listeners.AddRange(inbound.Build());
        var metadata = parts.Inputs.Node.Metadata;
        if (metadata.EnableHbone)
        {
            listeners.Add(TunnelListeners.TakesTunnels(parts.Inputs));
            listeners.Add(inbound.Tunneled());
        }
        if (parts.Inputs.Features.Ambient && !metadata.DisableHboneSend && !parts.Inputs.IsProxylessGrpc)
            listeners.Add(TunnelListeners.OpensTunnels());
        return listeners;
    }

    private static Listener? HttpProxy(ListenerParts parts)
    {
        var inputs = parts.Inputs;
        var port = int.TryParse(inputs.Node.Metadata.Text("HTTP_PROXY_PORT"), out var own) ? own : inputs.Mesh.ProxyHttpPort;
        if (port == 0) return null;
        var binds = inputs.Node.Loopbacks();
        var manager = HttpPlan.WithHeaders(inputs.Config, ListenerClass.SidecarOutbound);
        manager.HttpProtocolOptions = new Http1ProtocolOptions
        {
            AllowAbsoluteUrl = true,
            AcceptHttp10 = OutboundListeners.AcceptsHttp10(inputs),
        };
        var entry = new OutboundEntry(binds, true, new ServicePort("", port, Protocol.HttpProxy), Protocol.HttpProxy);
        entry.Chains.Add(new FilterChainPlan
        {
            Http = new HttpPlan
            {
                Class = ListenerClass.SidecarOutbound,
                Protocol = Protocol.HttpProxy,
                RouteName = SidecarRoutes.HttpProxyName,
                Base = manager,
            },
        });
        return OutboundListeners.Render(parts, entry, () => new TcpProxies(parts).Unknown());
    }

    private static Listener VirtualOutbound(ListenerParts parts)
    {
        var inputs = parts.Inputs;
        var binds = inputs.Node.Wildcards();
        var port = inputs.Mesh.ProxyListenPort;
        var proxies = new TcpProxies(parts);
        var listener = new Listener
        {
            Name = VirtualOutboundName,
            Address = ListenerRenderer.AddressOf(binds[0], port),
            UseOriginalDst = true,
            TrafficDirection = TrafficDirection.Outbound,
            MaxConnectionsToAcceptPerSocketEvent = OutboundListeners.AcceptsPerEvent(inputs),
        };
        if (inputs.Features.DualStack) listener.AdditionalAddresses.Add(ListenerRenderer.Additional(binds.Skip(1), port));
        if (inputs.Node.Metadata.Interception == Scope.InterceptionMode.Tproxy) listener.Transparent = true;
        // Traffic for the proxy's own port would come back to it, without end.
        listener.FilterChains.Add(new FilterChain
        {
            Name = "virtualOutbound-blackhole",
            FilterChainMatch = new FilterChainMatch { DestinationPort = (uint)port },
            Filters = { proxies.Closed(ListenerClass.SidecarOutbound) },
        });
        if (inputs.Fallback == OutboundFallback.DynamicDns)
        {
            listener.ListenerFilters.Add(ListenerFilters.HttpInspector());
            listener.FilterChains.Add(ByName(parts));
        }
        listener.FilterChains.Add(new FilterChain { Name = "virtualOutbound-catchall-tcp", Filters = { proxies.Unknown() } });
        listener.AccessLog.Add(parts.Logs.For(LogPlace.Listener, ListenerClass.SidecarOutbound));
        if (ConnectionLimits.BufferBytes(inputs) is { } bytes) listener.PerConnectionBufferLimitBytes = bytes;
        return listener;
    }

    // HTTP to unknown destinations is forwarded by the name in the request.
    private static FilterChain ByName(ListenerParts parts)
    {
        var inputs = parts.Inputs;
        var fallback = OutboundFallback.DynamicDns;
        var includeAttempts = inputs.Config.ProxyHeaders?.AttemptCount?.Disabled != true;
        var plan = new HttpPlan
        {
            Class = ListenerClass.SidecarOutbound,
            Protocol = Protocol.Http,
            Routes = DefaultRoutes.Configuration(fallback.VirtualHostName, [DefaultRoutes.CatchAll(fallback, includeAttempts)], false),
            StatPrefix = $"outbound_{VirtualOutboundName}_{fallback.VirtualHostName};",
            Base = HttpPlan.WithHeaders(inputs.Config, ListenerClass.SidecarOutbound),
            DnsCache = DynamicDns.CacheOfUnknown(inputs),
            UsesRemoteAddress = inputs.Features.UseRemoteAddress,
        };
        var match = new FilterChainMatch();
        match.ApplicationProtocols.Add(OutboundListeners.PlaintextHttp(inputs));
        return new FilterChain
        {
            Name = "virtualOutbound-catchall-tcp-http",
            FilterChainMatch = match,
            Filters = { NetworkFilters.Http(ConnectionManagers.Build(parts, plan)) },
        };
    }
}
