using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.ControlPlane.Injection;
using Lateen.Injector.BuiltIn;
using Lateen.Pilot.Meaning.Settings;
using Lateen.Test.Conformance.Runners.Names;

namespace Lateen.Test.Conformance.Runners.Injection;

/// <summary>Plays the table <c>inject</c> of <c>istiod-live</c>: reviews that a running webhook was sent, and what it made of the
/// pods.</summary>
internal static class LiveWebhook
{
    private const string Image = "example/proxyv2:test";

    /// <summary>What differs; null for nothing.</summary>
    public static string? Answer(JsonElement row)
    {
        var mesh = new MeshInjection
        {
            // The recorded installation names its image in full, so that no kind of image can be asked for.
            Config = BuiltInInjection.With(
                new JsonObject { ["global"] = new JsonObject
                {
                    ["proxy"] = new JsonObject { ["image"] = Image },
                    ["proxy_init"] = new JsonObject { ["image"] = Image },
                } }),
            Mesh = MeshConfigs.Overlay(MeshConfigs.Defaults(),
                "defaultConfig: {discoveryAddress: istiod.istio-system.svc:15012}\ntrustDomain: cluster.local\nenablePrometheusMerge: "
                + "true\n", "", []),
        };
        string request = row.TryGetProperty("rawRequest", out JsonElement raw) ? raw.GetString()! : row.GetProperty("request").GetRawText();
        JsonNode answer = JsonNode.Parse(InjectionReviews.Answer(request, row.Text("path"), mesh).Body)!;
        JsonElement wanted = row.GetProperty("response").GetProperty("response");
        bool isAllowed = answer["response"]!["allowed"]!.GetValue<bool>();
        if (wanted.Truth("allowed") != isAllowed) return $"wanted {wanted}, given {answer["response"]}";
        JsonNode? pod = Patched(JsonNode.Parse(request)!["request"]!["object"]!, answer["response"]!["patch"]?.ToString());
        return row.TryGetProperty("patchedObject", out JsonElement patched)
            ? KubernetesObjects.Difference(pod, JsonNode.Parse(patched.GetRawText())) : answer["response"]!["patch"] is null
            ? null : "nothing was to be changed";
    }

    private static JsonNode? Patched(JsonNode pod, string? patch)
    {
        if (patch is null) return pod;
        foreach (JsonNode? step in JsonNode.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(patch)))!.AsArray())
        {
            string[] path = step!["path"]!.ToString().Split('/')[1..];
            JsonNode at = path[..^1].Aggregate(pod, (node, name) => node[name]!);
            at[path[^1]] = step["value"]?.DeepClone();
        }
        return pod;
    }
}
