using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Scope;
using Lateen.Pilot.Scope.Gateways;
using Lateen.Registry;
using Listener = Envoy.Config.Listener.V3.Listener;
using Mode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Generation.Gateways;

/// <summary>Listeners of routers.</summary>
internal sealed class GatewayListeners
{
    private const int UnprivilegedMin = 1024;
    private readonly ListenerParts _parts;
    private readonly ProxyInputs _inputs;
    private readonly GatewayTcpChains _tcp;

    public GatewayListeners(ListenerParts parts)
    {
        _parts = parts;
        _inputs = parts.Inputs;
        _tcp = new GatewayTcpChains(parts);
    }

    /// <summary>One listener for each port and address; a port for which nothing can be routed has none.</summary>
    public IReadOnlyList<Listener> Build()
    {
        if (_inputs.Scope.Gateway is not { } gateway) return [];
        var listeners = new List<Listener>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var sniTaken = new HashSet<(int Port, string Bind, string Host)>();
        foreach (var port in gateway.Ports)
        {
            if (_inputs.Node.Metadata.UnprivilegedPod && port.Number < UnprivilegedMin) continue;
            var chains = Chains(port, sniTaken);
            if (chains.Count == 0) continue;
            var binds = port.Bind.Length > 0 ? [port.Bind] : _inputs.Node.Wildcards();
            var name = ListenerRenderer.NameOf(binds[0], port.Number);
            if (names.Add(name)) listeners.Add(Listener(name, binds, port.Number, chains));
            var quic = QuicChains(port);
            if (quic.Count > 0 && names.Add("udp_" + name)) listeners.Add(Quic("udp_" + name, binds, port.Number, quic));
        }
        return listeners;
    }

    // ---- chains

    private List<FilterChainPlan> Chains(GatewayPort port, HashSet<(int, string, string)> sniTaken)
    {
        var plans = new List<FilterChainPlan>();
        // Plaintext HTTP servers of a port share one route configuration, hence one chain.
        if (port.Protocol.IsHttp()) plans.Add(Plaintext(port.Servers[0]));
        foreach (var server in port.Servers)
        {
            if (port.Protocol.IsHttp() && Protocols.Parse(server.Server.Port.Protocol).IsHttp()) continue;
            if (IsTerminatedHttp(server)) plans.Add(Https(server, TlsUse.Http));
            else plans.AddRange(_tcp.For(server, sniTaken));
        }
        return plans;
    }

    private static bool IsTerminatedHttp(GatewayServer server) => server.RouteName.Length > 0 && server.Server.Tls is not null;

    /// <summary>The chain of an HTTP server.</summary>
    internal FilterChainPlan Chain(GatewayServer server, bool isQuic) =>
        IsTerminatedHttp(server) ? Https(server, isQuic ? TlsUse.Quic : TlsUse.Http) : Plaintext(server);

    private FilterChainPlan Plaintext(GatewayServer server) => new() { Http = Http(server, HttpBase()) };

    private FilterChainPlan Https(GatewayServer server, TlsUse use) => new()
    {
        SniHosts = server.SniHosts,
        Tls = TlsContexts.Server(server.Server.Tls, GatewayTcpChains.TlsInputs(_inputs, use)),
        Http = Http(server, HttpBase()) with { IsQuic = use == TlsUse.Quic, StatPrefix = server.Server.Name },
    };

    private HttpPlan Http(GatewayServer server, HttpConnectionManager manager) => new()
    {
        Class = ListenerClass.Gateway,
        Protocol = Protocols.Parse(server.Server.Port.Protocol),
        RouteName = server.RouteName,
        UsesRemoteAddress = true,
        Port = (int)server.Server.Port.Number,
        Base = manager,
    };

