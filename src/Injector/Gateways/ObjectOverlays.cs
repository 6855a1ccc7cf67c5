using System.Text.Json.Nodes;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Gateways;

/// <summary>What operators lay over the objects of a gateway: a patch for each kind, in a ConfigMap.</summary>
internal static class ObjectOverlays
{
    /// <summary>Kinds that are written, with the key of their patch.</summary>
    public static readonly IReadOnlyDictionary<string, string> Kinds = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["Deployment"] = "deployment", ["Service"] = "service", ["ServiceAccount"] = "serviceAccount", ["HorizontalPodAutoscaler"] =
            "horizontalPodAutoscaler", ["PodDisruptionBudget"] = "podDisruptionBudget",
    };

    // What an object is: a patch may not make another of it.
    private static readonly string[] Identity = ["name", "generateName", "namespace", "uid", "resourceVersion", "generation",
        "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"];

    /// <summary>Lays the patches over one; null where it is written for a patch only, and there is none.</summary>
    public static JsonObject? Apply(JsonObject rendered, IEnumerable<IReadOnlyDictionary<string, string>> overlays)
    {
        var kind = rendered.Word("kind") ?? "";
        if (!Kinds.TryGetValue(kind, out var key)) throw new TemplateException($"unknown overlay kind \"{kind}\"");
        var (before, isPatched) = (rendered["metadata"]?.DeepClone() as JsonObject ?? [], false);
        foreach (var overlay in overlays)
        {
            if (overlay.Keys.FirstOrDefault(name => !Kinds.Values.Contains(name)) is { } unknown)
                throw new TemplateException(
                    $"unsupported overlay \"{unknown}\" (supported: {string.Join(", ", Kinds.Values.Order(StringComparer.Ordinal))})");
            if (!overlay.TryGetValue(key, out var patch)) continue;
            if (PlainText.Tree(patch) is JsonObject tree) StrategicMerge.Apply(rendered, tree, MergeSchema.Of(kind));
            isPatched = true;
        }
        if (!isPatched && (key is "horizontalPodAutoscaler" or "podDisruptionBudget")) return null;
        var after = rendered["metadata"] as JsonObject ?? [];
        return Identity.All(field => JsonNode.DeepEquals(before[field], after[field]))
            ? rendered : throw new TemplateException("illegal metadata change");
    }
}
