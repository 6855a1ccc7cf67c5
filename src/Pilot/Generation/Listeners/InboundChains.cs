using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Google.Protobuf.WellKnownTypes;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using Filter = Envoy.Config.Listener.V3.Filter;
using Service = Lateen.Registry.Service;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Listeners;

/// <summary>One port on which the application is reached.</summary>
internal sealed record InboundTarget
{
    /// <summary>Port that traffic arrives for.</summary>
    public required int TargetPort { get; init; }

    /// <summary>Port and protocol of the service, or of the Sidecar's listener.</summary>
    public required ServicePort Port { get; init; }

    /// <summary>Address in names, and to bind when <see cref="BindsToPort"/>.</summary>
    public required string Bind { get; init; }

    /// <summary>Further addresses to bind.</summary>
    public IReadOnlyList<string> ExtraBinds { get; init; } = [];

    /// <summary>A listener of its own instead of captured traffic.</summary>
    public bool BindsToPort { get; init; }

    /// <summary>Host in traces.</summary>
    public string Hostname { get; init; } = "";

    /// <summary>The service; null for a Sidecar's listener.</summary>
    public Service? Service { get; init; }

    /// <summary>Which Sidecar declares it.</summary>
    public Metadata? Provenance { get; init; }

    /// <summary>TLS that the Sidecar's listener terminates itself.</summary>
    public ServerTLSSettings? Tls { get; init; }

    /// <summary>Traffic for ports that nobody declares.</summary>
    public bool IsPassthrough { get; init; }

    /// <summary>Cluster.</summary>
    public string Cluster => IsPassthrough ? "InboundPassthroughCluster" : $"inbound|{TargetPort}||";

    /// <summary>Name of its chains: of a listener with that bind and port.</summary>
    public string Name => ListenerRenderer.NameOf(Bind, TargetPort);
}

