using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Test.Conformance.Frame;
using Lateen.Test.Conformance.Runners.Injection;

namespace Lateen.Test.Conformance.Runners.Live;

/// <summary>Plays <c>written-objects</c>: what a control plane writes into its cluster by itself. Members that an API server adds or
/// presets, and values that are the machine's, are not compared.</summary>
internal sealed class WrittenObjects
{
    private const string Root = "/apis/admissionregistration.k8s.io/v1/";
    // And what its server knows nothing of (families of addresses), or its installation says (images).
    private static readonly string[] Servers = ["creationTimestamp", "uid", "resourceVersion", "generation", "managedFields",
        "lastTransitionTime", "message", "observedGeneration", "clusterIP", "clusterIPs", "nodePort", "deployment.kubernetes.io/revision",
        "leaseTransitions", "image", "ipFamilyPolicy"];

    // What the API server of the recording presets where nothing is written.
    private static readonly Dictionary<string, string> Presets = new()
    {
        ["progressDeadlineSeconds"] = "600", ["replicas"] = "1", ["revisionHistoryLimit"] = "10", ["dnsPolicy"] =
            "\"ClusterFirst\"", ["restartPolicy"] = "\"Always\"", ["schedulerName"] = "\"default-scheduler\"",
        ["terminationGracePeriodSeconds"] = "30", ["terminationMessagePath"] = "\"/dev/termination-log\"", ["terminationMessagePolicy"] =
            "\"File\"", ["imagePullPolicy"] = "\"IfNotPresent\"", ["protocol"] = "\"TCP\"",
        ["apiVersion"] = "\"v1\"", ["defaultMode"] = "420", ["sessionAffinity"] = "\"None\"", ["externalTrafficPolicy"] =
            "\"Cluster\"", ["scheme"] = "\"HTTP\"", ["successThreshold"] = "1", ["timeoutSeconds"] = "1",
        ["strategy"] = """{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"},"type":"RollingUpdate"}""", ["divisor"] =
            "\"1\"", ["emptyDir"] = "{}", ["serviceAccount"] = "\"auto-istio\"",
        ["type"] = "\"RollingUpdate\"", ["privileged"] = "false", ["value"] = "\"\"",
    };

    private readonly LiveStand _stand;
    private readonly JsonObject _recorded;

    public WrittenObjects(LiveStand stand, string folder)
    {
        (_stand, _recorded) = (stand, JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "written-objects.json")))!.AsObject());
        // An installation brings the registrations, without the authority and with a policy that closes nothing.
        foreach (JsonObject registration in _recorded["webhookConfigurations"]!.AsArray().OfType<JsonObject>())
        {
            JsonObject installed = registration.DeepClone().AsObject();
            bool isValidating = (string?)installed["kind"] == "ValidatingWebhookConfiguration";
            foreach (JsonObject webhook in installed["webhooks"]!.AsArray().OfType<JsonObject>())
            {
                webhook["clientConfig"]!.AsObject().Remove("caBundle");
                if (isValidating) webhook["failurePolicy"] = "Ignore";
            }
            _stand.Cluster.Server.Put(Root + (isValidating ? "validatingwebhookconfigurations" : "mutatingwebhookconfigurations"), "",
                (string)installed["metadata"]!["name"]!, installed);
        }
    }

    /// <summary>A verdict on each object.</summary>
    public IEnumerable<CaseResult> Play()
    {
        foreach ((string part, JsonNode? objects) in _recorded)
            foreach (JsonObject wanted in (objects is JsonArray list ? list.OfType<JsonObject>() : [objects!.AsObject()]))
            {
                string name = $"written-objects/{part} {(string)wanted["kind"]!} {(string)wanted["metadata"]!["name"]!}";
                yield return Await(wanted) is { } difference ? CaseResult.Fail(name, difference) : CaseResult.Pass(name);
            }
    }

    private string? Await(JsonObject wanted)
    {
        string? difference = "";
        // Registrations are looked at each half minute.
        double patience = (string?)wanted["kind"] is { } kind && kind.EndsWith("WebhookConfiguration", StringComparison.Ordinal) ? 60 : 20;
        LiveStand.Until(() => (difference = Find(wanted) is { } found ? Differs(found, wanted, "", "") : "it is not there") is null,
            patience);
        return difference;
    }

    private JsonObject? Find(JsonObject wanted)
    {
        (string version, string kind) = ((string)wanted["apiVersion"]!, (string)wanted["kind"]!);
        string plural = kind.EndsWith('s') ? kind.ToLowerInvariant() + "es" : kind.ToLowerInvariant() + "s";
        return _stand.Cluster.Server.Get($"/{(version.Contains('/', StringComparison.Ordinal) ? "apis" : "api")}/{version}/{plural}",
            (string?)wanted["metadata"]!["namespace"] ?? "", (string)wanted["metadata"]!["name"]!);
    }

    private static string? Differs(JsonNode? have, JsonNode? want, string name, string at)
    {
        if (Servers.Contains(name) || (at == ".status" && want?["conditions"] is null) || at is ".status" && want?["replicas"] is not null
            || at is ".secrets") return null;
        if (have is null && name == "targetPort") return null; // the port itself
        if (have is null && want is not null && Presets.GetValueOrDefault(name) is { } preset
            && (JsonNode.DeepEquals(JsonNode.Parse(preset), want) || name == "serviceAccount")) return null;
        switch (have, want)
        {
            case (JsonObject left, JsonObject right):
                return left.Select(member => member.Key).Union(right.Select(member => member.Key))
                    .Where(key => !(at.Length == 0 && key is "apiVersion" or "kind"))
                    .Select(key => Differs(left[key], right[key], key, $"{at}.{key}")).FirstOrDefault(static d => d is not null);
            case (JsonArray left, JsonArray right):
                return left.Count != right.Count
                    ? $"{at}: have {left.ToJsonString()}, want {right.ToJsonString()}" : left.Zip(right)
                        .Select((pair, i) => Differs(pair.First, pair.Second, "", $"{at}[{i}]")).FirstOrDefault(static d => d is not null);
            // An API server does not keep a text that is empty, and of these numbers no zero.
            case (JsonValue empty, null) when empty.ToString().Length == 0 || (name == "initialDelaySeconds" && empty.ToString() == "0"):
                return null;
            case (null, JsonObject { Count: 0 }) or (JsonObject { Count: 0 }, null) or (null, null):
                return null;
            case (JsonValue one, JsonValue other) when IsMasked(other):
                return one.ToString().Length > 0 || other.ToString().Contains(", 0 ", StringComparison.Ordinal) ? null : $"{at} is empty";
            case (JsonValue one, JsonValue other):
                return KubernetesObjects.Amount(one.ToString()) == KubernetesObjects.Amount(other.ToString())
                    || IsRecord(other) && IsRecord(one) ? null : $"{at}: have {one}, want {other}";
            default:
                return $"{at}: have {have?.ToJsonString() ?? "nothing"}, want {want?.ToJsonString() ?? "nothing"}";
        }
    }

    // The record of an election is JSON in a text; its times and how often it changed hands are the machine's.
    private static bool IsRecord(JsonValue value) => value.ToString()
        .StartsWith("{\"holderIdentity\":\"istiod-0\",\"holderKey\":\"default\",\"leaseDurationSeconds\":30,", StringComparison.Ordinal);

    private static bool IsMasked(JsonValue value) =>
        value.ToString() is "MASKED" or "PEM" || value.ToString().StartsWith("masked, ", StringComparison.Ordinal);
}
