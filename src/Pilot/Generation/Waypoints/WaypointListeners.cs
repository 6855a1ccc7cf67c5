using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Filter = Envoy.Config.Listener.V3.Filter;
using Service = Lateen.Registry.Service;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Pilot.Generation.Waypoints;

/// <summary>All listeners of a waypoint.</summary>
internal sealed class WaypointListeners(ListenerParts parts)
{
    private const string IdentityAnnotation = "ambient.istio.io/xfcc-include-client-identity";
    private const string ClientCertificateHeader = "x-forwarded-client-cert";
    private const string Encapsulate = "encap";
    private const string DirectTcp = "direct-tcp";
    private const string DirectHttp = "direct-http";

    private readonly ProxyInputs _inputs = parts.Inputs;
    private readonly WaypointScope _scope = WaypointScope.Of(parts.Inputs.Scope);

    /// <summary>Makes them.</summary>
    public IReadOnlyList<Listener> Build() =>
    [
        Main(), TunnelListeners.TakesTunnels(_inputs), TunnelListeners.OpensTunnels(),
        TunnelListeners.OpensInnerTunnels(_inputs.Scope.Network), TunnelListeners.OpensOuterTunnels(),
    ];

    /// <summary>Whether the workload asks that requests carry who the client is.</summary>
    public static bool ShowsClients(ProxyNode node) => node.Metadata.Annotations.GetValueOrDefault(IdentityAnnotation) == "true";

    private Listener Main()
    {
        var byAddress = new AddressMatches();
        var chains = new List<FilterChain>();
        var spared = new List<int>();
        foreach (var service in _scope.Services) chains.AddRange(OfService(service, byAddress, spared));
        byAddress.AddSniffed(_scope.Workloads.SelectMany(static w => w.Addresses)
            .Select(static bytes => new System.Net.IPAddress(bytes.Span).ToString()), DirectHttp, DirectTcp);
        chains.Add(new FilterChain
        {
            Name = DirectTcp,
            Filters = { StateFilters.OfDirect(), Tcp(null, Encapsulate, new ServicePort("unknown", 0, Protocol.Tcp)) },
        });
        chains.Add(new FilterChain
        {
            Name = DirectHttp,
            Filters = { StateFilters.OfDirect(),
                Http(null, new ServicePort("unknown", 0, Protocol.Http), Encapsulate, DefaultRoute(null, 0, Encapsulate)) },
        });
        var listener = new Listener
        {
            Name = TunnelListeners.MainInternal,
            TrafficDirection = TrafficDirection.Inbound,
            InternalListener = new Listener.Types.InternalListenerConfig(),
            FilterChainMatcher = byAddress.Build(),
            ListenerFilters = { ListenerFilters.OriginalDestination() },
            FilterChains = { chains },
        };
        // Workloads are reached on any port, so that none of them is known to need no look.
        listener.ListenerFilters.Add(ListenerFilters.HttpInspector()
            .ExceptOn(_scope.Workloads.Count > 0 ? [] : spared.Distinct().ToList()));
        var ports = _scope.Services.SelectMany(static service => service.Ports).Where(static port => port.Protocol != Protocol.Udp)
            .ToList();
        var plain = ports.Where(static port => !port.Protocol.IsTls()).Select(static port => port.Number).Distinct().ToList();
        if (ports.Exists(static port => port.Protocol.IsTls()))
            listener.ListenerFilters.Add(ListenerFilters.TlsInspector().ExceptOn(plain));
        return listener;
    }

    // ---- services

    private List<FilterChain> OfService(Service service, AddressMatches byAddress, List<int> spared)
    {
        var chains = new List<FilterChain>();
        var byPort = new List<(int Port, string? Http, string? Tcp)>();
        foreach (var port in service.Ports)
        {
            string? http = null, tcp = null;
            foreach (var reading in WaypointScope.ReadingsOf(port.Protocol))
            {
                var cluster = ClusterNames.InboundVip(port.Number, reading, "", service.Hostname);
                var isHttp = reading == WaypointScope.Http;
                chains.Add(new FilterChain
                {
                    Name = cluster,
                    Filters = { isHttp ? [Http(service, port, cluster, RoutesOf(service, port, cluster))] : Tcp(service, cluster, port) },
                });
                if (isHttp) http = cluster;
                else tcp = cluster;
            }
            if (http is null && tcp is null) continue;
            if (http is null || tcp is null) spared.Add(port.Number);
            byPort.Add((port.Number, http, tcp));
        }
        byAddress.AddPorts(
            WaypointAddresses.Of(service, _scope.Messages.GetValueOrDefault($"{service.Namespace}/{service.Hostname}"), _inputs), byPort);
        return chains;
    }

