using System.Text.Json;
using Envoy.Config.Route.V3;
using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Listeners;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Generation.Security;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Traffic;
using EnvoyRoute = Envoy.Config.Route.V3.Route;
using Resource = Lateen.Config.Resources.Resource;
using Service = Lateen.Registry.Service;

namespace Lateen.Test.Conformance.Runners.Tables;

/// <summary>VirtualService and gateway routing.</summary>
internal sealed class RoutingRunner : TableRunner
{
    public RoutingRunner() : base("routing")
    {
        Table("build-http-routes", BuildRoutes);
        Table("retry-policy",
            (row, _) =>
                Assert(row,
                    new() { ["policy"] = RetryPolicies.Outbound(row.GetProperty("route").Message<HTTPRetry>("retries"),
                        row.Flag("hashPolicy")) }));
        Table("retry-policy-inbound",
            (row, _) => Assert(row, new() { ["policy"] = RetryPolicies.Inbound(row.Message<HTTPRetry>("retries"), false) }));
        Table("catch-all-route",
            (row, _) => Rows.Same(RouteMatches.IsCatchAll(Messages.Parse<EnvoyRoute>(row.GetProperty("route")).Match), row.Flag("want")));
        Table("mirror-percent", (row, _) => Messages.Difference(Mirror(row.GetProperty("route")), row.Field("want")));
        Table("mirror-percent-policy",
            (row, _) => Messages.Difference(RouteFilterConfigs.MirrorShare(row.Message<HTTPMirrorPolicy>("policy")!), row.Field("want")));
        Table("source-match-http", (row, _) => Rows.Same(SourceMatches(row.GetProperty("args")), row.Flag("want")));
        Table("jwt-claim-match", (row, _) => Messages.Difference(
            ClaimMatches.ForHeaderName(row.Text("headerName"), row.Message<StringMatch>("in") ?? new StringMatch()), row.Field("want")));
        Table("fault",
            (row, _) => Messages.Difference(RouteFilterConfigs.Fault(row.Message<HTTPFaultInjection>("fault")!), row.Field("want")));
        Table("sort-vhost-routes", (row, _) => Messages.Difference(
            [.. RouteTranslator.CatchAllsLast([.. row.Items("in").Select(Messages.Parse<EnvoyRoute>)])], [.. row.Items("expected")]));
        Table("match-tls", (row, _) => Matches<TLSMatchAttributes>(row, static (m, a) =>
            OutboundTcpChains.AppliesTo(m.Gateways, m.Port, m.SourceLabels, m.SourceNamespace, Gateways(a), a.Number("port"),
                a.Labels("proxyLabels"), a.Text("namespace"))));
        Table("match-tcp", (row, _) => Matches<L4MatchAttributes>(row, static (m, a) =>
            OutboundTcpChains.AppliesTo(m.Gateways, m.Port, m.SourceLabels, m.SourceNamespace, Gateways(a), a.Number("port"),
                a.Labels("proxyLabels"), a.Text("namespace"))));
        Table("virtual-host-domains", Domains);
        Table("sidecar-outbound-hosts", OutboundHosts);
        Table("sidecar-duplicate-hosts", DuplicateHosts);
        Table("gateway-route-config", GatewayRouteConfig);
        Table("stateful-session", StatefulSession);
        Table("waypoint-hash-policy", Ambient.WaypointTables.HashPolicy);
        Table("delegate-conflict", Rules.DelegateTables.Conflict);
        Table("delegate-merge-match", Rules.DelegateTables.Matches);
        Table("delegate-merge", Rules.DelegateTables.Routes);
        Table("delegate-merge-virtualservices", Rules.DelegateTables.VirtualServices);
        Table("select-virtualservices", Rules.DelegateTables.Selected);
        Table("mirror-policy", Rules.DelegateTables.MirrorPolicy);
    }

    // ---- one VirtualService

