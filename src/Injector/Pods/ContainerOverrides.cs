using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Pods;

/// <summary>What a pod's owner says about containers that injection brings: it is laid over the template's, and kept in an annotation for a
/// second injection.</summary>
internal static class ContainerOverrides
{
    private const string Annotation = "proxy.istio.io/overrides";
    private static readonly MergeSchema Schema = MergeSchema.Of("Pod");

    /// <summary>Puts kept containers back into a pod from which an earlier injection was taken away.</summary>
    public static void Restore(JsonObject pod)
    {
        var kept = Kept(pod);
        foreach (var list in (string[])["containers", "initContainers"])
        {
            foreach (var container in kept.Each(list).Where(container => pod.Container(list, container.Word("name") ?? "") is null)
                .ToArray()) pod.List(list).Add(container.DeepClone());
        }
    }

    /// <summary>Lays them over the result.</summary>
    /// <param name="result">The pod with its sidecar.</param>
    /// <param name="written">The pod as its owner wrote it.</param>
    /// <param name="template">What the templates brought.</param>
    public static void Apply(JsonObject result, JsonObject written, JsonObject template)
    {
        var (kept, found) = (Kept(written), new JsonObject());
        var annotation = written.Annotations().GetValueOrDefault(InjectionStatus.Annotation);
        var injected = InjectionStatus.Parse(annotation);
        foreach (var (list, known) in (ReadOnlySpan<(string, IReadOnlyList<string>)>)[("containers", injected.Containers),
            ("initContainers", injected.InitContainers)])
        {
            foreach (var name in template["spec"].Each(list).Select(container => container.Word("name") ?? "")
                .Where(name => !known.Contains(name)).ToArray())
            {
                var own = kept.Each(list).FirstOrDefault(container => container.Word("name") == name)
                    ?? (list == "containers" ? written.Container(list, name) : written.Container(name));
                if (own?.DeepClone() is not JsonObject overlay) continue;
                // A container must name an image; this one says "the one that is injected".
                if (overlay.Word("image") == "auto") overlay.Remove("image");
                var copy = overlay.DeepClone().AsObject();
                if (copy["resources"] is null) copy["resources"] = new JsonObject();
                if (found[list] is not JsonArray) found[list] = new JsonArray();
                ((JsonArray)found[list]!).Add(copy);
                StrategicMerge.Apply(result, new JsonObject { ["spec"] = new JsonObject { [list] = new JsonArray(overlay) } }, Schema);
            }
        }
        if (annotation is null && found.Count > 0) result.Ensure("metadata").Ensure("annotations")[Annotation] = FieldOrder.Json(found);
    }

    private static JsonObject Kept(JsonObject pod)
    {
        try
        {
            return pod.Annotations().TryGetValue(Annotation, out var written) ? JsonNode.Parse(written) as JsonObject ?? [] : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
