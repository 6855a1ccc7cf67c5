using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Injector.Pods;
using Lateen.Injector.Settings;
using Lateen.Injector.Workloads;

namespace Lateen.ControlPlane.Injection;

/// <summary>What became of a review of a pod.</summary>
public enum InjectionOutcome
{
    /// <summary>It got a sidecar.</summary>
    Injected,

    /// <summary>It needs none.</summary>
    Skipped,

    /// <summary>It could not be injected.</summary>
    Failed,
}

/// <summary>Answers an API server that asks, before it keeps a pod, what is to be added to it.</summary>
public static class InjectionReviews
{
    private const string ApiVersion = "admission.k8s.io/v1";

    /// <summary>The answer to a review.</summary>
    /// <param name="body">The review as the API server sends it.</param>
    /// <param name="path">The path that it was sent to, which may tell variables of the proxy.</param>
    /// <param name="mesh">The mesh that injects.</param>
    /// <param name="annotationsOf">Annotations of a namespace, where its platform gives users.</param>
    public static (string Body, InjectionOutcome Outcome) Answer(string body, string path, MeshInjection mesh,
        Func<string, IReadOnlyDictionary<string, string>>? annotationsOf = null)
    {
        JsonObject? review = null;
        try
        {
            review = JsonNode.Parse(body) as JsonObject;
        }
        catch (JsonException)
        {
            // Told below, as any other text that is no review.
        }
        if (review?["request"] is not JsonObject request) return Refused(review, "could not decode body: it is no AdmissionReview");
        if (request["object"] is not JsonObject written) return Refused(review, "the request has no object");
        var pod = written.DeepClone().AsObject();
        if (pod["metadata"] is not JsonObject metadata) pod["metadata"] = metadata = [];
        // What the API server keeps of it is nothing to an injector, and can be long.
        metadata.Remove("managedFields");
        string ns = metadata["namespace"]?.ToString() is { Length: > 0 } own ? own : request["namespace"]?.ToString() ?? "";
        if (!InjectionDecision.IsRequired(mesh.Config.Policy, mesh.Config.Never, mesh.Config.Always, pod, ns))
            return (Written(review, Response(review, true)), InjectionOutcome.Skipped);
        if (metadata["namespace"] is null) metadata["namespace"] = ns;
        InjectionResult result = mesh.Inject(pod, WorkloadOwner.Of(pod), InjectionPath.Variables(path), annotationsOf?.Invoke(ns));
        if (result.Pod is not { } injected) return Refused(review, $"failed to run injection template: {result.Mistake}");
        JsonObject response = Response(review, true);
        response["patch"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(Patch(written, injected).ToJsonString()));
        response["patchType"] = "JSONPatch";
        return (Written(review, response), InjectionOutcome.Injected);
    }

    // The parts that injection writes, each as a whole: shorter to say than each change, and the same to the API server.
    private static JsonArray Patch(JsonObject written, JsonObject injected)
    {
        var patch = new JsonArray();
        if (written["metadata"] is not JsonObject)
            patch.Add(new JsonObject { ["op"] = "add", ["path"] = "/metadata", ["value"] = new JsonObject() });
        foreach (string part in (string[])["annotations", "labels"])
        {
            if (injected["metadata"]?[part] is { } now && !JsonNode.DeepEquals(written["metadata"]?[part], now))
                patch.Add(new JsonObject { ["op"] = "add", ["path"] = "/metadata/" + part, ["value"] = now.DeepClone() });
        }
        if (!JsonNode.DeepEquals(written["spec"], injected["spec"]))
            patch.Add(new JsonObject { ["op"] = "add", ["path"] = "/spec", ["value"] = injected["spec"]?.DeepClone() });
        return patch;
    }

    private static (string Body, InjectionOutcome Outcome) Refused(JsonObject? review, string message)
    {
        JsonObject response = Response(review, false);
        response["status"] = new JsonObject { ["metadata"] = new JsonObject(), ["message"] = message };
        return (Written(review, response), InjectionOutcome.Failed);
    }

    private static JsonObject Response(JsonObject? review, bool isAllowed) =>
        new() { ["uid"] = review?["request"]?["uid"]?.ToString() ?? "", ["allowed"] = isAllowed };

    private static string Written(JsonObject? review, JsonObject response) =>
        new JsonObject
        {
            ["kind"] = "AdmissionReview",
            ["apiVersion"] = review?["apiVersion"]?.ToString() ?? ApiVersion,
            ["response"] = response,
        }.ToJsonString();
}