    // A gateway is where the outside ends: what a client claims about certificates is replaced by what is known.
    private HttpConnectionManager HttpBase()
    {
        var manager = HttpPlan.WithHeaders(_inputs.Config, ListenerClass.Gateway);
        var topology = _inputs.Config.GatewayTopology;
        var written = _inputs.Config.ProxyHeaders?.ForwardedClientCert ?? default;
        if (topology is { ForwardClientCertDetails: not ForwardClientCertDetails.Undefined }) written = topology.ForwardClientCertDetails;
        var forwarding = HttpPlan.Forwarding(written) ?? HttpConnectionManager.Types.ForwardClientCertDetails.SanitizeSet;
        manager.ForwardClientCertDetails = forwarding;
        manager.XffNumTrustedHops = topology?.NumTrustedProxies ?? 0;
        if (forwarding is HttpConnectionManager.Types.ForwardClientCertDetails.AppendForward
            or HttpConnectionManager.Types.ForwardClientCertDetails.SanitizeSet)
        {
            var current = _inputs.Config.ProxyHeaders?.SetCurrentClientCertDetails;
            manager.SetCurrentClientCertDetails = new HttpConnectionManager.Types.SetCurrentClientCertDetails
            {
                Subject = current?.Subject ?? true,
                Cert = current?.Cert ?? true,
                Dns = current?.Dns ?? true,
                Uri = current?.Uri ?? true,
                Chain = current?.Chain ?? false,
            };
        }
        manager.HttpProtocolOptions = new Http1ProtocolOptions { AcceptHttp10 = OutboundListeners.AcceptsHttp10(_inputs) };
        return manager;
    }

    // ---- listeners

    private Listener Listener(string name, IReadOnlyList<string> binds, int port, IReadOnlyList<FilterChainPlan> plans)
    {
        var listener = new Listener
        {
            Name = name,
            Address = ListenerRenderer.AddressOf(binds[0], port),
            TrafficDirection = TrafficDirection.Outbound,
            MaxConnectionsToAcceptPerSocketEvent = OutboundListeners.AcceptsPerEvent(_inputs),
        };
        if (_inputs.Features.DualStack) listener.AdditionalAddresses.Add(ListenerRenderer.Additional(binds.Skip(1), port));
        if (_inputs.Config.GatewayTopology?.ProxyProtocol is not null) listener.ListenerFilters.Add(ListenerFilters.ProxyProtocol());
        if (plans.Any(static p => p.NeedsTlsInspector)) listener.ListenerFilters.Add(ListenerFilters.TlsInspector());
        return Finish(listener, name, plans);
    }

    private Listener Quic(string name, IReadOnlyList<string> binds, int port, IReadOnlyList<FilterChainPlan> plans)
    {
        var listener = new Listener
        {
            Name = name,
            Address = ListenerRenderer.AddressOf(binds[0], port, SocketAddress.Types.Protocol.Udp),
            TrafficDirection = TrafficDirection.Outbound,
            UdpListenerConfig = new UdpListenerConfig
            {
                QuicOptions = new Envoy.Config.Listener.V3.QuicProtocolOptions(),
                DownstreamSocketConfig = new UdpSocketConfig(),
            },
            MaxConnectionsToAcceptPerSocketEvent = OutboundListeners.AcceptsPerEvent(_inputs),
        };
        if (_inputs.Features.DualStack)
            listener.AdditionalAddresses.Add(ListenerRenderer.Additional(binds.Skip(1), port, SocketAddress.Types.Protocol.Udp));
        return Finish(listener, name, plans);
    }

    private Listener Finish(Listener listener, string name, IReadOnlyList<FilterChainPlan> plans)
    {
        foreach (var plan in plans)
        {
            var complete = plan.Http is { } http
                ? plan with
                {
                    Http = http.StatPrefix.Length > 0 ? http : http with { StatPrefix = ListenerRenderer.StatPrefix(name) },
                    Filters = [.. _parts.Extensions.Network(ListenerClass.Gateway, http.Port).All],
                }
                : plan;
            listener.FilterChains.Add(ListenerRenderer.Chain(_parts, complete));
        }
        listener.AccessLog.Add(_parts.Logs.For(LogPlace.Listener, ListenerClass.Gateway));
        if (ConnectionLimits.BufferBytes(_inputs) is { } bytes) listener.PerConnectionBufferLimitBytes = bytes;
        return listener;
    }

    private List<FilterChainPlan> QuicChains(GatewayPort port) =>
        port.Servers.Where(static s => s.OffersHttp3 && s.Server.Tls?.Mode is not (Mode.Passthrough or Mode.AutoPassthrough))
            .Select(s => Https(s, TlsUse.Quic)).ToList();
}
