using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>The cluster in which <c>istiod-live</c> was recorded: the world that the recording comes with, and the services of the
/// installation, of which it tells only what a debug page said.</summary>
internal sealed class LiveWorld
{
    public LiveWorld(string folder)
    {
        string pods = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "pods.json"))) is JsonObject list
            ? new JsonObject { ["apiVersion"] = "v1", ["kind"] = "List", ["items"] = list["items"]!.DeepClone() }.ToJsonString() : "";
        Yaml = $"{File.ReadAllText(Path.Combine(folder, "world.yaml"))}\n---\n{pods}\n---\n{string.Join("\n---\n", Installed(folder))}";
    }

    /// <summary>Every object, as text.</summary>
    public string Yaml { get; }

    private static IEnumerable<string> Installed(string folder)
    {
        using JsonDocument debug = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "debug.json")));
        JsonElement services = debug.RootElement.GetProperty("cases").EnumerateArray().First(row => row.Text("path") == "/debug/registryz")
            .GetProperty("body");
        foreach (JsonElement row in services.EnumerateArray())
        {
            JsonElement about = row.GetProperty("Attributes");
            if (about.Text("ServiceRegistry") == "Kubernetes" && about.Text("Namespace") != "shop")
                yield return Service(row, about).ToJsonString();
        }
    }

    private static JsonObject Service(JsonElement row, JsonElement about)
    {
        JsonElement[] ports = row.TryGetProperty("ports", out JsonElement listed) ? [.. listed.EnumerateArray()] : [];
        var spec = new JsonObject
        {
            ["type"] = about.Text("Type"),
            ["ports"] = new JsonArray(
                [.. ports.Select(port => (JsonNode)new JsonObject
                {
                    ["name"] = port.Text("name"),
                    ["port"] = port.Number("port"),
                    ["protocol"] = "TCP",
                })]),
        };
        if (Map(about, "LabelSelectors") is { } selector) spec["selector"] = selector;
        if (about.Text("ExternalName") is { Length: > 0 } other) spec["externalName"] = other;
        else spec["clusterIP"] = row.Text("defaultAddress");
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Service",
            ["metadata"] = new JsonObject
            {
                ["name"] = about.Text("Name"),
                ["namespace"] = about.Text("Namespace"),
                ["labels"] = Map(about, "Labels"),
            },
            ["spec"] = spec,
        };
    }

    private static JsonObject? Map(JsonElement about, string name) =>
        about.TryGetProperty(name, out JsonElement map) && map.ValueKind == JsonValueKind.Object ? JsonObject.Create(map.Clone()) : null;
}
