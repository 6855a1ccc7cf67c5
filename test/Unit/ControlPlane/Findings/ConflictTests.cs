using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.ControlPlane.Findings;
using Xunit;

namespace Lateen.Test.Unit.ControlPlane.Findings;

/// <summary>Of two resources that want the same, both are told who gets it, and why.</summary>
public sealed class ConflictTests
{
    [Fact]
    public void A_host_in_sidecars() => Told("""
        kind: VirtualService
        metadata: {name: a, namespace: one, creationTimestamp: "2024-01-02T00:00:00Z"}
        spec: {hosts: [reviews.one.svc.cluster.local], http: [{route: [{destination: {host: reviews}}]}]}
        ---
        kind: VirtualService
        metadata: {name: b, namespace: one, creationTimestamp: "2024-01-01T00:00:00Z"}
        spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews}}]}]}
        """, "LTN2203", winner: "b spec.hosts[0]", loser: "a spec.hosts[0]", "the older one does");

    [Fact]
    public void A_match_at_a_gateway() => Told("""
        kind: VirtualService
        metadata: {name: a, namespace: one}
        spec: {hosts: [shop.example], gateways: [edge], http: [{match: [{uri: {prefix: /api}}], route: [{destination: {host: api}}]}]}
        ---
        kind: VirtualService
        metadata: {name: b, namespace: one}
        spec: {hosts: [shop.example], gateways: [one/edge], http: [{match: [{uri: {prefix: /web}}, {uri: {exact: /api/users}}], route: [{destination: {host: web}}]}]}
        """, "LTN2209", winner: "a spec.http[0].match[0]", loser: "b spec.http[0].match[1]",
        "of two of one age the one whose name comes first does");

    [Fact]
    public void What_takes_everything_at_a_gateway_comes_last_and_takes_nothing_away() => Silent("""
        kind: VirtualService
        metadata: {name: a, namespace: one}
        spec: {hosts: [shop.example], gateways: [edge], http: [{route: [{destination: {host: api}}]}]}
        ---
        kind: VirtualService
        metadata: {name: b, namespace: one}
        spec: {hosts: [shop.example], gateways: [one/edge], http: [{match: [{uri: {prefix: /web}}], route: [{destination: {host: web}}]}]}
        """);

    [Fact]
    public void A_subset_of_a_destination() => Told("""
        kind: DestinationRule
        metadata: {name: a, namespace: one}
        spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
        ---
        kind: DestinationRule
        metadata: {name: b, namespace: one}
        spec: {host: reviews.one.svc.cluster.local, subsets: [{name: v2, labels: {version: v2}}, {name: v1, labels: {version: v3}}]}
        """, "LTN2205", winner: "a spec.subsets[0]", loser: "b spec.subsets[1]", "subset \"v1\"");

    [Fact]
    public void Rules_of_two_namespaces_are_told_that_the_client_decides() => Told("""
        kind: DestinationRule
        metadata: {name: a, namespace: one}
        spec: {host: reviews.one.svc.cluster.local, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}
        ---
        kind: DestinationRule
        metadata: {name: b, namespace: two}
        spec: {host: reviews.one.svc.cluster.local, trafficPolicy: {connectionPool: {tcp: {maxConnections: 2}}}}
        """, "LTN2205", winner: "a spec.host", loser: "b spec.host", "its own namespace");

    [Fact]
    public void A_port_of_a_gateway_with_two_protocols() => Told("""
        kind: Gateway
        metadata: {name: a, namespace: one}
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
        ---
        kind: Gateway
        metadata: {name: b, namespace: two}
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 81, name: http, protocol: HTTP}, hosts: ["*"]}, {port: {number: 80, name: tcp, protocol: TCP}, hosts: ["*"]}]}
        """, "LTN2206", winner: "a spec.servers[0]", loser: "b spec.servers[1]", "port 80 speaks HTTP");

    [Fact]
    public void One_name_for_two_certificates() => Told("""
        kind: Gateway
        metadata: {name: a, namespace: one}
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 443, name: first, protocol: HTTPS}, hosts: [shop.example], tls: {mode: SIMPLE, credentialName: a}}]}
        ---
        kind: Gateway
        metadata: {name: b, namespace: one}
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 443, name: second, protocol: HTTPS}, hosts: [shop.example], tls: {mode: SIMPLE, credentialName: b}}]}
        """, "LTN2206", winner: "a spec.servers[0]", loser: "b spec.servers[0]", "shop.example");

    [Fact]
    public void Gateways_of_different_workloads_do_not_meet() => Silent("""
        kind: Gateway
        metadata: {name: a, namespace: one}
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
        ---
        kind: Gateway
        metadata: {name: b, namespace: one}
        spec: {selector: {istio: egressgateway}, servers: [{port: {number: 80, name: tcp, protocol: TCP}, hosts: ["*"]}]}
        """);