/// <summary>Inbound filter chains of one port: by TLS and by protocol.</summary>
internal sealed class InboundChains(ListenerParts parts)
{
    private static readonly string[] MeshAlpn = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];
    private static readonly string[] MeshHttpAlpn = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
    private static readonly string[] MeshTcpAlpn = ["istio-peer-exchange", "istio"];
    private readonly ProxyInputs _inputs = parts.Inputs;

    private enum Shape
    {
        Http,
        Tcp,
        Sniffed,
    }

    /// <summary>How one chain tells its connections.</summary>
    private sealed record Way(string Transport, IReadOnlyList<string> Alpn, bool IsHttp, bool Terminates);

    /// <summary>Connections must be looked into to tell TLS.</summary>
    public static bool NeedsTlsInspector(IEnumerable<FilterChain> chains) =>
        chains.Any(static c => c.FilterChainMatch?.TransportProtocol == "tls");

    /// <summary>Connections must be looked into to tell HTTP.</summary>
    public static bool NeedsHttpInspector(IEnumerable<FilterChain> chains) =>
        chains.Any(static c => c.FilterChainMatch is { TransportProtocol: "raw_buffer" or "", ApplicationProtocols.Count: > 0 });

    /// <summary>The chains.</summary>
    public IReadOnlyList<FilterChain> Build(InboundTarget target, PortMtls mtls)
    {
        var custom = CustomTls(target, mtls);
        var shape = ShapeOf(custom is null ? target.Port.Protocol : AfterTermination(target.Port.Protocol));
        return Ways(shape, custom is null ? mtls.Mode : MtlsMode.Strict, custom is not null).Select(way => Chain(target, way, mtls, custom))
            .ToList();
    }

    /// <summary>The chains for connections out of tunnels: by address and port, without TLS.</summary>
    public IReadOnlyList<FilterChain> Tunneled(InboundTarget target)
    {
        var isDeclared = !target.IsPassthrough;
        return Ways(ShapeOf(target.Port.Protocol), MtlsMode.Disable, false).Select(way =>
        {
            var match = new FilterChainMatch();
            match.ApplicationProtocols.Add(way.Alpn);
            match.PrefixRanges.Add(_inputs.Node.Addresses.Select(FilterChainPlan.CidrOf));
            if (isDeclared) match.DestinationPort = (uint)target.TargetPort;
            var filters = way.IsHttp ? HttpFilters(target, isDeclared)
                : new TcpProxies(parts).Inbound(TcpStatName(target), target.Cluster, Listening(target));
            return new FilterChain
            {
                Name = isDeclared ? target.Name : NameOfPassthrough(way),
                FilterChainMatch = match,
                Metadata = target.Provenance?.Clone(),
                Filters = { filters },
            };
        }).ToList();
    }

    private static string NameOfPassthrough(Way way) => way.IsHttp ? "virtualInbound-catchall-http" : "virtualInbound";

    private static Shape ShapeOf(Protocol protocol) =>
        protocol.IsHttp() ? Shape.Http : protocol.IsTcp() || protocol == Protocol.Udp ? Shape.Tcp : Shape.Sniffed;

    private static Protocol AfterTermination(Protocol protocol) => protocol switch
    {
        Protocol.Https => Protocol.Http,
        Protocol.Tls => Protocol.Tcp,
        _ => protocol,
    };

    private IEnumerable<Way> Ways(Shape shape, MtlsMode mode, bool isCustom)
    {
        var plaintext = OutboundListeners.PlaintextHttp(_inputs);
        return (mode, shape) switch
        {
            (MtlsMode.Disable, Shape.Http) => [new("raw_buffer", [], true, false)],
            (MtlsMode.Disable, Shape.Tcp) => [new("raw_buffer", [], false, false)],
            (MtlsMode.Disable, _) => [new("raw_buffer", plaintext, true, false), new("raw_buffer", [], false, false)],
            (MtlsMode.Strict, Shape.Http) => [new("tls", [], true, true)],
            (MtlsMode.Strict, Shape.Tcp) => [new("tls", [], false, true)],
            (MtlsMode.Strict, _) => [new("tls", isCustom ? ["http/1.1", "h2"] : MeshHttpAlpn, true, true), new("tls", [], false, true)],
            (_, Shape.Http) => [new("tls", MeshAlpn, true, true), new("raw_buffer", [], true, false)],
            (_, Shape.Tcp) => [new("tls", MeshAlpn, false, true), new("tls", [], false, false), new("raw_buffer", [], false, false)],
            _ =>
            [
                new("tls", MeshHttpAlpn, true, true), new("raw_buffer", plaintext, true, false), new("tls", MeshTcpAlpn, false, true),
                new("raw_buffer", [], false, false), new("tls", [], false, false),
            ],
        };
    }

    // A listener of a Sidecar may end TLS for clients outside the mesh, where mutual TLS of the mesh is off.
    private DownstreamTlsContext? CustomTls(InboundTarget target, PortMtls mtls)
    {
        if (target.Tls is null || mtls.Mode != MtlsMode.Disable) return null;
        var use = ShapeOf(AfterTermination(target.Port.Protocol)) == Shape.Tcp ? TlsUse.Tcp : TlsUse.Http;
        return TlsContexts.Server(target.Tls,
            new ServerTlsInputs(_inputs.Node, _inputs.Mesh, use) { Compliance = _inputs.Features.CompliancePolicy });
    }

    private FilterChain Chain(InboundTarget target, Way way, PortMtls mtls, DownstreamTlsContext? custom)
    {
        var match = new FilterChainMatch { TransportProtocol = way.Transport };
        match.ApplicationProtocols.Add(way.Alpn);
        var port = target.IsPassthrough ? mtls.Port : target.TargetPort;
        if (port != 0) match.DestinationPort = (uint)port;
        var chain = new FilterChain
        {
            Name = target.IsPassthrough ? NameOfPassthrough(way) : target.Name,
            FilterChainMatch = match,
            Metadata = target.Provenance?.Clone(),
            TransportSocket = way.Terminates ? TlsContexts.Socket(custom ?? (way.IsHttp ? mtls.Http : mtls.Tcp)) : null,
        };
        chain.Filters.Add(way.IsHttp
            ? HttpFilters(target) : new TcpProxies(parts).Inbound(TcpStatName(target), target.Cluster, Listening(target)));
        return chain;
    }

    private List<Filter> HttpFilters(InboundTarget target, bool isTunneled = false)
    {
        var plan = new HttpPlan
        {
            Class = ListenerClass.SidecarInbound,
            Protocol = target.Port.Protocol,
            Routes = Routes(target),
            StatPrefix = target.IsPassthrough ? $"{target.Cluster};" : $"inbound_{target.Name};",
            Port = target.TargetPort,
            Base = Base(target),
            IsTunneled = isTunneled,
        };
        var filters = new List<Filter>();
        if (_inputs.Features.MetadataExchange && !isTunneled) filters.Add(NetworkFilters.PeerExchange());
        filters.AddRange(parts.Extensions.Network(ListenerClass.SidecarInbound, target.TargetPort).All);
        filters.Add(NetworkFilters.Http(ConnectionManagers.Build(parts, plan)));
        return filters;
    }

    /// <summary>The one virtual host of an inbound chain.</summary>
    public RouteConfiguration Routes(InboundTarget target)
    {
        var isGrpc = target.Port.Protocol is Protocol.Grpc or Protocol.GrpcWeb;
        var host = new VirtualHost { Name = $"inbound|http|{target.Port.Number}", Domains = { "*" } };
        host.Routes.Add(DefaultRoutes.Inbound(target.Cluster, $"{target.Hostname}:{target.Port.Number}/*",
            _inputs.Mesh.DefaultInboundHttpRetryPolicy, isGrpc));
        return parts.Patches.InboundRoutes(
            new RouteConfiguration { Name = target.Cluster, VirtualHosts = { host }, ValidateClusters = false });
    }

    private HttpConnectionManager Base(InboundTarget target)
    {
        var manager = HttpPlan.WithHeaders(_inputs.Config, ListenerClass.SidecarInbound);
        var headers = _inputs.Config.ProxyHeaders;
        var current = headers?.SetCurrentClientCertDetails;
        manager.ForwardClientCertDetails = HttpPlan.Forwarding(headers?.ForwardedClientCert ?? ForwardClientCertDetails.Undefined)
            ?? HttpConnectionManager.Types.ForwardClientCertDetails.AppendForward;
        manager.SetCurrentClientCertDetails = new HttpConnectionManager.Types.SetCurrentClientCertDetails
        {
            Subject = current?.Subject ?? true,
            Dns = current?.Dns ?? true,
            Uri = current?.Uri ?? true,
            Cert = current?.Cert ?? false,
            Chain = current?.Chain ?? false,
        };
        manager.XffNumTrustedHops = _inputs.Config.GatewayTopology?.NumTrustedProxies ?? 0;
        if (target.Port.Protocol.IsHttp2()) manager.Http2ProtocolOptions = new Http2ProtocolOptions();
        if (OutboundListeners.AcceptsHttp10(_inputs)) manager.HttpProtocolOptions = new Http1ProtocolOptions { AcceptHttp10 = true };
        return manager;
    }

    private string TcpStatName(InboundTarget target) => StatNames.Inbound(
        _inputs.Mesh.InboundClusterStatName, target.Hostname, target.Service?.Name ?? "", target.Service?.Namespace
            ?? "", "", target.Port.Number, target.Port.Name, target.Cluster);

    private static ServicePort Listening(InboundTarget target) => target.Port with { Number = target.TargetPort };
}