    private static string? BuildRoutes(JsonElement row, JsonElement context)
    {
        // Each call begins its assertions with one that it succeeded.
        var calls = row.Items("calls").ToList();
        var done = 0;
        var roots = new Dictionary<string, object?> { ["err"] = null };
        WeightedCluster? weighted = null;
        // Assertions on the clusters of a weighted route come in their order, each beginning with the request headers.
        var next = -1;
        foreach (var assertion in row.Items("assertions"))
        {
            var expression = assertion.Text("expr");
            if (expression == "ok") continue;
            if (expression == "err" || done == 0)
            {
                var routes = Translate(row, calls[Math.Min(done++, calls.Count - 1)]);
                var first = routes.Count > 0 ? routes[0] : null;
                weighted = first?.Route_?.WeightedClusters;
                (roots["routes"], roots["weightedCluster"], roots["routeAction"], roots["redirectAction"]) =
                    (routes.ToList(), weighted, first, first);
                roots["extProcPerRoute"] = first?.TypedPerFilterConfig.GetValueOrDefault(
                    EndpointPickers.FilterName)?.Unpack<Envoy.Extensions.Filters.Http.ExtProc.V3.ExtProcPerRoute>();
                if (expression == "err") continue;
            }
            if (expression.StartsWith("cluster.RequestHeadersToAdd", StringComparison.Ordinal)) next++;
            roots["cluster"] = weighted is not null && next >= 0 && next < weighted.Clusters.Count ? weighted.Clusters[next] : null;
            if (One(assertion, expression, roots) is { } difference) return $"{expression}: {difference}";
        }
        return null;
    }

    private static IReadOnlyList<EnvoyRoute> Translate(JsonElement row, JsonElement call)
    {
        var environment = row.GetProperty("environment");
        var options = call.GetProperty("opts");
        var resource = call.GetProperty("virtualService");
        var meant = new Meant<VirtualService>(
            new Origin
            {
                Kind = "VirtualService",
                Name = resource.GetProperty("metadata").Text("name"),
                Namespace = resource.GetProperty("metadata").Text("namespace"),
                Annotations = resource.GetProperty("metadata").Labels("annotations"),
            },
            // An empty condition of a header is null in the recording.
            Rows.Message<VirtualService>(JsonDocument.Parse(resource.GetProperty("spec").GetRawText()
                .Replace(": null", ": {}", StringComparison.Ordinal)).RootElement));
        var services = environment.Items("services").Select(Rows.Service).ToList();
        var rules = environment.Items("configs").Where(c => c.Text("kind") == "DestinationRule")
            .Select(c => c.Message<DestinationRule>("spec")!).ToList();
        return RouteTranslator.Translate(new RouteRulesInputs
        {
            Rules = RouteRules.Of(meant),
            ProxyLabels = call.GetProperty("node").Labels("labels"),
            ProxyNamespace = call.GetProperty("node").Text("configNamespace") is { Length: > 0 } ns
                ? ns : (call.GetProperty("node").Field("metadata") ?? default).Text("namespace"),
            ListenPort = call.Number("listenPort"),
            Gateways = call.Texts("gatewayNames").ToHashSet(),
            Mesh = Rows.Mesh(options.Field("mesh")),
            Lookups = new RouteLookups
            {
                Service = host => services.Find(s => s.Hostname == host),
                Hash = destination => HashPolicies.ForDestination(rules.Find(r => r.Host == destination.Host), destination),
                Picker = rule => (options.Field("inferencePoolExtensionRefs") ?? default).Field(rule.Name) is { } given
                    ? new EndpointPicker(given.Text("fqdn"),
                        int.Parse(given.Text("port"), System.Globalization.CultureInfo.InvariantCulture), given.Flag("failureModeAllow"))
                        : null,
            },
            IsTls = options.Flag("isTLS"),
            AdvertisesHttp3 = options.Flag("isHTTP3AltSvcHeaderNeeded"),
        });
    }

