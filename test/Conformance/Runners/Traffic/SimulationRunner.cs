using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Scope;
using Lateen.Registry;
using Lateen.Test.Conformance.Runners.Tables;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>Calls through configurations.</summary>
internal sealed class SimulationRunner : TableRunner
{
    private static readonly string[] CallTables =
    [
        "disable-port-translation", "external-name-services", "gateway-conflicts", "gateway-services", "headless-services", "http-gateway",
        "inbound-sidecartls-modes",
        "inbound", "ingress", "passthrough-traffic", "peer-authentication-passthrough", "peer-authentication-with-sidecar",
        "service-entry-duplicated-hostname",
        "service-entry", "target-port", "tls-route-termination",
    ];

    public SimulationRunner() : base("simulation")
    {
        foreach (var table in CallTables) Table(table, Calls);
        Table("sidecar-routes", SidecarRoutes);
        Table("inbound-clusters", Inbound);
    }

    private static string? Calls(JsonElement row, JsonElement context)
    {
        var world = WorldOf(row);
        var isGateway = world.Scope.Node.Type == ProxyType.Router;
        using var simulation = new Simulation(world.Scope.Node.Addresses, isGateway, world.Listeners(), world.Routes);
        foreach (var item in row.Items("calls"))
        {
            var outcome = simulation.Run(CallOf(item.GetProperty("call"), isGateway));
            if (Difference(outcome, item.GetProperty("expect")) is { } difference) return $"{item.Text("name")}: {difference}";
        }
        return null;
    }

    private static World WorldOf(JsonElement row)
    {
        var options = row.Field("options") ?? default;
        string[] texts = [row.Text("kubeConfig"), row.Text("config"), .. options.Items("Configs").Select(item => item.GetRawText())];
        var mesh = JsonNode.Parse(options.Field("meshConfig")?.GetRawText() ?? "{}")!.AsObject();
        mesh["accessLogFile"] = "/dev/stdout";
        mesh["accessLogFormat"] = Simulation.LogFormat;
        return World.Of(texts, World.Node(row.Field("proxy")), JsonDocument.Parse(mesh.ToJsonString()).RootElement,
            ("ENABLE_TLS_ON_SIDECAR_INGRESS", "true"));
    }

    private static SimulatedCall CallOf(JsonElement row, bool isGateway)
    {
        var call = new SimulatedCall
        {
            Address = row.Text("address") is { Length: > 0 } address ? address : "1.3.3.7",
            Port = row.Number("port"),
            Path = row.Text("path") is { Length: > 0 } path ? path : "/",
            Protocol = row.Text("protocol"),
            Tls = row.Text("tls") is { Length: > 0 } tls ? tls : "plaintext",
            Alpn = row.Text("alpn"),
            Host = row.Text("hostHeader"),
            Sni = row.Text("sni"),
            Mode = isGateway ? "gateway" : row.Text("callMode") is { Length: > 0 } mode ? mode : "outbound",
            SecretName = row.Text("mtlsSecretConfigName") is { Length: > 0 } secret ? secret : "default",
        };
        if (call is { Tls: "tls", Sni: "" }) call = call with { Sni = call.Host };
        return call.Alpn.Length > 0 ? call : call with
        {
            Alpn = (call.Tls, call.Protocol) switch
            {
                ("mtls", "http") => "istio-http/1.1",
                ("mtls", "http2") => "istio-h2",
                ("mtls", _) => "istio",
                ("tls", "http") => "http/1.1",
                ("tls", "http2") => "h2",
                _ => "",
            },
        };
    }

    private static string? Difference(Outcome outcome, JsonElement want)
    {
        var strict = want.Flag("strictMatch");
        return Named("error", outcome.Error, true) ?? Named("listenerMatched", outcome.Listener, strict)
            ?? Named("filterChainMatched", outcome.Chain, strict)
                ?? Named("routeConfigMatched", outcome.Routes, strict) ?? Named("virtualHostMatched", outcome.Host, strict)
                ?? Named("routeMatched", outcome.Route, strict)
                ?? Named("clusterMatched", outcome.Cluster, strict);

        string? Named(string field, string have, bool counts)
        {
            var expected = want.Text(field);
            // The recorded environment has no DNS domain, so short names there end with the namespace.
            if (field == "clusterMatched" && !expected.Contains(".svc.", StringComparison.Ordinal))
                have = have.Replace(".svc.cluster.local", "", StringComparison.Ordinal);
            return (expected.Length > 0 || counts) && expected != have ? $"{field}: have '{have}', want '{expected}' ({outcome})" : null;
        }
    }

