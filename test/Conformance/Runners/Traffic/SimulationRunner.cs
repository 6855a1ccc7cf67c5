using System.Text.Json;
using System.Text.RegularExpressions;
using Lateen.Config.Resources;
using Lateen.Pilot.Scope;
using Lateen.Test.Conformance.Runners.Tables;

namespace Lateen.Test.Conformance.Runners.Traffic;

/// <summary>Calls through configurations.</summary>
internal sealed class SimulationRunner : TableRunner
{
    private static readonly string[] CallTables =
    [
        "disable-port-translation", "external-name-services", "gateway-conflicts", "gateway-services", "headless-services", "http-gateway", "inbound-sidecartls-modes",
        "inbound", "ingress", "passthrough-traffic", "peer-authentication-passthrough", "peer-authentication-with-sidecar", "service-entry-duplicated-hostname",
        "service-entry", "target-port", "tls-route-termination",
    ];

    public SimulationRunner() : base("simulation")
    {
        foreach (var table in CallTables) Table(table, Calls);
        Table("sidecar-routes", SidecarRoutes);
    }

    private static string? Calls(JsonElement row, JsonElement context)
    {
        var world = WorldOf(row);
        var isGateway = world.Scope.Node.Type == ProxyType.Router;
        var simulation = new Simulation(world.Listeners(), world.Routes);
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
        return World.Of(texts, World.Node(row.Field("proxy")), options.Field("meshConfig"), ("ENABLE_TLS_ON_SIDECAR_INGRESS", "true"));
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
            IsInbound = !isGateway && row.Text("callMode") == "inbound",
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
        return Named("error", outcome.Error, true) ?? Named("listenerMatched", outcome.Listener, strict) ?? Named("filterChainMatched", outcome.Chain, strict)
            ?? Named("routeConfigMatched", outcome.Routes, strict) ?? Named("virtualHostMatched", outcome.Host, strict) ?? Named("routeMatched", outcome.Route, strict)
            ?? Named("clusterMatched", outcome.Cluster, strict);

        string? Named(string field, string have, bool counts)
        {
            var expected = want.Text(field);
            // The recorded environment has no DNS domain, so short names there end with the namespace.
            if (field == "clusterMatched" && !expected.Contains(".svc.", StringComparison.Ordinal)) have = have.Replace(".svc.cluster.local", "", StringComparison.Ordinal);
            return (expected.Length > 0 || counts) && expected != have ? $"{field}: have '{have}', want '{expected}' ({outcome})" : null;
        }
    }

    // The recording lost the lists of its templates; the one host of a rule is still in the rule's name, between namespace and destination.
    private static string WithHosts(string config) => string.Join("\n---\n", config.Split("\n---\n").Select(document =>
    {
        if (!document.Contains("hosts:\n  http:", StringComparison.Ordinal)) return document;
        var name = Regex.Match(document, "name: \"?([^\"\n]+)\"?").Groups[1].Value;
        var ns = Regex.Match(document, "namespace: \"?([^\"\n]+)\"?").Groups[1].Value;
        var destination = Regex.Match(document, "host: ([^\n]+)").Groups[1].Value.Trim();
        var host = Regex.Replace(name[ns.Length..^destination.Length], "^wild\\.", "*.");
        return Regex.Replace(document.Replace("hosts:\n", $"hosts: [\"{host}\"]\n", StringComparison.Ordinal), "port:\\s+number: 0", "");
    }));

    private static string? SidecarRoutes(JsonElement row, JsonElement context)
    {
        var routes = World.Of([WithHosts(row.Text("config"))], World.Node(row.Field("proxy"))).Routes(row.Text("routeName"));
        if (row.Field("expected") is not { } expected) return null;
        foreach (var domain in expected.EnumerateObject())
        {
            var host = routes.VirtualHosts.FirstOrDefault(candidate => candidate.Domains.Contains(domain.Name));
            var clusters = host?.Routes.Where(route => route.Route_?.Cluster.Length > 0).Select(route => route.Route_.Cluster).Order(StringComparer.Ordinal).ToArray() ?? [];
            var wanted = domain.Value.ValueKind == JsonValueKind.Array ? domain.Value.EnumerateArray().Select(item => item.GetString()!).ToArray() : [];
            if (Rows.SameList(clusters, wanted) is { } difference) return $"{domain.Name}: {difference}";
        }
        return null;
    }
}
