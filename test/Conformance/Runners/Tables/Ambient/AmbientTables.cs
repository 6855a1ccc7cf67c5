using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Istio.Networking.V1Alpha3;
using Istio.Workload;
using Kubernetes.Core.V1;
using Kubernetes.Discovery.V1;
using Kubernetes.Gateway.V1;
using Kubernetes.Meta.V1;
using Lateen.Config.Resources;
using Lateen.Pilot.Generation.Workloads;
using Waypoint = Lateen.Pilot.Generation.Workloads.Waypoint;
using Workload = Istio.Workload.Workload;
using Locality = Istio.Workload.Locality;
using PortNames = Lateen.Pilot.Generation.Workloads.PortNames;
using Service = Istio.Workload.Service;

namespace Lateen.Test.Conformance.Runners.Tables.Ambient;

/// <summary>Messages of the ambient mode: services, workloads, their waypoints.</summary>
internal static class AmbientTables
{
    public static string? Service(JsonElement row, JsonElement context)
    {
        var made = new AmbientServices(World(row)).Of(Resource(Kinds.Service, row.GetProperty("svc")));
        return Same(made?.Message, row.Field("result"));
    }

    public static string? EntryServices(JsonElement row, JsonElement context) =>
        SameList(new AmbientServices(World(row)).Of(Resource(Kinds.ServiceEntry, row.GetProperty("se"))).Select(service => service.Message),
            row.Items("result"));

    public static string? Pod(JsonElement row, JsonElement context) =>
        Same(new AmbientWorkloads(World(row)).Of(Resource(Kinds.Pod, row.GetProperty("pod"))), row.Field("result"));

    public static string? Entry(JsonElement row, JsonElement context) =>
        Same(new AmbientWorkloads(World(row)).Of(Resource(Kinds.WorkloadEntry, row.GetProperty("we"))), row.Field("result"));

    public static string? ServiceEntry(JsonElement row, JsonElement context) =>
        SameList(new AmbientWorkloads(World(row)).Of(Resource(Kinds.ServiceEntry, row.GetProperty("se"))), row.Items("result"));

    public static string? Slice(JsonElement row, JsonElement context) =>
        SameList(new AmbientWorkloads(World(row)).Of(Resource(Kinds.EndpointSlice, row.GetProperty("slice"))), row.Items("result"));

    public static string? Scope(JsonElement row, JsonElement context)
    {
        var svc = row.GetProperty("svc").GetProperty("metadata");
        return Rows.Same(new AmbientServices(World(row)).IsGlobal(svc.Text("namespace"), svc.Labels("labels")) ? "GLOBAL" : "LOCAL",
            row.Text("want"));
    }

    public static string? Ingress(JsonElement row, JsonElement context) =>
        Rows.Same(WaypointBindings.FromIngress(row.Labels("serviceLabels"), row.Labels("namespaceLabels")),
            (row.Flag("wantPresent"), row.Flag("wantUseWaypoint")));

    public static string? Canary(JsonElement row, JsonElement context)
    {
        var want = row.Field("want") is { } named ? $"{named.Text("namespace")}/{named.Text("name")}" : null;
        return Rows.Same(WaypointBindings.CanaryReference(row.Labels("labels"), row.Labels("nsLabels"), row.Text("defaultNS")), want);
    }

    public static string? CanaryWeight(JsonElement row, JsonElement context)
    {
        var weight = WaypointBindings.CanaryWeight(row.Labels("anns"), row.Labels("nsAnns"));
        return Rows.Same((weight ?? 0, weight is not null), ((uint)row.Number("wantWeight"), row.Flag("wantValid")));
    }

    public static string? Allowed(JsonElement row, JsonElement context)
    {
        var gateway = Resource(Kinds.KubernetesGateway, row.GetProperty("gateway"));
        var ofClass = row.Field("gatewayClass")?.Field("metadata")?.Labels("annotations");
        var allowed = Waypoints.AllowedBy(gateway.Spec.Spec.Listeners, Waypoints.BindingOf(gateway.Annotations, ofClass));
        var want = row.GetProperty("expected");
        if (Rows.Same(allowed.From, want.Text("fromNamespaces")) is { } wrong) return wrong;
        return allowed.From == "Selector" ? Rows.Same(allowed.Selector, want.Message<LabelSelector>("selector")) : null;
    }

    public static string? PolicyStatus(JsonElement row, JsonElement context)
    {
        var policy = row.GetProperty("inputAuthzPol").Message<Istio.Security.V1Beta1.AuthorizationPolicy>("spec")!;
        var problem = NodePolicyLimits.ProblemOf(policy);
        var want = row.Field("expectStatusMessage");
        return Rows.Same((problem?.Reason, problem?.Message), (want?.Text("reason"), want?.Text("message")))
            ?? (row.Flag("checkEffectiveRules") ? Rows.Same(NodePolicyLimits.Of(policy).HasRules, row.Flag("expectEffectiveRules")) : null);
    }

    // ---- what a row says exists

