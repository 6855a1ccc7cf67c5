// Mesh: what the control plane costs. One generator of worlds, one client program, and the steps of a mesh's life: all proxies connect, one
// object changes, everything churns, all come back. The control plane runs as users run it, a process of its own on a core of its own; the
// clients share the other core. What is compared is CPU time, which a busy machine lengthens less than the clock.
//
// The clients are lean on purpose: they keep names and versions and look into a resource once for all of them, so that a few hundred fit
// beside what they measure. They ask in Envoy's order and answer everything.
//
// The world lies where the control plane takes it from (`MeshSource`). In files and behind its operator API, for a mesh without a cluster:
// every change is then a request that is checked and answered, and counted. In a Kubernetes API server that somebody started, on the
// clients' core, as in a cluster: lists, watches over TLS, elections, status. That is what istiod was measured with; there the world was
// ServiceEntries with endpoints inside (`--as entries`), which is not how a cluster's own services look, so that both are there.
//
// Refused: an API server of our own for that (a real one makes 1000 services with 5000 pods in a minute, and keeps them for the next run;
// what it sends, managed fields and all, is what there is to read), a client library (its cost on the shared core becomes our latency), and changes written into files (the disk would be measured,
// too).
using System.Globalization;
using System.Text.Json.Nodes;
using Lateen.Config.Resources;

namespace Lateen.Bench.Load.Mesh;

/// <summary>A mesh as its objects: services with their endpoints, pods behind them, and a rule for every tenth.</summary>
/// <param name="Services">How many services.</param>
/// <param name="Endpoints">Endpoints of each.</param>
/// <param name="Namespaces">Over how many namespaces they are spread.</param>
/// <param name="AreEntries">Each service is a ServiceEntry with its endpoints inside, in place of a Service, a slice and pods.</param>
internal sealed record MeshWorld(int Services, int Endpoints, int Namespaces = 1, bool AreEntries = false)
{
    /// <summary>The kinds that a world may have.</summary>
    public static readonly ResourceKind[] Kinds =
    [
        Config.Resources.Kinds.Namespace, Config.Resources.Kinds.Service, Config.Resources.Kinds.Pod, Config.Resources.Kinds.EndpointSlice,
        Config.Resources.Kinds.ServiceEntry, Config.Resources.Kinds.DestinationRule, Config.Resources.Kinds.VirtualService,
    ];

    private const int HttpPort = 8080, TcpPort = 9000;

    /// <summary>Name of the cluster that leads to a service.</summary>
    public string ClusterOf(int service) => $"outbound|{HttpPort}||{HostOf(service)}";

    /// <summary>Full name of a service.</summary>
    public string HostOf(int service) => $"svc-{service}.{NamespaceOf(service)}.{(AreEntries ? "mesh.example" : "svc.cluster.local")}";

    /// <summary>Namespace of a service.</summary>
    public string NamespaceOf(int service) => Namespaces == 1 ? "default" : $"ns-{service % Namespaces}";

    /// <summary>Address of a pod.</summary>
    public string AddressOf(int service, int endpoint) => Address(64, (service * Endpoints) + endpoint);

    /// <summary>The whole world, one document after another.</summary>
    public IEnumerable<JsonObject> Objects()
    {
        for (int i = 0; i < Services; i++)
        {
            foreach (JsonObject made in Served(i))
                yield return made;
            if (i % 10 != 0)
                continue;
            yield return DestinationRule(i, 100);
            yield return VirtualService(i, 3);
        }
    }

    /// <summary>All objects of a service; rules for it are none of them.</summary>
    public IEnumerable<JsonObject> Served(int i) => AreEntries ? [Entry(i, "")] : ServiceWithPods(i);

    /// <summary>The object that tells where a service is served; with an extra address when one is given.</summary>
    public JsonObject Places(int i, string extra) => AreEntries ? Entry(i, extra) : Slice(i, extra);

    private IEnumerable<JsonObject> ServiceWithPods(int i)
    {
        yield return Object("v1", "Service", i, $"svc-{i}", new JsonObject
        {
            ["clusterIP"] = Address(32, i),
            ["selector"] = new JsonObject { ["app"] = $"svc-{i}" },
            ["ports"] = Ports(i, (name, port) => new JsonObject { ["name"] = name, ["port"] = port, ["targetPort"] = port }),
        });
        for (int e = 0; e < Endpoints; e++)
            yield return Pod(i, e);
        yield return Slice(i, "");
    }