    private static string? Assert(JsonElement row, Dictionary<string, object?> roots)
    {
        var preset = RetryPolicies.Outbound(null, false);
        foreach (var assertion in row.Items("assertions"))
        {
            var expression = assertion.Text("expr");
            var want = assertion.Text("valueExpr");
            if (want.StartsWith("retry.DefaultPolicy()", StringComparison.Ordinal))
            {
                var have = GoPath.Value(expression, roots);
                var other = GoPath.Value(want.Replace("retry.DefaultPolicy()", "preset", StringComparison.Ordinal),
                    new Dictionary<string, object?> { ["preset"] = preset });
                if (!Equals(have, other)) return $"{expression}: have {have}, want {other}";
            }
            else if (One(assertion, expression, roots) is { } difference) return $"{expression}: {difference}";
        }
        return null;
    }

    private static string? One(JsonElement assertion, string expression, IReadOnlyDictionary<string, object?> roots)
    {
        var have = GoPath.Value(expression, roots);
        var value = assertion.TryGetProperty("value", out var given) ? given : default;
        switch (assertion.Text("matcher"))
        {
            case "Equal": return GoPath.Equal(have, value);
            case "NotHaveOccurred" or "BeNil":
                return have is null or System.Collections.ICollection { Count: 0 } ? null : $"have {have}, want nothing";
            case "NotBeNil" or "Not": return have is null ? "have nothing" : null;
            case "BeTrue": return Rows.Same(have is true, true);
            case "BeFalse": return Rows.Same(have is true, false);
            case "BeEmpty": return have is null or System.Collections.ICollection { Count: 0 } ? null : $"have {have}";
            case "ConsistOf":
                return have is System.Collections.IList { Count: 1 } list ? Messages.Difference((IMessage)list[0]!, value) : $"have {have}";
            case "HaveKey": return have is System.Collections.IDictionary map && map.Contains(value.GetString()!)
                ? null : $"have not {value}";
            default: return "unknown matcher " + assertion.Text("matcher");
        }
    }

    private static IMessage? Mirror(JsonElement row)
    {
        var copy = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(row.GetRawText())!;
        copy.Remove("mirrorPercent");
        if (row.TryGetProperty("mirrorPercent", out var percent))
            copy["mirrorPercent"] = JsonSerializer.SerializeToElement((int)percent.GetDouble());
        return RouteFilterConfigs.MirrorShare(Rows.Message<HTTPRoute>(JsonSerializer.SerializeToElement(copy)));
    }

    private static bool SourceMatches(JsonElement args) =>
        RouteMatches.AppliesTo(args.Message<HTTPMatchRequest>("match"), new RouteRulesInputs
        {
            Rules = new RouteRules("", "", new VirtualService()),
            ProxyLabels = args.Labels("proxyLabels"),
            ProxyNamespace = args.Text("proxyNamespace"),
            ListenPort = 0,
            Gateways = args.Texts("gatewayNames").ToHashSet(),
            Mesh = new(),
            Lookups = new RouteLookups { Service = _ => null },
        });

    private static HashSet<string> Gateways(JsonElement args) => args.Field("gateways") switch
    {
        { ValueKind: JsonValueKind.Array } list => [.. list.EnumerateArray().Select(item => item.GetString()!)],
        { ValueKind: JsonValueKind.Object } map => [.. map.EnumerateObject().Select(item => item.Name)],
        _ => [],
    };

    private static string? Matches<T>(JsonElement row, Func<T, JsonElement, bool> holds) where T : class, IMessage<T>, new() =>
        Rows.Same(holds(row.GetProperty("args").Message<T>("match") ?? new T(), row.GetProperty("args")), row.Flag("want"));

    // ---- whole configurations

