using System.Text.Json.Nodes;

namespace Lateen.Injector.Trees;

/// <summary>Ways through a pod's tree.</summary>
internal static class PodTree
{
    /// <summary>The container that the proxy runs in.</summary>
    public const string Proxy = "istio-proxy";

    /// <summary>An object below; made where it is missing.</summary>
    public static JsonObject Ensure(this JsonObject of, string name)
    {
        if (of[name] is JsonObject known) return known;
        var made = new JsonObject();
        of[name] = made;
        return made;
    }

    /// <summary>An object some steps below; null where there is none.</summary>
    public static JsonObject? Below(this JsonNode? of, params ReadOnlySpan<string> path)
    {
        foreach (var name in path) of = of is JsonObject map ? map[name] : null;
        return of as JsonObject;
    }

    /// <summary>A text below; null where there is none.</summary>
    public static string? Word(this JsonNode? of, string name) =>
        of is JsonObject map && map[name] is JsonValue value ? value.ToString() : null;

    /// <summary>Objects of a list below.</summary>
    public static IEnumerable<JsonObject> Each(this JsonNode? of, string name) =>
        (of is JsonObject map ? map[name] as JsonArray : null)?.OfType<JsonObject>() ?? [];

    /// <summary>Texts of a map below.</summary>
    public static IReadOnlyDictionary<string, string> Words(this JsonNode? of, string name) =>
        (of is JsonObject map ? map[name] as JsonObject
            : null)?.ToDictionary(entry => entry.Key, entry => entry.Value?.ToString() ?? "", StringComparer.Ordinal) ?? [];

    /// <summary>Annotations of an object.</summary>
    public static IReadOnlyDictionary<string, string> Annotations(this JsonObject of) => of["metadata"].Words("annotations");

    /// <summary>Labels of an object.</summary>
    public static IReadOnlyDictionary<string, string> Labels(this JsonObject of) => of["metadata"].Words("labels");

    /// <summary>A container of one of the lists by its name.</summary>
    public static JsonObject? Container(this JsonObject pod, string list, string name) =>
        pod["spec"].Each(list).FirstOrDefault(container => container.Word("name") == name);

    /// <summary>A container by its name, of those that run before those that come first.</summary>
    public static JsonObject? Container(this JsonObject pod, string name) =>
        pod.Container("containers", name) ?? pod.Container("initContainers", name);

    /// <summary>All containers, those that come first at the front.</summary>
    public static IEnumerable<JsonObject> Containers(this JsonObject pod) =>
        pod["spec"].Each("initContainers").Concat(pod["spec"].Each("containers"));

    /// <summary>Takes a container out of a list.</summary>
    public static JsonObject? Take(this JsonObject pod, string list, string name)
    {
        if (pod.Container(list, name) is not { } found) return null;
        ((JsonArray)pod["spec"]![list]!).Remove(found);
        return found;
    }

    /// <summary>A list of the spec; made where it is missing.</summary>
    public static JsonArray List(this JsonObject pod, string list)
    {
        var spec = pod.Ensure("spec");
        if (spec[list] is JsonArray known) return known;
        var made = new JsonArray();
        spec[list] = made;
        return made;
    }

    /// <summary>Sets a variable of a container behind all others.</summary>
    public static void AddVariable(this JsonObject container, string name, string value)
    {
        if (container["env"] is not JsonArray env) container["env"] = env = [];
        env.Add(new JsonObject { ["name"] = name, ["value"] = value });
    }
}