    private JsonObject Entry(int i, string extra)
    {
        JsonObject Endpoint(string address, int e) => new()
        {
            ["address"] = address,
            ["labels"] = Labels(i, e),
            ["serviceAccount"] = $"svc-{i}",
        };

        JsonArray endpoints = [.. Enumerable.Range(0, Endpoints).Select(e => Endpoint(AddressOf(i, e), e))];
        if (extra.Length > 0)
            endpoints.Add(Endpoint(extra, 0));
        return Object("networking.istio.io/v1", "ServiceEntry", i, $"svc-{i}", new JsonObject
        {
            ["hosts"] = new JsonArray(HostOf(i)),
            ["addresses"] = new JsonArray(Address(32, i)),
            ["location"] = "MESH_INTERNAL",
            ["resolution"] = "STATIC",
            ["ports"] = Ports(i,
                (name, port) => new JsonObject { ["name"] = name, ["number"] = port, ["protocol"] = name.ToUpperInvariant() }),
            ["endpoints"] = endpoints,
        });
    }

    private JsonObject Slice(int i, string extra)
    {
        var endpoints = new JsonArray();
        for (int e = 0; e < Endpoints; e++)
        {
            endpoints.Add(new JsonObject
            {
                ["addresses"] = new JsonArray(AddressOf(i, e)),
                ["conditions"] = new JsonObject { ["ready"] = true },
                ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["name"] = $"svc-{i}-{e}", ["namespace"] = NamespaceOf(i) },
            });
        }
        if (extra.Length > 0)
            endpoints.Add(new JsonObject { ["addresses"] = new JsonArray(extra), ["conditions"] = new JsonObject { ["ready"] = true } });
        JsonObject slice = Object("discovery.k8s.io/v1", "EndpointSlice", i, $"svc-{i}-a", null);
        slice["metadata"]!["labels"] = new JsonObject { ["kubernetes.io/service-name"] = $"svc-{i}" };
        slice["addressType"] = "IPv4";
        slice["endpoints"] = endpoints;
        slice["ports"] = Ports(i, (name, port) => new JsonObject { ["name"] = name, ["port"] = port, ["protocol"] = "TCP" });
        return slice;
    }

    /// <summary>Two subsets and a bound of connections.</summary>
    public JsonObject DestinationRule(int i, int connectionsMax) =>
        Object("networking.istio.io/v1", "DestinationRule", i, $"svc-{i}", new JsonObject
        {
            ["host"] = HostOf(i),
            ["trafficPolicy"] = new JsonObject { ["connectionPool"] =
                new JsonObject { ["tcp"] = new JsonObject { ["maxConnections"] = connectionsMax } } },
            ["subsets"] = new JsonArray(Subset("v1"), Subset("v2")),
        });

    /// <summary>A path of its own for the second subset, the rest to the first.</summary>
    public JsonObject VirtualService(int i, int attempts) =>
        Object("networking.istio.io/v1", "VirtualService", i, $"svc-{i}", new JsonObject
        {
            ["hosts"] = new JsonArray(HostOf(i)),
            ["http"] = new JsonArray(
                new JsonObject
                {
                    ["match"] = new JsonArray(new JsonObject { ["uri"] = new JsonObject { ["prefix"] = "/v2" } }),
                    ["route"] = To(i, "v2"),
                },
                new JsonObject { ["retries"] = new JsonObject { ["attempts"] = attempts }, ["route"] = To(i, "v1") }),
        });

    /// <summary>An address that is nobody else's, for a number.</summary>
    public static string Address(int second, int number) =>
        string.Create(CultureInfo.InvariantCulture, $"10.{second + (number >> 16)}.{(number >> 8) & 255}.{number & 255}");

    private JsonObject Pod(int i, int e)
    {
        JsonObject pod = Object("v1", "Pod", i, $"svc-{i}-{e}",
            new JsonObject { ["serviceAccountName"] = $"svc-{i}", ["nodeName"] = $"node-{(i + e) % 50}" });
        pod["metadata"]!["labels"] = Labels(i, e);
        pod["status"] = new JsonObject
        {
            ["podIP"] = AddressOf(i, e),
            ["phase"] = "Running",
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }),
        };
        return pod;
    }

    private static JsonObject Labels(int i, int e) => new()
    {
        ["app"] = $"svc-{i}",
        ["version"] = $"v{(e % 2) + 1}",
        ["security.istio.io/tlsMode"] = "istio",
    };

    private static JsonObject Subset(string version) => new() { ["name"] = version, ["labels"] = new JsonObject { ["version"] = version } };

    private JsonArray To(int i, string subset) =>
        new(new JsonObject { ["destination"] = new JsonObject { ["host"] = HostOf(i), ["subset"] = subset } });

    private static JsonArray Ports(int i, Func<string, int, JsonObject> make) =>
        i % 10 == 0 ? new(make("http", HttpPort), make("tcp", TcpPort)) : new(make("http", HttpPort));

    private JsonObject Object(string apiVersion, string kind, int i, string name, JsonObject? spec)
    {
        var made = new JsonObject
        {
            ["apiVersion"] = apiVersion,
            ["kind"] = kind,
            ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = NamespaceOf(i) },
        };
        if (spec is not null)
            made["spec"] = spec;
        return made;
    }
}
