using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Agent.Bootstrap;

/// <summary>JSON as the messages that carry JSON.</summary>
internal static class StructText
{
    public static Struct Of(JsonObject json)
    {
        var fields = new Struct();
        foreach ((string name, JsonNode? value) in json) fields.Fields[name] = Of(value);
        return fields;
    }

    private static Value Of(JsonNode? json) => json switch
    {
        null => Value.ForNull(),
        JsonObject members => Value.ForStruct(Of(members)),
        JsonArray items => Value.ForList([.. items.Select(Of)]),
        _ => json.GetValueKind() switch
        {
            JsonValueKind.True => Value.ForBool(true),
            JsonValueKind.False => Value.ForBool(false),
            JsonValueKind.Number => Value.ForNumber(double.Parse(json.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture)),
            _ => Value.ForString(json.ToString()),
        },
    };
}
