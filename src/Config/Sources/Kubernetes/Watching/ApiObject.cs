using System.Text.Json;

namespace Lateen.Config.Sources.Kubernetes.Watching;

/// <summary>An object as the API gave it.</summary>
/// <param name="Namespace">Empty when its kind has none.</param>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its resourceVersion: equal means the same object, nothing else may be read out of it.</param>
/// <param name="Json">All of it; of an item of a list without apiVersion and kind.</param>
public sealed record ApiObject(string Namespace, string Name, string Version, JsonElement Json)
{
    /// <summary>The object, or null when it has no name.</summary>
    public static ApiObject? Of(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("metadata", out var metadata)) return null;
        var name = Text(metadata, "name");
        return name.Length == 0 ? null : new ApiObject(Text(metadata, "namespace"), name, Text(metadata, "resourceVersion"), json);
    }

    internal static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()! : "";
}

/// <summary>A part of a list.</summary>
/// <param name="Items">Objects of this part.</param>
/// <param name="Version">What a watch goes on from.</param>
/// <param name="Continue">Asks for the next part; empty for the last one.</param>
public sealed record ListPage(IReadOnlyList<ApiObject> Items, string Version, string Continue)
{
    public static ListPage Of(JsonElement list)
    {
        var metadata = list.TryGetProperty("metadata", out var found) ? found : default;
        var items = list.TryGetProperty("items", out var written) && written.ValueKind == JsonValueKind.Array
            ? written.EnumerateArray().Select(ApiObject.Of).OfType<ApiObject>().ToArray() : [];
        return new ListPage(items, ApiObject.Text(metadata, "resourceVersion"), ApiObject.Text(metadata, "continue"));
    }
}

/// <summary>What a watch tells.</summary>
public enum WatchEventKind
{
    /// <summary>The object is there or is another now; added and modified are the same to who knows what it knew.</summary>
    Put,

    /// <summary>The object is gone.</summary>
    Deleted,

    /// <summary>Nothing changed up to this version.</summary>
    Bookmark,

    /// <summary>The watch cannot go on.</summary>
    Failed,
}

/// <summary>One line of a watch.</summary>
public sealed record WatchEvent(WatchEventKind Kind, ApiObject? Object, string Version, ApiFailure? Failure)
{
    /// <summary>The event of a line; null for one that newer servers may have and that means nothing here.</summary>
    public static WatchEvent? Of(JsonElement line)
    {
        var json = line.TryGetProperty("object", out var found) ? found : default;
        var version = json.ValueKind == JsonValueKind.Object && json.TryGetProperty("metadata", out var metadata)
            ? ApiObject.Text(metadata, "resourceVersion") : "";
        return ApiObject.Text(line, "type") switch
        {
            "ADDED" or "MODIFIED" => ApiObject.Of(json) is { } put ? new WatchEvent(WatchEventKind.Put, put, version, null) : null,
            "DELETED" => ApiObject.Of(json) is { } gone ? new WatchEvent(WatchEventKind.Deleted, gone, version, null) : null,
            "BOOKMARK" => new WatchEvent(WatchEventKind.Bookmark, null, version, null),
            "ERROR" => new WatchEvent(WatchEventKind.Failed, null, "", ApiClient.OfStatus(json, 500)),
            _ => null,
        };
    }
}