    private static string? Inbound(JsonElement row, JsonElement context)
    {
        var services = row.Items("services").Select(Rows.Service).ToList();
        var endpoints = row.Items("instances").GroupBy(item => item.GetProperty("service").Text("hostname")).ToDictionary(
            group => services.First(service => service.Hostname == group.Key).Key,
            group => new ServiceEndpoints(services.First(service => service.Hostname == group.Key).Key,
                [.. group.Select(item => Rows.Endpoint(item.GetProperty("endpoint")) with { ClusterId = "Kubernetes" })], []));
        var resources = row.Items("configs").SelectMany(item => new ResourceDecoder().Decode(item.GetRawText(), "row.yaml", [])).ToArray();
        var mesh = row.Flag("disableInboundPassthrough")
            ? JsonDocument.Parse("""{ "inboundTrafficPolicy": { "mode": "LOCALHOST" } }""").RootElement : default(JsonElement?);
        var proxy = row.Field("proxy") ?? JsonDocument.Parse("""{ "ipAddresses": ["1.2.3.4"] }""").RootElement;
        var scope = new ScopeBuilder(Rows.Snapshot(Rows.Registry(services, endpoints), Rows.Settings(mesh), resources)).ScopeOf(
            World.Node(proxy));
        var have = InboundClusters.Build(scope, ClusterRows.Client(scope.Node)).ToDictionary(made => made.Cluster.Name);
        var wanted = row.Field("clusters") is { ValueKind: JsonValueKind.Object } clusters ? clusters.EnumerateObject().ToList() : [];
        if (Rows.SameList(have.Keys.Order(StringComparer.Ordinal),
            wanted.Select(entry => entry.Name).Order(StringComparer.Ordinal)) is { } names) return names;
        foreach (var entry in wanted)
        {
            var addresses = have[entry.Name].Cluster.LoadAssignment?.Endpoints.SelectMany(locality => locality.LbEndpoints)
                .Select(
                    endpoint => $"{endpoint.Endpoint.Address.SocketAddress.Address}:{endpoint.Endpoint.Address.SocketAddress.PortValue}")
                    ?? [];
            if (Rows.SameList(addresses,
                entry.Value.ValueKind == JsonValueKind.Array ? entry.Value.EnumerateArray().Select(item => item.GetString()!)
                    : []) is { } difference) return $"{entry.Name}: {difference}";
        }
        foreach (var entry in row.Field("telemetry") is { ValueKind: JsonValueKind.Object } told ? told.EnumerateObject().ToList() : [])
        {
            var hosts = have[entry.Name].Services.Select(service => service.Hostname).Distinct();
            if (Rows.SameList(hosts, entry.Value.EnumerateArray().Select(item => item.GetString()!)) is { } difference)
                return $"{entry.Name}: services: {difference}";
        }
        return null;
    }

    // The recording lost the lists of its templates; the one host of a rule is still in the rule's name, between namespace and destination.
    private static string WithHosts(string config) => string.Join("\n---\n", config.Split("\n---\n").Select(document =>
    {
        bool isRule = document.Contains("hosts:\n  http:", StringComparison.Ordinal),
            isRoute = document.Contains("parentRefs:\n  rules:", StringComparison.Ordinal);
        if (!isRule && !isRoute) return document;
        var name = Regex.Match(document, "name: \"?([^\"\n]+)\"?").Groups[1].Value;
        var ns = Regex.Match(document, "namespace: \"?([^\"\n]+)\"?").Groups[1].Value;
        var destination = Regex.Match(document,
            isRule ? "host: ([^\n]+)" : "group: networking.istio.io\n +name: ([^\n]+)").Groups[1].Value.Trim();
        var host = Regex.Replace(name[ns.Length..^destination.Length], "^wild\\.", "*.");
        if (isRule) return Regex.Replace(document.Replace("hosts:\n", $"hosts: [\"{host}\"]\n", StringComparison.Ordinal),
            "port:\\s+number: 0", "");
        return WithParent(document, host, ns).Replace("port: 0", "port: 80", StringComparison.Ordinal);
    }));

    // A service, where the host is that of one; else an entry of that host, as nothing else can be the parent of a route in the mesh.
    private static string WithParent(string route, string host, string ns)
    {
        var parts = host.Split('.');
        var isService = host.EndsWith(".svc.cluster.local", StringComparison.Ordinal) && parts.Length == 5 && parts[0] != "*";
        var parent = isService ? $"[{{kind: Service, group: \"\", name: {parts[0]}, namespace: {parts[1]}}}]"
            : $"[{{kind: ServiceEntry, group: networking.istio.io, name: of-{host.Replace("*", "wild", StringComparison.Ordinal)}}}]";
        route = route.Replace("parentRefs:\n", $"parentRefs: {parent}\n", StringComparison.Ordinal);
        if (isService) return route;
        return route
            + $"\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: "
                + $"of-{host.Replace("*", "wild", StringComparison.Ordinal)}\n  namespace: {ns}\nspec:\n  hosts: [\"{host}\"]\n  "
                    + $"ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: NONE\n";
    }

    private static string? SidecarRoutes(JsonElement row, JsonElement context)
    {
        var routes = World.Of([WithHosts(row.Text("config"))], World.Node(row.Field("proxy"))).Routes(row.Text("routeName"));
        if (row.Field("expected") is not { } expected) return null;
        foreach (var domain in expected.EnumerateObject())
        {
            var host = routes.VirtualHosts.FirstOrDefault(candidate => candidate.Domains.Contains(domain.Name));
            var clusters = host?.Routes.Where(route => route.Route_?.Cluster.Length > 0).Select(route => route.Route_.Cluster)
                .Order(StringComparer.Ordinal).ToArray() ?? [];
            var wanted = domain.Value.ValueKind == JsonValueKind.Array
                ? domain.Value.EnumerateArray().Select(item => item.GetString()!).ToArray() : [];
            if (Rows.SameList(clusters, wanted) is { } difference) return $"{domain.Name}: {difference}";
        }
        return null;
    }
}
