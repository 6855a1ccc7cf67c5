using System.Text.Json;
using Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Envoy.Extensions.TransportSockets.Tls.V3;
using Google.Protobuf;
using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Patches;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Generation.Telemetry;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Traffic;
using EnvoyListener = Envoy.Config.Listener.V3.Listener;
using Resource = Lateen.Config.Resources.Resource;
using ServicePort = Lateen.Registry.ServicePort;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>Listeners and filter chains of gateways and sidecars, TLS contexts.</summary>
internal sealed class ListenersRunner : TableRunner
{
    private static readonly ServicePort Port = new("tcp", 9999, Protocol.Tcp);

    public ListenersRunner() : base("listeners")
    {
        Table("gateway-tls", GatewayTls);
        Table("listener-tls", ServerTls);
        Table("reserved-port-conflict", ReservedPorts);
        Table("rds-route-name",
            (row, _) => Rows.Same(PatchMatches.ServerOf(row.GetProperty("args").Text("name")),
                (row.Number("wantPortNumber"), row.Text("wantPortName"), row.Text("wantGateway"))));
        Table("tls-defaults", (row, _) =>
        {
            var common = new CommonTlsContext();
            TlsContexts.ApplyMeshDefaults(common, row.Message<MeshConfig.Types.TLSConfig>("tlsDefaults"));
            return Messages.Difference(common.TlsParams, row.Field("expected"));
        });
        Table("gateway-listeners", (row, context) =>
        {
            var node = World.Node(context.GetProperty("proxyGateway"));
            if (row.Field("node")?.Field("serviceTargets") is { } targets) return TargetListeners(node, row, targets);
            var unprivileged = row.Field("node")?.Field("metadata")?.Text("unprivilegedPod") is { Length: > 0 };
            if (unprivileged) node = node with { Metadata = node.Metadata with { UnprivilegedPod = true } };
            return Rows.SameList(Gateway(node, row.Items("gateways"), row.Items("virtualServices")).Select(l => l.Name)
                .Order(StringComparer.Ordinal), row.Texts("expectedListeners").Order(StringComparer.Ordinal));
        });
        Table("gateway-listener-filters", ListenerFilters);
        Table("http-proxy-tracing", ProxyTracing);
        Table("merge-gateways", Rules.GatewayTables.Merge);
        Table("strict-gateway-merging", Rules.GatewayTables.Strict);
        Table("gateway-http-filter-chain", Rules.GatewayTables.HttpChain);
        Table("outbound-tcp-virtualservice", TcpRules);
        Table("source-ip-hash", SourceHash);
        Table("xfcc-client-identity", Ambient.WaypointTables.ShowsClients);
        Table("waypoint-addresses", Ambient.WaypointTables.Addresses);
        Table("inbound-stat-prefix", (row, _) => Rows.Same(
            StatNames.Inbound(row.Text("statPattern"), "v0.default.example.org", "", "", "", 8888, "", "inbound|8888||"),
            row.Text("expectedStatPrefix")));
        Table("tunneling", (row, _) =>
        {
            var rule = row.Message<DestinationRule>("destinationRule");
            var proxy = Outbound(row.Items("routeDestinations"), rule, null, "");
            return Messages.Difference(proxy.TunnelingConfig, row.Field("expectedTunnelingConfig"));
        });
        Table("outbound-idle-timeout", (row, _) =>
        {
            var proxy = Outbound(row.Items("routes"), row.Message<DestinationRule>("destRule"), null, row.Text("istioMetaIdleTimeout"));
            return Rows.Same(proxy.IdleTimeout is { } t ? $"{t.Seconds}s" : "", row.Text("expected"));
        });
        Table("outbound-stat-prefix",
            (row, _) => Rows.Same(Outbound(row.Items("routes"), null, row.Text("statPattern"), "").StatPrefix,
                row.Text("expectedStatPrefix")));
        Table("inbound-idle-timeout", (row, _) =>
        {
            var node = World.Node(null) with { };
            node = node with { Metadata = node.Metadata with { IdleTimeout = row.Text("idleTimeout") } };
            var world = World.Of([], node, Rows.Settings());
            var filters = new TcpProxies(new ListenerParts(new ProxyInputs(world.Scope))).Inbound("x", "inbound|80||", Port);
            return Rows.Same(filters[^1].TypedConfig.Unpack<TcpProxy>().IdleTimeout is { } t ? $"{t.Seconds}s" : "", row.Text("expected"));
        });
    }

