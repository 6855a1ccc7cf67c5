using System.Globalization;
using System.Text.Json.Nodes;

namespace Lateen.ControlPlane.Cluster;

/// <summary>The JSON of a status as the definitions of the Gateway API want it.</summary>
public static class StatusForm
{
    private const string Generation = "observedGeneration";
    private const string Time = "lastTransitionTime";

    // What the definitions require although it says nothing: our messages, like every proto-JSON, leave it out.
    private static readonly (string List, string Member, Func<JsonNode> Empty)[] Required =
    [
        ("conditions", "message", () => ""),
        ("conditions", "reason", () => ""),
        ("listeners", "attachedRoutes", () => 0),
        ("listeners", "supportedKinds", () => new JsonArray()),
        ("listeners", "conditions", () => new JsonArray()),
        ("parents", "conditions", () => new JsonArray()),
        ("ancestors", "conditions", () => new JsonArray()),
    ];

    /// <summary>The status with every member that is required, and with its numbers as numbers: proto-JSON writes large ones as
    /// texts.</summary>
    public static JsonObject Complete(JsonObject status)
    {
        if (status[Generation] is JsonValue written && written.TryGetValue(out string? text)
            && long.TryParse(text, CultureInfo.InvariantCulture, out long generation)) status[Generation] = generation;
        foreach ((string name, JsonNode? value) in status.ToArray())
        {
            if (value is not JsonArray items) continue;
            foreach (JsonObject item in items.OfType<JsonObject>())
            {
                foreach ((string list, string member, Func<JsonNode> empty) in Required)
                {
                    if (list == name && !item.ContainsKey(member)) item[member] = empty();
                }
                Complete(item);
            }
        }
        return status;
    }

    /// <summary>Whether two parts of a status say the same, whatever the times of their conditions.</summary>
    public static bool SaysTheSame(JsonNode? left, JsonNode? right) => (left, right) switch
    {
        (null, null) => true,
        (JsonArray { Count: 0 }, null) or (null, JsonArray { Count: 0 }) => true,
        (JsonObject a, JsonObject b) =>
            a.Select(member => member.Key).Union(b.Select(member => member.Key)).All(name => name == Time || SaysTheSame(a[name], b[name])),
        (JsonArray a, JsonArray b) => a.Count == b.Count && a.Zip(b).All(pair => SaysTheSame(pair.First, pair.Second)),
        _ => JsonNode.DeepEquals(left, right),
    };

    /// <summary>Gives each condition its time: when it last became what it is now, so that of the present one while its status
    /// stays.</summary>
    public static void SetTimes(JsonNode? wished, JsonNode? present, DateTimeOffset now)
    {
        switch (wished)
        {
            case JsonObject condition when condition["type"] is not null && condition["status"] is not null:
                bool stays = present is JsonObject before && JsonNode.DeepEquals(before["status"], condition["status"])
                    && before[Time] is not null;
                condition[Time] = stays ? ((JsonObject)present!)[Time]!.DeepClone()
                    : now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
                break;
            case JsonObject parts:
                foreach ((string name, JsonNode? part) in parts) SetTimes(part, (present as JsonObject)?[name], now);
                break;
            case JsonArray items:
                foreach (JsonObject item in items.OfType<JsonObject>()) SetTimes(item, Counterpart(item, present as JsonArray), now);
                break;
            default:
                break;
        }
    }

    // Conditions are known by their type, listeners by their name, parents and ancestors by what they refer to.
    private static JsonObject? Counterpart(JsonObject item, JsonArray? present) => present?.OfType<JsonObject>().FirstOrDefault(other =>
        new[] { "type", "name", "parentRef", "ancestorRef", "controllerName" }.All(name => JsonNode.DeepEquals(item[name], other[name])));
}
