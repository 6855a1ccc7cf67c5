using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Injector.Templates;
using Lateen.Injector.Trees;

namespace Lateen.Injector.Pods;

/// <summary>What injection wrote into a pod, kept in an annotation of it, so that a second injection starts from the pod as its owner wrote
/// it.</summary>
public sealed record InjectionStatus(IReadOnlyList<string> InitContainers, IReadOnlyList<string> Containers)
{
    /// <summary>The annotation.</summary>
    public const string Annotation = "sidecar.istio.io/status";

    /// <summary>Nothing.</summary>
    public static readonly InjectionStatus None = new([], []);

    /// <summary>Reads it; nothing where it is malformed.</summary>
    public static InjectionStatus Parse(string? annotation)
    {
        try
        {
            return string.IsNullOrEmpty(annotation) || JsonNode.Parse(annotation) is not JsonObject written
                ? None : new InjectionStatus(Names(written["initContainers"]), Names(written["containers"]));
        }
        catch (JsonException)
        {
            return None;
        }
    }

    /// <summary>The revision that injected a pod, or that it asks for; empty for none.</summary>
    public static string RevisionOf(JsonObject pod)
    {
        try
        {
            if (pod.Annotations().TryGetValue(Annotation, out var written)
                && JsonNode.Parse(written).Word("revision") is { Length: > 0 } revision) return revision;
        }
        catch (JsonException)
        {
            // Another program's annotation tells nothing of ours.
        }
        return pod.Labels().GetValueOrDefault("istio.io/rev", "");
    }

    /// <summary>The text for what a template put into a pod.</summary>
    internal static string Write(JsonObject template, string revision) => new JsonObject
    {
        ["initContainers"] = Named(template, "initContainers"), ["containers"] = Named(template, "containers"), ["volumes"] =
            Named(template, "volumes"),
        ["imagePullSecrets"] = Named(template, "imagePullSecrets"), ["revision"] = revision.Length > 0 ? revision : "default",
    }.ToJsonString(PlainJson.Relaxed);

    private static JsonArray? Named(JsonObject template, string list) =>
        template["spec"].Each(list).Select(item => (JsonNode?)item.Word("name")).ToArray() is { Length: > 0 } names
            ? new JsonArray(names) : null;

    private static string[] Names(JsonNode? list) => list is JsonArray names ? [.. names.Select(name => name?.ToString() ?? "")] : [];
}