    private static string? Domains(JsonElement row, JsonElement context)
    {
        var node = row.GetProperty("node");
        var service = Rows.Service(row.GetProperty("service"));
        var proxy = new ProxyNode
        {
            Id = "row",
            Type = ProxyType.Sidecar,
            DnsDomain = node.Text("dnsDomain"),
            Addresses = node.Texts("ipAddresses") is { Length: > 0 } own ? [.. own] : row.Texts("want").Any(d => d.StartsWith('['))
                ? ["::1"] : ["1.1.1.1"],
            Metadata = Rows.Node(node).Metadata,
        };
        var features = new Features(
            new Dictionary<string, string> { ["ISTIO_DUAL_STACK"] = row.Flag("enableDualStack") ? "true" : "false" });
        var set = VirtualHostDomains.Of(service, 0, proxy.DnsDomain, ServiceAddresses.Reachable(service, proxy, features));
        return Rows.SameList(set.Names, row.Texts("want"));
    }

    private static RouteConfiguration RoutesFor(IReadOnlyList<Service> services, string ns, string domain, string routeName,
        JsonElement? mesh, params Resource[] resources)
    {
        var snapshot = Rows.Snapshot(Rows.Registry(services), Rows.Settings(mesh), resources);
        var node = World.Node(JsonDocument.Parse($$"""{"configNamespace":"{{ns}}"}""").RootElement) with { DnsDomain = domain };
        return (RouteConfiguration)new RouteGenerator().Generate(new ScopeBuilder(snapshot).ScopeOf(node),
            new HashSet<string> { routeName })[0].Message;
    }

    private static JsonElement Policy(bool registryOnly) =>
        JsonDocument.Parse("""{"outboundTrafficPolicy":{"mode":"MODE"}}""".Replace("MODE", registryOnly ? "REGISTRY_ONLY" : "ALLOW_ANY",
            StringComparison.Ordinal)).RootElement;

    private static string? OutboundHosts(JsonElement row, JsonElement context)
    {
        var resources = new List<Resource>();
        if (row.Field("sidecarConfig") is { } sidecar) resources.Add(Rows.Resource(Kinds.Sidecar, sidecar));
        resources.AddRange(row.Items("virtualServiceConfigs").Select((item, i) => Rows.Resource(Kinds.VirtualService, item, i)));
        var routes = RoutesFor([.. context.Items("services").Select(Rows.Service)], "not-default", "default.example.org",
            row.Text("routeName"), Policy(row.Flag("registryOnly")), [.. resources]);
        var want = row.GetProperty("expectedHosts").EnumerateObject()
            .ToDictionary(h => h.Name, h => string.Join(",", h.Value.EnumerateObject().Select(d => d.Name).Order(StringComparer.Ordinal)));
        return SameHosts(routes, want);
    }

    // The recorded environment has no DNS domain, so short names end with the namespace.
    private static string? SameHosts(RouteConfiguration routes, Dictionary<string, string> want) => Rows.SameList(
        routes.VirtualHosts.Select(h => $"{h.Name}: {string.Join(",", h.Domains.Order(StringComparer.Ordinal))}")
            .Select(text => text.StartsWith("match-no-service", StringComparison.Ordinal)
                ? text.Replace(".svc.cluster.local", "", StringComparison.Ordinal) : text).Order(StringComparer.Ordinal),
        want.Select(h => $"{h.Key}: {h.Value}").Order(StringComparer.Ordinal));

    private static string? DuplicateHosts(JsonElement row, JsonElement context)
    {
        var resources = row.Items("config").Select((item, i) => (Resource)Rows.Resource(Kinds.VirtualService, item, i)).ToArray();
        var routes = RoutesFor([.. row.Items("services").Select(Rows.Service)], "default", "default.svc.cluster.local", "80", null,
            resources);
        var want = row.GetProperty("expectedHosts").EnumerateObject()
            .ToDictionary(h => h.Name,
                h => string.Join(",", h.Value.EnumerateArray().Select(d => d.GetString()!).Order(StringComparer.Ordinal)));
        if (SameHosts(routes, want) is { } difference) return difference;
        return Rows.SameList(
            routes.VirtualHosts.Select(h => $"{h.Name}={h.Routes[0].Route_?.Cluster}").Order(StringComparer.Ordinal),
            row.GetProperty("expectedDestination").EnumerateObject().Select(d => $"{d.Name}={d.Value.GetString()}")
                .Order(StringComparer.Ordinal));
    }