    [Fact]
    public void A_host_that_two_entries_declare() => Told("""
        kind: ServiceEntry
        metadata: {name: a, namespace: one}
        spec: {hosts: [api.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
        ---
        kind: ServiceEntry
        metadata: {name: b, namespace: one}
        spec: {hosts: [api.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.1}]}
        """, "LTN2207", winner: "a spec.hosts[0]", loser: "b spec.hosts[0]", "ports, resolution and addresses");

    [Fact]
    public void A_Service_comes_before_an_entry() => Told("""
        apiVersion: v1
        kind: Service
        metadata: {name: reviews, namespace: one, creationTimestamp: "2024-01-02T00:00:00Z"}
        spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
        ---
        kind: ServiceEntry
        metadata: {name: b, namespace: one, creationTimestamp: "2024-01-01T00:00:00Z"}
        spec: {hosts: [reviews.one.svc.cluster.local], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
        """, "LTN2207", winner: "reviews metadata.name", loser: "b spec.hosts[0]", "a Service of the cluster comes before");

    [Theory]
    [InlineData("Sidecar", "egress: [{hosts: [\"*/*\"]}]", "workloadSelector: {labels: {app: x}}",
        "workloadSelector: {labels: {app: x, version: v1}}", "spec.workloadSelector")]
    [InlineData("Sidecar", "egress: [{hosts: [\"*/*\"]}]", "", "", "spec")]
    [InlineData("PeerAuthentication", "mtls: {mode: STRICT}", "selector: {matchLabels: {app: x}}", "selector: {matchLabels: {app: x}}",
        "spec.selector")]
    [InlineData("PeerAuthentication", "mtls: {mode: STRICT}", "", "", "spec")]
    [InlineData("Telemetry", "accessLogging: [{disabled: true}]", "", "", "spec")]
    [InlineData("Telemetry", "accessLogging: [{disabled: true}]",
        "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]",
        "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: edge}]", "spec.targetRefs")]
    [InlineData("ProxyConfig", "concurrency: 2", "selector: {matchLabels: {app: x}}", "selector: {matchLabels: {app: x}}", "spec.selector")]
    public void Settings_of_which_one_counts(string kind, string spec, string first, string second, string place) => Told($$"""
        kind: {{kind}}
        metadata: {name: a, namespace: one, creationTimestamp: "2024-01-01T00:00:00Z"}
        spec: { {{first}}{{(first.Length > 0 ? ", " : "")}}{{spec}} }
        ---
        kind: {{kind}}
        metadata: {name: b, namespace: one, creationTimestamp: "2024-01-02T00:00:00Z"}
        spec: { {{second}}{{(second.Length > 0 ? ", " : "")}}{{spec}} }
        """, "LTN2208", winner: $"a {place}", loser: $"b {place}", "the older one does");

    [Theory]
    [InlineData("PeerAuthentication", "mtls: {mode: STRICT}", "selector: {matchLabels: {app: x}}", "")]
    [InlineData("PeerAuthentication", "mtls: {mode: STRICT}", "selector: {matchLabels: {app: x}}", "selector: {matchLabels: {app: y}}")]
    [InlineData("AuthorizationPolicy", "action: DENY, rules: [{}]", "", "")]
    [InlineData("RequestAuthentication", "jwtRules: [{issuer: a, jwksUri: \"https://a.example\"}]", "", "")]
    [InlineData("WasmPlugin", "url: \"oci://a/b\"", "", "")]
    public void What_adds_up_or_stands_on_two_levels_is_no_conflict(string kind, string spec, string first, string second) => Silent($$"""
        kind: {{kind}}
        metadata: {name: a, namespace: one}
        spec: { {{first}}{{(first.Length > 0 ? ", " : "")}}{{spec}} }
        ---
        kind: {{kind}}
        metadata: {name: b, namespace: one}
        spec: { {{second}}{{(second.Length > 0 ? ", " : "")}}{{spec}} }
        """);

    [Fact]
    public void Routes_with_one_match() => Told("""
        kind: HTTPRoute
        metadata: {name: a, namespace: one}
        spec: {parentRefs: [{name: edge, sectionName: http}], hostnames: [shop.example], rules: [{backendRefs: [{name: api, port: 80}]}]}
        ---
        kind: HTTPRoute
        metadata: {name: b, namespace: one}
        spec: {parentRefs: [{name: edge}], hostnames: [shop.example], rules: [{matches: [{path: {type: Exact, value: /x}}, {path: {value: /}}], backendRefs: [{name: web, port: 80}]}]}
        """, "LTN2209", winner: "a spec.rules[0]", loser: "b spec.rules[0].matches[1]", "namespace and name come first");