    private static string? ServerTls(JsonElement row, JsonElement context)
    {
        var mesh = Rows.Mesh(row.GetProperty("push").Field("mesh"));
        var services = mesh.ExtensionProviders.Where(p => p.Sds is not null).Select(p => Rows.Service(JsonDocument.Parse(
            """{"hostname":"HOST","resolution":"DNSLB","attributes":{"name":"HOST","namespace":"default","exportTo":["*"]}}""".Replace(
                "HOST", p.Sds.Service, StringComparison.Ordinal)).RootElement)).ToList();
        var use = row.Text("transportProtocol") == "TransportProtocolQUIC" ? TlsUse.Quic : row.Flag("gatewayTCPServerWithTLS")
            ? TlsUse.Tcp : TlsUse.Http;
        var inputs = new ServerTlsInputs(World.Node(JsonDocument.Parse("""{"type":"router"}""").RootElement), mesh,
            use) { ExternalSecrets = SecretConfigs.ExternalProvider(mesh, Rows.Registry(services)) };
        var common = TlsContexts.Server(row.Message<ServerTLSSettings>("serverTLSSettings"), inputs)?.CommonTlsContext;
        var validates = common?.CombinedValidationContext is not null || common?.ValidationContext is not null;
        return Rows.Same((common?.TlsCertificateSdsSecretConfigs.Count ?? 0, validates),
            (row.Number("expectedCertCount"), row.Flag("expectedValidation")));
    }

    private static string? ReservedPorts(JsonElement row, JsonElement context)
    {
        var snapshot = Rows.Snapshot(Rows.Registry([.. row.Items("services").Select(Rows.Service)]), Rows.Settings());
        var listeners = new ListenerGenerator().Generate(new ScopeBuilder(snapshot).ScopeOf(World.Node(null)), null)
            .Select(r => (EnvoyListener)r.Message);
        var have = listeners.Where(l => l.Name is not ("virtualOutbound" or "virtualInbound"))
            .Select(l => l.Address.SocketAddress.PortValue.ToString()).Order(StringComparer.Ordinal);
        return Rows.SameList(have, row.Items("expectedListener").Select(p => p.ToString()).Order(StringComparer.Ordinal));
    }

    private static string? GatewayTls(JsonElement row, JsonElement context)
    {
        var server = row.Message<Server>("server")!;
        var protocol = Protocols.Parse(server.Port?.Protocol ?? "");
        var use = row.Text("transportProtocol") == "TransportProtocolQUIC" ? TlsUse.Quic : protocol is Protocol.Https or Protocol.Http
            ? TlsUse.Http : TlsUse.Tcp;
        var inputs = new ServerTlsInputs(World.Node(JsonDocument.Parse("""{"type":"router"}""").RootElement),
            row.Message<MeshConfig>("mesh") ?? new MeshConfig(), use);
        return Messages.Difference(TlsContexts.Server(server.Tls, inputs), row.Field("result"));
    }

    // The gateway is an endpoint of services, whose ports are not those that it listens on.
    private static string? TargetListeners(ProxyNode node, JsonElement row, JsonElement targets)
    {
        var endpoints = new Dictionary<ServiceKey, ServiceEndpoints>();
        var services = new List<Lateen.Registry.Service>();
        foreach (var target in targets.EnumerateArray())
        {
            var port = target.GetProperty("port");
            var made = Rows.Service(target.GetProperty("service"))
                .WithPorts([new ServicePort("port", port.GetProperty("servicePort").Number("port"), Protocol.Tcp)]);
            services.Add(made);
            var endpoint = new Endpoint
            {
                Addresses = [node.Addresses[0]],
                PortName = "port",
                Port = port.Number("targetPort"),
                ClusterId = node.ClusterId,
                Namespace = made.Namespace,
            };
            endpoints[made.Key] = new ServiceEndpoints(made.Key, [endpoint], []);
        }
        Resource[] resources = [.. row.Items("gateways").Select((item, i) => Rows.Resource(Kinds.Gateway, item, i)),
            .. row.Items("virtualServices").Select((item, i) => Rows.Resource(Kinds.VirtualService, item, i))];
        var snapshot = Rows.Snapshot(Rows.Registry(services, endpoints), Rows.Settings(), resources);
        var listeners = new ListenerGenerator().Generate(
            new ScopeBuilder(snapshot).ScopeOf(node with { Namespace = services[0].Namespace }), null);
        return Rows.SameList(listeners.Select(r => ((EnvoyListener)r.Message).Name).Order(StringComparer.Ordinal),
            row.Texts("expectedListeners").Order(StringComparer.Ordinal));
    }