    private List<Filter> Tcp(Service? service, string cluster, ServicePort port) =>
        new TcpProxies(parts).Inbound(cluster, cluster, port, service);

    private Filter Http(Service? service, ServicePort port, string cluster, RouteConfiguration routes)
    {
        var plan = new HttpPlan
        {
            Class = ListenerClass.SidecarInbound,
            Protocol = port.Protocol,
            Routes = routes,
            StatPrefix = $"inbound_{_inputs.Node.Wildcards()[0]}_{port.Number};",
            Port = port.Number,
            Base = HttpPlan.WithHeaders(_inputs.Config, ListenerClass.SidecarInbound),
            IsTunneled = true,
            IsWaypoint = true,
            PolicyService = service,
        };
        return NetworkFilters.Http(ConnectionManagers.Build(parts, plan));
    }

    // ---- routes

    /// <summary>Routes of a port: by the rules for the host, else all to the service.</summary>
    public RouteConfiguration RoutesOf(Service service, ServicePort port, string cluster)
    {
        if (_scope.RuleOf(service.Hostname) is not { } meant) return DefaultRoute(service, port.Number, cluster);
        var routes = RouteTranslator.Translate(new RouteRulesInputs
        {
            Rules = RouteRules.Of(meant),
            ProxyLabels = _inputs.Scope.Labels,
            ProxyNamespace = _inputs.Node.Namespace,
            ListenPort = port.Number,
            Gateways = new HashSet<string>(["mesh"], StringComparer.Ordinal),
            Mesh = _inputs.Mesh,
            Config = _inputs.Config,
            Lookups = new RouteLookups
            {
                Service = _inputs.Service,
                Hash = d => HashPolicies.ForDestination(_inputs.DestinationRule(d.Host), d),
                Cluster = ClusterOf,
            },
            MarksMirroredHosts = !_inputs.Features.DisableShadowHostSuffix,
        });
        return routes.Count == 0 ? DefaultRoute(service, port.Number, cluster)
            : parts.Patches.WaypointRoutes(Configuration(cluster, port.Number, routes));
    }

    // What the waypoint serves itself it reaches by its own clusters.
    private string ClusterOf(Istio.Networking.V1Alpha3.Destination destination, Service? service, int listenPort)
    {
        if (service is null || !_scope.Serves(service.Hostname) || destination.Host.Length == 0)
            return DestinationClusters.Outbound(destination, service, listenPort);
        var port = destination.Port is { } named ? (int)named.Number : service.Ports.Length == 1 ? service.Ports[0].Number : listenPort;
        return ClusterNames.InboundVip(port, WaypointScope.Http, destination.Subset, service.Hostname);
    }

    private RouteConfiguration DefaultRoute(Service? service, int port, string cluster)
    {
        var hash = service is null ? null : HashPolicies.ForService(_inputs.DestinationRule(service.Hostname), port);
        var route = DefaultRoutes.Outbound(cluster, $"{service?.Hostname}:{port}/*", _inputs.Mesh.DefaultHttpRetryPolicy, hash is not null);
        if (HashPolicies.Of(hash) is { } policy) route.Route_.HashPolicy.Add(policy);
        var configuration = Configuration(cluster, port, [route]);
        configuration.MaxDirectResponseBodySizeBytes = DefaultRoutes.DirectResponseBytesMax;
        return parts.Patches.WaypointRoutes(configuration);
    }

    private RouteConfiguration Configuration(string cluster, int port, IEnumerable<Envoy.Config.Route.V3.Route> routes)
    {
        var configuration = new RouteConfiguration
        {
            Name = cluster,
            ValidateClusters = false,
            VirtualHosts = { new VirtualHost { Name = $"inbound|http|{port}", Domains = { "*" }, Routes = { routes } } },
        };
        if (!ShowsClients(_inputs.Node)) return configuration;
        configuration.RequestHeadersToAdd.Add(new HeaderValueOption
        {
            Header = new HeaderValue
            {
                Key = ClientCertificateHeader,
                Value = "By=%FILTER_STATE(io.istio.local_principal:PLAIN)%;URI=%FILTER_STATE(io.istio.peer_principal:PLAIN)%",
            },
            AppendAction = HeaderValueOption.Types.HeaderAppendAction.AppendIfExistsOrAdd,
        });
        return configuration;
    }
}
