using System.Text.Json;
using System.Text.Json.Nodes;
using Lateen.Proxy.Exchanges;

namespace Lateen.Proxy.Filters.MetadataRules;

/// <summary>One value for a namespace.</summary>
/// <param name="Namespace">Where.</param>
/// <param name="Value">An object.</param>
/// <param name="AllowOverwrite">It is laid over what is there; else it is set only where there is nothing.</param>
public sealed record MetadataValue(string Namespace, JsonElement Value, bool AllowOverwrite);

/// <summary>All values, in order.</summary>
/// <param name="Values">The values.</param>
public sealed record SetMetadataSettings(IReadOnlyList<MetadataValue> Values);

/// <summary>Sets fixed dynamic metadata (envoy.extensions.filters.http.set_metadata.v3).</summary>
public sealed class SetMetadataFilter(string name, SetMetadataSettings settings) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        foreach (MetadataValue value in (slot.Settings as SetMetadataSettings ?? settings).Values)
        {
            JsonElement old = exchange.DynamicMetadata?[value.Namespace] ?? default;
            if (old.ValueKind == JsonValueKind.Undefined)
                exchange.SetMetadata(value.Namespace, value.Value);
            else if (value.AllowOverwrite)
                exchange.SetMetadata(value.Namespace, Over(old, value.Value));
        }
        return FilterVerdict.Continue;
    }

    // Envoy's update of structs: objects are joined at every depth, lists appended, anything else replaced.
    private static JsonElement Over(JsonElement old, JsonElement added)
    {
        JsonObject joined = JsonObject.Create(old) ?? [];
        Join(joined, JsonObject.Create(added) ?? []);
        return JsonSerializer.SerializeToElement(joined);
    }

    private static void Join(JsonObject into, JsonObject from)
    {
        foreach ((string key, JsonNode? value) in from)
        {
            if (value is JsonObject fields && into[key] is JsonObject inner)
                Join(inner, fields);
            else if (value is JsonArray items && into[key] is JsonArray list)
                Append(list, items);
            else
                into[key] = value?.DeepClone();
        }
    }

    private static void Append(JsonArray list, JsonArray items)
    {
        foreach (JsonNode? item in items)
            list.Add(item?.DeepClone());
    }
}
