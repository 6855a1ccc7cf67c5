// Workloads: what people and API servers hand in for injection: manifests of everything that makes pods, and addresses of webhooks. What a
// pod becomes is decided in Pods.
using System.Text.Json.Nodes;
using Lateen.Injector.Pods;
using Lateen.Injector.Settings;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Workloads;

/// <summary>Injects the pods of manifests, by hand instead of by a webhook: everything that makes pods is asked for, unless it refuses or
/// runs on the node's own network.</summary>
/// <param name="inject">Injects one pod of an owner.</param>
public sealed class ManifestInjection(Func<JsonObject, WorkloadOwner, InjectionResult> inject)
{
    /// <summary>Why something was left as it is.</summary>
    public List<string> Skipped { get; } = [];

    /// <summary>The manifest with injected pods; what makes none stays as it is.</summary>
    /// <exception cref="TemplateException">A pod could not be injected.</exception>
    public JsonObject Inject(JsonObject manifest)
    {
        var result = manifest.DeepClone().AsObject();
        switch (result.Word("kind"))
        {
            case "List":
                if (result["items"] is JsonArray items)
                    result["items"] = new JsonArray(
                        [.. items.Select(item => item is JsonObject inner ? Inject(inner) : item?.DeepClone())]);
                break;
            case "Pod":
                Pod(result, WorkloadOwner.Of(result), "Pod");
                break;
            case "CronJob" when result.Below("spec", "jobTemplate", "spec", "template") is { } template:
                // Its jobs' metadata is not that of pods; but this is where tools have always written it.
                var job = (JsonObject)result["spec"]!["jobTemplate"]!;
                var pod = new JsonObject
                {
                    ["metadata"] = job["metadata"]?.DeepClone() ?? new JsonObject(),
                    ["spec"] = template["spec"]?.DeepClone(),
                };
                Pod(pod, OwnerOf(result), "CronJob");
                (job["metadata"], template["spec"]) = (pod["metadata"]?.DeepClone(), pod["spec"]?.DeepClone());
                break;
            case { } kind when result.Below("spec", "template") is { } template && template.Below("spec") is not null:
                Pod(template, OwnerOf(result), kind);
                break;
        }
        return result;
    }

    private void Pod(JsonObject pod, WorkloadOwner owner, string kind)
    {
        var name = pod["metadata"].Word("name") is { Length: > 0 } own ? own : owner.Name;
        var called = $"{kind} \"{(owner.Namespace.Length > 0 ? $"{owner.Namespace}/{name}" : name)}\"";
        if (pod["spec"].Word("hostNetwork") == "true")
        {
            Skipped.Add($"===> Skipping injection because {called} has host networking enabled");
            return;
        }
        var ns = pod["metadata"].Word("namespace") is { Length: > 0 } written ? written : owner.Namespace;
        if (!InjectionDecision.IsRequired("enabled", [], [], pod, ns))
        {
            Skipped.Add($"===> Skipping injection because {called} has sidecar injection disabled");
            return;
        }
        var injected = inject(pod, owner);
        if (injected.Pod is not { } result) throw new TemplateException(injected.Mistake ?? "");
        foreach (var part in (string[])["metadata", "spec"]) pod[part] = result[part]?.DeepClone();
    }

    private static WorkloadOwner OwnerOf(JsonObject manifest) =>
        new(manifest["metadata"].Word("name") ?? "", manifest["metadata"].Word("namespace") ?? "", manifest.Word("apiVersion") ?? "",
            manifest.Word("kind") ?? "");
}
