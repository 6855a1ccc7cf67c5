using System.Text.Json.Nodes;
using Lateen.Api.Documents;
using Lateen.Config.Resources;
using Lateen.ControlPlane.Cluster;
using Lateen.ControlPlane.Operator;

namespace Lateen.ControlPlane.Debug;

/// <summary>The pages about what was written.</summary>
internal static class ConfigPages
{
    public static DebugPage Configz(ControlLoop loop, QueryFields query, bool pretty) =>
        ConnectionPages.Page(new JsonArray([.. Written(loop).Select(resource => (JsonNode)Served(resource))]), pretty);

    public static DebugPage Authorizationz(ControlLoop loop, QueryFields query, bool pretty) => ConnectionPages.Page(new JsonObject
    {
        ["authorization_policies"] = Policies(loop),
    }, pretty);

    /// <summary>AuthorizationPolicies by namespace.</summary>
    public static JsonObject Policies(ControlLoop loop) =>
        new() { ["namespace_to_policies"] = ByNamespace(loop, Kinds.AuthorizationPolicy), ["root_namespace"] = loop.RootNamespace };

    public static DebugPage Telemetryz(ControlLoop loop, QueryFields query, bool pretty) => ConnectionPages.Page(new JsonObject
    {
        ["telemetries"] = new JsonObject
        {
            ["namespace_to_telemetries"] = ByNamespace(loop, Kinds.Telemetry),
            ["root_namespace"] = loop.RootNamespace,
        },
    }, pretty);

    public static DebugPage Resourcesz(ControlLoop loop, QueryFields query, bool pretty) =>
        ConnectionPages.Page(
            new JsonArray([.. Kinds.All.Where(IsIstios)
                .Select(kind => (JsonNode)new JsonObject
                {
                    ["group"] = kind.Group,
                    ["version"] = kind.Versions[0],
                    ["kind"] = kind.Name,
                })]), pretty);

    public static DebugPage Clusterz(ControlLoop loop, QueryFields query, bool pretty) =>
        ConnectionPages.Page(new JsonArray([ClusterRow(loop.ClusterId, new RemoteState("", "synced")),
            .. loop.Remotes.Select(remote => ClusterRow(remote.Key, remote.Value))]), pretty);

    public static DebugPage Mesh(ControlLoop loop, QueryFields query, bool pretty) =>
        loop.Hub.Snapshot is { } snapshot ? DebugPage.Json(MessageWriter.ToJson(snapshot.Settings.Mesh, pretty)) : DebugPage.Json("{}");

    // Always indented, as istiod has it.
    public static DebugPage PushStatus(ControlLoop loop, QueryFields query, bool pretty) => ConnectionPages.Page(new JsonObject
    {
        ["revision"] = loop.Hub.Snapshot?.Revision ?? "",
        ["proxies"] = loop.Streams.Count,
    }, pretty: true);

    /// <summary>A resource as the JSON of a Kubernetes object.</summary>
    public static JsonObject Json(Resource resource) =>
        JsonNode.Parse(NodeText.ToJson(ResourceNodes.Of(resource), indented: false))!.AsObject();

    // With what the API server adds, which kubectl shows as well.
    private static JsonObject Served(Resource resource)
    {
        JsonObject whole = Json(resource);
        JsonObject metadata = whole["metadata"]!.AsObject();
        (string Key, string Value)[] marks = [("uid", resource.Metadata.Uid), ("resourceVersion", resource.Metadata.ResourceVersion)];
        foreach ((string key, string value) in marks.Where(mark => mark.Value.Length > 0)) metadata[key] = value;
        if (resource.Metadata.Generation > 0) metadata["generation"] = resource.Metadata.Generation;
        metadata.TryAdd("annotations", new JsonObject());
        // Some kinds have their status beside the spec, others inside of the one message.
        JsonNode? status = resource.Status is { } apart ? JsonNode.Parse(MessageWriter.ToJson(apart, indented: false))
            : JsonNode.Parse(MessageWriter.ToJson(resource.Message, indented: false))?["status"];
        if (status is null) return whole;
        JsonNode written = status.DeepClone();
        // Istio's own kinds are proto-JSON in istiod, too; the Gateway API's are what the API server holds.
        whole["status"] = resource.Kind.Group.EndsWith(".istio.io", StringComparison.Ordinal) || written is not JsonObject members
            ? written : StatusForm.Complete(members);
        return whole;
    }

    private static IEnumerable<Resource> Written(ControlLoop loop) =>
        loop.Configuration.Resources.Where(resource => IsIstios(resource.Kind))
            .OrderBy(resource => resource.Kind.Name, StringComparer.Ordinal)
            .ThenBy(resource => resource.Namespace, StringComparer.Ordinal).ThenBy(resource => resource.Name, StringComparer.Ordinal);

    private static JsonNode ClusterRow(string id, RemoteState state) =>
        new JsonObject { ["id"] = id, ["secretName"] = state.Secret, ["syncStatus"] = state.Status };

    // What istiod calls configuration: its own kinds, the Gateway API's and Ingress; the rest it calls registry.
    private static bool IsIstios(ResourceKind kind) => Kinds.IsOwnGroup(kind.Group) || kind == Kinds.Ingress;

    private static JsonObject ByNamespace(ControlLoop loop, ResourceKind kind)
    {
        var namespaces = new JsonObject();
        foreach (IGrouping<string, Resource> group in Written(loop).Where(resource => resource.Kind == kind)
            .GroupBy(resource => resource.Namespace))
            namespaces[group.Key] = new JsonArray([.. group.Select(resource => (JsonNode)Brief(resource))]);
        return namespaces;
    }

    private static JsonObject Brief(Resource resource)
    {
        JsonObject whole = Json(resource);
        return new JsonObject
        {
            ["name"] = resource.Name,
            ["namespace"] = resource.Namespace,
            ["annotations"] = whole["metadata"]?["annotations"]?.DeepClone() ?? new JsonObject(),
            ["spec"] = whole["spec"]?.DeepClone() ?? new JsonObject(),
        };
    }
}
