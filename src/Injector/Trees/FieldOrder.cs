using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Injector.Templates;

namespace Lateen.Injector.Trees;

/// <summary>JSON of parts of pods that stands in texts (variables, annotations): fields in the order of Kubernetes' types, so that the text
/// does not depend on how a user wrote the pod.</summary>
internal static class FieldOrder
{
    // One list for all types: none orders two of these otherwise. What is not in it follows by name.
    private static readonly string[] Fields =
    [
        "containers", "initContainers", "name", "hostPort", "image", "command", "args", "workingDir", "ports", "envFrom", "env", "value",
        "valueFrom", "exec", "httpGet", "tcpSocket", "grpc", "path", "containerPort", "protocol", "hostIP",
        "port", "service", "host", "scheme", "httpHeaders", "resources", "limits", "requests", "claims", "resizePolicy", "restartPolicy",
        "readOnly", "recursiveReadOnly", "volumeMounts", "volumeDevices", "mountPath", "subPath",
        "mountPropagation", "subPathExpr", "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
        "terminationGracePeriodSeconds",
        "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "postStart", "preStop", "terminationMessagePath",
        "terminationMessagePolicy", "imagePullPolicy", "securityContext", "capabilities", "add", "drop", "privileged",
        "seLinuxOptions", "windowsOptions", "runAsUser", "runAsGroup", "runAsNonRoot", "readOnlyRootFilesystem", "allowPrivilegeEscalation",
        "procMount", "seccompProfile", "stdin", "stdinOnce", "tty",
    ];

    private static readonly Dictionary<string, int> Places = Fields.Select((name, place) => (name, place))
        .ToDictionary(entry => entry.name, entry => entry.place, StringComparer.Ordinal);

    private static readonly Dictionary<string, string> Spellings = Fields.ToDictionary(name => name, StringComparer.OrdinalIgnoreCase);
    private static readonly HashSet<string> Free = new(StringComparer.Ordinal) { "labels", "annotations", "nodeSelector", "matchLabels",
        "limits", "requests", "data", "volumeAttributes" };

    /// <summary>Field names as Kubernetes spells them: operators' JSON in annotations has been read without regard to case for long, and
    /// API servers do regard it.</summary>
    public static JsonNode? Spelled(JsonNode? node) => node switch
    {
        JsonObject map =>
            new JsonObject(map.Select(
                entry => KeyValuePair.Create(Spellings.GetValueOrDefault(entry.Key, entry.Key),
                    Free.Contains(entry.Key) ? entry.Value?.DeepClone() : Spelled(entry.Value))).DistinctBy(entry => entry.Key)),
        JsonArray list => new JsonArray([.. list.Select(Spelled)]),
        _ => node?.DeepClone(),
    };

    /// <summary>Where a field stands among others.</summary>
    public static int Of(string field) => Places.GetValueOrDefault(field, int.MaxValue);

    /// <summary>Compact JSON.</summary>
    public static string Json(JsonNode? node) => Ordered(node, "")?.ToJsonString(PlainJson.Relaxed) ?? "null";

    private static JsonNode? Ordered(JsonNode? node, string name) => node switch
    {
        JsonObject map when name is "limits"
            or "requests" => new JsonObject(map.OrderBy(entry => entry.Key, StringComparer.Ordinal)
                .Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)Quantities.Canonical(entry.Value?.ToString() ?? "")))),
        JsonObject map => new JsonObject(map.OrderBy(entry => Of(entry.Key)).ThenBy(entry => entry.Key, StringComparer.Ordinal)
            .Select(entry => KeyValuePair.Create(entry.Key, Ordered(entry.Value, entry.Key)))),
        JsonArray list => new JsonArray([.. list.Select(item => Ordered(item, ""))]),
        _ => node?.DeepClone(),
    };
}
