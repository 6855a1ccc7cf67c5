// Orders: objects that depend on each other are written, changed and deleted in whatever order a seed says, while requests are under way,
// control planes die, networks are slow and streams break.
// What must hold whatever the order:
//   1. no request is answered by a configuration that was never written;
//   2. a request for which every state that may be in effect has a route, a cluster and endpoints is answered: nothing is lost between two
//      states that are whole;
//   3. what every proxy holds once all is quiet is what a control plane gives it that starts from the same objects, byte for byte.
//
// A plan (all of it made from the seed before anything runs) is a list of acts; `OrderRun` plays it on a `Mesh` and judges each call by an
// `Errand`, which knows from the forms of the objects what may come back. Since an act holds all that it needs, a plan that fails can be
// shortened by leaving acts out (`Shortening`). The mesh owns all state; nothing here reads a clock.
// Refused: a second implementation of the mesh as the judge (it would have the same mistakes): forms carry numbers that come back in the
// answers.
using System.Globalization;
using System.Text;
using Lateen.Config.Resources;
using Lateen.Test.Rigs.Stage;

namespace Lateen.Test.Scenarios.Orders;

/// <summary>An object that plans write, in one of several forms.</summary>
/// <param name="Word">How plans call it.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="ApiVersion">As it is written.</param>
/// <param name="Key">Namespace and name.</param>
/// <param name="Forms">Names of its forms; the first is the one of a stage on which all goes well.</param>
/// <param name="Text">What is written below its metadata, from a form, the number that answers are to carry, and the stage.</param>
internal sealed record WrittenObject(string Word, ResourceKind Kind, string ApiVersion, (string Namespace, string Name) Key, string[] Forms,
    Func<string, int, Mesh, string> Text)
{
    private const string Istio = "networking.istio.io/v1", Security = "security.istio.io/v1", GatewayApi = "gateway.networking.k8s.io/v1";

    private static readonly (string Chain, string Key)[] Certificates = [.. Enumerable.Range(0, 2)
        .Select(_ => new Authority("edge").Server("edge.example.com"))];

    public ResourceKey Resource => new(Kind, Key.Namespace, Key.Name);

    /// <summary>It is always there, in one form or another.</summary>
    public bool IsLasting => Word is "ready" or "mesh" or "back";

    public override string ToString() => Word;

    public string Yaml(string form, int marker, Mesh mesh) =>
        $"apiVersion: {ApiVersion}\nkind: {Kind.Name}\nmetadata: {{name: {Key.Name}, "
        + $"namespace: {Key.Namespace}{(Word == "slice" ? ", labels: {kubernetes.io/service-name: other}" : Word == "ready" ? ", labels: {kubernetes.io/service-name: back}" : "")}}}\n{Text(form, marker, mesh)}\n";

    /// <summary>Every object of the world by its word.</summary>
    public static readonly IReadOnlyDictionary<string, WrittenObject> All = new WrittenObject[]
    {
        // A route and its subsets.
        new("route", Kinds.VirtualService, Istio, ("default", "back"), ["any", "v1", "v2", "v1+v2"],
            (form, marker, _) => $"spec: {{hosts: [back], http: [{Marked(marker, Destinations("back", form))}]}}"),
        new("rule", Kinds.DestinationRule, Istio, ("default", "back"), ["v1+v2", "v1", "v2"], (form, marker, _) =>
            $"spec: {{host: back, trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {100 + (marker % 3)}}}}}}}, subsets: [{string.Join(", ", form.Split('+').Select(v => $"{{name: {v}, labels: {{version: {v}}}}}"))}]}}"),
        new("back", Kinds.Service, "v1", ("default", "back"), ["two", "three"],
            (form, _, _) =>
                $"spec: {{clusterIP: 10.96.0.11, selector: {{app: back}}, ports: [{Port("http-9080", 9080)}, {Port("tcp-9081", 9081)}{(form == "three" ? ", " + Port("http-9082", 9082) : "")}]}}"),
        new("ready", Kinds.EndpointSlice, "discovery.k8s.io/v1", ("default", "back-slice"), ["v1+v2", "v1", "v2"],
            (form, _, mesh) => Slice("http-9080, tcp-9081", [.. mesh.Pods.Where(pod => pod.Labels["app"] == "back")],
                pod => form.Contains(pod.Labels["version"], StringComparison.Ordinal))),

        // A service and its endpoints, and a route that may be there before either.
        new("service", Kinds.Service, "v1", ("default", "other"), ["there"],
            (_, _, _) => $"spec: {{clusterIP: {Errand.OtherAddress}, selector: {{app: back}}, ports: [{Port("http-9080", 9080)}]}}"),
        new("slice", Kinds.EndpointSlice, "discovery.k8s.io/v1", ("default", "other-slice"), ["both"],
            (_, _, mesh) => Slice("http-9080", [.. mesh.Pods.Where(pod => pod.Labels["app"] == "back")], _ => true)),
        new("other route", Kinds.VirtualService, Istio, ("default", "other"), ["other", "back"],
            (form, marker, _) => $"spec: {{hosts: [other], http: [{Marked(marker, Destinations(form, "any"))}]}}"),

        // What is outside of the mesh.
        new("entry", Kinds.ServiceEntry, Istio, ("default", "far"), ["fixed", "chosen"],
            (form, _, _) =>
                $"spec: {{hosts: [{Errand.FarHost}], location: MESH_EXTERNAL, resolution: STATIC, ports: [{{number: 9080, name: http, protocol: HTTP}}], {(form == "fixed" ? $"endpoints: [{{address: {Errand.FarAddress}}}]" : "workloadSelector: {labels: {app: far}}")}}}"),
        new("workload", Kinds.WorkloadEntry, Istio, ("default", "far-1"), ["there"],
            (_, _, _) => $"spec: {{address: {Errand.FarAddress}, labels: {{app: far}}}}"),
        new("far route", Kinds.VirtualService, Istio, ("default", "far"), ["there"],
            (_, marker, _) => $"spec: {{hosts: [{Errand.FarHost}], http: [{Marked(marker, Destinations(Errand.FarHost, "any"))}]}}"),

        // The edge: Istio's gateway with its secret, and the Gateway API's.
        new("gateway", Kinds.Gateway, Istio, ("default", "edge"), ["both", "http", "https"],
            (form, _, _) => $"spec: {{selector: {{istio: ingressgateway}}, servers: [{string.Join(", ", Servers(form))}]}}"),
        new("secret", Kinds.Secret, "v1", ("istio-system", "edge-cert"), ["one", "two"],
            (form, _, _) =>
                $"type: kubernetes.io/tls\ndata: {{tls.crt: {Base64(Certificates[form == "one" ? 0 : 1].Chain)}, tls.key: {Base64(Certificates[form == "one" ? 0 : 1].Key)}}}"),
        new("edge route", Kinds.VirtualService, Istio, ("default", "edge"), ["any", "v1"],
            (form, marker, _) =>
                $"spec: {{hosts: [{Errand.EdgeHost}], gateways: [edge], http: [{Marked(marker, Destinations("back", form))}]}}"),
        new("api gateway", Kinds.KubernetesGateway, GatewayApi, ("istio-system", "api"), ["one", "two"],
            (form, _, _) =>
                $"spec: {{gatewayClassName: istio, addresses: [{{type: Hostname, value: istio-ingressgateway.istio-system.svc.cluster.local}}], listeners: [{{name: http, port: 8081, protocol: HTTP, hostname: '{(form == "one" ? "*.example.com" : Errand.ApiHost)}', allowedRoutes: {{namespaces: {{from: All}}}}}}]}}"),
        new("api route", Kinds.HTTPRoute, GatewayApi, ("default", "api"), ["there"],
            (_, marker, _) =>
                $"spec: {{parentRefs: [{{name: api, namespace: istio-system}}], hostnames: [{Errand.ApiHost}], rules: [{Filtered(marker, "back")}]}}"),
        new("home route", Kinds.HTTPRoute, GatewayApi, ("default", "home"), ["there"],
            (_, marker, _) => $"spec: {{parentRefs: [{{group: '', kind: Service, name: front}}], rules: [{Filtered(marker, "front")}]}}"),

        // Who may, and who is told.
        new("policy", Kinds.AuthorizationPolicy, Security, ("default", "closed"), ["open", "deny", "only"],
            (form, _, _) => $"spec: {{selector: {{matchLabels: {{app: back}}}}, {form switch
        {
            "open" => "rules: [{}]",
            "deny" => "action: DENY, rules: [{to: [{operation: {paths: [/closed]}}]}]",
            _ => "rules: [{to: [{operation: {notPaths: [/closed]}}]}]",
        }}}}"),
        new("tokens", Kinds.RequestAuthentication, Security, ("default", "tokens"), ["one", "two"],
            (form, _, _) =>
                $"spec: {{selector: {{matchLabels: {{app: back}}}}, jwtRules: [{{issuer: issuer-{form}, jwks: '{{\"keys\":[]}}'}}]}}"),
        new("peers", Kinds.PeerAuthentication, Security, ("default", "default"), ["PERMISSIVE", "STRICT"],
            (form, _, _) => $"spec: {{mtls: {{mode: {form}}}}}"),
        new("telemetry", Kinds.Telemetry, "telemetry.istio.io/v1", ("default", "default"), ["one", "two"],
            (form, _, _) =>
                $"spec: {{metrics: [{{providers: [{{name: prometheus}}], overrides: [{{match: {{metric: {(form == "one" ? "REQUEST_COUNT" : "ALL_METRICS")}}}, tagOverrides: {{request_method: {{value: request.method}}}}}}]}}]}}"),

        // What reaches over everything.
        new("sidecar", Kinds.Sidecar, Istio, ("default", "default"), ["all", "own", "none"],
            (form, _, _) =>
                $"spec: {{egress: [{{hosts: [{form switch { "all" => "'*/*'", "own" => "./*, istio-system/*", _ => "istio-system/*" }}]}}]}}"),
        new("filter", Kinds.EnvoyFilter, "networking.istio.io/v1alpha3", ("default", "named"), ["statistics", "host", "lua"],
            (form, marker, _) => $"spec: {{configPatches: [{form switch
        {
            "statistics" => "{applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: back.default.svc.cluster.local}}, "
                + "patch: {operation: MERGE, value: {alt_stat_name: patched}}}",
            "host" => $"{{applyTo: VIRTUAL_HOST, match: {{context: SIDECAR_OUTBOUND, routeConfiguration: {{vhost: {{name: "
                + $"'back.default.svc.cluster.local:9080'}}}}}}, patch: {{operation: MERGE, value: {{response_headers_to_add: "
                    + $"[{{header: {{key: x-filter, value: 'f{marker}'}}}}]}}}}}}",
            _ => $"{{applyTo: HTTP_FILTER, match: {{context: SIDECAR_OUTBOUND, listener: {{filterChain: {{filter: {{name: "
                + $"envoy.filters.network.http_connection_manager, subFilter: {{name: envoy.filters.http.router}}}}}}}}}}, patch: "
                    + $"{{operation: INSERT_BEFORE, value: {{name: told, typed_config: {{'@type': "
                        + $"type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, inline_code: \"function "
                            + $"envoy_on_response(handle)\\n handle:headers():replace('x-lua', 'l{marker}')\\nend\"}}}}}}}}",
        }}]}}"),
        new("mesh", Kinds.ConfigMap, "v1", ("istio-system", "istio"), ["plain", "patient", "sniffing"],
            (form, _, _) =>
                $"data:\n  mesh: |\n{Mesh.Indented(Mesh.Settings(form switch { "plain" => "", "patient" => "connectTimeout: 3s\n", _ => "protocolDetectionTimeout: 1s\n" }), 4)}"),
    }.ToDictionary(one => one.Word);

    private static string Port(string name, int port) =>
        string.Create(CultureInfo.InvariantCulture, $"{{name: {name}, port: {port}, targetPort: {port}}}");

    private static string Marked(int marker, string destinations) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{{headers: {{response: {{set: {{x-marker: \"{marker}\"}}}}}}, route: [{destinations}]}}");

    private static string Filtered(int marker, string backend) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{{filters: [{{type: ResponseHeaderModifier, responseHeaderModifier: {{set: [{{name: x-marker, value: '{marker}'}}]}}}}], "
            + $"backendRefs: [{{name: {backend}, port: 9080}}]}}");

    private static string Destinations(string host, string form)
    {
        string[] subsets = form.Split('+');
        return string.Join(", ",
            subsets.Select(
                subset =>
                    $"{{destination: {{host: {host}{(subset == "any" ? "" : $", subset: {subset}")}, port: {{number: 9080}}}}, weight: {(subsets.Length == 1 ? 100 : 50)}}}"));
    }

    private static IEnumerable<string> Servers(string form)
    {
        if (form != "https") yield return $"{{port: {{number: 80, name: http, protocol: HTTP}}, hosts: [{Errand.EdgeHost}]}}";
        if (form != "http")
            yield return $"{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [{Errand.EdgeHost}], tls: {{mode: SIMPLE, credentialName: edge-cert}}}}";
    }

    private static string Slice(string ports, IReadOnlyList<Pod> pods, Func<Pod, bool> isReady)
    {
        var yaml = new StringBuilder(
            $"addressType: IPv4\nports: "
            + $"[{string.Join(", ", ports.Split(", ").Select(port => $"{{name: {port}, port: {port.Split('-')[1]}, protocol: TCP}}"))}]\nendpoints:\n");
        foreach (Pod pod in pods)
            yaml.Append($"- {{addresses: [{pod.Host.Ip.Host}], conditions: {{ready: {(isReady(pod) ? "true" : "false")}}}, targetRef: "
                + $"{{kind: Pod, name: {pod.Name}, namespace: {pod.Namespace}}}}}\n");
        return yaml.ToString();
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));
}
