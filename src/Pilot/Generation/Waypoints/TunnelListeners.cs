using Envoy.Config.Core.V3;
using Envoy.Config.Listener.V3;
using Envoy.Config.Route.V3;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Envoy.Type.Matcher.V3;
using Lateen.Pilot.Generation.Filters;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Security;
using Route = Envoy.Config.Route.V3.Route;

namespace Lateen.Pilot.Generation.Waypoints;

/// <summary>Listeners that take tunnels and open them.</summary>
internal static class TunnelListeners
{
    /// <summary>Name of the listener behind the tunnel.</summary>
    public const string MainInternal = "main_internal";

    private const string Terminate = "connect_terminate";
    private const string Originate = "connect_originate";
    private const string Connect = "CONNECT";
    private const int HbonePort = 15008;
    private const uint StreamsMax = 100;

    /// <summary>Takes tunnels of the mesh, and leads what is in them to <see cref="MainInternal"/>.</summary>
    public static Listener TakesTunnels(ProxyInputs inputs)
    {
        var binds = inputs.Node.Wildcards();
        var listener = new Listener
        {
            Name = Terminate,
            Address = ListenerRenderer.AddressOf(binds[0], HbonePort),
            ConnectionBalanceConfig = OutboundListeners.ExactBalance(),
        };
        if (inputs.Features.DualStack) listener.AdditionalAddresses.Add(ListenerRenderer.Additional(binds.Skip(1), HbonePort));
        listener.FilterChains.Add(new FilterChain
        {
            Name = "default",
            TransportSocket = new TransportSocket { Name = "tls", TypedConfig = Wire.Pack(Tls(inputs)) },
            Filters = { NetworkFilters.Http(Manager()) },
        });
        return listener;
    }

    private static DownstreamTlsContext Tls(ProxyInputs inputs)
    {
        var skips = inputs.Features.Flag("PILOT_SKIP_VALIDATE_TRUST_DOMAIN", false);
        var tls = TlsContexts.Inbound(inputs.Node, inputs.Mesh, [], TlsUse.Http, inputs.Features.CompliancePolicy);
        if (!skips) tls.CommonTlsContext.CombinedValidationContext.DefaultValidationContext.MatchTypedSubjectAltNames.Add(
            TrustDomainsOf(inputs).Select(static domain => new SubjectAltNameMatcher
            {
                SanType = SubjectAltNameMatcher.Types.SanType.Uri,
                Matcher = new StringMatcher { Prefix = $"spiffe://{domain}/" },
            }));
        tls.CommonTlsContext.AlpnProtocols.Clear();
        tls.CommonTlsContext.AlpnProtocols.Add("h2");
        // Tunnels are younger than TLS 1.3: there is nobody who needs less.
        tls.CommonTlsContext.TlsParams = new TlsParameters
        {
            TlsMinimumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv13,
            TlsMaximumProtocolVersion = TlsParameters.Types.TlsProtocol.Tlsv13,
        };
        return tls;
    }

    // A mesh that names none has its cluster's.
    private static IReadOnlyList<string> TrustDomainsOf(ProxyInputs inputs) =>
        TrustDomains.Accepted(inputs.Mesh).Prepend(inputs.Scope.Snapshot.Settings.TrustDomain).Distinct().ToList();

    private static HttpConnectionManager Manager()
    {
        var manager = new HttpConnectionManager
        {
            StatPrefix = Terminate,
            ServerName = "istio-envoy",
            UseRemoteAddress = false,
            StreamIdleTimeout = Wire.Zero,
            ForwardClientCertDetails = HttpConnectionManager.Types.ForwardClientCertDetails.AppendForward,
            SetCurrentClientCertDetails = new HttpConnectionManager.Types.SetCurrentClientCertDetails
            {
                Subject = true,
                Dns = true,
                Uri = true,
            },
            RouteConfig = new RouteConfiguration
            {
                Name = "default",
                VirtualHosts = { new VirtualHost { Name = "default", Domains = { "*" }, Routes = { ToMain() } } },
            },
            Http2ProtocolOptions = new Http2ProtocolOptions
            {
                AllowConnect = true,
                MaxConcurrentStreams = StreamsMax,
                ConnectionKeepalive = new KeepaliveSettings { Interval = Wire.Seconds(10), Timeout = Wire.Seconds(20) },
            },
        };
        manager.UpgradeConfigs.Add(new HttpConnectionManager.Types.UpgradeConfig { UpgradeType = Connect });
        manager.HttpFilters.Add(StateFilters.ClientMetadata());
        manager.HttpFilters.Add(StateFilters.OfTunnel());
        manager.HttpFilters.Add(HttpFilters.Router(false));
        return manager;
    }

    private static Route ToMain()
    {
        var action = new RouteAction { Cluster = MainInternal };
        action.UpgradeConfigs.Add(new RouteAction.Types.UpgradeConfig
        {
            UpgradeType = Connect,
            ConnectConfig = new RouteAction.Types.UpgradeConfig.Types.ConnectConfig(),
        });
        return new Route { Match = new RouteMatch { ConnectMatcher = new RouteMatch.Types.ConnectMatcher() }, Route_ = action };
    }

    /// <summary>Opens the tunnel to the next proxy.</summary>
    public static Listener OpensTunnels() => Internal(
        Originate, [NetworkFilters.Tcp(Tunnel(Originate, "%DOWNSTREAM_LOCAL_ADDRESS%", null, ""))],
        [ListenerFilters.OriginalDestination()]);

    /// <summary>Opens the inner of two tunnels, towards a workload of another network.</summary>
    public static Listener OpensInnerTunnels(string network) => Internal(
        "inner_connect_originate", [StateFilters.OfEndpoint(),
            NetworkFilters.Tcp(Tunnel("inner_connect_originate", StateFilters.TargetOfTunnel, "x-forwarded-network", network))], []);

    /// <summary>Opens the outer of two tunnels, to the gateway of another network.</summary>
    public static Listener OpensOuterTunnels() => Internal(
        "outer_connect_originate",
        [NetworkFilters.Tcp(Tunnel("outer_connect_originate", StateFilters.TargetOfTunnel, "x-istio-source", "waypoint"))],
        [ListenerFilters.OriginalDestination()]);

    private static Listener Internal(string name, IEnumerable<Filter> filters, IEnumerable<ListenerFilter> inspectors)
    {
        var listener = new Listener { Name = name, UseOriginalDst = false, InternalListener = new Listener.Types.InternalListenerConfig() };
        listener.ListenerFilters.Add(inspectors);
        listener.FilterChains.Add(new FilterChain { Filters = { filters } });
        return listener;
    }

    private static TcpProxy Tunnel(string cluster, string target, string? header, string value)
    {
        var tunneling = new TcpProxy.Types.TunnelingConfig { Hostname = target };
        if (header is not null)
        {
            tunneling.HeadersToAdd.Add(new HeaderValueOption
            {
                Header = new HeaderValue { Key = header, Value = value },
                AppendAction = HeaderValueOption.Types.HeaderAppendAction.OverwriteIfExistsOrAdd,
            });
        }
        return new TcpProxy { StatPrefix = cluster, Cluster = cluster, TunnelingConfig = tunneling };
    }
}