    private static string? TcpRules(JsonElement row, JsonElement context)
    {
        var service = Rows.Service(JsonDocument.Parse(
            """{"hostname":"test.com","defaultAddress":"CIDR","resolution":"Passthrough","attributes":{"name":"test.com","namespace":"not-default","exportTo":["*"]},"ports":[{"name":"tcp","port":8080,"protocol":"TCP"}]}"""
                .Replace("CIDR", row.Text("cidr"), StringComparison.Ordinal)).RootElement);
        var rule = Kinds.VirtualService.Create("not-default", "test_vs", context.Message<VirtualService>("virtualServiceSpec")!);
        var snapshot = Rows.Snapshot(Rows.Registry([service]), Rows.Settings(), rule);
        var listeners = new ListenerGenerator().Generate(
            new ScopeBuilder(snapshot).ScopeOf(World.Node(context.GetProperty("dualStackProxy"))), null)
            .Select(r => (EnvoyListener)r.Message);
        var listener = listeners.FirstOrDefault(l => l.Address.SocketAddress.PortValue == 8080);
        return Rows.SameList(
            listener?.FilterChains.SelectMany(chain => chain.FilterChainMatch.PrefixRanges).Select(range => range.AddressPrefix)
                .Order(StringComparer.Ordinal) ?? Enumerable.Empty<string>(),
            row.Texts("expectedChains").Order(StringComparer.Ordinal));
    }

    // Hosts and their rules are those of the recorded environment.
    private static string? SourceHash(JsonElement row, JsonElement context)
    {
        const string bySource = """{"loadBalancer":{"consistentHash":{"useSourceIp":true}}}""";
        const string byTurns = """{"loadBalancer":{"simple":"ROUND_ROBIN"}}""";
        var text = row.GetProperty("configMeta").Text("name") switch
        {
            "testsimple.com" => $$"""{"host":"testsimple.com","trafficPolicy":{{byTurns}}}""",
            "subsettest.com" => $$"""{"host":"subsettest.com","trafficPolicy":{{bySource}},"subsets":[{"name":"v1"}]}""",
            "subsettestdifferent.com" =>
                $$"""{"host":"subsettestdifferent.com","trafficPolicy":{{bySource}},"subsets":[{"name":"v1","trafficPolicy":{{byTurns}}}]}""",
            var host => $$"""{"host":"{{host}}","trafficPolicy":{{bySource}}}""",
        };
        var proxy = Outbound(row.Items("routes"), Rows.Message<DestinationRule>(JsonDocument.Parse(text).RootElement), null, "");
        return Rows.Same(proxy.HashPolicy.Any(policy => policy.SourceIp is not null), row.Flag("useSourceIP"));
    }

    private static List<EnvoyListener> Gateway(ProxyNode node, IEnumerable<JsonElement> gateways, IEnumerable<JsonElement> rules,
        params Resource[] more)
    {
        Resource[] resources =
        [
            .. gateways.Select((item, i) => (Resource)Rows.Resource(Kinds.Gateway, item, i)),
            .. rules.Select((item, i) => (Resource)Rows.Resource(Kinds.VirtualService, item, i)), .. more,
        ];
        // The recorded environment has one provider of authorization.
        var mesh = JsonDocument.Parse(
            """{"extensionProviders":[{"name":"extauthz","envoyExtAuthzGrpc":{"service":"example.local","port":9000}}]}""").RootElement;
        var provider = Rows.Service(
            JsonDocument.Parse(
                """{"hostname":"example.local","attributes":{"name":"example.local","namespace":"default","exportTo":["*"]}}""").RootElement);
        var snapshot = Rows.Snapshot(Rows.Registry([provider]), Rows.Settings(mesh), resources);
        return [.. new ListenerGenerator().Generate(new ScopeBuilder(snapshot).ScopeOf(node), null).Select(r => (EnvoyListener)r.Message)];
    }

