using System.Text.Json.Nodes;
using Lateen.ControlPlane.Operator;

namespace Lateen.Cli.Printing;

/// <summary>Resources as tables, one for each kind, with the columns that Istio's and Kubernetes' definitions ask kubectl for.</summary>
public static class ObjectTables
{
    private sealed record Column(string Heading, Func<JsonObject, string> Value);

    private static readonly Dictionary<string, Column[]> ByKind = new()
    {
        ["VirtualService"] = [List("GATEWAYS", "spec.gateways"), List("HOSTS", "spec.hosts")],
        ["DestinationRule"] = [Text("HOST", "spec.host")],
        ["ServiceEntry"] = [List("HOSTS", "spec.hosts"), Text("LOCATION", "spec.location"), Text("RESOLUTION", "spec.resolution")],
        ["WorkloadEntry"] = [Text("ADDRESS", "spec.address")],
        ["PeerAuthentication"] = [Text("MODE", "spec.mtls.mode")],
        ["AuthorizationPolicy"] = [Text("ACTION", "spec.action")],
        ["WasmPlugin"] = [Text("URL", "spec.url")],
        ["Service"] = [Text("TYPE", "spec.type", "ClusterIP"), Text("CLUSTER-IP", "spec.clusterIP", "None"), new("PORT(S)", Ports)],
        ["Pod"] = [Text("STATUS", "status.phase"), Text("IP", "status.podIP")],
        ["Deployment"] = [Text("REPLICAS", "spec.replicas", "1")],
        ["HTTPRoute"] = [List("HOSTNAMES", "spec.hostnames")],
        ["GRPCRoute"] = [List("HOSTNAMES", "spec.hostnames")],
        ["EndpointSlice"] = [Text("ADDRESSTYPE", "addressType")],
        ["ConfigMap"] = [new("DATA", fields => ((fields["data"] as JsonObject)?.Count ?? 0).ToString())],
        ["Secret"] = [Text("TYPE", "type", "Opaque")],
    };

    /// <summary>Prints one table a kind, in the order given, a blank line between; several kinds carry their kind before the
    /// name.</summary>
    public static void Print(Terminal terminal, IReadOnlyList<StoredObject> found, bool wide, bool namespaces, bool headings,
        DateTimeOffset now)
    {
        IGrouping<string, StoredObject>[] kinds = [.. found.GroupBy(item => item.Kind)];
        for (int i = 0; i < kinds.Length; i++)
        {
            if (i > 0) terminal.Line();
            Table(kinds[i].Key, kinds[i], wide, namespaces, kinds.Length > 1, now).Print(terminal, headings);
        }
    }

    private static ColumnTable Table(string kind, IEnumerable<StoredObject> items, bool wide, bool namespaces, bool kindBeforeName,
        DateTimeOffset now)
    {
        Column[] own = ByKind.GetValueOrDefault(kind, []);
        string[] lead = namespaces ? ["NAMESPACE", "NAME"] : ["NAME"];
        string[] tail = wide ? ["AGE", "EFFECT", "REVISION", "WRITTEN AT"] : ["AGE", "EFFECT"];
        var table = new ColumnTable([.. lead, .. own.Select(column => column.Heading), .. tail]);
        foreach (StoredObject item in items)
        {
            string name = Field(item.Object, "metadata.name");
            Cell[] first = namespaces ? [Field(item.Object, "metadata.namespace")] : [];
            Cell[] last = wide ? [item.Revision.ToString(), item.Place ?? ""] : [];
            table.Row([.. first, kindBeforeName ? item.Resource : name, .. own.Select(column => (Cell)column.Value(item.Object)),
                Age(item, now), Effect(item), .. last]);
        }
        return table;
    }

    private static Cell Age(StoredObject item, DateTimeOffset now) =>
        Durations.Age(now - (DateTimeOffset.TryParse(Field(item.Object, "metadata.creationTimestamp"), out DateTimeOffset made)
            ? made : item.ChangedAt));

    // The worst thing that is to be said about it, in a word; `describe` says the rest.
    private static Cell Effect(StoredObject item)
    {
        Finding? worst = item.Findings.OrderBy(finding => finding.Level switch { "error" => 0, "warning" => 1, _ => 2 }).FirstOrDefault();
        return worst switch
        {
            null => new("ok", Tone.Good),
            { Level: "error" } => new("refused", Tone.Bad),
            { Level: "warning" } => new("warning", Tone.Doubtful),
            _ => new("remark", Tone.Faint),
        };
    }

    private static Column Text(string heading, string path, string absent = "") =>
        new(heading, fields => Field(fields, path) is { Length: > 0 } value ? value : absent);

    private static Column List(string heading, string path) => new(heading, fields =>
        At(fields, path) is JsonArray { Count: > 0 } items ? "[" + string.Join(",", items.Select(item => $"\"{item}\"")) + "]" : "");

    private static string Ports(JsonObject service) => At(service, "spec.ports") is JsonArray ports
        ? string.Join(",", ports.Select(port => $"{port?["port"]}/{port?["protocol"]?.ToString() ?? "TCP"}"))
        : "";

    private static string Field(JsonObject fields, string path) => At(fields, path)?.ToString() ?? "";

    private static JsonNode? At(JsonObject fields, string path)
    {
        JsonNode? node = fields;
        foreach (string step in path.Split('.')) node = (node as JsonObject)?[step];
        return node;
    }
}