    [Fact]
    public void Routes_for_different_listeners_do_not_meet() => Silent("""
        kind: HTTPRoute
        metadata: {name: a, namespace: one}
        spec: {parentRefs: [{name: edge, sectionName: http}], rules: [{backendRefs: [{name: api, port: 80}]}]}
        ---
        kind: HTTPRoute
        metadata: {name: b, namespace: one}
        spec: {parentRefs: [{name: edge, sectionName: https}], rules: [{backendRefs: [{name: web, port: 80}]}]}
        """);

    [Fact]
    public void A_patch_that_another_undoes() => Told("""
        kind: EnvoyFilter
        metadata: {name: a, namespace: one}
        spec: {priority: 10, configPatches: [{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: x}}, patch: {operation: REMOVE}}]}
        ---
        kind: EnvoyFilter
        metadata: {name: b, namespace: one}
        spec: {configPatches: [{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: x}}, patch: {operation: MERGE, value: {connect_timeout: 1s}}}]}
        """, "LTN2210", winner: "a spec.configPatches[0]", loser: "b spec.configPatches[0]", "patches run by priority");

    [Fact]
    public void A_path_of_two_Ingresses() => Told("""
        kind: Ingress
        metadata: {name: a, namespace: one, creationTimestamp: "2024-01-02T00:00:00Z"}
        spec: {rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]}
        ---
        kind: Ingress
        metadata: {name: b, namespace: two, creationTimestamp: "2024-01-01T00:00:00Z"}
        spec: {rules: [{host: shop.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: b, port: {number: 80}}}}]}}]}
        """, "LTN2209", winner: "b spec.rules[0].http.paths[0]", loser: "a spec.rules[0].http.paths[0]", "the older one does");

    [Fact]
    public void An_address_of_two_workloads() => Told("""
        kind: WorkloadEntry
        metadata: {name: a, namespace: one}
        spec: {address: 10.0.0.1, labels: {app: a}}
        ---
        kind: WorkloadEntry
        metadata: {name: b, namespace: one}
        spec: {address: 10.0.0.1, labels: {app: b}}
        """, "LTN2211", winner: "a spec.address", loser: "b spec.address", "10.0.0.1");

    private static readonly Dictionary<string, string> Groups = new()
    {
        ["PeerAuthentication"] = "security.istio.io/v1", ["AuthorizationPolicy"] = "security.istio.io/v1", ["RequestAuthentication"] =
            "security.istio.io/v1", ["Telemetry"] = "telemetry.istio.io/v1",
        ["WasmPlugin"] = "extensions.istio.io/v1alpha1", ["EnvoyFilter"] = "networking.istio.io/v1alpha3", ["ProxyConfig"] =
            "networking.istio.io/v1beta1",
        ["HTTPRoute"] = "gateway.networking.k8s.io/v1", ["Ingress"] = "networking.k8s.io/v1",
    };

    private static void Told(string text, string code, string winner, string loser, string says)
    {
        Diagnostic[] found = Found(text);
        Assert.All(found, said => Assert.Equal(code, said.Code.Id));
        Diagnostic won = Assert.Single(found, said => Place(said) == winner), lost = Assert.Single(found, said => Place(said) == loser);
        Assert.Equal(DiagnosticLevel.Info, won.Level);
        Assert.Contains(says, won.Text, StringComparison.Ordinal);
        Assert.Contains(says, lost.Text, StringComparison.Ordinal);
        // Each names the other, with its place.
        Assert.Contains($"/{loser.Split(' ')[0]} (test.yaml:", won.Text, StringComparison.Ordinal);
        Assert.Contains($"/{winner.Split(' ')[0]} (test.yaml:", lost.Text, StringComparison.Ordinal);
        Assert.True(lost.Position.IsKnown);
    }

    private static void Silent(string text) => Assert.Equal([], Found(text).Select(said => said.ToString()));

    private static string Place(Diagnostic said) => $"{said.Resource[(said.Resource.LastIndexOf('/') + 1)..]} {said.Path}";

    private static Diagnostic[] Found(string text)
    {
        var mistakes = new DiagnosticBag();
        IReadOnlyList<Resource> resources = new ResourceDecoder(new DecoderOptions()).Decode(
            string.Join("\n---\n", text.Split("\n---\n").Select(Complete)), "test.yaml", mistakes);
        Assert.Equal([], mistakes.Where(mistake => mistake.IsError).Select(mistake => mistake.ToString()));
        ResourceView view = ResourceView.Of(resources);
        var conflicts = new Conflicts("cluster.local", "istio-system");
        return [.. resources.SelectMany(conflicts.In(view))];
    }

    private static string Complete(string one)
    {
        if (one.StartsWith("apiVersion", StringComparison.Ordinal)) return one;
        string kind = one.Split('\n')[0]["kind: ".Length..].Trim();
        return $"apiVersion: {Groups.GetValueOrDefault(kind, "networking.istio.io/v1")}\n{one}";
    }
}