    private static AmbientWorld World(JsonElement row)
    {
        var namespaces = new Dictionary<string, NamespaceMarks>();
        var waypoints = new Dictionary<string, Waypoint>();
        var services = new List<AmbientService>();
        var slices = new List<Resource<EndpointSlice>>();
        var nodes = new Dictionary<string, Locality>();
        var mesh = Rows.Mesh(row.Field("meshCfg")?.Field("meshConfig"));
        foreach (var item in row.Items("inputs"))
        {
            if (item.Field("meshConfig") is { } config) mesh = Rows.Mesh(config);
            else if (item.Field("named") is not null) Add(waypoints, item);
            else if (item.Field("service") is not null) services.Add(ServiceOf(item));
            else if (item.Field("addressType") is not null) slices.Add(Resource(Kinds.EndpointSlice, item));
            else if (item.Field("locality") is { } place) nodes[item.Text("name")] = Rows.Message<Locality>(place);
            else if (item.Field("metadata") is { } metadata)
                namespaces[metadata.Text("name")] = new NamespaceMarks(metadata.Labels("labels"), metadata.Labels("annotations"));
            else throw new FormatException("unknown input " + item);
        }
        return new AmbientWorld
        {
            ClusterId = "cluster0",
            Network = "testnetwork",
            DomainSuffix = "domain.suffix",
            Mesh = mesh,
            Namespaces = namespaces,
            Waypoints = waypoints,
            Services = services,
            Slices = slices,
            Nodes = nodes,
        };
    }

    private static void Add(Dictionary<string, Waypoint> waypoints, JsonElement item)
    {
        var named = item.GetProperty("named");
        var binding = item.Field("defaultBinding");
        var allowed = item.Field("allowedRoutes");
        var made = new Waypoint(named.Text("namespace"), named.Text("name"),
            Parse<Istio.Workload.GatewayAddress>(item.GetProperty("address")))
        {
            TrafficType = item.Text("trafficType"),
            Binding = binding is { } given
                ? new InboundBinding(given.Text("protocol") == "PROXY"
                    ? ApplicationTunnel.Types.Protocol.Proxy : ApplicationTunnel.Types.Protocol.None, (uint)given.Number("port")) : null,
            Allowed = new AllowedNamespaces(allowed?.Text("fromNamespaces") ?? "", allowed?.Message<LabelSelector>("selector")),
        };
        waypoints[made.FullName] = made;
    }

    private static AmbientService ServiceOf(JsonElement item) => new(
        Parse<Service>(item.GetProperty("service")), item.Field("source")?.Text("kind") == "ServiceEntry"
            ? AmbientSource.ServiceEntry : AmbientSource.Service)
    {
        DeclaredBy = item.Field("source")?.Field("namespacedName")?.Text("name") ?? "",
        Ports = item.Field("portNames")?.EnumerateObject()
            .ToDictionary(p => uint.Parse(p.Name), p => new PortNames(p.Value.Text("portName"), p.Value.Text("targetPortName"))) ?? [],
        Selector = item.Field("labelSelector")?.Labels("labels") ?? System.Collections.Frozen.FrozenDictionary<string, string>.Empty,
    };

    private static Resource<T> Resource<T>(ResourceKind<T> kind, JsonElement row) where T : class, IMessage<T>, new()
    {
        var node = (JsonObject)JsonNode.Parse(row.GetRawText())!;
        node["apiVersion"] = kind.PreferredApiVersion;
        node["kind"] = kind.Name;
        // Rows of objects without a name of their own.
        if (node["metadata"] is not JsonObject metadata) node["metadata"] = metadata = [];
        metadata["name"] ??= "row";
        var text = node.ToJsonString().Replace("\"now\"", "\"2026-01-01T00:00:00Z\"", StringComparison.Ordinal);
        return (Resource<T>)new ResourceDecoder().Decode(text, "row.yaml", [])[0];
    }

    // ---- addresses are bytes in messages and texts in rows

    private static string? SameList<T>(IEnumerable<T> have, IEnumerable<JsonElement> want) where T : class, IMessage<T>, new()
    {
        var (made, wanted) = (have.ToList(), want.ToList());
        if (made.Count != wanted.Count) return $"have {made.Count}, want {wanted.Count}";
        return made.Zip(wanted).Select(pair => Same(pair.First, pair.Second)).FirstOrDefault(difference => difference is not null);
    }

    private static string? Same<T>(T? have, JsonElement? want) where T : class, IMessage<T>, new()
    {
        if (want is not { } expected) return have is null ? null : $"have {have}, want none";
        var wanted = Parse<T>(expected);
        return wanted.Equals(have) ? null : $"have {have}, want {wanted}";
    }

    private static T Parse<T>(JsonElement value) where T : IMessage<T>, new()
    {
        var node = JsonNode.Parse(value.GetRawText())!;
        Encode(node);
        return Rows.Message<T>(JsonSerializer.SerializeToElement(node));
    }

    private static void Encode(JsonNode node)
    {
        switch (node)
        {
            case JsonArray list:
                for (var i = 0; i < list.Count; i++)
                {
                    if (Bytes(list[i]) is { } bytes) list[i] = bytes;
                    else if (list[i] is { } inner) Encode(inner);
                }
                break;
            case JsonObject map:
                foreach (var key in map.Select(pair => pair.Key).ToList())
                {
                    if (map[key] is null) map.Remove(key);
                    else if (key is "address" && Bytes(map[key]) is { } bytes) map[key] = bytes;
                    else Encode(map[key]!);
                }
                break;
        }
    }

    private static string? Bytes(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) && IPAddress.TryParse(text, out var ip)
            ? Convert.ToBase64String(ip.GetAddressBytes()) : null;
}
