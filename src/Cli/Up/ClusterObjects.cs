using System.Text.Json.Nodes;

namespace Lateen.Cli.Up;

/// <summary>What a cluster would say of what runs here: Namespaces, Node, Pods, Services with addresses, EndpointSlices.</summary>
internal static class ClusterObjects
{
    public const string NodeName = "this-machine";

    /// <summary>The label that says that a workload's sidecar takes mutual TLS.</summary>
    public const string MutualTls = "security.istio.io/tlsMode";

    public static JsonObject Namespace(string name) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Namespace",
        ["metadata"] = new JsonObject
        {
            ["name"] = name,
            ["labels"] = new JsonObject { ["kubernetes.io/metadata.name"] = name, ["istio-injection"] = "enabled" },
        },
    };

    /// <summary>The mesh's settings as an installation for demonstrations has them: every request is logged in Istio's default
    /// format.</summary>
    public static JsonObject MeshSettings() => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ConfigMap",
        ["metadata"] = new JsonObject { ["name"] = "istio", ["namespace"] = "istio-system" },
        ["data"] = new JsonObject { ["mesh"] =
            "accessLogFile: /dev/stdout\ndefaultProviders:\n  metrics: [prometheus]\nenablePrometheusMerge: true\n" },
    };

    public static JsonObject Node(string address) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Node",
        ["metadata"] = new JsonObject
        {
            ["name"] = NodeName,
            ["labels"] = new JsonObject
            {
                ["kubernetes.io/hostname"] = NodeName,
                ["topology.kubernetes.io/region"] = "local",
                ["topology.kubernetes.io/zone"] = "local-a",
            },
        },
        ["status"] = new JsonObject { ["addresses"] = new JsonArray(new JsonObject { ["type"] = "InternalIP", ["address"] = address }) },
    };

    public static JsonObject ServiceAccount(string name, string inNamespace) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "ServiceAccount",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = inNamespace },
    };

    public static JsonObject Pod(WorkloadPlan plan, string address, bool ready)
    {
        var labels = new JsonObject(plan.Labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value)))
        {
            ["pod-template-hash"] = plan.TemplateHash,
            [MutualTls] = "istio",
            ["service.istio.io/canonical-name"] = plan.Labels.GetValueOrDefault("app", plan.Deployment),
            ["service.istio.io/canonical-revision"] = plan.Labels.GetValueOrDefault("version", "latest"),
        };
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject
            {
                ["name"] = plan.Name,
                ["namespace"] = plan.Namespace,
                ["uid"] = $"{plan.Namespace}-{plan.Name}",
                ["labels"] = labels,
                ["ownerReferences"] = new JsonArray(new JsonObject
                {
                    ["apiVersion"] = "apps/v1", ["kind"] = "ReplicaSet", ["name"] =
                        $"{plan.Deployment}-{plan.TemplateHash}", ["controller"] = true, ["uid"] = plan.TemplateHash,
                }),
            },
            ["spec"] = new JsonObject
            {
                ["nodeName"] = NodeName,
                ["serviceAccountName"] = plan.ServiceAccount,
                ["containers"] = new JsonArray(new JsonObject
                {
                    ["name"] = plan.Labels.GetValueOrDefault("app", plan.Deployment),
                    ["image"] = "local",
                    ["ports"] = new JsonArray(
                        plan.Ports.Select(port => (JsonNode)new JsonObject { ["containerPort"] = port, ["protocol"] = "TCP" }).ToArray()),
                }),
            },
            ["status"] = new JsonObject
            {
                ["phase"] = "Running",
                ["podIP"] = address,
                ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address }),
                ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = ready ? "True" : "False" }),
            },
        };
    }

    /// <summary>The Service of Istio's ingress gateway; its HTTP port leads to <paramref name="httpPort"/> of this machine.</summary>
    public static JsonObject IngressService(int httpPort, int httpsPort) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Service",
        ["metadata"] = new JsonObject
        {
            ["name"] = "istio-ingressgateway",
            ["namespace"] = "istio-system",
            ["labels"] = new JsonObject { ["app"] = "istio-ingressgateway", ["istio"] = "ingressgateway" },
        },
        ["spec"] = new JsonObject
        {
            ["selector"] = new JsonObject { ["app"] = "istio-ingressgateway", ["istio"] = "ingressgateway" },
            ["ports"] = new JsonArray(Port("http2", 80, httpPort), Port("https", 443, httpsPort)),
        },
    };

    /// <summary>A Service in front of the workload that `lateen run` starts, under its name.</summary>
    public static JsonObject ServiceOf(string name, string inNamespace, string app, string protocol, IReadOnlyList<int> ports) => new()
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Service",
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = inNamespace, ["labels"] = new JsonObject { ["app"] = app } },
        ["spec"] = new JsonObject
        {
            ["selector"] = new JsonObject { ["app"] = app },
            ["ports"] = new JsonArray(ports.Select(port => (JsonNode)Port(ports.Count == 1 ? protocol : $"{protocol}-{port}", port, port))
                .ToArray()),
        },
    };

    /// <summary>A copy of a Service with its virtual address; a headless one stays without.</summary>
    public static JsonObject WithAddress(JsonObject service, Func<string, string> addressOf)
    {
        var copy = (JsonObject)service.DeepClone();
        var metadata = (JsonObject)copy["metadata"]!;
        metadata["namespace"] ??= "default";
        if (copy["spec"] is not JsonObject spec || spec["clusterIP"] is not null || spec["type"]?.ToString() == "ExternalName") return copy;
        string address = addressOf($"{metadata["namespace"]}/{metadata["name"]}");
        spec["clusterIP"] = address;
        spec["clusterIPs"] = new JsonArray(address);
        return copy;
    }

    /// <summary>The endpoints of a Service: the workloads of its namespace that its selector selects.</summary>
    public static JsonObject? EndpointSlice(JsonObject service, IEnumerable<(WorkloadPlan Plan, string Address, bool Ready)> workloads)
    {
        string name = service["metadata"]!["name"]!.ToString(), inNamespace = service["metadata"]!["namespace"]!.ToString();
        if (service["spec"]?["selector"] is not JsonObject { Count: > 0 } selector) return null;
        var endpoints = new JsonArray();
        foreach ((WorkloadPlan plan, string address, bool ready) in workloads)
        {
            if (plan.Namespace != inNamespace || !selector.All(s => plan.Labels.GetValueOrDefault(s.Key) == s.Value?.ToString())) continue;
            endpoints.Add(new JsonObject
            {
                ["addresses"] = new JsonArray(address),
                ["conditions"] = new JsonObject { ["ready"] = ready, ["serving"] = ready, ["terminating"] = false },
                ["nodeName"] = NodeName,
                ["zone"] = "local-a",
                ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["name"] = plan.Name, ["namespace"] = plan.Namespace },
            });
        }
        return new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{name}-local",
                ["namespace"] = inNamespace,
                ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = name },
            },
            ["addressType"] = "IPv4",
            ["endpoints"] = endpoints,
            ["ports"] = new JsonArray((service["spec"]?["ports"] as JsonArray ?? []).Select(port => (JsonNode)new JsonObject
            {
                ["name"] = port?["name"]?.DeepClone() ?? "",
                ["protocol"] = port?["protocol"]?.ToString() ?? "TCP",
                ["port"] = Target(port),
            }).ToArray()),
        };
    }

    private static long Target(JsonNode? port) =>
        port?["targetPort"] is JsonValue target && target.TryGetValue(out long number) ? number : port?["port"]?.GetValue<long>() ?? 0;

    private static JsonObject Port(string name, int port, int target) =>
        new() { ["name"] = name, ["port"] = (long)port, ["targetPort"] = (long)target, ["protocol"] = "TCP" };
}
