// Injection: pods with sidecars, and the objects of gateways that are deployed. Templates and settings are the product's own; what the
// vectors set is laid over them.
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Lateen.Test.Conformance.Runners.Injection;

/// <summary>Objects as the API server reads them: what has its zero value is not there, and amounts are one amount however they are
/// written.</summary>
internal static partial class KubernetesObjects
{
    private const string Status = "sidecar.istio.io/status";

    /// <summary>Where two objects differ; null where they are equal.</summary>
    public static string? Difference(JsonNode? have, JsonNode? want) => Differs(Read(have, ""), Read(want, ""), "");

    private static JsonNode? Read(JsonNode? node, string name)
    {
        switch (node)
        {
            case JsonObject map:
                var read = new JsonObject();
                foreach (var (key, value) in map.Where(entry => entry.Key is not (Status or "creationTimestamp" or "status")))
                {
                    if (Read(value, name is "limits" or "requests" ? name : key) is { } inner) read[key] = inner;
                }
                return read.Count > 0 || name is "emptyDir" ? read.Count > 0 ? read : null : null;
            case JsonArray list:
                return list.Count > 0
                    ? new JsonArray(
                        [.. list.Select(item => Read(item, name) ?? (item is JsonObject ? new JsonObject() : item?.DeepClone()))]) : null;
            case JsonValue value:
                string text = value.ToString();
                if (text is "" or "0" or "false"
                    && name is not ("value" or "args" or "runAsUser" or "runAsGroup" or "runAsNonRoot" or "privileged"
                        or "allowPrivilegeEscalation" or "readOnlyRootFilesystem")) return name == "args" ? JsonValue.Create(text) : null;
                return JsonValue.Create(name is "limits" or "requests" ? Amount(text) : text.Length == 0 ? null : text);
            default:
                return null;
        }
    }

    /// <summary>An amount as a number, whatever its unit; another text as it is.</summary>
    public static string Amount(string written)
    {
        Match match = Parts().Match(written);
        if (!match.Success || !double.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out double number)) return written;
        string suffix = match.Groups[2].Value;
        int power = "KMGTPE".IndexOf(suffix.Length == 2 ? suffix[0] : ' ', StringComparison.Ordinal);
        double factor = suffix switch
        {
            "m" => 1e-3,
            "k" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            _ when power >= 0 => Math.Pow(1024, power + 1),
            _ => 1,
        };
        return (number * factor).ToString("R", CultureInfo.InvariantCulture);
    }

    private static string? Differs(JsonNode? have, JsonNode? want, string at)
    {
        switch (have, want)
        {
            case (null, null):
                return null;
            case (JsonObject left, JsonObject right):
                return left.Select(entry => entry.Key).Union(right.Select(entry => entry.Key)).Order(StringComparer.Ordinal)
                    .Select(key => Differs(left[key], right[key], $"{at}.{key}")).FirstOrDefault(difference => difference is not null);
            case (JsonArray left, JsonArray right):
                return Enumerable.Range(0, Math.Max(left.Count, right.Count))
                    .Select(i => Differs(i < left.Count ? left[i] : null, i < right.Count ? right[i] : null, $"{at}[{i}]"))
                    .FirstOrDefault(difference => difference is not null);
            default:
                return JsonNode.DeepEquals(have, want)
                    ? null : $"{at}: have {have?.ToJsonString() ?? "nothing"}, want {want?.ToJsonString() ?? "nothing"}";
        }
    }

    [GeneratedRegex(@"\A([0-9.]+)(m|k|M|G|T|[KMGTPE]i)?\z")]
    private static partial Regex Parts();
}