    private static string? ListenerFilters(JsonElement row, JsonElement context)
    {
        var configs = row.Items("configs").ToList();
        Resource[] others =
        [
            .. configs.Where(c => c.Text("kind") == "TrafficExtension")
                .Select((c, i) => (Resource)Rows.Resource(Kinds.TrafficExtension, c, i)),
            .. configs.Where(c => c.Text("kind") == "WasmPlugin").Select((c, i) => (Resource)Rows.Resource(Kinds.WasmPlugin, c, i)),
            .. configs.Where(c => c.Text("kind") == "AuthorizationPolicy")
                .Select((c, i) => (Resource)Rows.Resource(Kinds.AuthorizationPolicy, c, i)),
            .. configs.Where(c => c.Text("kind") == "Telemetry").Select((c, i) => (Resource)Rows.Resource(Kinds.Telemetry, c, i)),
        ];
        var listener = Gateway(
            World.Node(context.GetProperty("proxyGateway")), configs.Where(c => c.Text("kind") == "Gateway"),
            configs.Where(c => c.Text("kind") == "VirtualService"), others).FirstOrDefault();
        if (listener is null) return "no listener";
        var wanted = row.GetProperty("expectedListener");
        if (wanted.Field("listenerFilters") is not null
            && Rows.SameList(listener.ListenerFilters.Select(f => f.Name), wanted.Texts("listenerFilters")) is { } difference)
            return difference;
        var chains = wanted.Items("filterChains").ToList();
        if (chains.Count != listener.FilterChains.Count) return $"have {listener.FilterChains.Count} chains, want {chains.Count}";
        for (var i = 0; i < chains.Count; i++)
        {
            var filters = listener.FilterChains[i].Filters;
            if (Rows.SameList(filters.Select(f => f.Name), chains[i].Texts("networkFilters")) is { } network) return network;
            // The recorded environment leaves out the statistics of gRPC.
            var http = filters[^1].TypedConfig.TryUnpack<HttpConnectionManager>(out var manager)
                ? manager.HttpFilters.Select(f => f.Name)
                    .Where(n => n != "envoy.filters.http.grpc_stats" || chains[i].Texts("httpFilters").Contains(n)) : [];
            if (Rows.SameList(http, chains[i].Texts("httpFilters")) is { } wrong) return wrong;
        }
        return null;
    }

    private static string? ProxyTracing(JsonElement row, JsonElement context)
    {
        var tracing = row.Message<Istio.Mesh.V1Alpha1.Tracing>("in");
        var settings = Rows.Settings(null, ("PILOT_TRACE_SAMPLING", row.Field("envPilotSampling")?.ToString() ?? "1"));
        settings.Mesh.EnableTracing = true;
        settings.Mesh.ProxyHttpPort = 15007;
        settings.Mesh.DefaultConfig.Tracing = tracing;
        var node = World.Node(row.Field("tproxy"));
        node = node with { Metadata = node.Metadata with { ClusterId = "", Namespace = "" } };
        var world = World.Of([], node, settings);
        var traces = Lateen.Pilot.Generation.Telemetry.TraceSettings.Of(new ProxyInputs(world.Scope), null,
            node.Type == ProxyType.Router ? ListenerClass.Gateway : ListenerClass.SidecarOutbound);
        return Messages.Difference(traces.Settings, row.Field("out"));
    }

    private static TcpProxy Outbound(IEnumerable<JsonElement> routes, DestinationRule? rule, string? pattern, string idle)
    {
        var destinations = routes.Select(Rows.Message<RouteDestination>).ToList();
        var settings = Rows.Settings();
        settings.Mesh.OutboundClusterStatName = pattern ?? "";
        var services = destinations.Select(d => d.Destination.Host).Distinct().Select(host => Rows.Service(JsonDocument.Parse(
            """{"hostname":"HOST","resolution":"DNSLB","attributes":{"name":"HOST","namespace":"not-default","exportTo":["*"]},"ports":[{"name":"tcp","port":9999,"protocol":"TCP"}]}""".Replace("HOST", host, StringComparison.Ordinal)).RootElement)).ToList();
        Resource[] resources = rule is null ? [] : [Kinds.DestinationRule.Create("not-default", "rule", rule)];
        var snapshot = Rows.Snapshot(Rows.Registry(services), settings, resources);
        var node = World.Node(JsonDocument.Parse("""{"configNamespace":"not-default"}""").RootElement);
        node = node with { Metadata = node.Metadata with { IdleTimeout = idle } };
        var proxies = new TcpProxies(new ListenerParts(new ProxyInputs(new ScopeBuilder(snapshot).ScopeOf(node))));
        var filters = proxies.ForRoutes(destinations, Port, new RouteRules("ns", "test.com", new VirtualService()), false);
        return filters[^1].TypedConfig.Unpack<TcpProxy>();
    }
}