    private static string? GatewayRouteConfig(JsonElement row, JsonElement context)
    {
        var resources = row.Items("gateways").Select((item, i) => (Resource)Rows.Resource(Kinds.Gateway, item, i))
            .Concat(row.Items("virtualServices").Select((item, i) => (Resource)Rows.Resource(Kinds.VirtualService, item, i))).ToArray();
        var sessions = row.Flag("expectStatefulSession") ? """{"istio.io/persistent-session-cookie":"test-cookie:/"}""" : "{}";
        var service = Rows.Service(JsonDocument.Parse(
            $$"""{"hostname":"example.org","attributes":{"name":"example","namespace":"default","exportTo":["*"],"labels":{{sessions}}},"ports":[{"name":"http","port":80,"protocol":"HTTP"}]}""").RootElement);
        var snapshot = Rows.Snapshot(Rows.Registry([service]), Rows.Settings(), resources);
        var proxy = context.GetProperty("proxyGateway");
        var node = World.Node(proxy);
        var routes = (RouteConfiguration)new RouteGenerator().Generate(new ScopeBuilder(snapshot).ScopeOf(node),
            new HashSet<string> { row.Text("routeName") })[0].Message;
        var hosts = row.Field("expectedVirtualHosts") ?? default;
        var have = routes.VirtualHosts.Select(h => $"{h.Name}: {string.Join(",", h.Domains.Order(StringComparer.Ordinal))}")
            .Order(StringComparer.Ordinal);
        var want = hosts.EnumerateObject()
            .Select(
                h => $"{h.Name}: {string.Join(",", h.Value.EnumerateArray().Select(d => d.GetString()!).Order(StringComparer.Ordinal))}")
                .Order(StringComparer.Ordinal);
        if (Rows.SameList(have, want) is { } difference) return difference;
        foreach (var count in row.Field("expectedHTTPRoutes")?.EnumerateObject() ?? default)
        {
            var host = routes.VirtualHosts.FirstOrDefault(h => h.Name == count.Name);
            if (Rows.Same(host?.Routes.Count ?? 0, count.Value.GetInt32()) is { } other) return $"{count.Name}: routes: {other}";
            var redirects = host?.RequireTls == VirtualHost.Types.TlsRequirementType.All;
            if (Rows.Same(redirects, row.Flag("redirect")) is { } wrong) return $"{count.Name}: redirect: {wrong}";
        }
        return null;
    }

    private static string? StatefulSession(JsonElement row, JsonElement context)
    {
        var resources = row.Items("config").Select((item, i) => (Resource)Rows.Resource(Kinds.VirtualService, item, i)).ToArray();
        var snapshot = Rows.Snapshot(Rows.Registry([.. row.Items("services").Select(Rows.Service)]),
            Rows.Settings(null, ("PILOT_ENABLE_PERSISTENT_SESSION_FILTER", "true")), resources);
        var node = World.Node(null) with { DnsDomain = "default.svc.cluster.local" };
        var routes = (RouteConfiguration)new RouteGenerator().Generate(new ScopeBuilder(snapshot).ScopeOf(node),
            new HashSet<string> { "80" })[0].Message;
        var host = routes.VirtualHosts.First(h => h.Name.StartsWith("test-service.default", StringComparison.Ordinal));
        host.TypedPerFilterConfig.TryGetValue(PersistentSessions.FilterName, out var config);
        return Messages.Difference(config?.Unpack<Envoy.Extensions.Filters.Http.StatefulSession.V3.StatefulSessionPerRoute>(),
            row.Field("expectStatefulSession"));
    }
}
