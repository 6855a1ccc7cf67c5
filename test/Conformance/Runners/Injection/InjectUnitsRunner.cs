using System.Text.Json;
using System.Text.Json.Nodes;
using Istio.Mesh.V1Alpha1;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.BuiltIn;
using Lateen.Injector.Pods;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Injector.Templates.Functions;
using Lateen.Injector.Trees;
using Lateen.Injector.Workloads;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Test.Conformance.Runners.Tables;

namespace Lateen.Test.Conformance.Runners.Injection;

/// <summary>Plays <c>inject-units</c>: single rules of injection.</summary>
internal sealed class InjectUnitsRunner : TableRunner
{
    private const int StatusPort = 15020;

    public InjectUnitsRunner() : base("inject-units")
    {
        Table("inject-required", Required);
        Table("rewrite-probers",
            (row, _) => Rows.Same(ProbeRewrite.IsWanted(Words(row, "annotations"), row.Flag("specSetting")), row.Flag("expected")));
        Table("validate-annotations",
            (row, _) => Rows.Same(InjectionAnnotations.Mistake(Words(row, "annotations")) is not null, row.Flag("wantErr")));
        Table("validate-quantity", (row, _) => Rows.Same(!Quantities.IsValid(row.Text("value")), row.Flag("wantErr")));
        Table("grpc-probers",
            (row, _) => Same(JsonNode.Parse(ProbeRewrite.Collect(Pod(row, "pod"), StatusPort)), JsonNode.Parse(row.Text("expected"))));
        Table("rewrite-probe", (row, _) =>
        {
            JsonObject pod = Pod(row, "pod");
            ProbeRewrite.Rewrite(pod, StatusPort);
            return Same(pod, Pod(row, "expected"));
        });
        Table("multus-network", (row, _) => Rows.Same(MeshFunctions.AppendNetwork(row.Text("in"), "istio-cni"), row.Text("want")));
        Table("proxy-image",
            (row, _) =>
                Rows.Same(
                    ProxyImages.Of(Tree(row, "v"),
                        row.TryGetProperty("pc", out JsonElement image) && image.ValueKind == JsonValueKind.Object
                            ? image.Text("imageType") : "", Words(row, "ann")), row.Text("want")));
        Table("inject-url-env",
            (row, _) =>
                Same(new JsonObject(InjectionPath.Variables(row.Text("in")).Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value))),
                    Tree(row, "want")));
        Table("merge-probers", (row, _) =>
        {
            var container = new JsonObject { ["env"] = JsonNode.Parse(row.GetProperty("in").GetRawText()) };
            // The column is spelled so in the vectors.
            ProbeRewrite.Tell(row.Flag("perviouslyInjected"), container, row.Text("probers"));
            return Same(container["env"], JsonNode.Parse(row.GetProperty("want").GetRawText()));
        });
        Table("parse-status", (row, _) =>
        {
            InjectionStatus status = InjectionStatus.Parse(row.Text("status"));
            string[] Names(string list) => Tree(row, "want")[list] is JsonArray named ? [.. named.Select(c => c!["name"]!.ToString())] : [];
            return Rows.SameList(status.Containers, Names("containers")) ?? Rows.SameList(status.InitContainers, Names("initContainers"));
        });
        Table("prometheus-aggregation",
            (row, _) =>
                Rows.Same(
                    MetricsMerge.IsOn(row.TryGetProperty("mesh", out JsonElement mesh) && mesh.ValueKind == JsonValueKind.Object
                        ? Rows.Message<MeshConfig>(mesh) : new MeshConfig(), Words(row, "anno")), row.Flag("want")));
        Table("prometheus-scrape", Scrape);
        Table("otel-resource-attributes", (row, _) => Rows.Same(Attributes(row), row.Text("want")));
        Table("native-sidecar-annotation", Native);
        Table("container-ports",
            (row, _) => Rows.SameList(MeshFunctions.PortsOf(PodObject.Of(Tree(row, "c"))),
                row.TryGetProperty("ports", out JsonElement ports) && ports.ValueKind == JsonValueKind.Array
                    ? ports.EnumerateArray().Select(p => p.GetString()!) : []));
        Table("system-namespaces",
            (row, _) => Rows.Same(InjectionDecision.SystemNamespaces.Contains(row.Text("ns")), row.Flag("expected")));
    }

    private static string? Required(JsonElement row, JsonElement context)
    {
        JsonObject config = Tree(row, "config");
        var pod = new JsonObject { ["metadata"] = Tree(row, "meta"), ["spec"] = Tree(row, "podSpec") };
        return Rows.Same(InjectionDecision.IsRequired(config["policy"]?.ToString() ?? "", Selectors(config, "neverInjectSelector"),
            Selectors(config, "alwaysInjectSelector"), pod, pod["metadata"]!["namespace"]?.ToString() ?? ""), row.Flag("want"));
    }

    // Some rows give a selector as text: a label that is there, whatever its value.
    private static JsonObject[] Selectors(JsonObject config, string name) => config[name] is not JsonArray list ? [] :
    [
        .. list.Select(selector => selector!["labelSelectorString"] is { } text
            ? new JsonObject { ["matchExpressions"] = new JsonArray(new JsonObject { ["key"] = text.ToString(), ["operator"] = "Exists" }) }
            : (JsonObject)selector!.DeepClone()),
    ];

    private static string? Scrape(JsonElement row, JsonElement context)
    {
        JsonObject settings = MetricsMerge.SettingsOf(Words(row, "annotations"));
        JsonNode? targets = row.TryGetProperty("wantTargets", out JsonElement wanted) && wanted.ValueKind == JsonValueKind.Array
            ? JsonNode.Parse(wanted.GetRawText()) : null;
        return Rows.Same(settings["port"]?.ToString(), row.Text("wantPort"))
            ?? Rows.Same(settings["path"]?.ToString(), row.Text("wantPath")) ?? Same(settings["targets"], targets);
    }

    private static string Attributes(JsonElement row)
    {
        var mesh = new ProtoObject(row.TryGetProperty("mc", out JsonElement written) && written.ValueKind == JsonValueKind.Object
            ? Rows.Message<MeshConfig>(written) : new MeshConfig());
        object?[] containers = row.TryGetProperty("containers", out JsonElement list)
            ? [.. list.EnumerateArray().Select(c => (object?)PodObject.Of((JsonObject)JsonNode.Parse(c.GetRawText())!))] : [];
        return ResourceAttributes.Of(mesh, new TextMap(Words(row, "annotations")), new TextMap(Words(row, "labels")), row.Text("namespace"),
            containers);
    }

    private static string? Native(JsonElement row, JsonElement context)
    {
        var pod = new JsonObject
        {
            ["metadata"] = new JsonObject { ["annotations"] = Tree(row, "annotations") },
            ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "app" }) },
        };
        var mesh = new MeshInjection
        {
            Config = BuiltInInjection.With([]),
            Mesh = MeshConfigs.Defaults(),
            NativeSidecars = row.Flag("nativeSidecar"),
        };
        InjectionResult result = mesh.Inject(pod, new WorkloadOwner("app", "", "apps/v1", "Deployment"));
        return result.Pod is { } made
            ? Rows.Same(made.Container("containers", "istio-proxy") is not null ? "containers" : "initContainers",
                row.Text("expectContainer")) : result.Mistake;
    }

    // Kubernetes' types name a probe's handler as a field of its own in these rows; in manifests there is none.
    private static JsonObject Pod(JsonElement row, string name) => (JsonObject)Flat(JsonNode.Parse(row.GetProperty(name).GetRawText()))!;

    private static JsonNode? Flat(JsonNode? node) => node switch
    {
        JsonObject map =>
            new JsonObject(map.SelectMany(entry => entry is { Key: "probeHandler", Value: JsonObject inner }
                ? inner.AsEnumerable() : [entry]).Select(entry => KeyValuePair.Create(entry.Key, Flat(entry.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Flat)]),
        _ => node?.DeepClone(),
    };

    private static JsonObject Tree(JsonElement row, string name) =>
        row.TryGetProperty(name, out JsonElement written) && written.ValueKind == JsonValueKind.Object
            ? (JsonObject)JsonNode.Parse(written.GetRawText())! : [];

    private static Dictionary<string, string> Words(JsonElement row, string name) =>
        Tree(row, name).ToDictionary(entry => entry.Key, entry => entry.Value?.ToString() ?? "");

    private static string? Same(JsonNode? have, JsonNode? want) =>
        JsonNode.DeepEquals(have, want) ? null : $"have {have?.ToJsonString()}, want {want?.ToJsonString()}";
}
